"""The database's own facts: its schema version and the secret it keeps when the settings name none."""

import secrets

from sqlalchemy import inspect, select, text

from newsletter.errors import DatabaseError
from newsletter.store.engine import Database
from newsletter.store.tables import meta, metadata

SCHEMA_VERSION = 4
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
}


def prepare_schema(database: Database) -> None:
    """Create the tables of a new database, or bring an older one to this program's version; nothing is lost.

    Raises:
        DatabaseError: the database was made by a newer program, or holds something else.
    """
    with database.reading() as connection:
        made = inspect(connection).has_table("meta")
        version = read(database, "schema_version") if made else None
    if version == str(SCHEMA_VERSION):
        return
    if (version is not None and not version.isdigit()) or int(version or 0) > SCHEMA_VERSION:
        raise DatabaseError(
            f"database {database.path or database.url}: has schema {version}, this program knows {SCHEMA_VERSION};"
            " install the newsletter version that made it, or a newer one"
        )
    with database.writing() as connection:
        metadata.create_all(connection)
        for step in range(int(version or SCHEMA_VERSION) + 1, SCHEMA_VERSION + 1):
            for statement in STEPS[step]:
                connection.execute(text(statement))
        row = database.insert(meta).values(name="schema_version", value=str(SCHEMA_VERSION))
        connection.execute(row.on_conflict_do_update(index_elements=["name"], set_={"value": row.excluded.value}))


def read(database: Database, name: str) -> str | None:
    """Return a kept value, or None."""
    with database.reading() as connection:
        return connection.scalar(select(meta.c.value).where(meta.c.name == name))


def secret_key(database: Database) -> str:
    """Return the secret of this database, made at the first call; whoever comes first decides."""
    kept = read(database, "secret_key")
    if kept:
        return kept
    with database.writing() as connection:
        row = {"name": "secret_key", "value": secrets.token_urlsafe(32)}
        connection.execute(database.insert(meta).values(row).on_conflict_do_nothing())
    return secret_key(database)
