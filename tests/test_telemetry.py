"""What is told of a running list: metrics out of the database, events a line each."""

import json
import logging
import urllib.request
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from newsletter import telemetry
from newsletter.errors import UsageError
from newsletter.schedule import tick
from newsletter.standing import standing
from tests.send.servers import faulty_server
from tests.town import Town

SUNDAY, MONDAY = datetime(2026, 1, 4, tzinfo=UTC), datetime(2026, 1, 5, 9, tzinfo=UTC)


def books_of(town: Town) -> telemetry.Books:
    parts = town.parts
    return telemetry.Books(
        ledger=parts.ledger,
        subscribers=parts.subscribers,
        waiting=parts.waiting,
        heard=parts.heard,
        clock=parts.clock,
    )


def scraped(port: int) -> dict[tuple[str, ...], float]:
    """Return what Prometheus reads: a value by the metric's name and its labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics") as answer:
        families = text_string_to_metric_families(answer.read().decode())
        return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


@pytest.fixture
def town(tmp_path: Path) -> Town:
    """Return a list whose issue was due at eight, and one of whose three readers' servers greylists."""
    with faulty_server({}) as server:
        server.to_each = lambda reader: "450 4.2.0 greylisted" if reader.endswith("@slow.example.net") else None
        smtp = {"host": "127.0.0.1", "port": server.port, "security": "none"}
        people = ["ada@example.org", "bob@example.org", "cyd@slow.example.net"]
        made = Town(tmp_path, SUNDAY, people, transport="smtp", smtp=smtp, sender="papers@example.org")
        made.write_lists(date(2025, 12, 29), date(2026, 1, 9))
        made.tick()
        made.now = MONDAY
        tick(made.parts)
    return made


def test_prometheus_reads_how_the_list_stands(town: Town) -> None:
    town.now += timedelta(hours=1)
    told = scraped(telemetry.serve(books_of(town), 0))
    [source] = [source.name for source in town.parts.sources]
    expected: dict[tuple[str, ...], float] = {
        ("newsletter_database_up",): 1,
        ("newsletter_subscribers", "active"): 3,
        ("newsletter_deliveries", "daily/2026-01-02", "sent"): 2,
        ("newsletter_deliveries", "daily/2026-01-02", "deferred"): 1,
        ("newsletter_waiting",): 1,
        ("newsletter_waiting_age_seconds",): 3600,
        ("newsletter_put_off", "slow.example.net"): 1,
        ("newsletter_last_issue_timestamp_seconds",): MONDAY.timestamp(),
        ("newsletter_source_age_seconds", source): 3600,
        ("newsletter_source_list_age_days", source): 3,
    }
    assert {name: value for name, value in told.items() if value} == expected
    assert told["newsletter_deliveries", "daily/2026-01-02", "in_doubt"] == 0, "all states are there"


def test_a_database_that_fails_is_told_in_place_of_all_else(town: Town, caplog: pytest.LogCaptureFixture) -> None:
    port = telemetry.serve(books_of(town), 0)
    with town.parts.database.writing() as connection:
        connection.execute(text("ALTER TABLE delivery RENAME TO gone"))
    assert scraped(port) == {("newsletter_database_up",): 0}
    assert "metrics: database" in caplog.text


def test_a_port_that_is_taken_is_named(town: Town) -> None:
    port = telemetry.serve(books_of(town), 0)
    with pytest.raises(UsageError, match=rf"web.metrics_port {port}: address already in use; choose another"):
        telemetry.serve(books_of(town), port)


def test_the_standing_tells_what_waits_and_what_comes(town: Town) -> None:
    town.now += timedelta(hours=2)
    now = standing(town.parts)
    assert {cadence.value: moment for cadence, moment in now.next.items()} == {
        "daily": datetime(2026, 1, 6, 8, tzinfo=UTC)
    }
    assert (now.waiting.copies, now.waiting.since) == (1, MONDAY)
    assert [(one.read_at, one.newest) for one in now.sources] == [(MONDAY, date(2026, 1, 2))]


def test_the_standing_tells_what_was_missed(tmp_path: Path) -> None:
    town = Town(tmp_path, SUNDAY, ["ada@example.org"])
    town.write_lists(date(2025, 12, 29), date(2026, 1, 9))
    town.tick()
    town.now = datetime(2026, 1, 7, 9, tzinfo=UTC)
    town.tick()
    missed = standing(town.parts).missed
    assert [(slot.day, slot.reason) for slot in missed] == [
        (date(2026, 1, 6), "missed, 25 h late; the next one catches up"),
        (date(2026, 1, 5), "missed, 49 h late; the next one catches up"),
    ]
    town.now += timedelta(days=30)
    assert standing(town.parts).missed == ()


def event(message: str, *given: object, fault: Exception | None = None, as_json: bool) -> str:
    trouble = (type(fault), fault, fault.__traceback__) if fault else None
    record = logging.LogRecord("newsletter", logging.ERROR, "", 0, message, given, trouble)
    return telemetry.Event(as_json=as_json).format(record)


def test_an_event_is_one_line_for_machines_and_for_people() -> None:
    line = json.loads(event("%s: gone\nand more", "relay", as_json=True))
    assert (line["level"], line["event"]) == ("error", "relay: gone | and more")
    assert event("relay: gone", as_json=False).endswith("Z error: relay: gone")


def test_the_story_of_an_unexpected_fault_stays_on_its_line_for_machines() -> None:
    try:
        json.loads("{")
    except ValueError as fault:
        [line] = event("unexpected", fault=fault, as_json=True).splitlines()
    assert "JSONDecodeError" in json.loads(line)["story"]
