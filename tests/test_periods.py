"""Which days periods cover, and when issues are due on every clock there is."""

from collections import Counter
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.models import Cadence, Period
from newsletter.periods import DAY, Late, Timetable, daily, days_of, monthly, parse_key, weekly

WEEKDAYS = frozenset(range(5))
# Both hemispheres, half an hour of summer (Lord Howe), and changes at midnight (Havana, Beirut).
CHANGING = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Havana",
    "Asia/Beirut",
    "Pacific/Auckland",
]


def timetable(**changes: object) -> Timetable:
    usual: dict[str, object] = {"zone": ZoneInfo("UTC"), "hour": 8, "days": WEEKDAYS, "weekly_day": 0, "monthly_day": 2}
    usual |= {"own_day": False, "min_age": timedelta(hours=12), "max_lateness": timedelta(hours=12)}
    return Timetable(**usual | {"late": Late.MERGE, "fetch_every": timedelta(hours=1)} | changes)  # type: ignore[arg-type]


@pytest.mark.parametrize("zone", CHANGING)
def test_each_local_date_has_one_moment_through_years_of_clock_changes(zone: str) -> None:
    days = list(days_of(Period(Cadence.DAILY, date(2024, 1, 1), date(2027, 12, 31))))
    for hour in range(24):
        moments = [timetable().moment(day, zone, hour) for day in days]
        assert moments == sorted(set(moments)), "in order, none twice"
        gaps = {later - earlier for earlier, later in pairwise(moments)}
        assert gaps <= {timedelta(hours=24) + timedelta(minutes=minutes) for minutes in (-60, -30, 0, 30, 60)}
        for day, moment in zip(days, moments, strict=True):
            local, wanted = moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None), datetime.combine(day, time(hour))
            assert local.date() == day
            assert wanted <= local <= wanted + timedelta(hours=1), "later only where the hour does not exist"


def test_a_morning_that_does_not_exist_is_an_hour_later_and_one_that_is_twice_is_the_first() -> None:
    assert timetable().moment(date(2026, 3, 29), "Europe/Berlin", 2) == datetime(2026, 3, 29, 1, tzinfo=UTC)
    assert timetable().moment(date(2026, 10, 25), "Europe/Berlin", 2) == datetime(2026, 10, 25, 0, tzinfo=UTC)
    assert timetable().moment(date(2026, 3, 8), "America/Havana", 0) == datetime(2026, 3, 8, 5, tzinfo=UTC)


def test_every_zone_there_is_has_one_moment_for_each_date_of_a_year() -> None:
    days = list(days_of(Period(Cadence.DAILY, date(2026, 1, 1), date(2026, 12, 31))))
    for zone in available_timezones():
        found = Counter(timetable().moment(day, zone, 8) for day in days)
        assert len(found) == len(days), zone


def test_who_names_nothing_has_the_lists_own_zone_and_hour() -> None:
    table = timetable(zone=ZoneInfo("Asia/Tokyo"), hour=7)
    assert table.moment(date(2026, 1, 5), None, None) == datetime(2026, 1, 4, 22, tzinfo=UTC)
    assert table.moment(date(2026, 1, 5), "Mars/Olympus", 9) == datetime(2026, 1, 5, 0, tzinfo=UTC), "unknown by now"


def test_a_list_day_counts_once_it_has_ended_everywhere_before_the_first_reader() -> None:
    noon = datetime(2026, 1, 5, 12, tzinfo=UTC)
    assert timetable().newest_list_day(noon) == date(2026, 1, 4)
    assert timetable().newest_list_day(datetime(2026, 1, 5, tzinfo=UTC)) == date(2026, 1, 4)
    assert timetable().newest_list_day(datetime(2026, 1, 4, 23, 59, tzinfo=UTC)) == date(2026, 1, 3)


def test_the_days_own_list_counts_from_its_least_age_on() -> None:
    own = timetable(own_day=True)
    assert own.newest_list_day(datetime(2026, 1, 5, 12, tzinfo=UTC)) == date(2026, 1, 5)
    assert own.newest_list_day(datetime(2026, 1, 5, 11, 59, tzinfo=UTC)) == date(2026, 1, 4)


def test_issues_are_due_on_their_days() -> None:
    table, january = timetable(), (date(2026, 1, 1), date(2026, 1, 31))
    assert [day.day for day in table.due_days(Cadence.DAILY, *january)][:6] == [1, 2, 5, 6, 7, 8]
    assert [day.day for day in table.due_days(Cadence.WEEKLY, *january)] == [5, 12, 19, 26]
    assert [day.day for day in table.due_days(Cadence.MONTHLY, *january)] == [2]


def test_longer_issues_tell_of_what_is_over() -> None:
    assert timetable().covered_by(Cadence.WEEKLY, date(2026, 1, 5)) == weekly(date(2025, 12, 29))
    assert timetable().covered_by(Cadence.MONTHLY, date(2026, 1, 2)) == monthly(date(2025, 12, 1))


def test_an_issue_is_late_by_its_last_reader_unless_all_are_to_be_sent() -> None:
    last = datetime(2026, 1, 5, 18, tzinfo=UTC)
    half_a_day = timedelta(hours=12)
    assert not timetable().missed(last, last + half_a_day)
    assert timetable().missed(last, last + half_a_day + timedelta(minutes=1))
    assert not timetable(late=Late.SEND).missed(last, last + timedelta(days=9))


@given(st.sampled_from(Cadence), st.dates(date(2020, 1, 1), date(2030, 12, 31)), st.integers(0, 5))
def test_a_key_names_the_newest_of_what_an_issue_tells(cadence: Cadence, day: date, more: int) -> None:
    plain = {Cadence.DAILY: daily, Cadence.WEEKLY: weekly, Cadence.MONTHLY: monthly}[cadence](day)
    catching_up = Period(cadence, plain.start - more * DAY, plain.end)
    assert parse_key(plain.key) == plain
    assert catching_up.key == plain.key
