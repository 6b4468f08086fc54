"""A database of any earlier version comes to this one whole, whoever kills what meanwhile."""

import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from newsletter.errors import BusyError, DatabaseError
from newsletter.store import meta
from newsletter.store.engine import Database
from newsletter.store.meta import SCHEMA_VERSION, STEPS, Upgraded, prepare_schema
from tests.store.older import VERSIONS, make, shape, states

NewUrl = Callable[[], str]
KEPT = [("ada@example.org", "sent"), ("alan@example.org", "queued")]
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PATIENCE = 60  # seconds
# Does the first step of the last upgrade, says so, and then takes long: killed there, it has been in the middle.
SLOW = """
import sys
from newsletter.store import meta
from newsletter.store.engine import Database
numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000000000)"
long = {"sqlite": numbers + " SELECT max(i) FROM n", "postgresql": "SELECT pg_sleep(600)"}
database = Database(sys.argv[1])
class Steps(dict):
    def __getitem__(self, step):
        yield from super().__getitem__(step)
        if step == 6:
            print("in the middle", flush=True)
            yield long["sqlite" if database.is_sqlite else "postgresql"]
meta.STEPS = Steps(meta.STEPS)
meta.prepare_schema(database)
"""

QUICK = """
import sys
from newsletter.store import engine, meta
print(flush=True)
meta.prepare_schema(engine.Database(sys.argv[1]))
"""


@pytest.fixture
def fresh(new_url: NewUrl) -> dict[str, object]:
    database = Database(new_url())
    prepare_schema(database)
    made = shape(database)
    database.close()
    return made


def test_there_is_a_recorded_schema_of_each_version_and_a_step_to_each() -> None:
    assert list(STEPS) == list(range(2, SCHEMA_VERSION + 1))
    assert list(VERSIONS) == list(range(1, SCHEMA_VERSION)), "record the schema of the version before in tests/store"


@pytest.mark.parametrize("version", VERSIONS)
def test_each_earlier_version_becomes_what_a_new_database_is(
    new_url: NewUrl, fresh: dict[str, object], version: int
) -> None:
    url = new_url()
    make(url, version)
    database = Database(url)
    done = prepare_schema(database, lambda: NOON)
    assert (done.before, done.now, done.changed) == (version, SCHEMA_VERSION, True)
    assert shape(database) == fresh
    assert states(database) == KEPT
    assert prepare_schema(database) == Upgraded(SCHEMA_VERSION, SCHEMA_VERSION), "and a second time nothing is done"
    database.close()


def test_a_sqlite_file_is_copied_before(tmp_path: Path) -> None:
    make(f"sqlite:///{tmp_path}/db", 5)
    database = Database(f"sqlite:///{tmp_path}/db")
    before = shape(database)
    done = prepare_schema(database, lambda: NOON)
    database.close()
    assert done.backup == tmp_path / "db.v5-20260105T120000Z.backup"
    assert stat.S_IMODE(done.backup.stat().st_mode) == 0o600
    copy = Database(f"sqlite:///{done.backup}")
    assert shape(copy) == before
    assert states(copy) == KEPT
    copy.close()


def test_a_new_or_a_current_database_is_not_copied(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/db")
    assert prepare_schema(database) == Upgraded(None, SCHEMA_VERSION)
    assert prepare_schema(database) == Upgraded(SCHEMA_VERSION, SCHEMA_VERSION)
    database.close()
    assert list(tmp_path.glob("*.backup*")) == []


def test_a_newer_schema_is_refused_in_one_line_and_stays_as_it_is(new_url: NewUrl) -> None:
    url = new_url()
    database = Database(url)
    prepare_schema(database)
    meta.write(database, "schema_version", "99")
    before = shape(database)
    with pytest.raises(DatabaseError, match=r"has schema 99, this program knows \d+; install the newsletter") as caught:
        prepare_schema(database)
    assert len(str(caught.value).splitlines()) == 1
    assert shape(database) == before
    assert meta.read(database, "schema_version") == "99"
    database.close()


def test_a_step_that_fails_leaves_everything_as_it_was(new_url: NewUrl, monkeypatch: pytest.MonkeyPatch) -> None:
    url = new_url()
    make(url, 5)
    database = Database(url)
    before = shape(database)
    monkeypatch.setitem(STEPS, 7, ("ALTER TABLE nowhere ADD COLUMN nothing INTEGER",))
    with pytest.raises(DatabaseError, match="nowhere"):
        prepare_schema(database, lambda: NOON)
    assert (shape(database), meta.read(database, "schema_version")) == (before, "5")
    database.close()


def test_killed_in_the_middle_the_old_schema_is_whole_and_the_next_start_goes_on(
    new_url: NewUrl, fresh: dict[str, object]
) -> None:
    url = new_url()
    make(url, 4)
    database = Database(url)
    before = shape(database)
    process = subprocess.Popen([sys.executable, "-c", SLOW, url], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    assert process.stdout.readline() == "in the middle\n"
    time.sleep(0.1)  # into the long statement
    process.send_signal(signal.SIGKILL)
    process.communicate()
    _end_orphans(database)
    assert (shape(database), meta.read(database, "schema_version")) == (before, "4")
    assert prepare_schema(database, lambda: NOON).before == 4
    assert shape(database) == fresh
    assert states(database) == KEPT
    database.close()


def _end_orphans(database: Database) -> None:
    """A PostgreSQL server notices that its client is gone when its statement ends; this ends it, and waits for that."""
    if database.is_sqlite:
        return
    with database.writing() as connection:
        connection.execute(
            text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")
        )
        database.lock(connection, "schema")


def test_killed_at_any_moment_it_is_the_one_or_the_other(new_url: NewUrl, fresh: dict[str, object]) -> None:
    found = set()
    for number in range(8):
        url = new_url()
        make(url, 3)
        database = Database(url)
        old = shape(database)
        process = subprocess.Popen([sys.executable, "-c", QUICK, url], stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()
        time.sleep(number * 0.012)
        process.kill()
        process.communicate()
        _end_orphans(database)
        version = meta.read(database, "schema_version")
        assert shape(database) == {"3": old, str(SCHEMA_VERSION): fresh}[str(version)]
        found.add(version)
        prepare_schema(database, lambda: NOON)
        assert (shape(database), states(database)) == (fresh, KEPT)
        database.close()
    assert "3" in found


def test_many_at_once_upgrade_once(new_url: NewUrl, fresh: dict[str, object]) -> None:
    url = new_url()
    make(url, 2)

    def opened(_number: int) -> bool:
        database = Database(url)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                changed = prepare_schema(database).changed
            except BusyError:  # SQLite: another holds it; a person would run again
                time.sleep(0.01)
            else:
                database.close()
                return changed
        raise AssertionError("never its turn")

    with ThreadPoolExecutor(6) as pool:
        assert sum(pool.map(opened, range(6))) == 1
    database = Database(url)
    assert shape(database) == fresh
    if database.path:
        assert len(list(database.path.parent.glob(f"{database.path.name}.v2-*.backup"))) == 1
    database.close()


def test_nothing_is_upgraded_under_a_run_that_sends(tmp_path: Path) -> None:
    make(f"sqlite:///{tmp_path}/db", 5)
    sending, database = Database(f"sqlite:///{tmp_path}/db"), Database(f"sqlite:///{tmp_path}/db")
    with sending.sole_sender(), pytest.raises(BusyError, match="another run is sending"):
        prepare_schema(database)
    assert meta.read(database, "schema_version") == "5"
    sending.close()
    database.close()


def test_without_room_for_the_copy_nothing_is_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make(f"sqlite:///{tmp_path}/db", 5)
    database = Database(f"sqlite:///{tmp_path}/db")

    def full(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(
        DatabaseError, match="no backup could be made before the upgrade: No space left on device; free"
    ):
        prepare_schema(database)
    assert meta.read(database, "schema_version") == "5"
    assert [path for path in tmp_path.iterdir() if "backup" in path.name] == []
    database.close()
