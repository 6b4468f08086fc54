"""This machine's clock, against whoever told the time on the way."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime

from newsletter.doctor.check import FAIL, OFFLINE, OK, SKIP, WARN, Check, Heard, Installation

NAMES = ("clock",)
ODD, BAD = 30, 300  # seconds; certificates, tokens and the moment an issue is due go by it
MEND = "set the clock by NTP: timedatectl set-ntp true"


def note_date(heard: list[Heard], who: str, headers: Mapping[str, str], ours: datetime) -> None:
    """Note the Date of an answer (RFC 9110 section 6.6.1); one that a cache kept is of another moment."""
    try:
        theirs = parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError, OverflowError):
        return
    if theirs.tzinfo and "Age" not in headers:
        heard.append(Heard(who, theirs, ours))


def checks(it: Installation) -> Iterator[Check]:
    """Yield how far this clock is from the one that agrees with it best: a wrong one of theirs is no fault of ours."""
    if not it.heard:
        yield Check("clock", SKIP, OFFLINE if it.offline else "nobody who was asked told the time")
        return
    best = min(it.heard, key=lambda one: abs(one.theirs - one.ours))
    seconds = (best.ours - best.theirs).total_seconds()
    way = "ahead of" if seconds > 0 else "behind"
    told = f"{abs(seconds):,.0f} seconds {way} {best.who}"
    if abs(seconds) < ODD:
        yield Check("clock", OK, f"agrees with {best.who}")
    else:
        yield Check("clock", FAIL if abs(seconds) >= BAD else WARN, told, MEND)
