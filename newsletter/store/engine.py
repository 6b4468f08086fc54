"""The database: transactions that say whether they write, and how hard.

SQLite runs in WAL mode. Writers take BEGIN IMMEDIATE: a read that becomes a write inside one transaction would fail at
once with BUSY_SNAPSHOT, whatever the timeout. No transaction spans network I/O.
"""

import fcntl
import hashlib
import os
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Dialect, Engine, Table, Update, create_engine, event, func, make_url, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from newsletter.errors import BusyError, DatabaseError, SettingsError

BUSY_TIMEOUT_MS = 10_000
MENDS = {  # what the driver says -> what to do about it
    "unable to open": "check that the folder exists and may be written",
    "readonly": "make the file and its folder writable for this user",
    "disk is full": "free some space and run again; nothing is lost",
    "disk I/O error": "check the disk and run again; nothing is lost",
    "database is locked": "another program keeps it locked; end that one and run again",
    "not a database": "the file is no SQLite database; move it away or name another in database_url",
    "malformed": "the file is damaged; restore it from a backup",
}


# How soon each end of a connection to a server notices that the other is gone without a word: eleven seconds.
SERVER_ALIVE = {
    "connect_timeout": "10",
    "keepalives_idle": "5",
    "keepalives_interval": "2",
    "keepalives_count": "3",
    "tcp_user_timeout": "11000",
}
CLIENT_ALIVE = "SELECT " + ", ".join(
    f"set_config('{name}', '{value}', false)"
    for name, value in (
        ("tcp_keepalives_idle", 5),
        ("tcp_keepalives_interval", 2),
        ("tcp_keepalives_count", 3),
        ("tcp_user_timeout", 11_000),
    )
)
BACKENDS = {"sqlite", "postgresql"}


class Database:
    """One database and its transactions; safe to share between threads."""

    def __init__(self, url: str) -> None:
        """Open the database at an SQLAlchemy URL, creating the folder of a SQLite file.

        Raises:
            SettingsError: the URL is none, or its driver is not installed.
            DatabaseError: the folder cannot be made.
        """
        self.url = _parse(url)
        if self.url.get_backend_name() not in BACKENDS:
            raise SettingsError(
                f"database_url: {self.url.drivername} is not supported; use sqlite:/// or postgresql+psycopg://"
            )
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self.path = Path(self.url.database) if self.is_sqlite and self.url.database else None
        if self.path:
            _make_folder(self.path.parent)
        self._engine = _engine(self.url.render_as_string(hide_password=False), in_memory=self.path is None)
        # SQLite has one writer at a time; a lock here wakes the next thread at once, its busy handler sleeps.
        self._writer = threading.Lock() if self.is_sqlite else nullcontext()
        self._noter: Any = None  # the connection of `note`
        self._noter_lock = threading.Lock()

    def close(self) -> None:
        """Close the connections that wait for their next use; the next use opens others."""
        self._forget_noter()
        self._engine.dispose()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Open a transaction that sees one state of the database.

        Raises:
            DatabaseError: the database failed; the message says how to mend it.
        """
        with self._explained(), self._engine.connect() as plain:
            # PostgreSQL's usual level sees a new state with each statement; SQLite has no other level than one state.
            connection = plain if self.is_sqlite else plain.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Connection]:
        """Open a transaction that writes, committed at the end of the block.

        Args:
            durable: survive a power loss (claims, audiences); else only the death of our process (marks and
                settlements, which are far more frequent).

        Raises:
            DatabaseError: the database failed; nothing of the block was written.
        """
        with self._explained(), self._writer, self._engine.connect() as plain:
            connection = plain.execution_options(writes=True, durable=durable, preserve_rowcount=True)
            with connection.begin():
                yield connection

    def scrub(self) -> None:
        """Leave nothing of what was deleted or overwritten in the files of a SQLite database, its log among them.

        What is freed is zeroed as it is freed (secure_delete); the log keeps the pages of before until it is emptied.
        """
        if self.path is None:
            return
        with self._explained(), self._writer, self._engine.connect() as connection:
            connection.exec_driver_sql("COMMIT")  # a checkpoint needs to stand outside a transaction
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")

    def note(self, statement: "Prepared", given: dict[str, Any]) -> int:
        """Run one statement in a transaction of its own, as `writing(durable=False)` would; return the rows it changed.

        For what runs with every few messages: it takes a quarter of the time, and on SQLite it lets other threads in
        once instead of at every step.

        Raises:
            DatabaseError: the database failed; nothing was written.
        """
        with self._noter_lock, self._writer:
            try:
                noter = self._noter = self._noter or self._opened_noter()
                before = noter.driver_connection.total_changes if self.is_sqlite else 0
                cursor = noter.cursor()
                cursor.execute(statement.text, statement.filled(given))
                return int(noter.driver_connection.total_changes - before if self.is_sqlite else cursor.rowcount)
            except self._engine.dialect.loaded_dbapi.Error as fault:
                self._forget_noter()
                raise DatabaseError(self.explain(str(fault))) from fault

    def _opened_noter(self) -> Any:
        with self._explained():
            noter: Any = self._engine.raw_connection()
        if self.is_sqlite:
            noter.driver_connection.execute("PRAGMA synchronous = NORMAL")
        else:
            noter.driver_connection.autocommit = True
        return noter

    def _forget_noter(self) -> None:
        if self._noter:
            self._noter.invalidate()
            self._noter = None

    def prepared(self, statement: Update) -> "Prepared":
        """Return a statement as the driver takes it, compiled once."""
        return Prepared(statement, self._engine.dialect)

    def insert(self, table: Table) -> Any:
        """Return an INSERT of this dialect, which knows ON CONFLICT (SQLite and PostgreSQL spell it alike)."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)

    @contextmanager
    def sole_sender(self) -> Iterator[None]:
        """Be the only sender of a SQLite database for as long as the block runs.

        The kernel drops the lock when the process dies, however it dies, so a lock never outlives its owner. On
        PostgreSQL any number of senders share the rows, and this does nothing.

        Raises:
            BusyError: another process is sending.
            DatabaseError: the lock file cannot be written.
        """
        if self.path is None:
            yield
            return
        real = self.path.resolve()  # one lock, by whatever name the database is known
        path = real.with_name(real.name + ".lock")
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as fault:
            raise DatabaseError(f"{path}: {fault.strerror}; make the folder writable for this user") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise BusyError(f"{self.path}: another run is sending from this database; wait for it to end") from None
        except OSError as fault:
            os.close(descriptor)
            raise DatabaseError(f"{path}: {fault.strerror}; keep the database on a disk that knows locks") from None
        try:
            yield
        finally:
            os.close(descriptor)

    @contextmanager
    def presence(self, owner: str) -> Iterator[None]:
        """Show for as long as the block runs that an owner of rows lives.

        PostgreSQL drops an advisory lock with the session that took it, however its process ended. On SQLite the lock
        of `sole_sender` tells as much.

        Raises:
            DatabaseError: the database failed.
        """
        if self.is_sqlite:
            yield
            return
        with self._explained(), self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.detach()  # closed for good at the end, and the lock with it
            connection.execute(select(func.pg_advisory_lock(_lock_key(owner))))
            yield

    def lock(self, connection: Connection, name: str) -> None:
        """Wait until nobody else is in a transaction that asked for this name; a writer on SQLite is alone anyway."""
        if not self.is_sqlite:
            connection.execute(select(func.pg_advisory_xact_lock(_lock_key(name))))

    def absent(self, connection: Connection, owners: Iterable[str]) -> set[str]:
        """Return those of the owners on PostgreSQL who no longer show that they live; on SQLite nobody can tell."""
        if self.is_sqlite:
            return set()
        return {
            owner for owner in owners if connection.scalar(select(func.pg_try_advisory_xact_lock(_lock_key(owner))))
        }

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except DBAPIError as fault:
            raise DatabaseError(self.explain(str(fault.orig))) from fault
        except SQLAlchemyError as fault:
            raise DatabaseError(self.explain(str(fault))) from fault

    def explain(self, said: str) -> str:
        """Return what the driver said on one line, with the database's name and the mend."""
        where = self.path or self.url.render_as_string(hide_password=True)
        first = said.strip().splitlines()[0] if said.strip() else "failed"
        mend = next((mend for sign, mend in MENDS.items() if sign in said), "check the server and database_url")
        return f"database {where}: {first}; {mend}"


class Prepared:
    """A statement as text for the driver, with what fills its places."""

    def __init__(self, statement: Update, dialect: Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)
        self.text = str(compiled)
        self._fixed: dict[str, Any] = compiled.params
        self._order: list[str] | None = compiled.positiontup

    def filled(self, given: dict[str, Any]) -> Any:
        """Return the parameters in the driver's form."""
        values = self._fixed | given
        return values if self._order is None else [values[name] for name in self._order]


def _lock_key(owner: str) -> int:
    """Return the number of an owner's lock; two of one number would only be taken for alive until their leases end."""
    return int.from_bytes(hashlib.blake2b(owner.encode(), digest_size=8).digest(), signed=True)


def boot_id() -> str:
    """Return a name for the time since this machine started: a claim made before it may have lost its marks."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def _parse(url: str) -> URL:
    try:
        return make_url(url)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise SettingsError(
            "database_url: is no database URL; write it like sqlite:///var/newsletter.sqlite3"
        ) from None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as fault:
        raise DatabaseError(f"{folder}: {fault.strerror}; make it writable or set database_url") from None


def _engine(url: str, *, in_memory: bool) -> Engine:
    try:
        if not url.startswith("sqlite"):
            engine = create_engine(alive(make_url(url)), pool_pre_ping=True)
        elif in_memory:
            engine = create_engine(url, poolclass=StaticPool, connect_args={"check_same_thread": False})
        else:
            engine = create_engine(url, connect_args={"timeout": BUSY_TIMEOUT_MS / 1000})
    except NoSuchModuleError as fault:
        raise SettingsError(f"database_url: {fault}; use sqlite:/// or postgresql+psycopg://") from None
    except ModuleNotFoundError as fault:
        raise SettingsError(
            f"database_url: {fault.name} is not installed; pip install 'newsletter[postgres]'"
        ) from None
    if engine.dialect.name == "sqlite":
        event.listen(engine, "do_connect", _make_private)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", _prepare_server)
    return engine


def alive(url: URL) -> URL:
    """Return the URL of a server with what lets us notice that it is gone; what it says itself of that stays."""
    return url.update_query_dict({name: value for name, value in SERVER_ALIVE.items() if name not in url.query})


def _prepare_server(connection: Any, _record: object) -> None:
    """Let the server notice as soon that we are gone, and drop our locks: others wait for them."""
    connection.execute(CLIENT_ALIVE)
    connection.commit()


def _make_private(_dialect: object, _record: object, arguments: list[Any], _options: object) -> None:
    """Let nobody but its owner read a file that is new: it will hold addresses, and the key that signs links."""
    path = Path(arguments[0])
    with suppress(OSError):  # SQLite says better what is wrong
        if arguments[0] != ":memory:" and not path.exists():
            path.touch(mode=0o600)


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute("PRAGMA cache_size = -512")  # KB for each thread's own; the usual 2,000 gain nothing here


def _begin_sqlite(connection: Connection) -> None:
    options = connection.get_execution_options()
    if not options.get("writes"):
        connection.exec_driver_sql("BEGIN")
        return
    connection.exec_driver_sql(f"PRAGMA synchronous = {'FULL' if options['durable'] else 'NORMAL'}")
    connection.exec_driver_sql("BEGIN IMMEDIATE")
