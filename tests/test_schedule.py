"""What is due goes out once: each reader at their own hour, whatever becomes of clocks, services and lists."""

import hashlib
from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from newsletter import pipeline
from newsletter.models import Cadence, HoldKind, Issue, State
from newsletter.periods import DAY, Slot, daily
from newsletter.schedule import tick
from newsletter.settings.scheduling import WEEKDAYS
from newsletter.standing import next_dues
from tests.town import Arrived, Town

HOUR, HALF_AN_HOUR = timedelta(hours=1), timedelta(minutes=30)
WORLD = ["Pacific/Auckland", "Asia/Kolkata", "Europe/Berlin", "America/New_York", "Pacific/Honolulu"]
SUNDAY = datetime(2026, 1, 4, tzinfo=UTC)


def in_zone(zone: str) -> str:
    return f"{{address: {zone.split('/')[1].lower()}@example.org, timezone: {zone}}}"


def berlin(folder: Path, now: datetime = SUNDAY, **settings: object) -> Town:
    """Return a list with one reader in Berlin, whose slots of a weekday tell the list of the weekday before."""
    town = Town(folder, now, [in_zone("Europe/Berlin")], **settings)
    town.write_lists(date(2025, 12, 29), date(2026, 1, 30))
    town.tick()  # it runs from now on
    return town


def by_local_day(arrived: list[Arrived], zone: str) -> dict[date, tuple[date, ...]]:
    """Return which list days a reader was told of on which day of their own."""
    theirs = [one for one in arrived if one.reader == f"{zone.split('/')[1].lower()}@example.org"]
    days = {one.dated.astimezone(ZoneInfo(zone)).date(): one.days for one in theirs}
    assert len(days) == len(theirs), "never two on one day"
    return days


def test_two_weeks_around_the_world_with_a_holiday(tmp_path: Path) -> None:
    town = Town(tmp_path, SUNDAY, map(in_zone, WORLD))
    town.write_lists(date(2026, 1, 1), date(2026, 1, 30))
    (tmp_path / "lists/2026-01-07.json").unlink()  # a Wednesday on which nothing was listed
    town.tick()
    said = town.live(datetime(2026, 1, 18, tzinfo=UTC))
    # The first reader is in Auckland, where it is 8:00 when UTC has 19:00 of the day before: a list is two days old.
    slots = {
        date(2026, 1, 5): date(2026, 1, 2),
        date(2026, 1, 7): date(2026, 1, 5),
        date(2026, 1, 8): date(2026, 1, 6),
        date(2026, 1, 12): date(2026, 1, 8),
        date(2026, 1, 13): date(2026, 1, 9),
        date(2026, 1, 14): date(2026, 1, 12),
        date(2026, 1, 15): date(2026, 1, 13),
        date(2026, 1, 16): date(2026, 1, 14),
    }
    arrived = town.arrived()
    for zone in WORLD:
        assert by_local_day(arrived, zone) == {slot: (listed,) for slot, listed in slots.items()}, zone
        theirs = [one for one in arrived if one.reader == f"{zone.split('/')[1].lower()}@example.org"]
        assert {one.dated.astimezone(ZoneInfo(zone)).hour for one in theirs} == {8}
    assert [line for line in said if "no new list" in line] == [
        "daily slot of 2026-01-06: no new list since 2026-01-02",
        "daily slot of 2026-01-09: no new list since 2026-01-06",
    ]


def test_monday_carries_fridays_list_where_the_first_reader_wakes_after_midnight_utc(tmp_path: Path) -> None:
    town = berlin(tmp_path)
    town.live(datetime(2026, 1, 14, tzinfo=UTC))
    told = by_local_day(town.arrived(), "Europe/Berlin")
    assert told[date(2026, 1, 5)] == (date(2026, 1, 2),)
    assert told[date(2026, 1, 6)] == (date(2026, 1, 5),)
    assert told[date(2026, 1, 12)] == (date(2026, 1, 9),)
    assert sorted(told) == [date(2026, 1, day) for day in (5, 6, 7, 8, 9, 12, 13)]


@pytest.mark.parametrize(
    ("zone", "change", "hour"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 2),
        ("Europe/Berlin", date(2026, 10, 25), 2),
        ("America/New_York", date(2026, 3, 8), 2),
        ("America/New_York", date(2026, 11, 1), 1),
        ("Australia/Lord_Howe", date(2026, 4, 5), 2),  # half an hour
        ("Australia/Lord_Howe", date(2026, 10, 4), 2),
        ("America/Havana", date(2026, 3, 8), 0),  # at midnight
        ("America/Havana", date(2026, 11, 1), 0),
        ("Pacific/Auckland", date(2026, 4, 5), 2),
        ("Pacific/Auckland", date(2026, 9, 27), 2),
    ],
)
def test_when_clocks_change_each_day_has_one_mail(tmp_path: Path, zone: str, change: date, hour: int) -> None:
    begin = datetime.combine(change - 2 * DAY, time(), UTC)
    reader = f"{{address: {zone.split('/')[1].lower()}@example.org, timezone: {zone}, hour: {hour}}}"
    town = Town(tmp_path, begin, [reader], schedule={"days": list(WEEKDAYS)})
    for number in range(-9, 4):
        town.write_list(change + number * DAY)
    town.tick()
    town.live(begin + 5 * DAY, HALF_AN_HOUR if zone == "Australia/Lord_Howe" else HOUR)
    told = by_local_day(town.arrived(), zone)
    assert len(told) >= 5
    assert {later - earlier for earlier, later in pairwise(sorted(told))} == {DAY}
    assert len({listed for days in told.values() for listed in days}) == sum(map(len, told.values())), "no list twice"


def test_a_list_that_begins_at_noon_does_not_send_this_mornings_issue(tmp_path: Path) -> None:
    town = berlin(tmp_path, datetime(2026, 1, 7, 12, tzinfo=UTC))
    town.live(datetime(2026, 1, 8, 6, tzinfo=UTC))
    assert town.arrived() == []
    town.live(datetime(2026, 1, 8, 8, tzinfo=UTC))
    assert [one.days for one in town.arrived()] == [(date(2026, 1, 7),)]


def asleep(town: Town, until: datetime) -> list[str]:
    """Let time pass with nobody at work, and wake up."""
    town.now = until
    return town.tick().lines


def test_killed_between_keeping_an_issue_and_queueing_its_copies_it_goes_out_however_late(tmp_path: Path) -> None:
    town = berlin(tmp_path)
    town.live(datetime(2026, 1, 5, 8, tzinfo=UTC))
    town.now = datetime(2026, 1, 6, 8, tzinfo=UTC)
    parts = town.parts
    parts.slots.decide(Slot(cadence=Cadence.DAILY, day=date(2026, 1, 6), period=daily(date(2026, 1, 5))), town.now)
    issue = pipeline.prepare(parts, daily(date(2026, 1, 5)))
    assert isinstance(issue, Issue)
    pipeline.freeze(parts, issue)
    asleep(town, datetime(2026, 1, 6, 21, tzinfo=UTC))
    assert [one.days for one in town.arrived()] == [(date(2026, 1, 2),), (date(2026, 1, 5),)]


def test_four_hours_off_send_late(tmp_path: Path) -> None:
    town = berlin(tmp_path)
    asleep(town, datetime(2026, 1, 5, 11, tzinfo=UTC))
    [mail] = town.arrived()
    assert mail.days == (date(2026, 1, 2),)
    assert mail.dated == datetime(2026, 1, 5, 11, tzinfo=UTC), "dated when it could go out"


@pytest.mark.parametrize(
    ("late", "told", "said"),
    [
        ("merge", [(date(2026, 1, 5), date(2026, 1, 6))], "missed, 26 h late; the next one catches up"),
        ("send", [(date(2026, 1, 5),), (date(2026, 1, 6),)], None),
        ("skip", [(date(2026, 1, 6),)], "missed, 26 h late; skipped"),
    ],
)
def test_a_day_off_ends_as_the_policy_says(
    tmp_path: Path, late: str, told: list[tuple[date, ...]], said: str | None
) -> None:
    town = berlin(tmp_path, schedule={"late": late})
    town.live(datetime(2026, 1, 5, 8, tzinfo=UTC))
    lines = asleep(town, datetime(2026, 1, 7, 9, tzinfo=UTC))
    assert sorted(one.days for one in town.arrived())[1:] == told
    assert [line for line in lines if "missed" in line] == ([f"daily slot of 2026-01-06: {said}"] if said else [])


def test_nine_days_off_are_one_issue_that_catches_up(tmp_path: Path) -> None:
    town = berlin(tmp_path)
    town.live(datetime(2026, 1, 5, 8, tzinfo=UTC))
    asleep(town, datetime(2026, 1, 14, 9, tzinfo=UTC))
    first, second = town.arrived()
    assert first.days == (date(2026, 1, 2),)
    assert second.days == tuple(date(2026, 1, day) for day in (5, 6, 7, 8, 9, 12, 13))
    missed = [slot for slot in town.parts.slots.newest(Cadence.DAILY, 10) if slot.missed]
    assert len(missed) == 6


def test_an_issue_that_had_begun_is_finished_for_those_whose_hour_came_meanwhile(tmp_path: Path) -> None:
    town = Town(tmp_path, SUNDAY, [in_zone("Europe/Berlin"), in_zone("Pacific/Honolulu")])
    town.write_lists(date(2025, 12, 29), date(2026, 1, 9))
    town.tick()
    town.live(datetime(2026, 1, 5, 8, tzinfo=UTC))
    asleep(town, datetime(2026, 1, 6, 6, tzinfo=UTC))
    assert [(one.reader, one.days) for one in town.arrived()] == [
        ("berlin@example.org", (date(2026, 1, 2),)),
        ("honolulu@example.org", (date(2026, 1, 2),)),
    ]


def test_a_clock_that_was_set_back_sends_nothing_new_until_it_has_passed(tmp_path: Path) -> None:
    town = berlin(tmp_path)
    town.live(datetime(2026, 1, 6, 8, tzinfo=UTC))
    before = town.arrived()
    town.now = datetime(2026, 1, 5, 6, tzinfo=UTC)
    [fault] = town.tick(set_back=True).faults
    assert str(fault).startswith("the clock was set back, from 2026-01-06 07:00 UTC to 2026-01-05 06:00 UTC")
    town.live(datetime(2026, 1, 6, 6, tzinfo=UTC), 3 * HOUR, set_back=True)
    assert town.arrived() == before
    town.live(datetime(2026, 1, 7, 8, tzinfo=UTC))
    assert len(town.arrived()) == len(before) + 1


def test_a_clock_that_jumps_ahead_and_back_mails_nobody_twice(tmp_path: Path) -> None:
    town = berlin(tmp_path)
    town.live(datetime(2026, 1, 5, 6, tzinfo=UTC))
    town.now += 4 * HOUR
    town.tick()
    town.now -= 4 * HOUR
    town.live(datetime(2026, 1, 8, 9, tzinfo=UTC), set_back=True)
    assert len(by_local_day(town.arrived(), "Europe/Berlin")) == 4


def test_a_reader_who_joins_after_their_hour_is_sent_todays_issue_at_once(tmp_path: Path) -> None:
    town = berlin(tmp_path)
    town.live(datetime(2026, 1, 5, 10, tzinfo=UTC))
    town.write_readers([in_zone("Europe/Berlin"), in_zone("Europe/Madrid")])
    town.live(datetime(2026, 1, 5, 11, tzinfo=UTC))
    assert [one.reader for one in town.arrived()] == ["berlin@example.org", "madrid@example.org"]
    town.live(datetime(2026, 1, 6, 6, tzinfo=UTC))
    assert len(town.arrived()) == 2


def test_who_moves_to_another_zone_gets_no_issue_twice(tmp_path: Path) -> None:
    town = berlin(tmp_path)
    town.live(datetime(2026, 1, 5, 8, tzinfo=UTC))
    town.write_readers(["{address: berlin@example.org, timezone: America/New_York}"])
    town.live(datetime(2026, 1, 6, 6, tzinfo=UTC))
    assert len(town.arrived()) == 1


def test_weekly_and_monthly_readers_get_what_is_over(tmp_path: Path) -> None:
    readers = ["{address: week@example.org, period: weekly}", "{address: month@example.org, period: monthly}"]
    town = Town(tmp_path, datetime(2026, 1, 1, tzinfo=UTC), readers)
    town.write_lists(date(2025, 12, 1), date(2026, 1, 20))
    town.tick()
    town.live(datetime(2026, 1, 13, tzinfo=UTC))
    slots = (one for kind in (Cadence.WEEKLY, Cadence.MONTHLY) for one in town.parts.slots.newest(kind, 9))
    keys = [one.period.key for one in slots if one.period]
    assert keys == ["weekly/2026-01-05", "weekly/2025-12-29", "monthly/2025-12-01"]
    assert Counter(one.reader for one in town.arrived()) == {"week@example.org": 2, "month@example.org": 1}


def test_an_issue_that_is_held_back_before_it_exists_waits_and_then_goes(tmp_path: Path) -> None:
    town = berlin(tmp_path)
    town.parts.holds.pause("daily/2026-01-02", "a look first", town.now)
    town.live(datetime(2026, 1, 5, 9, tzinfo=UTC))
    assert town.arrived() == []
    town.parts.holds.resume("daily/2026-01-02")
    town.live(datetime(2026, 1, 5, 10, tzinfo=UTC))
    assert len(town.arrived()) == 1


def test_a_cancelled_issue_is_not_made(tmp_path: Path) -> None:
    town = berlin(tmp_path)
    town.parts.holds.cancel("daily/2026-01-02", town.now)
    assert town.parts.holds.find("daily/2026-01-02").kind is HoldKind.CANCELLED  # type: ignore[union-attr]
    town.live(datetime(2026, 1, 6, 9, tzinfo=UTC))
    assert [one.days for one in town.arrived()] == [(date(2026, 1, 5),)]


def test_a_source_that_fails_is_asked_again_until_it_is_too_late(tmp_path: Path) -> None:
    town = berlin(tmp_path)
    (tmp_path / "lists/2026-01-02.json").write_text('{"error": "down"}')
    town.now = datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert "the error 'down'" in str(tick(town.parts).faults[0])
    town.write_list(date(2026, 1, 2))
    town.live(datetime(2026, 1, 5, 9, tzinfo=UTC))
    assert [one.days for one in town.arrived()] == [(date(2026, 1, 2),)]


def test_a_subscriber_file_that_cannot_be_read_stops_the_mail_and_is_told(tmp_path: Path) -> None:
    town = berlin(tmp_path)
    (tmp_path / "subscribers.yaml").write_text("subscribers: [ada@example.org, {addres: x}]")
    town.now = datetime(2026, 1, 5, 8, tzinfo=UTC)
    assert "subscribers.yaml" in str(tick(town.parts).faults[0])
    assert town.arrived() == []
    town.write_readers([in_zone("Europe/Berlin")])
    town.live(datetime(2026, 1, 5, 9, tzinfo=UTC))
    assert len(town.arrived()) == 1


def files_of(folder: Path) -> str:
    """Return a digest of the database and all beside it."""
    hashes = (hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted((folder / "var").glob("*.sqlite3*")))
    return " ".join(hashes)


@pytest.mark.parametrize("ticks", [500, pytest.param(10_000, marks=[pytest.mark.slow, pytest.mark.timeout(900)])])
def test_ticks_with_nothing_due_leave_the_database_unchanged(tmp_path: Path, ticks: int) -> None:
    town = berlin(tmp_path)
    town.live(datetime(2026, 1, 5, 9, tzinfo=UTC), 3 * HOUR)
    before = files_of(tmp_path)
    for second in range(ticks):
        town.now += timedelta(seconds=second % 2)
        town.tick()
    assert files_of(tmp_path) == before


def test_two_at_once_share_the_work_and_mail_nobody_twice(tmp_path: Path) -> None:
    town = berlin(tmp_path)
    other = Town.__new__(Town)
    other.__dict__ = town.__dict__ | {"parts": town.open()}
    for turn in range(24 * 4):
        town.now += HOUR
        other.now = town.now
        (town, other)[turn % 2].tick()
        (other, town)[turn % 2].tick()
    assert len(by_local_day(town.arrived(), "Europe/Berlin")) == 3
    for slot in town.parts.slots.newest(Cadence.DAILY, 9):
        assert slot.period
        tally = town.parts.ledger.tally(slot.period.key)
        assert (tally.audience, tally[State.SENT]) == (1, 1)


def test_what_comes_next_is_known(tmp_path: Path) -> None:
    town = berlin(tmp_path)
    assert {cadence.value: moment for cadence, moment in next_dues(town.parts).items()} == {
        "daily": datetime(2026, 1, 5, 7, tzinfo=UTC)
    }
