"""What the operator is to be told of: each cause once a day, by whoever comes first."""

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, case, or_, update

from newsletter.store.engine import Database
from newsletter.store.tables import alarm

A_DAY = timedelta(days=1)
GAP = timedelta(hours=2)  # a cause that was not seen for so long has passed; when it comes back it is a new one


class AlarmStore:
    """The alarms of one list."""

    def __init__(self, database: Database, list_id: str) -> None:
        self._database = database
        self._list_id = list_id

    def raised(self, cause: str, lasting: timedelta, now: datetime) -> bool:
        """Note that something goes wrong now; return whether the caller is to tell the operator.

        Args:
            cause: what goes wrong, the same word each time.
            lasting: how long it has to go on before anybody is told.
            now: the moment.
        """
        row = self._database.insert(alarm).values(list_id=self._list_id, cause=cause, since=now, seen_at=now)
        since = case((alarm.c.seen_at < now - GAP, row.excluded.since), else_=alarm.c.since)
        seen = row.on_conflict_do_update(
            index_elements=["list_id", "cause"], set_={"since": since, "seen_at": row.excluded.seen_at}
        )
        untold = or_(alarm.c.told_at.is_(None), alarm.c.told_at <= now - A_DAY)
        telling = update(alarm).where(self._this(cause), untold, alarm.c.since <= now - lasting)
        with self._database.writing() as connection:
            connection.execute(seen)
            return connection.execute(telling.values(told_at=now)).rowcount == 1

    def untold(self, cause: str) -> None:
        """Take back that the operator was told: the mail could not be handed over."""
        with self._database.writing() as connection:
            connection.execute(update(alarm).where(self._this(cause)).values(told_at=None))

    def _this(self, cause: str) -> ColumnElement[bool]:
        return and_(alarm.c.list_id == self._list_id, alarm.c.cause == cause)
