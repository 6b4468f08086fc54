"""How things stand, for people and for Prometheus: reading only."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, exists, func, select

from newsletter.models import State
from newsletter.store.engine import Database
from newsletter.store.rows import domain_of
from newsletter.store.tables import delivery, hold, issue, subscriber

MOVING = [State.QUEUED.value, State.DEFERRED.value, State.CLAIMED.value, State.SENDING.value]
MOST_DOMAINS = 20


@dataclass(frozen=True, slots=True)
class Waiting:
    """Copies that are due and have not come to rest, and since when the oldest of them is."""

    copies: int
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Jobs:
    """The chunks of copies that workers are to send: those that wait, those at work, those that a silent worker has."""

    waiting: int
    at_work: int
    silent: int


class WaitingStore:
    """What waits in the ledger of one list."""

    def __init__(self, database: Database, list_id: str) -> None:
        self._database = database
        self._list_id = list_id

    def now(self, now: datetime) -> Waiting:
        """Return what is due at `now` and still moves; what is put off counts as well, since its reader waits.

        What a person or refusals hold back waits for nobody but them, and does not count.
        """
        due = and_(delivery.c.list_id == self._list_id, delivery.c.state.in_(MOVING), delivery.c.due_at <= now)
        held = exists().where(hold.c.list_id == self._list_id, hold.c.issue_key == delivery.c.issue_key)
        statement = select(func.count(), func.min(delivery.c.due_at)).where(due, ~held)
        with self._database.reading() as connection:
            copies, since = connection.execute(statement).one()
        return Waiting(copies, since)

    def put_off(self) -> dict[str, int]:
        """Return how many copies wait for another try, by their readers' domain; the largest twenty."""
        domain = domain_of(self._database, subscriber.c.key)
        statement = select(domain, func.count()).join_from(delivery, subscriber)
        statement = statement.where(delivery.c.list_id == self._list_id, delivery.c.state == State.DEFERRED.value)
        largest = statement.group_by(domain).order_by(func.count().desc(), domain).limit(MOST_DOMAINS)
        with self._database.reading() as connection:
            return {row[0]: row[1] for row in connection.execute(largest)}

    def last_frozen_at(self) -> datetime | None:
        """Return when the newest issue was made, or None."""
        with self._database.reading() as connection:
            moment: datetime | None = connection.scalar(
                select(func.max(issue.c.frozen_at)).where(issue.c.list_id == self._list_id)
            )
        return moment
