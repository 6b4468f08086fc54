"""Pure: which days a period covers, on which days issues are due, and when that is for each reader."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from newsletter.models import Cadence, Period

DAY = timedelta(days=1)


def daily(day: date) -> Period:
    """Return the period that is one list day."""
    return Period(Cadence.DAILY, day, day)


def weekly(day: date) -> Period:
    """Return the ISO week that a day lies in, Monday to Sunday."""
    monday = day - timedelta(days=day.weekday())
    return Period(Cadence.WEEKLY, monday, monday + timedelta(days=6))


def monthly(day: date) -> Period:
    """Return the calendar month that a day lies in."""
    first = day.replace(day=1)
    following = (first + timedelta(days=31)).replace(day=1)
    return Period(Cadence.MONTHLY, first, following - timedelta(days=1))


def period_of(cadence: Cadence, day: date) -> Period:
    """Return the period of a cadence that a day lies in."""
    return {Cadence.DAILY: daily, Cadence.WEEKLY: weekly, Cadence.MONTHLY: monthly}[cadence](day)


def parse_key(key: str) -> Period | None:
    """Return the period of an issue key such as `weekly/2025-12-22`, or None; a week is named by its Monday."""
    cadence, _, day = key.partition("/")
    try:
        period = period_of(Cadence(cadence), date.fromisoformat(day))
    except ValueError:
        return None
    return period if period.key == key else None


def week_before(day: date) -> Period:
    """Return the seven days before a day."""
    return Period(Cadence.DAILY, day - timedelta(days=7), day - timedelta(days=1))


def days_of(period: Period) -> Iterator[date]:
    """Yield each day of a period, first to last."""
    for offset in range((period.end - period.start).days + 1):
        yield period.start + timedelta(days=offset)


@dataclass(frozen=True, slots=True, kw_only=True)
class Slot:
    """A date on which an issue is due, each reader at their own hour, and what was decided for it.

    `period` is what its issue tells of, `reason` why there is none, `missed` whether it came too late; `covered` is the
    last list day that is done with.
    """

    cadence: Cadence
    day: date
    period: Period | None = None
    reason: str = ""
    missed: bool = False
    covered: date | None = None


class Late(StrEnum):
    """What becomes of issues that are late."""

    MERGE = "merge"  # the next one catches up with what they would have told
    SEND = "send"  # each is sent after all, the oldest first
    SKIP = "skip"  # none is


@dataclass(frozen=True, kw_only=True)
class Timetable:
    """When issues are due by themselves.

    Args:
        zone: the list's own, for readers who named none.
        hour: the hour of a reader's own clock, where they named none.
        days: on which daily issues go out, as `date.weekday` counts.
        weekly_day: on which weekly ones do.
        monthly_day: the day of the month on which monthly ones do, 28 at most.
        own_day: whether a daily issue tells of the list of its own day, and not of the newest that had ended.
        min_age: how old that day's own list has to be.
        max_lateness: an issue that has not begun so long after its last reader was due is late.
        late: what becomes of late issues.
        fetch_every: how often votes are read.
    """

    zone: ZoneInfo
    hour: int
    days: frozenset[int]
    weekly_day: int
    monthly_day: int
    own_day: bool
    min_age: timedelta
    max_lateness: timedelta
    late: Late
    fetch_every: timedelta

    def moment(self, day: date, zone: str | None, hour: int | None) -> datetime:
        """Return when an issue is due on a local date for a reader with this zone and hour, in UTC.

        A wall time that does not exist, when clocks go forward, is the one that its offset from before would make of
        it; one that exists twice is its first (fold=0). So each date has exactly one moment in every zone.
        """
        wanted = self.hour if hour is None else hour
        return datetime.combine(day, time(wanted), _zone(zone) or self.zone).astimezone(UTC)

    def is_due(self, cadence: Cadence, day: date) -> bool:
        """Whether an issue of this cadence is due on a date."""
        match cadence:
            case Cadence.DAILY:
                return day.weekday() in self.days
            case Cadence.WEEKLY:
                return day.weekday() == self.weekly_day
            case Cadence.MONTHLY:
                return day.day == self.monthly_day

    def due_days(self, cadence: Cadence, since: date, until: date) -> Iterator[date]:
        """Yield the dates on which issues are due, both ends included."""
        return (day for day in days_of(Period(cadence, since, until)) if self.is_due(cadence, day))

    def newest_list_day(self, first: datetime) -> date:
        """Return the newest list day that may be told when the first reader anywhere is due.

        A list day ends at midnight UTC. Six hours after it begins its papers have less than half of their votes, so by
        default it counts once it has ended; with `own_day` from `min_age` on.
        """
        day = first.astimezone(UTC).date()
        midnight = datetime.combine(day, time(), UTC)
        return day if self.own_day and first - midnight >= self.min_age else day - DAY

    def missed(self, last: datetime, now: datetime) -> bool:
        """Whether it is too late for an issue that has not begun, and whose last reader was due at `last`."""
        return self.late is not Late.SEND and now > last + self.max_lateness

    def covered_by(self, cadence: Cadence, day: date) -> Period:
        """Return the week or month that is over when an issue is due on a date."""
        return period_of(cadence, period_of(cadence, day).start - DAY)


@cache
def _zone(name: str | None) -> ZoneInfo | None:
    """Return a zone by its name; None for one that the time zone data no longer knows."""
    try:
        return ZoneInfo(name) if name else None
    except (ZoneInfoNotFoundError, ValueError):
        return None
