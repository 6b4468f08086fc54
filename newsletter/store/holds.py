"""Issues that are held back, for a while or for good."""

from datetime import datetime

from sqlalchemy import ColumnElement, and_, delete, select, update

from newsletter.models import Hold, HoldKind, State
from newsletter.store.engine import Database
from newsletter.store.tables import delivery, hold

CANCELLED = "the issue was cancelled"


class HoldStore:
    """The holds of one list. Each takes effect with the next mark, on every connection of every sender."""

    def __init__(self, database: Database, list_id: str) -> None:
        self._database = database
        self._list_id = list_id

    def find(self, issue: str) -> Hold | None:
        """Return what holds an issue back, or None."""
        statement = select(hold.c.kind, hold.c.reason).where(self._of(issue))
        with self._database.reading() as connection:
            row = connection.execute(statement).one_or_none()
        return Hold(HoldKind(row.kind), row.reason) if row else None

    def pause(self, issue: str, reason: str, now: datetime) -> None:
        """Hold an issue back until it is resumed; one that is held back already stays as it is."""
        self._hold(issue, HoldKind.PAUSED, reason, now)

    def resume(self, issue: str) -> None:
        """Let a paused issue go on; a cancelled one stays cancelled."""
        with self._database.writing() as connection:
            connection.execute(delete(hold).where(self._of(issue), hold.c.kind == HoldKind.PAUSED.value))

    def cancel(self, issue: str, now: datetime) -> int:
        """End an issue for good and skip every copy whose dot was not written; return how many these were.

        A copy in flight is either marked before, and settled by its relay's answer, or it is skipped. One that ends
        deferred after this stays so, and never goes out.
        """
        self.resume(issue)
        self._hold(issue, HoldKind.CANCELLED, "", now)
        waiting = [state.value for state in (State.QUEUED, State.DEFERRED, State.CLAIMED)]
        mine = delivery.c.list_id == self._list_id, delivery.c.issue_key == issue
        skipped = update(delivery).where(*mine, delivery.c.state.in_(waiting))
        doubtful = update(delivery).where(*mine, delivery.c.state == State.IN_DOUBT.value)
        with self._database.writing() as connection:
            connection.execute(doubtful.values(next_attempt_at=None))
            fate = {"state": State.SKIPPED.value, "reply": CANCELLED, "next_attempt_at": None}
            return connection.execute(skipped.values(fate)).rowcount

    def _hold(self, issue: str, kind: HoldKind, reason: str, now: datetime) -> None:
        row = {"list_id": self._list_id, "issue_key": issue, "kind": kind.value, "reason": reason, "held_at": now}
        with self._database.writing() as connection:
            connection.execute(self._database.insert(hold).values(row).on_conflict_do_nothing())

    def _of(self, issue: str) -> ColumnElement[bool]:
        return and_(hold.c.list_id == self._list_id, hold.c.issue_key == issue)
