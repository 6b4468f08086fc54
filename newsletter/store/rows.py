"""Many rows for one statement. They travel as one JSON text, so that it is compiled once, whatever their number."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    String,
    Table,
    bindparam,
    cast,
    column,
    func,
    literal_column,
    select,
    type_coerce,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from newsletter.store.engine import Database


def given_rows(database: Database, columns: Mapping[str, TypeEngine[Any]]) -> CTE:
    """Return the rows of the parameter `rows` as a table of these columns; `as_rows` writes the parameter."""
    rows = bindparam("rows", type_=String())
    sqlite = database.is_sqlite
    listed = func.json_each(rows) if sqlite else func.jsonb_array_elements(cast(rows, JSONB))
    value = listed.table_valued(column("value", JSONB), name="listed").c.value
    cells = (value.op("->>", return_type=String())(literal_column(str(at))) for at in range(len(columns)))
    typed = (  # SQLite keeps the types of JSON; PostgreSQL makes each a text
        (type_coerce(cell, kind) if sqlite else cast(cell, kind)).label(name)
        for cell, (name, kind) in zip(cells, columns.items(), strict=True)
    )
    # Read once and first: SQLite would otherwise go through all it is joined with and look each up among these.
    return select(*typed).cte("given").prefix_with("MATERIALIZED")


def as_rows(database: Database, rows: Iterable[Iterable[Any]]) -> str:
    """Return rows as the parameter `rows`."""
    cells = [[*row] for row in rows]
    return json.dumps(cells, ensure_ascii=False, default=lambda value: as_text(database, value))


def as_text(database: Database, value: date) -> str:
    """Return a moment or a day as this database keeps it."""
    if not isinstance(value, datetime):
        return value.isoformat()
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") + ("" if database.is_sqlite else "+00")


def domain_of(database: Database, address: ColumnElement[str]) -> ColumnElement[str]:
    """Return the part of an address after its @, as this database cuts texts."""
    if database.is_sqlite:
        return func.substr(address, func.instr(address, "@") + 1)
    return func.split_part(address, "@", 2)


def copy_new(connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
    """Put rows into a table of PostgreSQL by COPY, but for those that are there; all have the same columns.

    They go through a table of this transaction's own, since COPY alone knows no ON CONFLICT.
    """
    names = ", ".join(rows[0])
    connection.exec_driver_sql(
        f"CREATE TEMPORARY TABLE IF NOT EXISTS incoming ON COMMIT DROP AS SELECT {names} FROM {table.name} WHERE false"  # noqa: S608 - our own names
    )
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(f"COPY incoming ({names}) FROM STDIN") as copy:
        for row in rows:
            copy.write_row([json.dumps(cell) if isinstance(cell, list) else cell for cell in row.values()])
    connection.exec_driver_sql(
        f"INSERT INTO {table.name} ({names}) SELECT {names} FROM incoming ON CONFLICT DO NOTHING"  # noqa: S608 - as above
    )
    connection.exec_driver_sql("TRUNCATE incoming")
