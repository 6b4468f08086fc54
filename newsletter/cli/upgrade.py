"""newsletter upgrade: a database of an older version brought to this one."""

from typing import TYPE_CHECKING

import click

from newsletter.cli.context import JSON, load_settings, print_json

if TYPE_CHECKING:
    from newsletter.store.engine import Database
    from newsletter.store.meta import Upgraded


@click.command()
@JSON
def upgrade(*, as_json: bool) -> None:
    """Bring the database to the schema of this version; every other command would do so at its start.

    A SQLite file is copied beside itself before. All steps are one transaction: interrupt it, and the database is as it
    was. A database of a newer version is refused.

    Example: newsletter upgrade --json
    """
    from newsletter.store.meta import prepare_schema
    from newsletter.store.opening import connect

    settings, folder = load_settings()
    database = connect(settings.database_url, folder, create=False)
    missing = database.is_sqlite and database.path is None
    done = None if missing else prepare_schema(database)
    if done and settings.workers:
        from newsletter.worker import prepare_schema as prepare_jobs

        if jobs := prepare_jobs(database):
            click.echo(f"The tables of the workers' jobs are those of Procrastinate {jobs} now.", err=True)
    if as_json:
        print_json(_to_json(done))
    else:
        click.echo(_words(database, done))


def _words(database: "Database", done: "Upgraded | None") -> str:
    from newsletter.store.opening import upgraded_words

    if done is None:
        return "There is no database yet, so there is nothing to upgrade."
    if done.before is None:
        return f"The database was empty; it has schema {done.now} now."
    if not done.changed:
        return f"The database has schema {done.now} already."
    return upgraded_words(database, done).replace("database", "Database", 1) + "."


def _to_json(done: "Upgraded | None") -> dict[str, object]:
    return {
        "from": done.before if done else None,
        "to": done.now if done else None,
        "upgraded": bool(done and done.changed),
        "backup": str(done.backup) if done and done.backup else None,
    }
