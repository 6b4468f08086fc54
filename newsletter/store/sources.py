"""When each source answered last, and the newest list that it told of: a source that falls silent is noticed."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import case, or_, select

from newsletter.store.engine import Database
from newsletter.store.tables import source


@dataclass(frozen=True, slots=True)
class Heard:
    """A source that answered: when it did last, and the newest list day it ever told of (None: of none yet)."""

    name: str
    read_at: datetime
    newest: date | None


class SourceStore:
    """The sources that one list was made from."""

    def __init__(self, database: Database, list_id: str) -> None:
        self._database = database
        self._list_id = list_id

    def note(self, newest: Mapping[str, date | None], now: datetime) -> None:
        """Keep that these sources answered now, each with the newest list day that it told of, if of any."""
        rows = [{"list_id": self._list_id, "name": name, "read_at": now, "newest": day} for name, day in newest.items()]
        if not rows:
            return
        row = self._database.insert(source)
        told = row.excluded.newest
        newer = or_(source.c.newest.is_(None), told > source.c.newest)
        kept = {"read_at": row.excluded.read_at, "newest": case((newer, told), else_=source.c.newest)}
        statement = row.on_conflict_do_update(index_elements=["list_id", "name"], set_=kept)
        with self._database.writing() as connection:
            connection.execute(statement, rows)

    def all(self) -> list[Heard]:
        """Return every source that ever answered, by name."""
        statement = select(source.c.name, source.c.read_at, source.c.newest).where(source.c.list_id == self._list_id)
        with self._database.reading() as connection:
            return [Heard(*row) for row in connection.execute(statement.order_by(source.c.name))]
