"""Surroundings that break while messages flow: nobody is lost, nobody gets two."""

import json
import os
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any, NoReturn

import pytest
from sqlalchemy import text

from newsletter.store.engine import Database
from tests.flows.command import COMMAND, newsletter, readers, smtp, start
from tests.flows.ways import Way
from tests.send.servers import Mailbox, mail_server

ISSUE = "daily/2025-12-26"


def sums(folder: Path, **variables: str) -> dict[str, Any]:
    return dict(json.loads(newsletter(folder, "status", ISSUE, "--json", **variables).out))


def everybody(number: int) -> Counter[str]:
    return Counter({f"reader{n}@example.org": 1 for n in range(number)})


def wait_for(mailbox: Mailbox, number: int) -> None:
    for _ in range(6000):
        if len(mailbox.taken) >= number:
            return
        time.sleep(0.01)
    raise TimeoutError(f"{len(mailbox.taken)} of {number}")


def books_balance(folder: Path, mailbox: Mailbox, number: int, connections: int, **database: str) -> None:
    """Each reader has it once, or is listed as in doubt, and not more than the open connections are."""
    taken = Counter(mailbox.recipients)
    listed = json.loads(newsletter(folder, "status", "--in-doubt", "--json", **database).out)
    doubtful = {row["subscriber"] for row in listed}
    assert max(taken.values()) == 1
    assert set(everybody(number)) - set(taken) <= doubtful
    assert len(doubtful) <= connections
    assert sums(folder, **database)["sent"] == number - len(doubtful)


def test_a_database_server_that_restarts_in_mid_run_loses_and_doubles_nobody(
    tmp_path: Path, missing: Callable[[str], NoReturn]
) -> None:
    from tests.postgres import find, postgresql_server

    if not find("initdb"):
        missing("PostgreSQL is not installed: apt-get install postgresql")
    readers(tmp_path, 300)
    with postgresql_server() as server, mail_server(delay=0.01) as (mailbox, port):
        database = {"NEWSLETTER_DATABASE_URL": server.new_url()}
        settings = smtp(port, connections="4") | database
        process = start(tmp_path, "send", **settings)
        wait_for(mailbox, 60)
        server.restart()
        _out, err = process.communicate(timeout=60)
        assert process.returncode == 5
        assert "Traceback" not in err
        assert "database" in err.splitlines()[-1]
        newsletter(tmp_path, "send", **settings)
        books_balance(tmp_path, mailbox, 300, 4, **database)


@pytest.mark.parametrize("way", ["postgresql", "workers"], indirect=True)
def test_a_sender_that_sleeps_past_its_lease_sends_nothing_more(tmp_path: Path, way: Way) -> None:
    readers(tmp_path, 200)
    with mail_server(delay=0.01) as (mailbox, port):
        settings = smtp(port, connections="4") | way.settings
        sleeper = way.start(tmp_path, **settings)
        wait_for(mailbox, 40)
        sleeper.send_signal(signal.SIGSTOP)
        time.sleep(0.1)  # what was on the wire arrives
        with closing(Database(way.settings["NEWSLETTER_DATABASE_URL"])) as database, database.writing() as connection:
            connection.execute(
                text("UPDATE delivery SET lease_until = now() - interval '1 second' WHERE owner IS NOT NULL")
            )
        way.send(tmp_path, **settings)
        sleeper.send_signal(signal.SIGCONT)
        way.end(sleeper)
        way.send(tmp_path, **settings)
        books_balance(tmp_path, mailbox, 200, 4, **way.settings)


def test_a_disk_that_fills_up_stops_the_run_in_one_line_and_loses_nobody(tmp_path: Path) -> None:
    readers(tmp_path, 400)
    with mail_server(delay=0.005) as (mailbox, port):
        settings = smtp(port, connections="4")
        # Room to begin, but not for all that is claimed, marked and settled: no file may grow over so many KB.
        limited = ["bash", "-c", 'ulimit -f 1000; exec "$@"', "-", *COMMAND, "send"]
        process = subprocess.Popen(
            limited,
            cwd=tmp_path,
            env=os.environ | settings,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        _out, err = process.communicate(timeout=60)
        assert process.returncode == 5
        assert "Traceback" not in err
        assert "run again" in err.splitlines()[-1]
        assert 0 < len(mailbox.taken) < 400
        assert newsletter(tmp_path, "send", **settings).code in {0, 1}
        books_balance(tmp_path, mailbox, 400, 4)


@pytest.mark.slow
def test_a_database_that_somebody_keeps_locked_stops_the_run_in_one_line(tmp_path: Path) -> None:
    readers(tmp_path, 100)
    with mail_server(delay=0.02) as (mailbox, port):
        process = start(tmp_path, "send", **smtp(port))
        wait_for(mailbox, 10)
        holder = sqlite3.connect(tmp_path / "var/newsletter.sqlite3", isolation_level=None, timeout=30)
        holder.execute("BEGIN IMMEDIATE")
        _out, err = process.communicate(timeout=60)
        holder.close()
        assert process.returncode == 5
        assert "another program keeps it locked" in err.splitlines()[-1]
        newsletter(tmp_path, "send", **smtp(port))
        books_balance(tmp_path, mailbox, 100, 1)


def test_who_leaves_in_mid_run_is_not_mailed(tmp_path: Path, way: Way) -> None:
    readers(tmp_path, 300)
    with mail_server(delay=0.01) as (mailbox, port):
        process = way.start(tmp_path, **smtp(port), **way.settings)
        wait_for(mailbox, 10)
        url = way.settings.get("NEWSLETTER_DATABASE_URL", f"sqlite:///{tmp_path}/var/newsletter.sqlite3")
        with closing(Database(url)) as database, database.writing() as connection:
            connection.execute(text("UPDATE subscriber SET active = false WHERE address LIKE 'reader2%'"))
        left = len(mailbox.taken) + 1  # one may be on its way
        way.end(process)
    assert [to for to in mailbox.recipients[left:] if to.startswith("reader2")] == []
    books = sums(tmp_path, **way.settings)
    assert books["suppressed"] > 100
    assert books["sent"] + books["suppressed"] == 300
