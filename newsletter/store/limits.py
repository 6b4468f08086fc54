"""How far each pace is spent, shared by every sender of a database and remembered over restarts."""

from sqlalchemy import case, literal

from newsletter.store.engine import Database
from newsletter.store.tables import bucket


class LimitStore:
    """One row per bucket: the moment from which on the next message may go (the generic cell rate algorithm)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def reserve(self, name: str, span: float, now: float) -> float:
        """Take the next free stretch of a bucket; return its start, in seconds since 1970, at `now` or later.

        Args:
            name: the bucket.
            span: how long a stretch: the number of messages times the seconds that each takes.
            now: seconds since 1970. What was not used before is gone, so there is never a burst.
        """
        row = self._database.insert(bucket).values(name=name, free_at=now + span)
        later = case((bucket.c.free_at > literal(now), bucket.c.free_at), else_=literal(now)) + literal(span)
        statement = row.on_conflict_do_update(index_elements=["name"], set_={"free_at": later})
        with self._database.writing(durable=False) as connection:
            return float(connection.scalar(statement.returning(bucket.c.free_at))) - span
