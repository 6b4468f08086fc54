"""Sending the mails that are no issue: each at most once, by whoever comes first, beside any sender of issues."""

import secrets
from collections.abc import Iterator, Sequence
from datetime import timedelta

from newsletter.models import Message, Notice, NoticeKind, Outcome, Preferences, State, Verdict
from newsletter.parts import Parts
from newsletter.rank.interests import choose
from newsletter.render import notices
from newsletter.render.notices import Imprint, NoticeView, notice_message
from newsletter.render.words import title_of
from newsletter.store.notices import STALE

BATCH = 50
AGAIN = timedelta(minutes=5)
TITLES = 3  # of the newest issue, in a welcome
# What becomes of a notice by the relay's verdict; all others are tried again. Where nobody knows, nothing is: a person
# who waits for a confirmation asks once more, and a second welcome is a nuisance.
ENDS = {Verdict.ACCEPTED: State.SENT, Verdict.REFUSED: State.FAILED, Verdict.UNKNOWN: State.IN_DOUBT}


def post(parts: Parts) -> int:
    """Send the notices that are due through the first relay; return how many went out.

    Of a list without pages only welcomes go out: the others are nothing without a link.

    Raises:
        SurroundingsError: the relay, the outbox or the database failed; nothing is lost, they wait.
        TemplateError: a template is wrong; they wait.
    """
    sent, owner = 0, secrets.token_hex(8)
    kinds = list(NoticeKind) if parts.links.base_url else [NoticeKind.WELCOME]
    while waiting := parts.enrolments.notices.claim(owner, kinds, parts.clock(), BATCH):
        sent += _hand_over(parts, waiting, owner)
    return sent


def _hand_over(parts: Parts, waiting: Sequence[Notice], owner: str) -> int:
    store, sent, left = parts.enrolments.notices, 0, list(waiting)
    by_id: dict[str, Notice] = {}

    def messages() -> Iterator[Message]:
        for one in waiting:
            message = parts.sign(_message(parts, one), one.due_at)
            by_id[message.id] = one
            yield message

    def before_dot(message: Message) -> bool:
        return store.mark(by_id[message.id].id, owner)

    try:
        for one, outcome in zip(waiting, parts.transport.deliver(messages(), before_dot), strict=False):
            left.remove(one)
            _settle(parts, one, owner, outcome)
            sent += outcome.verdict is Verdict.ACCEPTED
    finally:
        store.release([one.id for one in left], owner, parts.clock() + AGAIN)
    return sent


def _settle(parts: Parts, one: Notice, owner: str, outcome: Outcome) -> None:
    now = parts.clock()
    state = ENDS.get(outcome.verdict, State.FAILED if now - one.queued_at > STALE else State.QUEUED)
    reply = f"{outcome.code or ''} {outcome.text}".strip()
    parts.enrolments.notices.settle(one.id, owner, state, reply, now + AGAIN)


def _message(parts: Parts, one: Notice) -> Message:
    reader, letterhead = one.reader, parts.mailing.letterhead
    message_id = parts.links.message_id(f"notice/{one.id}", reader.id or 0)
    to, date = (reader.name, reader.address), one.queued_at.astimezone(parts.mailing.zone)
    return notice_message(_view(parts, one), parts.templates, letterhead, to=to, message_id=message_id, date=date)


def _view(parts: Parts, one: Notice) -> NoticeView:
    imprint, links, number = (
        Imprint(parts.mailing.title, parts.mailing.postal_address or ""),
        parts.links,
        one.reader.id,
    )
    match one.kind:
        case NoticeKind.CONFIRM:
            token = links.confirm_token(number or 0, one.stamp, one.queued_at)
            hours = parts.signup.confirm_hours
            return notices.confirmation(imprint, links.confirm_url(token), hours=hours)
        case NoticeKind.KNOWN:
            return notices.known(imprint, links.preferences_url(links.unsubscribe_token(number or 0)))
        case NoticeKind.WELCOME:
            return _welcome(parts, imprint, one)


def _welcome(parts: Parts, imprint: Imprint, one: Notice) -> NoticeView:
    newest = next(iter(parts.issues.keys()), None)
    issue = parts.issues.find(newest) if newest else None
    ranks = [pick.rank for pick in choose(issue, Preferences())][:TITLES] if issue else []
    titles = [title_of(entry) for entry in issue.digest.entries if entry.rank in ranks] if issue else []
    return notices.welcome(
        imprint,
        parts.mailing.letterhead.sender_address,
        rhythm=notices.rhythm_of(one.reader.preferences),
        papers=titles,
        url=parts.links.issue_url(newest) if newest else "",
    )
