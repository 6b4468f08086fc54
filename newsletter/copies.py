"""The copies of an issue: what each reader gets, from the compiled issue and the kept pages."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from newsletter.errors import TemplateError, UsageError
from newsletter.models import Delivery, Issue, Message, Preferences, Subscriber
from newsletter.parts import Parts
from newsletter.rank.interests import choose
from newsletter.render.compiled import CompiledIssue
from newsletter.render.notices import Imprint, notice_message, samples
from newsletter.render.plain import plain_message_for
from newsletter.render.reading import Reading
from newsletter.store.issues import IssueStore
from newsletter.store.ledger import NO_MATCH


def compile_issue(parts: Parts, issue: Issue, pieces: "Pieces | None" = None) -> CompiledIssue:
    """Return an issue with its templates and, for a frozen one, the pages that were already made."""
    mailing = parts.mailing
    return CompiledIssue(
        issue, parts.templates, mailing.letterhead, parts.links, postal_address=mailing.postal_address, pieces=pieces
    )


@dataclass(frozen=True, slots=True)
class Pieces:
    """The kept pages of one frozen issue, as `render.compiled` asks for them."""

    issues: IssueStore
    issue: str
    read_only: bool = False

    def find(self, name: str) -> str | None:
        """Return a kept page, or None."""
        return self.issues.piece(self.issue, name)

    def keep(self, name: str, body: str) -> str:
        """Keep a page unless one is there already; return the one that is kept."""
        if self.read_only:
            return body
        self.issues.keep_piece(self.issue, name, body)
        return self.find(name) or body


def compose(parts: Parts, compiled: CompiledIssue, delivery: Delivery, reader: Subscriber) -> Message:
    """Return the message of a delivery: the same bytes at every attempt."""
    if reader.preferences.format is not delivery.format:
        reader = replace(reader, preferences=replace(reader.preferences, format=delivery.format))
    date = delivery.due_at.astimezone(parts.mailing.zone)
    return compiled.message_for(reader, delivery.choice or (), date=date)


def copy_for(parts: Parts, issue: Issue, reader: Subscriber, mark: str = "") -> Message:
    """Return a reader's copy of an issue: as it was queued or sent, else as it would go out now.

    Raises:
        UsageError: the reader's interests match no paper of the issue.
        TemplateError: a template is wrong.
    """
    kept = parts.ledger.find(issue.key, reader.id) if reader.id and not mark else None
    if kept and kept.choice:
        return compose(
            parts, compile_issue(parts, issue, Pieces(parts.issues, issue.key, read_only=True)), kept, reader
        )
    choice = choose(issue, reader.preferences)
    if not choice:
        raise UsageError(f"{reader.address}: {NO_MATCH}; nothing to show")
    compiled = compile_issue(parts, issue, Pieces(parts.issues, issue.key, read_only=True))
    moment = kept.due_at if kept else parts.clock()
    return compiled.message_for(reader, choice, date=moment.astimezone(parts.mailing.zone), mark=mark)


def proofs(parts: Parts, issue: Issue) -> Iterator[tuple[str, Message]]:
    """Yield one of each mail that the templates make, with its name, for `newsletter lint` to check.

    Raises:
        TemplateError: a template is wrong, or computes with what differs from copy to copy.
    """
    reader = Subscriber(address="reader@example.org", name="A Reader", id=1)
    compiled, choice, now = compile_issue(parts, issue), choose(issue, Preferences()), parts.clock()
    for name, picked in (("issue", choice), ("one paper", choice[:1]), ("no paper", ())):
        copy = compiled.message_for(reader, picked, date=now)
        plain = plain_message_for(compiled, parts.templates, reader, picked, date=now)
        spliced, rendered = Reading(copy.content), Reading(plain.content)
        if (spliced.html, spliced.text) != (rendered.html, rendered.text):
            raise TemplateError(
                "mail/issue templates: they compute with what differs from copy to copy; templates/README.md tells how"
                " to mark it"
            )
        yield name, copy
    for notice in samples(Imprint(issue.title, parts.mailing.postal_address or ""), parts.mailing.letterhead, now):
        to = (reader.name, reader.address)
        message_id = parts.links.message_id(notice.subject, 0)
        yield (
            notice.heading,
            notice_message(notice, parts.templates, parts.mailing.letterhead, to=to, message_id=message_id, date=now),
        )
