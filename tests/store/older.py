"""Databases as earlier versions of the program made them."""

from pathlib import Path
from typing import Any

from sqlalchemy import inspect, text

from newsletter.store.engine import Database

SCHEMAS = Path(__file__).parent / "schemas"  # what each version's program created, statement by statement
VERSIONS = range(1, 9)
READERS = ("ada@example.org", "alan@example.org")
ROWS = (
    "INSERT INTO issue (list_id, key, content, frozen_at) VALUES ('papers', 'daily/2025-12-26', '{}', '2025-12-26')",
    *(
        "INSERT INTO subscriber (id, list_id, key, address, cadence, include, exclude, format, active, origin, listed)"
        f" VALUES ({number}, 'papers', '{address}', '{address}', 'daily', '[]', '[]', 'html', true, 'file', true)"
        for number, address in enumerate(READERS, start=1)
    ),
)
DELIVERY = (
    "INSERT INTO delivery (list_id, issue_key, subscriber_id, state, due_at, attempts, doubts, epoch{more})"
    " VALUES ('papers', 'daily/2025-12-26', {number}, '{state}', '2025-12-26', 1, 0, 1{values})"
)
LANES = 4  # the version since which a delivery has one


def make(url: str, version: int) -> None:
    """Make a database of an older version in which one reader has the issue and one waits for it."""
    database = Database(url)
    kind = "sqlite" if database.is_sqlite else "postgresql"
    more = {"more": ", lane", "values": ", ''"} if version >= LANES else {"more": "", "values": ""}
    copies = (DELIVERY.format(number=n, state=s, **more) for n, s in ((1, "sent"), (2, "queued")))
    statements = [*(SCHEMAS / f"v{version}.{kind}.sql").read_text().splitlines(), *_rows(version), *copies]
    with database.writing() as connection:
        for statement in statements:
            connection.execute(text(statement))
        connection.execute(text(f"INSERT INTO meta (name, value) VALUES ('schema_version', '{version}')"))
    database.close()


def _rows(version: int) -> list[str]:
    standing = version >= 5  # since then a column without a default
    return [
        row.replace(", listed)", ", listed, standing)").replace("true)", "true, 'active')")
        if standing and "subscriber" in row
        else row
        for row in ROWS
    ]


def shape(database: Database) -> dict[str, Any]:
    """Return what there is in a database: tables, columns, keys and indexes, in no order that history made."""
    with database.reading() as connection:
        seen = inspect(connection)
        return {
            table: (
                sorted((one["name"], _type(one["type"]), one["nullable"]) for one in seen.get_columns(table)),
                sorted(seen.get_pk_constraint(table)["constrained_columns"]),
                sorted((str(one["name"]), tuple(one["column_names"])) for one in seen.get_indexes(table)),
                sorted((one["referred_table"], one["constrained_columns"]) for one in seen.get_foreign_keys(table)),
            )
            for table in sorted(seen.get_table_names())
        }


def _type(found: object) -> str:
    """SQLite takes any name of a type: what steps call TIMESTAMP WITH TIME ZONE is a DATETIME, and read as NUMERIC."""
    return "moment" if str(found) in {"TIMESTAMP", "DATETIME", "NUMERIC"} else str(found)


def states(database: Database) -> list[tuple[str, str]]:
    """Return who has the issue in which state."""
    query = "SELECT address, state FROM delivery JOIN subscriber ON id = subscriber_id ORDER BY address"
    with database.reading() as connection:
        return [(row[0], row[1]) for row in connection.execute(text(query))]
