"""What is forgotten with time: who got an issue, once nobody needs to know any more. Its sums stay."""

from datetime import datetime, timedelta

from sqlalchemy import Connection, and_, delete, exists, func, select, update

from newsletter.models import State
from newsletter.store.engine import Database
from newsletter.store.tables import delivery
from newsletter.store.tables import issue as frozen

MOVING = (State.QUEUED, State.DEFERRED, State.CLAIMED, State.SENDING)


class RetentionStore:
    """The old issues of one list, whose copies are known for `keep_days` days; 0 is for ever."""

    def __init__(self, database: Database, list_id: str, keep_days: int) -> None:
        self.keep_days = keep_days
        self._database = database
        self._list_id = list_id

    def forget_copies(self, now: datetime) -> list[str]:
        """Remove the copies of issues that are old by now, keeping their sums; return the keys of these issues.

        An issue of which something may still go out is left for later. Nobody is mailed a forgotten issue again: it is
        closed for good.
        """
        if not self.keep_days:
            return []
        before = now - timedelta(days=self.keep_days)
        mine = and_(delivery.c.list_id == self._list_id, delivery.c.issue_key == frozen.c.key)
        moving = exists().where(mine, delivery.c.state.in_([state.value for state in MOVING]))
        old = and_(frozen.c.list_id == self._list_id, frozen.c.frozen_at < before, frozen.c.sums.is_(None), ~moving)
        with self._database.reading() as connection:
            keys = list(connection.scalars(select(frozen.c.key).where(old).order_by(frozen.c.frozen_at)))
        for key in keys:  # a transaction each: a sender waits for one issue's copies at most
            with self._database.writing() as connection:
                self._forget(connection, key)
        return keys

    def _forget(self, connection: Connection, key: str) -> None:
        mine = and_(delivery.c.list_id == self._list_id, delivery.c.issue_key == key)
        states = select(delivery.c.state, func.count()).where(mine).group_by(delivery.c.state)
        sums = {State(name).value: number for name, number in connection.execute(states)}
        its_row = update(frozen).where(frozen.c.list_id == self._list_id, frozen.c.key == key)
        connection.execute(its_row.values(sums=sums))
        connection.execute(delete(delivery).where(mine))
