"""The Hugging Face API, as a server that pages, stumbles and lies."""

import gzip
import json
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from itertools import repeat
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter import __version__
from newsletter.errors import SourceError
from newsletter.fetch.base import PaperSource
from newsletter.fetch.http import Manners, build_client, get_json, retry_after
from newsletter.fetch.huggingface import HuggingFaceSource
from newsletter.models import Cadence, Period
from newsletter.periods import daily, monthly, weekly
from tests.fetch.hf_server import Api, Item, an_item, hf_api
from tests.fetch.loopback import Answer, Clock

DAY = date(2025, 12, 25)
OK = Answer(body=json.dumps([an_item()]).encode())
BUSY = Answer(503, b"")


@pytest.fixture
def api() -> Iterator[Api]:
    with hf_api(Api({DAY: [an_item()]})) as api:
        yield api


@pytest.fixture
def source(client: httpx.Client, api: Api, manners: Manners) -> HuggingFaceSource:
    return HuggingFaceSource(client, endpoint=api.url, today=lambda: DAY, manners=manners)


def fault_of(source: PaperSource, day: date = DAY) -> str:
    """Return the one line that reading a day ends with."""
    with pytest.raises(SourceError) as caught:
        source.papers(daily(day))
    text = str(caught.value)
    assert text.startswith("source huggingface: ")
    assert text.isprintable()
    return text.removeprefix("source huggingface: ")


def test_the_recorded_days_are_read_whole_over_the_api(
    shared: Path, source: HuggingFaceSource, api: Api, clock: Clock
) -> None:
    paths = sorted((shared / "hf_daily_papers").glob("*.json"))
    api.lists = {date.fromisoformat(path.stem): json.loads(path.read_bytes()) for path in paths}
    api.largest_page = 50
    assert len(api.lists) == 46
    for day, items in api.lists.items():
        papers = source.papers(daily(day))
        assert len(papers) == len(items)
        assert {paper.listed_on for paper in papers} == {day}
        assert [paper.upvotes for paper in papers] == [item["paper"]["upvotes"] for item in items]
    assert clock.slept == []


def test_a_request_names_its_day_and_its_sender(source: HuggingFaceSource, api: Api) -> None:
    assert len(source.papers(daily(DAY))) == 1
    assert api.asked == [{"date": "2025-12-25", "limit": "100", "p": str(page)} for page in (0, 1)]
    assert set(api.agents) == {f"newsletter/{__version__}"}


def test_links_lead_to_hugging_face_and_not_to_the_mirror(source: HuggingFaceSource) -> None:
    assert source.papers(daily(DAY))[0].url == "https://huggingface.co/papers/2512.00001"


def test_the_days_are_today_and_all_before_it(source: HuggingFaceSource) -> None:
    days = iter(source.days(DAY))
    assert [next(days) for _ in range(3)] == [DAY, DAY - timedelta(days=1), DAY - timedelta(days=2)]
    assert list(source.days(date(1, 1, 2))) == [date(1, 1, 2), date.min]


def listed(day: date, number: int) -> Item:
    return an_item(number, paper={"submittedOnDailyAt": f"{day}T00:20:00.000Z", "upvotes": 1})


@pytest.mark.parametrize("spans", ["known", "refused", "ignored"])
@pytest.mark.parametrize("period", [weekly(DAY), monthly(DAY)])
def test_a_week_or_month_is_read_whole_whether_or_not_the_server_knows_of_it(
    source: HuggingFaceSource, api: Api, period: Period, spans: str
) -> None:
    days = [period.start + timedelta(days=after) for after in range((period.end - period.start).days + 1)]
    inside = {day: [listed(day, 10 * number), listed(day, 10 * number + 1)] for number, day in enumerate(days, start=1)}
    after = period.end + timedelta(days=1)
    api.lists, api.spans = inside | {after: [listed(after, 9999)]}, spans
    api.largest_page = 7
    papers = source.papers(period)
    assert [paper.listed_on for paper in papers] == [day for day in days for _ in range(2)]
    assert len({paper.key for paper in papers}) == 2 * len(days)
    if spans == "known":
        assert all("date" not in query for query in api.asked)


def test_a_week_of_lists_that_do_not_tell_their_day_is_read_day_by_day(source: HuggingFaceSource, api: Api) -> None:
    item = an_item()
    del item["paper"]["submittedOnDailyAt"]
    api.lists = {weekly(DAY).start + timedelta(days=after): [] for after in range(7)} | {DAY: [item]}
    assert [paper.listed_on for paper in source.papers(weekly(DAY))] == [DAY]


def test_a_server_that_asks_for_patience_is_not_asked_day_by_day(source: HuggingFaceSource, api: Api) -> None:
    api.faults = iter([Answer(429, headers={"Retry-After": "3600"})] * 9)
    with pytest.raises(SourceError, match="3600 seconds"):
        source.papers(weekly(DAY))
    assert len(api.asked) == 1


@pytest.mark.parametrize(("largest_page", "requests"), [(100, 3), (50, 4), (40, 4), (7, 19)])
def test_a_server_that_gives_less_than_asked_is_asked_on(
    source: HuggingFaceSource, api: Api, largest_page: int, requests: int
) -> None:
    api.lists = {DAY: [an_item(number) for number in range(120)]}
    api.largest_page = largest_page
    assert [paper.upvotes for paper in source.papers(daily(DAY))] == list(range(200, 80, -1))
    assert len(api.asked) == requests


def test_a_server_that_ignores_pages_is_asked_twice(source: HuggingFaceSource, api: Api) -> None:
    api.lists = {DAY: [an_item(number) for number in range(100)]}
    api.pages = False
    assert len(source.papers(daily(DAY))) == 100
    assert len(api.asked) == 2


def test_a_paper_that_slips_to_the_next_page_is_told_once(source: HuggingFaceSource, api: Api) -> None:
    pages = [[an_item(1), an_item(2)], [an_item(2), an_item(3)], [an_item(3)]]
    api.faults = (Answer(body=json.dumps(page).encode()) for page in pages)
    assert [paper.arxiv_id for paper in source.papers(daily(DAY))] == ["2512.00001", "2512.00002", "2512.00003"]


def test_a_list_without_end_is_a_fault(source: HuggingFaceSource, api: Api) -> None:
    api.lists = {DAY: [an_item(number) for number in range(200)]}
    api.largest_page = 4
    assert "has no end after 40 pages" in fault_of(source)
    assert len(api.asked) == 40


def test_a_day_without_a_list_yet_is_empty_and_one_gone_by_is_a_fault(source: HuggingFaceSource, api: Api) -> None:
    api.lists = {}
    assert source.papers(daily(DAY)) == ()
    assert source.papers(daily(DAY + timedelta(days=1))) == ()
    assert "answered 400 (Invalid date); check the address" in fault_of(source, DAY - timedelta(days=1))


def test_a_refused_second_page_is_a_fault_even_today(source: HuggingFaceSource, api: Api) -> None:
    api.faults = iter([OK, Answer(400, b"{}")])
    assert "answered 400; " in fault_of(source)


def test_a_period_is_read_whole_or_not_at_all(source: HuggingFaceSource, api: Api) -> None:
    days = [DAY - timedelta(days=back) for back in (2, 1, 0)]
    api.lists = {day: [an_item(number)] for number, day in enumerate(days)}
    three = Period(Cadence.DAILY, days[0], DAY)
    assert [paper.listed_on for paper in source.papers(three)] == days
    api.lists = {days[0]: [an_item()], days[2]: [an_item()]}
    with pytest.raises(SourceError, match="answered 400"):
        source.papers(three)


# Stumbling and lying.


def test_a_source_that_says_when_is_asked_again_then(source: HuggingFaceSource, api: Api, clock: Clock) -> None:
    dated = {"Date": "Thu, 25 Dec 2025 10:00:00 GMT", "Retry-After": "Thu, 25 Dec 2025 10:00:09 GMT"}
    api.faults = iter([Answer(429, headers={"Retry-After": "30"}), Answer(503, headers=dated)])
    assert len(source.papers(daily(DAY))) == 1
    assert clock.slept == [30, 9]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_fault_is_tried_four_times(source: HuggingFaceSource, api: Api, clock: Clock, status: int) -> None:
    api.faults = repeat(Answer(status, b"<h1>Oh</h1>"))
    assert f"answered {status}; try again later" in fault_of(source)
    assert (len(api.asked), clock.slept) == (4, [1, 2, 4])


def test_a_source_that_wants_long_peace_is_left_alone(source: HuggingFaceSource, api: Api, clock: Clock) -> None:
    api.faults = iter([Answer(429, b'{"error":"Too fast"}', {"Retry-After": "3600"})])
    assert "answered 429 (Too fast); it asks for 3600 seconds of patience" in fault_of(source)
    assert (len(api.asked), clock.slept) == (1, [])


def test_attempts_and_waits_together_end_in_time(
    client: httpx.Client, api: Api, clock: Clock, manners: Manners
) -> None:
    api.faults = repeat(Answer(503, headers={"Retry-After": "40"}))
    with pytest.raises(SourceError, match="40 seconds of patience"):
        get_json(client, api.url, {}, source="huggingface", manners=manners)
    assert clock.slept == [40]


def test_no_wait_is_longer_than_a_minute(client: httpx.Client, api: Api, clock: Clock, manners: Manners) -> None:
    api.faults = iter([Answer(503, headers={"Retry-After": str(seconds)}) for seconds in (60, 61)])
    with pytest.raises(SourceError, match="61 seconds of patience"):
        get_json(client, api.url, {}, source="huggingface", manners=replace(manners, seconds=999))
    assert clock.slept == [60]


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": " 12 "}, 12),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "soon"}, None),
        ({"Retry-After": "Thu, 25 Dec 2025 10:00:09 GMT"}, None),
        ({"Retry-After": "Thu, 25 Dec 2025 10:00:09 GMT", "Date": "Thu, 25 Dec 2025 10:00:00 GMT"}, 9),
        ({"Retry-After": "Thu, 25 Dec 2025 10:00:00 GMT", "Date": "Thu, 25 Dec 2025 10:00:09 GMT"}, 0),
        ({"Retry-After": "Thu, 25 Dec 2025 10:00:00 -0000", "Date": "Thu, 25 Dec 2025 10:00:09 GMT"}, None),
        ({"Retry-After": "Thu, 25 Dec 99999999999999999999 10:00:00 GMT", "Date": "Thu, 25 Dec 2025 10:00:09"}, None),
    ],
)
def test_retry_after_is_seconds_or_a_date_counted_from_the_answers_own(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after(httpx.Headers(headers)) == seconds


@given(st.text(max_size=40), st.text(max_size=40))
def test_any_retry_after_is_a_wait_or_nothing(wanted: str, dated: str) -> None:
    wait = retry_after({"Retry-After": wanted, "Date": dated})
    assert wait is None or wait >= 0


def test_a_slow_answer_is_given_up(api: Api, clock: Clock, manners: Manners) -> None:
    api.faults = repeat(Answer(delay=0.15))
    with build_client() as hasty:
        hasty.timeout = httpx.Timeout(0.03)
        source = HuggingFaceSource(hasty, endpoint=api.url, today=lambda: DAY, manners=manners)
        assert "no answer in time; check the network" in fault_of(source)
    assert clock.slept == [1, 2, 4]


@pytest.mark.parametrize("answer", [replace(OK, drip=0.01), Answer(body=b"", delay=0.4)])
def test_an_answer_byte_by_byte_is_given_up_when_the_time_is_over(
    client: httpx.Client, api: Api, answer: Answer
) -> None:
    api.faults = repeat(answer)
    source = HuggingFaceSource(client, endpoint=api.url, today=lambda: DAY, manners=Manners(private=True, seconds=0.1))
    assert "no answer in time" in fault_of(source)
    assert len(api.asked) <= 1


@pytest.mark.parametrize(
    ("answer", "fault"),
    [
        (Answer(body=OK.body[:400]), "answered with 400 bytes (application/json) that are no whole JSON"),
        (Answer(body=b"<html>", headers={"Content-Type": "text/html"}), "answered with 6 bytes (text/html)"),
        (Answer(body=b"", headers={"Content-Type": "\x9b31m" + "x" * 999}), "(31mxxx"),
        (Answer(body=b"[" * 200_000), "that are no whole JSON"),
        (Answer(body=b"[" + b"9" * 5000 + b"]"), "that are no whole JSON"),
        (Answer(body=b"\xff\xfe\xfd"), "that are no whole JSON"),
        (Answer(body=b"no gzip", headers={"Content-Encoding": "gzip"}), "check the address"),
        (Answer(body=b'{"error":"Sorry"}'), "no list of papers but the error 'Sorry'"),
        (Answer(body=b'[{"paper":{}}]'), "item 1 of the list of 2025-12-25: paper.id: Field required"),
        (Answer(404, b'{"error":"Nothing here"}'), "answered 404 (Nothing here); check the address"),
        (Answer(401, b"<html>"), "answered 401; check the address"),
        (Answer(304, b""), "answered 304; check the address"),
        (Answer(302, headers={"Location": "file:///etc/hostname"}), "redirects to file:, which is no web address"),
        (Answer(302, headers={"Location": "ftp://127.0.0.1/x"}), "redirects to ftp:, which is no web address"),
    ],
)
def test_what_is_no_list_is_refused_at_once(source: HuggingFaceSource, api: Api, answer: Answer, fault: str) -> None:
    api.faults = repeat(answer)
    assert fault in fault_of(source)
    assert len(api.asked) == 1


def test_an_answer_that_breaks_off_is_asked_for_again(source: HuggingFaceSource, api: Api) -> None:
    api.faults = iter([replace(OK, headers={"Content-Length": "99999"})])
    assert len(source.papers(daily(DAY))) == 1
    api.faults = repeat(replace(OK, headers={"Content-Length": "99999"}))
    assert "closed connection" in fault_of(source)


def test_a_redirect_is_followed_three_times(source: HuggingFaceSource, api: Api) -> None:
    there = Answer(302, headers={"Location": "/api/daily_papers?date=2025-12-25&limit=100&p=0"})
    api.faults = iter([there] * 3)
    assert len(source.papers(daily(DAY))) == 1
    api.faults = iter([there] * 4)
    assert "redirects more than 3 times" in fault_of(source)


@pytest.mark.parametrize("status", [200, 302, 404])
@pytest.mark.parametrize("packed", [False, True])
def test_an_answer_of_ten_times_the_size_is_not_read_to_its_end(
    client: httpx.Client, api: Api, status: int, *, packed: bool
) -> None:
    size = 100_000
    body = b" " * size * 10
    headers = {"Location": "/"} if status == 302 else {}
    if packed:
        body, headers["Content-Encoding"] = gzip.compress(body), "gzip"
    api.faults = repeat(Answer(status, body, headers))
    source = HuggingFaceSource(client, endpoint=api.url, today=lambda: DAY, manners=Manners(private=True, size=size))
    fault = fault_of(source)
    assert ("redirects more than" if status == 302 else "answered with more than 100,000 bytes") in fault


def test_an_answer_is_left_where_it_grows_too_large(client: httpx.Client, api: Api) -> None:
    api.faults = repeat(Answer(body=b" " * 1000, drip=0.01))
    with pytest.raises(SourceError, match="more than 3 bytes"):
        get_json(client, api.url, {}, source="huggingface", manners=Manners(private=True, size=3, seconds=4))


def test_a_redirect_leaves_no_connection_open(api: Api, manners: Manners) -> None:
    api.faults = iter([Answer(302, b"There!", {"Location": "/api/daily_papers?date=2025-12-25&limit=100&p=0"})])
    with httpx.Client(limits=httpx.Limits(max_connections=1), timeout=5) as single:
        source = HuggingFaceSource(single, endpoint=api.url, today=lambda: DAY, manners=manners)
        assert len(source.papers(daily(DAY))) == 1


def test_nobody_at_the_address_is_one_line(client: httpx.Client, clock: Clock, manners: Manners) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{unused.getsockname()[1]}"
        source = HuggingFaceSource(client, endpoint=endpoint, today=lambda: DAY, manners=manners)
        fault = fault_of(source)
    assert fault.startswith(endpoint.removeprefix("http://"))
    assert "refused; check the network, or try again later" in fault
    assert clock.slept == [1, 2, 4]


@pytest.mark.parametrize("endpoint", ["", "huggingface.co", "file:///etc", "http://", "http://a:b/"])
def test_an_endpoint_that_is_no_web_address_is_one_line(client: httpx.Client, endpoint: str) -> None:
    source = HuggingFaceSource(client, endpoint=endpoint, today=lambda: DAY)
    assert "no web address; write it as https://HOST" in fault_of(source)


def test_a_password_in_the_endpoint_is_not_told(client: httpx.Client, api: Api, manners: Manners) -> None:
    endpoint = api.url.replace("//", "//ada:secret@")
    api.faults = repeat(BUSY)
    source = HuggingFaceSource(client, endpoint=endpoint, today=lambda: DAY, manners=manners)
    assert "secret" not in fault_of(source)
