"""Pure: which days a period covers."""

from collections.abc import Iterator
from datetime import date, timedelta

from newsletter.models import Cadence, Period


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
