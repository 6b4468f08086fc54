"""Where papers come from: each source asked once, by itself, for its newest list."""

from collections.abc import Callable, Iterator
from datetime import date, datetime

import httpx

from newsletter.doctor.check import OFFLINE, OK, SKIP, WARN, Check, Heard, Installation, of_fault
from newsletter.doctor.clock import note_date
from newsletter.errors import SourceError
from newsletter.fetch.base import PaperSource
from newsletter.fetch.collect import newest_day
from newsletter.fetch.http import Manners
from newsletter.fetch.memory import Answer, Memory

NAMES = ("sources",)
SECONDS = 8.0  # for one answer
BEYOND = 4  # days further back than an issue would look, so that a stale list is told from none


def checks(it: Installation, source: PaperSource) -> Iterator[Check]:
    """Yield whether a source can be read, and how old its newest list is."""
    name = f"source {source.name}"
    if it.offline and source.live:
        yield Check(name, SKIP, OFFLINE)
        return
    try:
        yield _told(name, source, it.clock().date(), it.settings.max_age_days)
    except SourceError as fault:
        yield of_fault(name, fault)


def _told(name: str, source: PaperSource, today: date, oldest: int) -> Check:
    newest = newest_day([source], today, oldest + BEYOND)
    if newest is None:
        mend = "nothing goes out until it has a list; look at the source"
        return Check(name, WARN, f"can be read, and has no list of the last {oldest + BEYOND} days", mend)
    age = (today - newest).days
    if source.live and age > oldest:
        mend = f"nothing goes out until it has a newer one (max_age_days is {oldest})"
        return Check(name, WARN, f"newest list of {newest}, {age} days old", mend)
    return Check(name, OK, f"newest list of {newest}" + (f", {_days(age)} old" if source.live else ""))


def _days(number: int) -> str:
    return "1 day" if number == 1 else f"{number} days"


class Listening(Memory):
    """A memory that also notes which time each answer was given at, by the other side and by us."""

    def __init__(self, heard: list[Heard], clock: Callable[[], datetime]) -> None:
        super().__init__()
        self._heard = heard
        self._clock = clock

    def keep(self, request: httpx.Request, answer: Answer) -> None:
        """Note the time of an answer, unless a cache gave it."""
        note_date(self._heard, request.url.host, answer.headers, self._clock())
        super().keep(request, answer)


def briefly(heard: list[Heard], clock: Callable[[], datetime]) -> Manners:
    """Return manners for one look: asked once, soon given up, the time of each answer noted."""
    return Manners(attempts=1, seconds=SECONDS, memory=Listening(heard, clock))
