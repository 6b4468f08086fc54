"""The database's own facts: its schema version and the secret it keeps when the settings name none."""

import secrets
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, inspect, select, text

from newsletter.errors import DatabaseError
from newsletter.store.backup import back_up
from newsletter.store.engine import Database
from newsletter.store.tables import meta, metadata

SCHEMA_VERSION = 9
# What brings a database of the version before to this one; new tables are made besides.
STEPS = {
    2: ("ALTER TABLE subscriber ADD COLUMN papers INTEGER",),
    3: ("ALTER TABLE subscriber ADD COLUMN only_matches BOOLEAN",),
    4: (
        "ALTER TABLE delivery ADD COLUMN lane VARCHAR NOT NULL DEFAULT ''",
        "ALTER TABLE delivery ADD COLUMN relay VARCHAR",
        "DROP INDEX delivery_by_state",
        "CREATE INDEX delivery_in_order ON delivery (list_id, state, issue_key, lane, subscriber_id)",
        "CREATE INDEX delivery_again ON delivery (list_id, issue_key, next_attempt_at) WHERE next_attempt_at NOTNULL",
    ),
    5: (
        "ALTER TABLE subscriber ADD COLUMN paused_until DATE",
        "ALTER TABLE subscriber ADD COLUMN standing VARCHAR NOT NULL DEFAULT 'active'",
        "ALTER TABLE subscriber ADD COLUMN stood_at TIMESTAMP WITH TIME ZONE",
        "ALTER TABLE subscriber ADD COLUMN line VARCHAR",
        "CREATE INDEX subscriber_by_standing ON subscriber (list_id, standing)",
    ),
    6: (
        "ALTER TABLE issue ADD COLUMN sums JSON",
        "DROP INDEX delivery_in_order",
        "CREATE INDEX delivery_in_order ON delivery (list_id, state, issue_key, lane, due_at, subscriber_id)",
    ),
    7: (),
    8: (),
    9: (),
}
STEPS_OF_POSTGRESQL = {9: ("ALTER TABLE delivery DROP CONSTRAINT IF EXISTS delivery_list_id_issue_key_fkey",)}


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What became of a database's schema: its version before (None in a new one) and now, and the copy of before."""

    before: int | None
    now: int
    backup: Path | None = None

    @property
    def changed(self) -> bool:
        """Whether an older schema was brought up."""
        return self.before is not None and self.before < self.now


def prepare_schema(database: Database, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> Upgraded:
    """Create the tables of a new database, or bring an older one to this program's version; nothing is lost.

    All steps are one transaction, and whoever comes meanwhile waits for it: killed at any moment, the database is of
    the old version or of the new one. A SQLite file is copied before.

    Raises:
        BusyError: an older schema, and a run is sending from it.
        DatabaseError: the database was made by a newer program, or holds something else; or no copy could be made.
    """
    with database.reading() as connection:
        version = _version(database, connection)
    if version == SCHEMA_VERSION:
        return Upgraded(version, SCHEMA_VERSION)
    with database.sole_sender() if version else nullcontext(), database.writing() as connection:
        database.lock(connection, "schema")
        version = _version(database, connection)  # another process may have been quicker
        if version == SCHEMA_VERSION:
            return Upgraded(version, SCHEMA_VERSION)
        backup = back_up(database.path, version, clock()) if version and database.path else None
        metadata.create_all(connection)
        for step in range((version or SCHEMA_VERSION) + 1, SCHEMA_VERSION + 1):
            for statement in (*STEPS[step], *(() if database.is_sqlite else STEPS_OF_POSTGRESQL.get(step, ()))):
                connection.execute(text(statement))
        connection.execute(kept(database, "schema_version", str(SCHEMA_VERSION)))
    return Upgraded(version, SCHEMA_VERSION, backup)


def _version(database: Database, connection: Connection) -> int | None:
    """Return the version of a database's schema, None in a new one.

    Raises:
        DatabaseError: it is none that this program knows.
    """
    if not inspect(connection).has_table("meta"):
        return None
    version = connection.scalar(select(meta.c.value).where(meta.c.name == "schema_version"))
    if version is None:
        return None
    if not version.isdigit() or int(version) > SCHEMA_VERSION:
        raise DatabaseError(
            f"database {database.path or database.url}: has schema {version}, this program knows {SCHEMA_VERSION};"
            " install the newsletter version that made it, or a newer one"
        )
    return int(version)


def read(database: Database, name: str) -> str | None:
    """Return a kept value, or None."""
    with database.reading() as connection:
        return connection.scalar(select(meta.c.value).where(meta.c.name == name))


def write(database: Database, name: str, value: str) -> None:
    """Keep a value under a name."""
    with database.writing() as connection:
        connection.execute(kept(database, name, value))


def secret(database: Database, name: str) -> str:
    """Return a secret that this database keeps, made at the first call; whoever comes first decides.

    `secret_key` signs where the settings name no key; `pepper` hides addresses that are to be forgotten, and stays the
    same whatever becomes of the keys.
    """
    kept = read(database, name)
    if kept:
        return kept
    with database.writing() as connection:
        row = {"name": name, "value": secrets.token_urlsafe(32)}
        connection.execute(database.insert(meta).values(row).on_conflict_do_nothing())
    return secret(database, name)


def kept(database: Database, name: str, value: str) -> Any:
    """Return the statement that keeps a value under a name."""
    row = database.insert(meta).values(name=name, value=value)
    return row.on_conflict_do_update(index_elements=["name"], set_={"value": row.excluded.value})
