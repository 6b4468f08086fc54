"""The database: opened as it is, changed in nothing, not even brought to this program's schema."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, func, inspect, make_url, select, text
from sqlalchemy.exc import ArgumentError

from newsletter.doctor.check import (
    FAIL,
    OFFLINE,
    OK,
    SKIP,
    WARN,
    Check,
    Heard,
    Installation,
    of_fault,
    shown,
)
from newsletter.errors import NewsletterError
from newsletter.store import meta
from newsletter.store.engine import Database
from newsletter.store.limits import FRESH, LimitStore
from newsletter.store.opening import located
from newsletter.store.tables import meta as kept

NAMES = ("database", "database writable")
SECONDS = "5"  # to connect to a server
PROBE = "CREATE TABLE doctor_probe (number INTEGER)"  # taken back at once
OLDEST_SERVER = 130000
LARGEST_DIFFERENCE = 30  # seconds between the database's clock and ours


@dataclass(frozen=True)
class Look:
    """What was seen of the database; `database` is the list's own if that can be used, else an empty one in memory."""

    checks: tuple[Check, ...]
    database: Database
    secret_kept: bool = False


def look(it: Installation) -> Look:
    """Open the database and look at it; whatever is wrong is among the checks."""
    url, path = located(it.settings.database_url, it.folder)
    try:
        if path and not path.exists():
            told = f"{shown(path)} is not there yet; the first run makes it"
            return _stand_in([Check("database", OK, told), Check("database writable", SKIP, "not there yet")])
    except OSError as fault:
        mend = "make the folder readable for this user, or set database_url"
        told = f"{path}: {fault.strerror}"
        return _stand_in([Check("database", FAIL, told, mend), Check("database writable", SKIP, "cannot be opened")])
    if it.offline and not url.startswith("sqlite"):
        return _stand_in([Check(name, SKIP, OFFLINE) for name in NAMES])
    try:
        database = Database(_impatient(url))
        return _seen(it, database)
    except NewsletterError as fault:
        return _stand_in([of_fault("database", fault), Check("database writable", SKIP, "it cannot be opened")])


def _impatient(url: str) -> str:
    """Give a server some seconds to answer; the usual wait is minutes."""
    try:
        server = make_url(url)
    except (ArgumentError, ValueError):
        return url  # Database says what is wrong
    if server.get_backend_name() != "postgresql":
        return url
    return server.update_query_dict({"connect_timeout": SECONDS}).render_as_string(hide_password=False)


def _seen(it: Installation, database: Database) -> Look:
    with database.reading() as connection:
        ours = inspect(connection).has_table("meta")
        about = _about(connection, is_sqlite=database.is_sqlite)
    version = meta.read(database, "schema_version") if ours else None
    schema = _schema(version, about)
    checks = (schema, _writable(database, ours=ours), *_clock(database, it), *_server(database))
    if version == str(meta.SCHEMA_VERSION) and it.settings.workers:
        checks = (*checks, _workers(database, it), *_jobs(database, it))
    if version != str(meta.SCHEMA_VERSION):
        database.close()
        return _stand_in(checks)
    return Look(checks, database, secret_kept=meta.read(database, "secret_key") is not None)


def _stand_in(checks: "list[Check] | tuple[Check, ...]") -> Look:
    database = Database("sqlite://")
    meta.prepare_schema(database)
    return Look(tuple(checks), database)


def _about(connection: Connection, *, is_sqlite: bool) -> str:
    if is_sqlite:
        mode, release = (connection.scalar(text(ask)) for ask in ("PRAGMA journal_mode", "SELECT sqlite_version()"))
        return f"SQLite {release}, journal {mode}"
    return f"PostgreSQL {connection.scalar(text('SHOW server_version'))}"


def _schema(version: str | None, about: str) -> Check:
    known = meta.SCHEMA_VERSION
    if version is None:
        return Check("database", OK, f"{about}; empty, the first run makes its tables")
    if version == str(known):
        return Check("database", OK, f"{about}, schema {version}")
    if version.isdigit() and int(version) < known:
        mend = "nothing to do: the next run brings it up; keep a copy until it has"
        return Check("database", WARN, f"{about}, schema {version}; this program has {known}", mend)
    mend = "install the newsletter version that made it, or a newer one"
    return Check("database", FAIL, f"{about}, schema {version}; this program knows {known}", mend)


def _writable(database: Database, *, ours: bool) -> Check:
    """Write and take it back: a read-only file, folder or server refuses that."""
    try:
        with database.writing() as connection:
            connection.execute(kept.update().values(value=kept.c.value) if ours else text(PROBE))
            connection.rollback()
    except NewsletterError as fault:
        return of_fault("database writable", fault)
    return Check("database writable", OK, "takes writes")


def _server(database: Database) -> Iterator[Check]:
    """What a PostgreSQL server has to be and to promise: marks that it says are written are."""
    if database.is_sqlite:
        return
    asked = ("server_version_num", "fsync", "synchronous_commit", "max_connections")
    with database.reading() as connection:
        number, fsync, commit, most = (connection.scalar(text(f"SHOW {name}")) for name in asked)
    if int(number) < OLDEST_SERVER:
        yield Check("database server", WARN, f"version {number}; workers are tested from 13 on", "upgrade PostgreSQL")
    elif "off" in {fsync, commit}:
        mend = "set both on: what a power failure takes of the ledger may be sent twice"
        yield Check("database server", WARN, f"fsync = {fsync}, synchronous_commit = {commit}", mend)
    else:
        yield Check("database server", OK, f"keeps what it commits; max_connections = {most}")


def _workers(database: Database, it: Installation) -> Check:
    alive = len({one.owner for one in LimitStore(database).working(it.clock().timestamp(), it.settings.list_id)})
    if alive:
        return Check("workers", OK, f"{alive} at work, each alive within {FRESH:.0f} seconds")
    return Check("workers", FAIL, "none is at work, so nothing goes out", "start `newsletter worker`")


def _jobs(database: Database, it: Installation) -> Iterator[Check]:
    """Whose worker falls silent, their jobs are another's within seconds, as long as one is there to see to it."""
    if it.jobs is None:
        return
    try:
        jobs = it.jobs(database)
    except NewsletterError as fault:
        said = str(fault).partition("; ")[0]
        yield Check("jobs", FAIL, f"the workers' jobs cannot be counted: {said}", "run `newsletter upgrade`")
        return
    if jobs.silent:
        mend = "look again in ten seconds; if they stay, no worker sweeps: restart `newsletter worker`"
        yield Check("jobs", WARN, f"{jobs.silent:,} chunks are with workers that fell silent", mend)
    else:
        yield Check("jobs", OK, f"{jobs.waiting:,} chunks waiting, {jobs.at_work:,} being sent")


def _clock(database: Database, it: Installation) -> Iterator[Check]:
    """A PostgreSQL server has a clock of its own; leases are measured by ours."""
    if database.is_sqlite:
        return
    with database.reading() as connection:
        theirs: Any = connection.scalar(select(func.clock_timestamp()))
    ours = it.clock()
    it.heard.append(Heard("the database", theirs, ours))
    seconds = abs((theirs - ours).total_seconds())
    if seconds > LARGEST_DIFFERENCE:
        mend = "set both clocks by NTP; the senders of a list agree on who has a copy by them"
        yield Check("database clock", WARN, f"{seconds:,.0f} seconds from this machine's", mend)
    else:
        yield Check("database clock", OK, f"within {seconds:.1f} seconds of this machine's")
