"""The tables of the workers' jobs, which are Procrastinate's own."""

from contextlib import closing
from pathlib import Path

import psycopg
from procrastinate.schema import SchemaManager
from sqlalchemy import text

from newsletter import worker
from newsletter.store import meta
from newsletter.store.engine import Database
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
