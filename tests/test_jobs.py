"""The tables of the workers' jobs, which are Procrastinate's own."""

from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

import psycopg
import pytest
from procrastinate.schema import SchemaManager
from sqlalchemy import text

from newsletter import worker
from newsletter.errors import SurroundingsError
from newsletter.settings import Settings
from newsletter.store import meta
from newsletter.store.engine import Database
from newsletter.wiring import build, now
from tests.postgres import Server

OLD = "03.01.00_50_post_add_heartbeat.sql"
SHAPE = text(
    "SELECT 'column', table_name || '.' || column_name, data_type || is_nullable FROM information_schema.columns"
    " WHERE table_schema = current_schema() AND table_name LIKE 'procrastinate%'"
    " UNION ALL SELECT 'index', indexname, replace(indexdef, current_schema() || '.', '') FROM pg_indexes"
    " WHERE schemaname = current_schema() AND tablename LIKE 'procrastinate%'"
    " UNION ALL SELECT 'function', proname, pg_get_function_identity_arguments(oid) || md5(prosrc) FROM pg_proc"
    " WHERE pronamespace = current_schema()::regnamespace ORDER BY 1, 2, 3"
)


def shape(database: Database) -> set[tuple[str, str, str]]:
    with database.reading() as connection:
        return {(kind, name, what) for kind, name, what in connection.execute(SHAPE)}


def of_an_older_version(url: str) -> None:
    """Make the tables that an older Procrastinate had, as `upgrade` left them then."""
    with closing(Database(url)) as database:
        meta.prepare_schema(database)
        meta.write(database, worker.SCHEMA, OLD)
    scripts = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    with psycopg.connect(url.replace("+psycopg", ""), autocommit=True) as connection:
        for script in scripts:
            if script.name <= OLD:
                connection.execute(script.read_text().encode())


def later(stretch: timedelta) -> datetime:
    return now() + stretch


def test_a_machine_whose_clock_is_wrong_does_not_work(tmp_path: Path, postgresql: Server) -> None:
    parts = build(Settings(database_url=postgresql.new_url(), workers=True), tmp_path)
    with closing(parts.database):
        worker.check_clock(parts)
        for seconds, said in ((700, "700 seconds ahead of"), (-700, "700 seconds behind")):
            off = timedelta(seconds=seconds)
            wrong = replace(parts, clock=partial(later, off))
            with pytest.raises(SurroundingsError, match=f"{said} the database server's; set both by NTP"):
                worker.check_clock(wrong)


def test_tables_that_a_backup_came_back_without_are_made_again(postgresql: Server) -> None:
    with closing(Database(postgresql.new_url())) as database:
        meta.prepare_schema(database)
        meta.write(database, worker.SCHEMA, max(Path(SchemaManager.get_migrations_path()).glob("*.sql")).name)
        assert shape(database) == set()
        worker.prepare_schema(database)
        assert "procrastinate_jobs.queue_name" in {name for _kind, name, _what in shape(database)}


def test_tables_that_a_newer_machine_made_are_left_alone(postgresql: Server) -> None:
    with closing(Database(postgresql.new_url())) as database:
        meta.prepare_schema(database)
        worker.prepare_schema(database)
        meta.write(database, worker.SCHEMA, "99.00.00_01_of_tomorrow.sql")
        before = shape(database)
        assert worker.prepare_schema(database) is None
        assert (shape(database), meta.read(database, worker.SCHEMA)) == (before, "99.00.00_01_of_tomorrow.sql")


def test_tables_of_an_older_version_are_brought_up_once(postgresql: Server) -> None:
    fresh_url, old_url = postgresql.new_url(), postgresql.new_url()
    of_an_older_version(old_url)
    with closing(Database(fresh_url)) as fresh, closing(Database(old_url)) as old:
        meta.prepare_schema(fresh)
        newest = worker.prepare_schema(fresh)
        assert shape(old) != shape(fresh)
        assert worker.prepare_schema(old) == newest
        assert shape(old) == shape(fresh)
        assert worker.prepare_schema(old) is None
