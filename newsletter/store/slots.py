"""The dates on which issues are due, and what was decided for each: by whoever came first, once."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, and_, func, select, true, update

from newsletter.models import Cadence, Period
from newsletter.periods import Slot
from newsletter.store.engine import Database
from newsletter.store.tables import slot


class SlotStore:
    """The slots of one list."""

    def __init__(self, database: Database, list_id: str) -> None:
        self._database = database
        self._list_id = list_id

    def decide(self, one: Slot, now: datetime) -> Slot:
        """Keep what is decided for a slot unless something was, and return what is kept."""
        row: dict[str, Any] = {"list_id": self._list_id, "cadence": one.cadence.value, "day": one.day}
        row |= {"decided_at": now, "reason": one.reason, "missed": one.missed, "covered": one.covered}
        if one.period:
            row |= {"start": one.period.start, "end": one.period.end}
        with self._database.writing() as connection:
            connection.execute(self._database.insert(slot).values(row).on_conflict_do_nothing())
        return self.find(one.cadence, one.day) or one

    def give_up(self, one: Slot, reason: str) -> None:
        """Note why a slot gets no issue after all."""
        which = and_(slot.c.list_id == self._list_id, slot.c.cadence == one.cadence.value, slot.c.day == one.day)
        with self._database.writing() as connection:
            connection.execute(update(slot).where(which).values(reason=reason))

    def find(self, cadence: Cadence, day: date) -> Slot | None:
        """Return what was decided for a date, or None."""
        return next(iter(self._some(cadence, slot.c.day == day, 1)), None)

    def newest(self, cadence: Cadence, number: int = 1) -> list[Slot]:
        """Return the newest slots of a cadence, newest first."""
        return self._some(cadence, true(), number)

    def covered(self, cadence: Cadence) -> date | None:
        """Return the last list day that slots of a cadence are done with."""
        mine = and_(slot.c.list_id == self._list_id, slot.c.cadence == cadence.value)
        with self._database.reading() as connection:
            day: date | None = connection.scalar(select(func.max(slot.c.covered)).where(mine))
        return day

    def missed_since_issue(self, cadence: Cadence) -> bool:
        """Whether a slot was missed after the last one that has an issue."""
        mine = and_(slot.c.list_id == self._list_id, slot.c.cadence == cadence.value)
        filled = select(func.max(slot.c.day)).where(mine, slot.c.start.is_not(None), slot.c.reason == "")
        missed = select(func.max(slot.c.day)).where(mine, slot.c.missed)
        with self._database.reading() as connection:
            last, lost = connection.scalar(filled), connection.scalar(missed)
        return bool(lost and (last is None or lost > last))

    def last_decided_at(self) -> datetime | None:
        """Return when a slot was decided last: a clock that shows an earlier time was set back."""
        statement = select(func.max(slot.c.decided_at)).where(slot.c.list_id == self._list_id)
        with self._database.reading() as connection:
            moment: datetime | None = connection.scalar(statement)
        return moment

    def _some(self, cadence: Cadence, which: Any, number: int) -> list[Slot]:
        mine = and_(slot.c.list_id == self._list_id, slot.c.cadence == cadence.value, which)
        statement = select(slot).where(mine).order_by(slot.c.day.desc()).limit(number)
        with self._database.reading() as connection:
            return [_from_row(row) for row in connection.execute(statement)]


def _from_row(row: Row[Any]) -> Slot:
    cadence = Cadence(row.cadence)
    period = Period(cadence, row.start, row.end) if row.start else None
    return Slot(cadence=cadence, day=row.day, period=period, reason=row.reason, missed=row.missed, covered=row.covered)
