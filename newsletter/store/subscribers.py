"""The roster as deliveries refer to it: rows with an id, kept in step with the subscriber file."""

from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import func, select, update

from newsletter.models import Cadence, Format, Preferences, Subscriber
from newsletter.store.engine import Database
from newsletter.store.tables import subscriber

BATCH = 500
COLUMNS = [column for column in subscriber.c if column.name not in {"list_id", "key", "origin"}]


class SubscriberStore:
    """The subscribers of one list."""

    def __init__(self, database: Database, list_id: str) -> None:
        self._database = database
        self._list_id = list_id

    def follow_file(self, roster: Iterable[Subscriber]) -> None:
        """Make the rows that came from the file what the file says now: new, changed, and no longer listed.

        One transaction: a sender never sees half a file.
        """
        mine = subscriber.c.list_id == self._list_id
        with self._database.writing() as connection:
            gone = update(subscriber).where(mine, subscriber.c.origin == "file").values(listed=False)
            connection.execute(gone)
            for rows in _batches(self._row(one, "file") for one in roster):
                statement = self._database.insert(subscriber)
                fresh = {name: statement.excluded[name] for name in rows[0] if name not in {"list_id", "key"}}
                update_row = statement.on_conflict_do_update(index_elements=["list_id", "key"], set_=fresh)
                connection.execute(update_row, rows)

    def add(self, roster: Iterable[Subscriber]) -> int:
        """Add imported subscribers and return how many were new; those already on the list stay as they are."""
        before = self.count()
        with self._database.writing() as connection:
            for rows in _batches(self._row(one, "import") for one in roster):
                connection.execute(self._database.insert(subscriber).on_conflict_do_nothing(), rows)
        return self.count() - before

    def all(self, origin: str | None = None) -> Iterator[Subscriber]:
        """Yield every listed subscriber by id, the inactive ones too; of one origin or of all."""
        statement = select(*COLUMNS).where(subscriber.c.list_id == self._list_id, subscriber.c.listed)
        if origin:
            statement = statement.where(subscriber.c.origin == origin)
        with self._database.reading() as connection:
            for row in connection.execution_options(yield_per=BATCH).execute(statement.order_by(subscriber.c.id)):
                yield from_row(row)

    def find(self, key: str) -> Subscriber | None:
        """Return the listed subscriber with this key (a case-folded address), or None."""
        statement = select(*COLUMNS).where(
            subscriber.c.list_id == self._list_id, subscriber.c.key == key, subscriber.c.listed
        )
        with self._database.reading() as connection:
            row = connection.execute(statement).one_or_none()
        return from_row(row) if row else None

    def count(self, origin: str | None = None, cadence: Cadence | None = None) -> int:
        """Return how many rows the list has: all, those of one origin, or the active readers of one cadence."""
        statement = select(func.count()).select_from(subscriber).where(subscriber.c.list_id == self._list_id)
        if origin:
            statement = statement.where(subscriber.c.origin == origin)
        if cadence:
            statement = statement.where(subscriber.c.cadence == cadence.value, subscriber.c.active, subscriber.c.listed)
        with self._database.reading() as connection:
            return connection.scalar(statement) or 0

    def _row(self, one: Subscriber, origin: str) -> dict[str, Any]:
        preferences = one.preferences
        return {
            "list_id": self._list_id,
            "key": one.key,
            "address": one.address,
            "name": one.name,
            "cadence": preferences.cadence.value,
            "timezone": preferences.timezone,
            "hour": preferences.hour,
            "include": list(preferences.include),
            "exclude": list(preferences.exclude),
            "format": preferences.format.value,
            "papers": preferences.papers,
            "only_matches": preferences.only_matches,
            "active": one.active,
            "origin": origin,
            "listed": True,
        }


def from_row(row: Sequence[Any]) -> Subscriber:
    """Return the subscriber of a row of COLUMNS; a sender does this for every copy, so it is quick."""
    (number, address, name, cadence, timezone, hour, include, exclude, kind, papers, only, active, listed) = row
    wants = _preferences(cadence, timezone, hour, tuple(include), tuple(exclude), kind, papers, only)
    return Subscriber(id=number, address=address, name=name, active=active and listed, preferences=wants)


@lru_cache(maxsize=1024)  # most readers want what many others do
def _preferences(  # noqa: PLR0913, PLR0917 - the columns in their order
    cadence: str,
    timezone: str | None,
    hour: int | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    kind: str,
    papers: int | None,
    only_matches: bool | None,  # noqa: FBT001 - a column
) -> Preferences:
    return Preferences(
        cadence=Cadence(cadence),
        timezone=timezone,
        hour=hour,
        include=include,
        exclude=exclude,
        format=Format(kind),
        papers=papers,
        only_matches=only_matches,
    )


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(islice(rows, BATCH)):
        yield batch
