"""How far each pace is spent, which lanes are slowed, and who works: shared by every sender of a database."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from sqlalchemy import case, delete, literal, select

from newsletter.store.engine import Database
from newsletter.store.tables import bucket, slowdown, working

FRESH = 10.0  # seconds for which a sign of life counts


class Slowdown(NamedTuple):
    """A lane that was asked to go slowly: messages a second since then, and before; `since` in seconds since 1970."""

    rate: float
    full: float
    since: float


class Working(NamedTuple):
    """What a process sent on a lane, and how many copies a second lately."""

    owner: str
    lane: str
    copies: int
    rate: float


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

    def slow(self, lane: str, decide: Callable[[Slowdown | None], Slowdown]) -> None:
        """Slow a lane down for all who send; `decide` is given how it stands."""
        mine = slowdown.c.lane == lane
        with self._database.writing(durable=False) as connection:
            self._database.lock(connection, f"lane {lane}")
            row = connection.execute(select(slowdown.c.rate, slowdown.c.full, slowdown.c.since).where(mine)).first()
            decided = decide(Slowdown(*row) if row else None)
            connection.execute(delete(slowdown).where(mine))
            connection.execute(slowdown.insert().values(lane=lane, **decided._asdict()))

    def slowed(self) -> dict[str, Slowdown]:
        """Return the lanes that were ever slowed down, and how they stand."""
        statement = select(slowdown.c.lane, slowdown.c.rate, slowdown.c.full, slowdown.c.since)
        with self._database.reading() as connection:
            return {lane: Slowdown(*rest) for lane, *rest in connection.execute(statement)}

    def note(self, owner: str, list_id: str, lanes: Mapping[str, tuple[int, float]], now: float) -> None:
        """Show that a process works: how many copies it sent on each lane, and how many a second lately."""
        rows = [
            {"owner": owner, "lane": lane, "list_id": list_id, "copies": copies, "rate": rate, "seen_at": now}
            for lane, (copies, rate) in lanes.items()
        ]
        gone = (working.c.owner == owner) | (working.c.seen_at < now - FRESH)
        with self._database.writing(durable=False) as connection:
            connection.execute(delete(working).where(gone))
            connection.execute(working.insert(), rows)

    def leave(self, owner: str) -> None:
        """Show that a process works no more."""
        with self._database.writing(durable=False) as connection:
            connection.execute(delete(working).where(working.c.owner == owner))

    def working(self, now: float, list_id: str | None = None) -> list[Working]:
        """Return who works now, for one list or for all that share the database; a row for each lane."""
        fresh = select(working.c.owner, working.c.lane, working.c.copies, working.c.rate)
        statement = fresh.where(working.c.seen_at >= now - FRESH).order_by(working.c.owner, working.c.lane)
        if list_id is not None:
            statement = statement.where(working.c.list_id == list_id)
        with self._database.reading() as connection:
            return [Working(*row) for row in connection.execute(statement)]
