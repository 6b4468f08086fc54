"""Opening the database that the settings name, with everything in it that this program needs."""

import logging
import re
from pathlib import Path

from newsletter.store.engine import Database
from newsletter.store.meta import Upgraded, prepare_schema

LOG = logging.getLogger("newsletter")


def open_database(url: str, folder: Path, *, create: bool = True) -> Database:
    """Return a database, its schema made or brought up; without `create` memory stands in for a missing SQLite file.

    Args:
        url: an SQLAlchemy URL.
        folder: what the path of a SQLite file counts from.
        create: make the file if there is none.

    Raises:
        NewsletterError: the database cannot be used.
    """
    database = connect(url, folder, create=create)
    done = prepare_schema(database)
    if done.changed:
        LOG.warning("%s", upgraded_words(database, done))
    return database


def connect(url: str, folder: Path, *, create: bool = True) -> Database:
    """Return a database as it is, with whatever schema it has; else as `open_database`.

    Raises:
        NewsletterError: the database cannot be used.
    """
    placed, path = located(url, folder)
    return Database("sqlite://" if path and not create and not path.exists() else placed)


def located(url: str, folder: Path) -> tuple[str, Path | None]:
    """Return a database URL whose relative path counts from a folder, and the file of a SQLite one."""
    found = re.fullmatch(r"sqlite(?:\+\w+)?:///([^?]+)(.*)", url)
    if not found or found[1] == ":memory:":
        return url, None
    return f"sqlite:///{folder / found[1]}{found[2]}", folder / found[1]


def upgraded_words(database: Database, done: Upgraded) -> str:
    """Return in a line from which version to which a database was brought, and where the one of before is."""
    where = database.path or database.url.render_as_string(hide_password=True)
    line = f"database {where}: upgraded from schema {done.before} to {done.now}"
    if done.backup:
        return f"{line}; as it was before it is in {done.backup}"
    return f"{line} in one transaction; a dump of before (pg_dump) is yours to keep"
