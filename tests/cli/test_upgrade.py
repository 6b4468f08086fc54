"""newsletter upgrade: from which version to which, and where the one of before is."""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from newsletter.store.meta import SCHEMA_VERSION
from tests.flows.command import newsletter
from tests.store.older import make, states

if TYPE_CHECKING:
    from tests.postgres import Server

NOW = str(SCHEMA_VERSION)


@pytest.fixture
def older(tmp_path: Path) -> Path:
    (tmp_path / "var").mkdir()
    make(f"sqlite:///{tmp_path}/var/newsletter.sqlite3", 5)
    return tmp_path


def test_it_says_from_where_to_where_and_what_it_kept(older: Path) -> None:
    ran = newsletter(older, "upgrade")
    [backup] = (older / "var").glob("*.backup")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out == (
        f"Database {older}/var/newsletter.sqlite3: upgraded from schema 5 to {NOW};"
        f" as it was before it is in {backup}.\n"
    )
    again = newsletter(older, "upgrade")
    assert (again.code, again.out) == (0, f"The database has schema {NOW} already.\n")


def test_as_json(older: Path) -> None:
    done = json.loads(newsletter(older, "upgrade", "--json").out)
    [backup] = (older / "var").glob("*.backup")
    assert done == {"from": 5, "to": SCHEMA_VERSION, "upgraded": True, "backup": str(backup)}
    again = json.loads(newsletter(older, "upgrade", "--json").out)
    assert again == {"from": SCHEMA_VERSION, "to": SCHEMA_VERSION, "upgraded": False, "backup": None}


def test_where_there_is_no_database_none_is_made(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "upgrade")
    assert (ran.code, ran.out) == (0, "There is no database yet, so there is nothing to upgrade.\n")
    assert list(tmp_path.iterdir()) == []


def test_any_other_command_upgrades_at_its_start_and_says_so(older: Path) -> None:
    ran = newsletter(older, "status", "--json")
    assert ran.code == 0
    assert re.fullmatch(
        rf"newsletter: warning: database \S+: upgraded from schema 5 to {NOW}; as it was .* \S+\.backup\n", ran.err
    )
    [issue] = json.loads(ran.out)
    assert (issue["issue"], issue["audience"], issue["sent"], issue["queued"]) == ("daily/2025-12-26", 2, 1, 1)


def test_a_newer_database_is_one_line(older: Path) -> None:
    import sqlite3

    with sqlite3.connect(older / "var/newsletter.sqlite3") as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'schema_version'")
    connection.close()
    for command in (("upgrade",), ("send",), ("status",)):
        ran = newsletter(older, *command)
        assert (ran.code, ran.out) == (5, "")
        assert ran.fault.endswith(
            f"has schema 99, this program knows {NOW}; install the newsletter version that made it, or a newer one"
        )


def test_on_postgresql_the_dump_is_the_operators(tmp_path: Path, postgresql: "Server") -> None:
    from newsletter.store.engine import Database

    url = postgresql.new_url()
    make(url, 5)
    ran = newsletter(tmp_path, "upgrade", NEWSLETTER_DATABASE_URL=url)
    assert (ran.code, ran.err) == (0, "")
    assert f"upgraded from schema 5 to {NOW} in one transaction; a dump of before (pg_dump) is yours to keep" in ran.out
    database = Database(url)
    assert [state for _address, state in states(database)] == ["sent", "queued"]
    database.close()
