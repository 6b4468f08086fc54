"""Pure: which days a period covers."""

from collections.abc import Iterator
from datetime import date, timedelta

from newsletter.models import Cadence, Period


def daily(day: date) -> Period:
    """Return the period that is one list day."""
    return Period(Cadence.DAILY, day, day)


def days_of(period: Period) -> Iterator[date]:
    """Yield each day of a period, first to last."""
    for offset in range((period.end - period.start).days + 1):
        yield period.start + timedelta(days=offset)
