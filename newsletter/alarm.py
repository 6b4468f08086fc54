"""Telling the operator: by mail what failed, each cause once a day, and by a ping for as long as nothing does."""

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import urlsplit

from newsletter.errors import (
    NewsletterError,
    RefusalsError,
    RelayError,
    SenderRefusedError,
    SourceError,
    SurroundingsError,
)
from newsletter.models import Message, Verdict
from newsletter.parts import Parts
from newsletter.render.notices import Imprint, failure, notice_message
from newsletter.render.templates import Templates
from newsletter.settings import bundled

LOG = logging.getLogger("newsletter")
AT_ONCE = timedelta(0)
PING_TIMEOUT = 10  # seconds


@dataclass(frozen=True, slots=True)
class Alarm:
    """One thing that is wrong: the word it is known by, how long it has to last, and the line about it."""

    cause: str
    lasting: timedelta
    line: str


def tell(parts: Parts, faults: Iterable[NewsletterError]) -> None:
    """Mail the operator what went wrong, if an address is set; what cannot be mailed now is told at the next fault.

    Args:
        parts: what to work with.
        faults: what failed just now; a source that has listed nothing for long is found here.

    Raises:
        DatabaseError: the database failed.
    """
    if not parts.notify.address:
        return
    now = parts.clock()
    for one in (*(_alarm(fault, parts.notify.after) for fault in faults), *_silent(parts, now)):
        if parts.alarms.raised(one.cause, one.lasting, now) and not _mailed(parts, one, now):
            parts.alarms.untold(one.cause)


def ping(parts: Parts) -> None:
    """Say at `notify.ping_url` that all went well; a failure there is a line in the log and nothing more."""
    if parts.notify.ping_url is None:
        return
    import httpx

    url = parts.notify.ping_url.get_secret_value()
    try:
        httpx.get(url, timeout=PING_TIMEOUT, follow_redirects=True).raise_for_status()
    except httpx.HTTPStatusError as fault:
        LOG.warning("notify.ping_url at %s: answered %d; check it", _host(url), fault.response.status_code)
    except (httpx.HTTPError, httpx.InvalidURL) as fault:
        LOG.warning("notify.ping_url at %s: %s; check it", _host(url), str(fault) or type(fault).__name__)


def _alarm(fault: NewsletterError, lasting: timedelta) -> Alarm:
    """Return the alarm of a fault; what may pass by itself rings later."""
    cause = f"source {fault.source}" if isinstance(fault, SourceError) else type(fault).__name__
    if isinstance(fault, RefusalsError | RelayError):
        cause += " " + str(fault).partition(": ")[0]  # which issue, or which relay: each is told by itself
    passing = isinstance(fault, SourceError | SurroundingsError) and not isinstance(fault, SenderRefusedError)
    return Alarm(cause, lasting if passing else AT_ONCE, str(fault))


def _silent(parts: Parts, now: datetime) -> Iterator[Alarm]:
    live = {source.name for source in parts.sources if source.live}
    for one in parts.heard.all():
        days = (now.date() - one.newest).days if one.newest else 0
        if one.name in live and days > parts.notify.silent_days:
            said = f"source {one.name}: has listed nothing for {days} days, since {one.newest}"
            yield Alarm(f"silent {one.name}", AT_ONCE, f"{said}; look at it, or raise notify.silent_days")


def _mailed(parts: Parts, one: Alarm, now: datetime) -> bool:
    """Hand the mail about an alarm to the first relay that takes it."""
    for route in parts.routes:
        try:
            outcome = next(route.transport.deliver(iter([_message(parts, one, now)]), lambda _message: True), None)
        except SurroundingsError as fault:
            LOG.warning("the operator could not be told through %s: %s", route.transport.name, fault)
            continue
        if outcome and outcome.verdict in {Verdict.ACCEPTED, Verdict.UNKNOWN}:
            return True
    return False


def _message(parts: Parts, one: Alarm, now: datetime) -> Message:
    """Return the mail. It is made of the shipped templates: the operator's own may be what is wrong."""
    mailing, local = parts.mailing, now.astimezone(parts.mailing.zone)
    view = failure(Imprint(mailing.title, mailing.postal_address or ""), one.line.splitlines(), at=local)
    message = notice_message(
        view,
        Templates([bundled("templates")]),
        mailing.letterhead,
        to=(None, parts.notify.address or ""),
        message_id=parts.links.message_id(f"alarm/{one.cause}/{now.isoformat()}", 0),
        date=local,
    )
    return parts.sign(message, now)


def _host(url: str) -> str:
    """Return the part of the address that may stand in a log: who knows the rest can say that all is well."""
    return urlsplit(url).hostname or "no host"
