"""`newsletter run`, crontabs and kills: whatever runs beside whatever, each reader gets each issue once."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from newsletter.models import State
from newsletter.periods import DAY
from newsletter.settings.scheduling import WEEKDAYS
from tests.flows.clockwork import write
from tests.flows.command import newsletter, readers, smtp, start
from tests.send.servers import Mailbox, mail_server
from tests.town import Arrived, Town

HOUR = timedelta(hours=1)
SUNDAY = datetime(2026, 1, 4, tzinfo=UTC)
WORLD = ["Pacific/Auckland", "Asia/Kolkata", "Europe/Berlin", "America/New_York", "Pacific/Honolulu"]
PATIENCE = 60  # seconds
ROOT = Path(__file__).parents[2]


def due_within_the_hour(folder: Path, number: int, **variables: str) -> dict[str, str]:
    """Make a list that runs since yesterday and whose issue of today became due in this hour; return its settings."""
    now = datetime.now(UTC)
    schedule: dict[str, Any] = {"hour": now.hour, "days": list(WEEKDAYS)}
    town = Town(folder, now - DAY, ["somebody@example.org"], schedule=schedule)
    for days in range(-6, 1):
        town.write_list((now + days * DAY).date())
    town.tick()
    town.parts.database.close()
    readers(folder, number)
    named = {
        "NEWSLETTER_SOURCES": f"file:{folder}/lists",
        "NEWSLETTER_SECRET_KEY": "a secret of this town",
        "NEWSLETTER_SCHEDULE__HOUR": str(now.hour),
        "NEWSLETTER_SCHEDULE__DAYS": json.dumps(WEEKDAYS),
    }
    return named | variables


def wait_for(mailbox: Mailbox, number: int) -> None:
    """Wait until a server has taken so many messages."""
    deadline = time.monotonic() + PATIENCE
    while len(mailbox.taken) < number:
        assert time.monotonic() < deadline, f"only {len(mailbox.taken)} of {number} arrived"
        time.sleep(0.01)


def test_a_service_sends_what_is_due_drains_at_sigterm_and_goes_on_when_started_again(tmp_path: Path) -> None:
    with mail_server(delay=0.02) as (mailbox, port):
        settings = due_within_the_hour(tmp_path, 150, **smtp(port, connections="2"))
        first = start(tmp_path, "run", **settings)
        wait_for(mailbox, 20)
        first.send_signal(signal.SIGTERM)
        _out, said = first.communicate(timeout=PATIENCE)
        assert first.returncode == 0, said
        assert len(mailbox.taken) < 150, "it ended in the middle"
        [issue] = json.loads(newsletter(tmp_path, "status", "--json", **settings).out)
        assert [issue[state] for state in ("claimed", "sending", "in_doubt", "failed")] == [0, 0, 0, 0]
        assert issue["sent"] == len(mailbox.taken)
        second = start(tmp_path, "run", **settings)
        wait_for(mailbox, 150)
        second.send_signal(signal.SIGTERM)
        second.communicate(timeout=PATIENCE)
        assert second.returncode == 0
    assert Counter(mailbox.recipients) == Counter({f"reader{n}@example.org": 1 for n in range(150)})
    events = [json.loads(line) for line in said.splitlines()]
    assert [event["event"].split(";")[0] for event in (events[0], events[-1])] == ["running", "stopped"]
    assert all(event["level"] == "info" for event in events)
    assert "@" not in said, "no addresses in a log"


def test_a_crontab_line_sends_what_is_due_and_has_nothing_to_say_after_that(tmp_path: Path) -> None:
    with mail_server() as (mailbox, port):
        settings = due_within_the_hour(tmp_path, 5, **smtp(port))
        first, second = (newsletter(tmp_path, "send", "--due", **settings) for _ in range(2))
    assert (first.code, first.err) == (0, "")
    assert first.out.splitlines()[-1].endswith(": 5 sent of 5")
    assert (second.code, second.out, second.err) == (0, "", "")
    assert len(mailbox.taken) == 5


def test_ten_crontab_lines_with_nothing_due_leave_the_database_as_it_was(tmp_path: Path) -> None:
    with mail_server() as (_mailbox, port):
        settings = due_within_the_hour(tmp_path, 3, **smtp(port))
        newsletter(tmp_path, "send", "--due", **settings)
        [path] = (tmp_path / "var").glob("*.sqlite3")
        before = hashlib.sha256(path.read_bytes()).digest()
        ran = [newsletter(tmp_path, "send", "--due", **settings) for _ in range(10)]
    assert {(one.code, one.out, one.err) for one in ran} == {(0, "", "")}
    assert hashlib.sha256(path.read_bytes()).digest() == before


class Week:
    """Two services and a crontab line on one database, in simulated time, with one killed now and then."""

    def __init__(self, folder: Path, settings: dict[str, str], chance: random.Random) -> None:
        self.folder, self.settings, self.chance = folder, settings, chance
        self.now = SUNDAY
        self.kills = 0
        self.services: list[subprocess.Popen[bytes]] = []

    @contextmanager
    def running(self) -> Iterator[None]:
        """Run two services for as long as the block does."""
        write(self.folder / "now", self.now)
        self.services = [self.begin(), self.begin()]
        try:
            yield
        finally:
            for service in self.services:
                service.kill()
                service.wait()

    def begin(self, *options: str) -> "subprocess.Popen[bytes]":
        """Start a process that works by the simulated clock."""
        with (self.folder / "said").open("ab") as said:
            return subprocess.Popen(
                [sys.executable, "-m", "tests.flows.clockwork", *options],
                cwd=self.folder,
                env=os.environ | self.settings | {"PYTHONPATH": str(ROOT)},
                stderr=said,
            )

    def pass_by(self, until: datetime, *, kill_every: timedelta, cron_every: timedelta) -> None:
        """Let time pass, an hour whenever all that was due is done."""
        kill_at, cron_at = self.now + kill_every, self.now + cron_every
        while self.now < until:
            if self.now >= kill_at:
                self.kill()
                kill_at += kill_every
            if self.now >= cron_at:
                self.begin("--once").wait(PATIENCE)
                cron_at += cron_every
            self.wait_till_done()
            self.now += HOUR
            write(self.folder / "now", self.now)
        self.wait_till_done()

    def kill(self) -> None:
        """Kill one of the services at a random moment of its work, and start another in its place."""
        time.sleep(self.chance.uniform(0, 0.08))
        killed = self.services.pop(self.chance.randrange(2))
        killed.kill()
        killed.wait()
        self.kills += 1
        self.services.append(self.begin())

    def wait_till_done(self) -> None:
        """Wait until somebody has done all that is due now."""
        deadline = time.monotonic() + PATIENCE
        seen = self.folder / "seen"
        while not seen.exists() or datetime.fromisoformat(seen.read_text()) < self.now:
            assert time.monotonic() < deadline, (self.folder / "said").read_text()
            time.sleep(0.005)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return the settings that name a database."""
    if request.param == "sqlite":
        return {}
    return {"NEWSLETTER_DATABASE_URL": request.getfixturevalue("postgresql").new_url()}


@pytest.mark.parametrize(
    ("days", "kill_every", "each", "whole"),
    [(2, 3 * HOUR, 3, 1), pytest.param(7, 2 * HOUR, 12, 4, marks=[pytest.mark.slow, pytest.mark.timeout(900)])],
)
def test_two_services_and_a_crontab_with_kills_mail_each_reader_once(  # noqa: PLR0913, PLR0917 - a case is five facts
    tmp_path: Path, database: dict[str, str], days: int, kill_every: timedelta, each: int, whole: int
) -> None:
    names = [(zone, f"{zone.split('/')[1].lower()}{n}@example.org") for zone in WORLD for n in range(each)]
    url = {"database_url": next(iter(database.values()))} if database else {}
    town = Town(tmp_path, SUNDAY, [f"{{address: {name}, timezone: {zone}}}" for zone, name in names], **url)
    town.write_lists(date(2026, 1, 1), date(2026, 1, 30))
    town.tick()
    settings = {"NEWSLETTER_SOURCES": f"file:{tmp_path}/lists", "NEWSLETTER_SECRET_KEY": "a secret of this town"}
    with mail_server(delay=0.004) as (mailbox, port):
        week = Week(tmp_path, settings | database | smtp(port, connections="2"), random.Random(days))
        with week.running():
            week.pass_by(SUNDAY + days * DAY, kill_every=kill_every, cron_every=12 * HOUR)
    with closing(town.parts.database):
        issues = [town.parts.ledger.tally(key) for key in town.parts.ledger.newest(99)]
    parser = BytesParser(EmailMessage, policy=default)
    arrived = [Arrived.by(parser.parsebytes(content)) for content in mailbox.contents]
    assert max(Counter((one.reader, one.days) for one in arrived).values()) == 1, "nobody twice"
    doubtful = sum(issue[State.IN_DOUBT] for issue in issues)
    assert doubtful <= 2 * week.kills, "at most one a connection and kill"
    assert len(arrived) + doubtful >= sum(issue.audience for issue in issues), "nobody lost"
    assert all(issue.finished and not issue[State.FAILED] for issue in issues)
    assert len([issue for issue in issues if issue.audience == len(names)]) == whole, "each slot's issue, in all zones"
