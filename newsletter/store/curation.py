"""What the editor of one list decided about papers: pinned to the top, or dropped."""

from datetime import datetime

from sqlalchemy import delete, select

from newsletter.models import Curation
from newsletter.store.engine import Database
from newsletter.store.tables import curation

PIN, DROP = "pin", "drop"


class CurationStore:
    """The decisions for one list; of two about one paper the last counts."""

    def __init__(self, database: Database, list_id: str) -> None:
        self._database = database
        self._list_id = list_id

    def decide(self, paper_key: str, verdict: str, note: str, now: datetime) -> None:
        """Keep a decision, PIN or DROP."""
        row = self._database.insert(curation).values(
            list_id=self._list_id, paper_key=paper_key, verdict=verdict, note=note, decided_at=now
        )
        update = {name: row.excluded[name] for name in ("verdict", "note", "decided_at")}
        with self._database.writing() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["list_id", "paper_key"], set_=update))

    def forget(self, paper_key: str) -> bool:
        """Take a decision back; return whether there was one."""
        with self._database.writing() as connection:
            mine = curation.c.list_id == self._list_id, curation.c.paper_key == paper_key
            return bool(connection.execute(delete(curation).where(*mine)).rowcount)

    def all(self) -> Curation:
        """Return every decision that stands."""
        statement = select(curation).where(curation.c.list_id == self._list_id)
        with self._database.reading() as connection:
            rows = connection.execute(statement).all()
        return Curation(
            pinned={row.paper_key: row.note for row in rows if row.verdict == PIN},
            dropped=frozenset(row.paper_key for row in rows if row.verdict == DROP),
        )
