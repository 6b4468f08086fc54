"""A copy of a SQLite database, made before anything in it changes its shape."""

import glob
import os
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path

from newsletter.errors import DatabaseError


def back_up(path: Path, version: int, now: datetime) -> Path:
    """Copy a SQLite database beside itself, readable by its owner alone, and return the path of the copy.

    It is what was committed: SQLite itself copies, so a writer meanwhile does no harm. The copy has its name only once
    it is whole and on the disk; who is killed before leaves a `.part`.

    Args:
        path: the database.
        version: of its schema; part of the copy's name.
        now: the other part.

    Raises:
        DatabaseError: there is no room for it, or the database is damaged; nothing was changed.
    """
    kept = path.with_name(f"{path.name}.v{version}-{now:%Y%m%dT%H%M%SZ}.backup")
    part = kept.with_name(kept.name + ".part")
    try:
        os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600))
        with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(part)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, that can be moved as it is
            [said] = copy.execute("PRAGMA quick_check(1)").fetchone()
        if said != "ok":
            raise sqlite3.DatabaseError(said.splitlines()[0])
        _to_disk(part)
        part.replace(kept)
        _to_disk(path.parent)
    except (OSError, sqlite3.Error) as fault:
        part.unlink(missing_ok=True)
        said = getattr(fault, "strerror", None) or str(fault)
        mend = "free some space, or restore a backup if the file is damaged; nothing was changed"
        raise DatabaseError(f"database {path}: no backup could be made before the upgrade: {said}; {mend}") from None
    return kept


def backups(path: Path) -> list[Path]:
    """Return the copies of a database that upgrades made, oldest first: what was erased since is in them still."""
    return sorted(path.parent.glob(f"{glob.escape(path.name)}.v*.backup"))


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
