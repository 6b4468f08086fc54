"""The flow of a person: sign up, confirm, change, leave, and what comes back; readable top to bottom."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice

from newsletter.errors import UsageError
from newsletter.models import Preferences, Report, ReportKind, Subscriber
from newsletter.parts import Parts
from newsletter.store.bounces import Bounced
from newsletter.store.enrolments import Witness

NEWEST_ISSUES = 30
MOST_LOOKED_THROUGH = 500_000  # copies, for the one whose Message-ID a report names


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a step comes from: the client's network address, empty for the operator, and the words that were shown."""

    client: str = ""
    words: str = ""


def sign_up(parts: Parts, address: str, preferences: Preferences, origin: Origin) -> bool:
    """Note that somebody entered an address, and queue a mail that asks whether it was they.

    Nothing that the caller sees depends on whether the address is known.

    Returns:
        False if so many sign up at once that none of them is answered any more.

    Raises:
        UsageError: the text is no address, or its domain may not sign up.
    """
    from email_validator import EmailNotValidError, validate_email

    try:
        valid = validate_email(address.strip(), check_deliverability=False)
    except EmailNotValidError as fault:
        raise UsageError(str(fault)) from None
    known_as = valid.ascii_email or valid.normalized
    if parts.signup.refuses(known_as):
        raise UsageError("Addresses of this domain cannot sign up here.")
    return parts.enrolments.ask(known_as, preferences, _witness(parts, origin), most_an_hour=parts.signup.per_hour)


def confirmable(parts: Parts, token: str) -> Subscriber | None:
    """Return who a confirmation link speaks of, or None if it is forged or has expired. Changes nothing."""
    found = parts.links.confirmation(token, parts.clock())
    if found is None or found.age > timedelta(hours=parts.signup.confirm_hours):
        return None
    return parts.subscribers.get(found.subscriber_id)


def confirm(parts: Parts, token: str, origin: Origin) -> Subscriber | None:
    """Make a person a reader who presses the button behind the link they were mailed; their welcome is queued once.

    Returns:
        The reader, also when they are one already; None if the link is forged or has expired, or they left since.
    """
    found = parts.links.confirmation(token, parts.clock())
    if confirmable(parts, token) is None or found is None:
        return None
    done = parts.enrolments.confirm(found.subscriber_id, found.stamp, _witness(parts, origin))
    return parts.subscribers.get(found.subscriber_id) if done else None


def reader_of(parts: Parts, token: str) -> Subscriber | None:
    """Return the reader whose own link this is, or None if they are not on the list any more.

    Raises:
        UsageError: the token is forged.
    """
    number = parts.links.subscriber_of(token)
    if number is None:
        raise UsageError("This link is not complete, or not one of ours.")
    return parts.subscribers.get(number)


def change(parts: Parts, reader: Subscriber, preferences: Preferences, origin: Origin) -> None:
    """Keep what a reader chose; it counts from the next issue that is not on its way yet."""
    parts.enrolments.prefer(reader.id or 0, preferences, _witness(parts, origin))


def leave(parts: Parts, token: str, origin: Origin) -> bool:
    """Take the reader whose own link this is off the list, before the next copy is claimed.

    Saying it again is fine, and so is saying it after one was erased.

    Returns:
        Whether they were on the list.

    Raises:
        UsageError: the token is forged.
    """
    number = parts.links.subscriber_of(token)
    if number is None:
        raise UsageError("This link is not complete, or not one of ours.")
    return parts.enrolments.leave(number, _witness(parts, origin))


def take_back(parts: Parts, content: bytes, reports: Iterable[Report]) -> int:
    """Draw the consequences of one mail that came back, or of a reader's mail that asks to leave.

    Args:
        parts: what to work with.
        content: the mail; the same one counts once, however often it is read.
        reports: what it says, as `send.bounces` read it.

    Returns:
        How many readers are mailed no more because of it.
    """
    read = "mail:" + hashlib.blake2b(content, digest_size=16).hexdigest()
    ended = 0
    for report in reports:
        if report.kind is ReportKind.OTHER:
            continue
        number, source = _proven(parts, report), read
        if number is None:
            number, source = _named(parts, report), f"named:{parts.clock().date()}"
        if number is None:
            continue
        if report.kind is ReportKind.LEAVE:
            ended += parts.enrolments.leave(number, Witness(parts.clock(), words="by mail"))
        else:
            bounced = Bounced(number, report.kind, source, report.why)
            ended += len(parts.enrolments.bounces.record([bounced], parts.clock()))
    return ended


def _proven(parts: Parts, report: Report) -> int | None:
    """Return whose copy a report is about, by what only somebody who saw that copy can know."""
    links = parts.links
    clues = (
        *(links.subscriber_of_bounce(address) for address in report.came_to),
        *(links.subscriber_of(token) for token in report.tokens),
    )
    for number in clues:
        if number is not None:
            return number
    return _by_message_id(parts, set(report.message_ids)) if report.message_ids else None


def _named(parts: Parts, report: Report) -> int | None:
    """Return the reader whom a report names and no more.

    Anybody may write that an address fails, to get its reader off the list. So such a failure counts once a day, and
    not at all where each copy has a return path of its own: true ones come there.
    """
    failure = report.kind in {ReportKind.HARD, ReportKind.SOFT} and not parts.links.bounce_address
    if not report.recipient or not (failure or report.kind is ReportKind.LEAVE):
        return None
    reader = parts.subscribers.find(report.recipient.casefold())
    return reader.id if reader else None


def _by_message_id(parts: Parts, wanted: set[str]) -> int | None:
    """Return whose copy has one of these Message-IDs, among those of the newest issues."""
    ours = {one for one in wanted if re.fullmatch(rf"[0-9a-f]{{32}}@{re.escape(parts.links.domain)}", one)}
    if not ours:
        return None
    for key, number in islice(parts.ledger.newest_copies(NEWEST_ISSUES), MOST_LOOKED_THROUGH):
        if parts.links.message_id(key, number) in ours:
            return number
    return None


def _witness(parts: Parts, origin: Origin) -> Witness:
    client = parts.links.client_mark(origin.client) if origin.client else ""
    return Witness(parts.clock(), client, origin.words)
