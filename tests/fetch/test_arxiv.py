"""arXiv: the recorded answers, the days of its announcements, and what may go wrong with either service."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import islice, pairwise
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import SourceError
from newsletter.fetch.arxiv import MOST_PAGES, PACED, PAGE_SIZE, ArxivSource, parse_atom, parse_rss, window
from newsletter.fetch.http import Manners
from newsletter.models import Paper
from newsletter.periods import daily, weekly
from tests.fetch.feed_server import NOTHING, Arxiv, Site, an_atom, an_entry, an_item, an_rss, web_site
from tests.fetch.loopback import Answer, Clock

DAY = date(2025, 12, 25)  # a Thursday
BEFORE = DAY - timedelta(days=1)
NAME = "arxiv:cs.CL,cs.LG"
ENDS = f"{window(BEFORE)[1]:%Y%m%d%H%M}"
INSIDE = window(BEFORE)[0] + timedelta(hours=3)

RECORDED = {  # answer: the papers in it, and the list day that one of them was submitted for
    "atom_id_0000.0000_s0_m100_8b51d9633a68_status200.xml": (0, BEFORE),
    "atom_id_0808.05394_1707.08567_s0_m100_42e5aa0ec3af_status200.xml": (1, date(2017, 7, 28)),
    "atom_id_1605.08386_s0_m100_199195aa31ad_status200.xml": (1, date(2016, 5, 27)),
    "atom_id_astro-ph_0601001_s0_m100_3150dca9dc76_status200.xml": (1, date(2006, 1, 3)),
}


@pytest.fixture
def arxiv() -> Iterator[Arxiv]:
    with web_site(Arxiv()) as site:
        assert isinstance(site, Arxiv)
        yield site


def a_source(client: httpx.Client, site: Site, clock: Clock, today: date = DAY) -> ArxivSource:
    manners = Manners(private=True, pause=PACED.pause, sleep=clock.sleep, clock=clock)
    return ArxivSource(
        client,
        ["cs.CL", "cs.LG"],
        today=lambda: today,
        name=NAME,
        endpoint=site.url,
        rss=site.url + "/",
        manners=manners,
    )


@pytest.fixture
def source(client: httpx.Client, arxiv: Arxiv, clock: Clock) -> ArxivSource:
    return a_source(client, arxiv, clock)


def fault_of(source: ArxivSource, day: date) -> str:
    """Return the one line that reading a day ends with."""
    with pytest.raises(SourceError) as caught:
        source.papers(daily(day))
    text = str(caught.value)
    assert text.startswith(f"source {NAME}: ")
    assert text.isprintable()
    return text


def ids(papers: tuple[Paper, ...]) -> list[str | None]:
    return [paper.arxiv_id for paper in papers]


# What was recorded.


@pytest.mark.parametrize("name", RECORDED)
def test_the_recorded_searches_are_read_over_http(shared: Path, client: httpx.Client, clock: Clock, name: str) -> None:
    count, day = RECORDED[name]
    with web_site(Site({"/api/query": Answer(body=(shared / "arxiv" / name).read_bytes())})) as site:
        papers = a_source(client, site, clock, day + timedelta(days=90)).papers(daily(day))
    assert len(papers) == count
    for paper in papers:
        assert paper.listed_on == day
        assert paper.arxiv_id
        assert paper.arxiv_id in name.replace("astro-ph_", "astro-ph/")
        assert paper.url == f"https://arxiv.org/abs/{paper.arxiv_id}"
        assert paper.abstract
        assert paper.authors
        assert paper.author_count == len(paper.authors)
        assert (paper.upvotes, paper.comment_count, paper.keywords) == (None, None, None)


def test_a_paper_of_before_2007_keeps_its_name_of_then(shared: Path) -> None:
    content = (shared / "arxiv/atom_id_astro-ph_0601001_s0_m100_3150dca9dc76_status200.xml").read_bytes()
    (paper,) = parse_atom(content, day=BEFORE, source=NAME).papers
    assert paper.key == "arxiv:astro-ph/0601001"
    assert paper.published_on == date(2006, 1, 2)
    assert "V_max<17.5" in (paper.abstract or "")


def test_a_recorded_page_of_ten_is_read_whole_and_refused_as_a_days_list(
    shared: Path, client: httpx.Client, clock: Clock
) -> None:
    content = (shared / "arxiv/atom_q_testing_s0_m10_bc5a6c384fe9_status200.xml").read_bytes()
    page = parse_atom(content, day=BEFORE, source=NAME)
    assert (len(page.papers), page.total) == (10, 214_881)
    assert len({paper.key for paper in page.papers}) == 10
    with web_site(Site({"/api/query": Answer(body=content)})) as site:
        fault = fault_of(a_source(client, site, clock, DAY + timedelta(days=90)), BEFORE)
    assert "214,881 papers for 2025-12-24 are more than 2,000; name fewer categories" in fault


@pytest.mark.parametrize("status", [400, 200])
def test_the_recorded_error_is_told_whatever_its_status(
    shared: Path, client: httpx.Client, clock: Clock, status: int
) -> None:
    content = (shared / "arxiv/atom_id_abc_s0_m100_b79c8dcf6bc3_status400.xml").read_bytes()
    with web_site(Site({"/api/query": Answer(status, content)})) as site:
        fault = fault_of(a_source(client, site, clock, DAY + timedelta(days=90)), BEFORE)
    assert "(incorrect id format for abc)" in fault


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("rss_cs.AI_2026-04-27_trimmed.xml", date(2026, 4, 27)),
        ("rss_physics_2025-12-31_empty_day.xml", date(2025, 12, 31)),
    ],
)
def test_the_recorded_announcements_are_read_over_http(
    shared: Path, client: httpx.Client, clock: Clock, name: str, day: date
) -> None:
    content = (shared / "arxiv" / name).read_bytes()
    with web_site(Arxiv(rss=content)) as site:
        papers = a_source(client, site, clock, day).papers(daily(day))
    kinds = re.findall(r"<arxiv:announce_type>(.*?)<", content.decode())
    assert len(papers) == kinds.count("new") + kinds.count("cross")
    assert [request.path for request in site.asked] == ["/rss/cs.CL+cs.LG"]
    assert {paper.listed_on for paper in papers} <= {day}
    assert not any((paper.abstract or "").startswith(("arXiv:", "Abstract")) for paper in papers)


# The newest day.


def test_new_and_cross_listed_papers_are_listed_and_replaced_ones_are_not(source: ArxivSource, arxiv: Arxiv) -> None:
    kinds = ["new", "replace", "cross", "replace-cross"]
    arxiv.rss = an_rss([an_item(number, kind=kind) for number, kind in enumerate(kinds)])
    papers = source.papers(daily(DAY))
    assert ids(papers) == ["2512.00000", "2512.00002"]
    assert papers[0].authors == ("Ada Lovelace", "Alan Turing")
    assert (papers[0].abstract, papers[0].published_on) == ("We show.", None)


def test_a_paper_announced_in_two_categories_is_listed_once(source: ArxivSource, arxiv: Arxiv) -> None:
    arxiv.rss = an_rss([an_item(1), an_item(2), an_item(1, kind="cross", version=2)])
    assert ids(source.papers(daily(DAY))) == ["2512.00001", "2512.00002"]


def test_a_holiday_has_no_papers_and_is_no_fault(source: ArxivSource, arxiv: Arxiv) -> None:
    assert source.papers(daily(DAY)) == ()
    assert [request.path for request in arxiv.asked] == ["/rss/cs.CL+cs.LG"]


@pytest.mark.parametrize(
    ("item", "fault"),
    [
        (an_item(kind="novel"), "item 1 that arXiv answered with has no announce_type of the known form"),
        (an_item().replace("oai:", "oei:"), "has no guid of the known form"),
        (an_item().replace("<guid", "<gu").replace("</guid", "</gu"), "has no guid of the known form"),
        (an_item(title="\u200b"), "has no title of the known form"),
    ],
)
def test_an_item_of_another_form_is_a_fault(source: ArxivSource, arxiv: Arxiv, item: str, fault: str) -> None:
    arxiv.rss = an_rss([item])
    assert fault in fault_of(source, DAY)


@pytest.mark.parametrize("day", ["", "<pubDate>soon</pubDate>", "<pubDate>Thu, 99 Dec 2025 00:00:00 -0500</pubDate>"])
def test_an_announcement_without_its_day_is_a_fault(source: ArxivSource, arxiv: Arxiv, day: str) -> None:
    arxiv.rss = re.sub(rb"<pubDate>.*?</pubDate>", day.encode(), an_rss(), count=1)
    assert "the list that arXiv answered with has no pubDate" in fault_of(source, DAY)


# The days before.


def test_an_earlier_day_is_searched_for_by_its_window(source: ArxivSource, arxiv: Arxiv) -> None:
    arxiv.found = {ENDS: [an_entry(1, at=INSIDE, title="Two\n  lines"), an_entry(2, at=INSIDE, version=3)]}
    papers = source.papers(daily(BEFORE))
    assert ids(papers) == ["2512.00001", "2512.00002"]
    assert (papers[0].title, papers[0].abstract) == ("Two lines", "We show that p<0.05 for the number 1.")
    assert {(paper.listed_on, paper.published_on) for paper in papers} == {(BEFORE, INSIDE.date())}
    assert arxiv.asked[-1].query == {
        "search_query": "(cat:cs.CL OR cat:cs.LG) AND submittedDate:[202512221900 TO 202512231900]",
        "start": "0",
        "max_results": "100",
        "sortBy": "submittedDate",
        "sortOrder": "ascending",
    }


def test_what_was_submitted_outside_of_the_window_is_left_out(source: ArxivSource, arxiv: Arxiv) -> None:
    start, end = window(BEFORE)
    second = timedelta(seconds=1)
    moments = [start - second, start, end - second, end]
    arxiv.found = {ENDS: [an_entry(number, at=at) for number, at in enumerate(moments)]}
    assert ids(source.papers(daily(BEFORE))) == ["2512.00001", "2512.00002"]


def test_pages_are_asked_for_until_all_are_there_three_seconds_apart(
    source: ArxivSource, arxiv: Arxiv, clock: Clock
) -> None:
    arxiv.found = {ENDS: [an_entry(number, at=INSIDE) for number in range(PAGE_SIZE * 2)]}
    assert len(source.papers(daily(BEFORE))) == PAGE_SIZE * 2
    assert [request.query.get("start") for request in arxiv.asked] == [None, "0", "100"]
    assert clock.slept == [3, 3]


def test_a_page_that_is_short_is_a_fault(client: httpx.Client, clock: Clock) -> None:
    for entries in ([], [an_entry()]):
        with web_site(Site({"/api/query": Answer(body=an_atom(entries, 2))})) as site:
            fault = fault_of(a_source(client, site, clock, DAY + timedelta(days=90)), BEFORE)
        assert f"arXiv answered for 2025-12-24 with {len(entries)} papers of 2; try again later" in fault


def test_more_papers_than_a_day_can_have_are_refused_at_once(client: httpx.Client, clock: Clock) -> None:
    body = an_atom([an_entry()], PAGE_SIZE * MOST_PAGES + 1)
    with web_site(Site({"/api/query": Answer(body=body)})) as site:
        assert "name fewer categories" in fault_of(a_source(client, site, clock, DAY + timedelta(days=90)), BEFORE)
    assert len(site.asked) == 1


def test_a_week_asks_the_announcement_once_and_each_other_weekday(source: ArxivSource, arxiv: Arxiv) -> None:
    arxiv.rss = an_rss([an_item(7)])
    arxiv.found = {ENDS: [an_entry(1, at=INSIDE)]}
    papers = source.papers(weekly(DAY))
    assert [(paper.listed_on, paper.arxiv_id) for paper in papers] == [(BEFORE, "2512.00001"), (DAY, "2512.00007")]
    assert [request.path for request in arxiv.asked] == ["/rss/cs.CL+cs.LG", *["/api/query"] * 3]


def test_a_day_long_gone_is_not_looked_for_in_the_announcement(
    client: httpx.Client, arxiv: Arxiv, clock: Clock
) -> None:
    assert a_source(client, arxiv, clock, DAY + timedelta(days=30)).papers(daily(DAY)) == ()
    assert [request.path for request in arxiv.asked] == ["/api/query"]


@pytest.mark.parametrize("day", [date(2025, 12, 20), date(2025, 12, 21), date(2025, 12, 26), date(1, 1, 1)])
def test_a_day_without_announcement_is_empty_without_a_request(source: ArxivSource, arxiv: Arxiv, day: date) -> None:
    assert source.papers(daily(day)) == ()
    assert arxiv.asked == []


def test_the_days_are_weekdays_backwards_to_the_first(source: ArxivSource) -> None:
    assert [day.day for day in islice(source.days(date(2025, 12, 21)), 6)] == [19, 18, 17, 16, 15, 12]
    assert list(source.days(date(1991, 8, 19))) == [date(1991, 8, day) for day in (19, 16, 15, 14)]


# The windows.


@pytest.mark.parametrize(
    ("day", "start", "end"),
    [
        (date(2025, 12, 24), "2025-12-22 19:00Z", "2025-12-23 19:00Z"),  # Wednesday: Monday to Tuesday
        (date(2025, 12, 22), "2025-12-18 19:00Z", "2025-12-19 19:00Z"),  # Monday: Thursday to Friday
        (date(2025, 12, 23), "2025-12-19 19:00Z", "2025-12-22 19:00Z"),  # Tuesday: Friday to Monday
        (date(2025, 3, 10), "2025-03-06 19:00Z", "2025-03-07 19:00Z"),
        (date(2025, 3, 11), "2025-03-07 19:00Z", "2025-03-10 18:00Z"),  # summer time since Sunday
        (date(2025, 3, 12), "2025-03-10 18:00Z", "2025-03-11 18:00Z"),
        (date(2025, 11, 4), "2025-10-31 18:00Z", "2025-11-03 19:00Z"),  # until Sunday
        (date(2025, 11, 5), "2025-11-03 19:00Z", "2025-11-04 19:00Z"),
    ],
)
def test_a_window_is_from_deadline_to_deadline_in_new_york(day: date, start: str, end: str) -> None:
    assert window(day) == (datetime.fromisoformat(start), datetime.fromisoformat(end))


def test_windows_follow_each_other_without_gap_or_overlap() -> None:
    days = [date(2025, 1, 1) + timedelta(days=after) for after in range(366)]
    windows = [window(day) for day in days if day.isoweekday() <= 5]
    assert all(before[1] == after[0] for before, after in pairwise(windows))


# Answers that are none.

NONE_OF_THEM = {
    "empty": b"",
    "HTML": b"<!DOCTYPE html><html><head><title>arXiv</title></head><body>Sorry<br></body></html>",
    "XHTML": b"<html xmlns='http://www.w3.org/1999/xhtml'><body>Sorry</body></html>",
    "JSON": b'{"error":"Sorry"}',
    "no XML": b"\xff\xfe\xfd",
    "no UTF-8": an_rss().replace(b"updates", b"\xff"),
    "twice": an_atom() * 2,
}


@pytest.mark.parametrize("day", [DAY, BEFORE - timedelta(days=90)])
@pytest.mark.parametrize("body", NONE_OF_THEM.values(), ids=NONE_OF_THEM)
def test_what_is_no_answer_of_arxiv_is_one_line(client: httpx.Client, clock: Clock, body: bytes, day: date) -> None:
    with web_site(Site({"/rss/cs.CL+cs.LG": Answer(body=body), "/api/query": Answer(body=body)})) as site:
        fault = fault_of(a_source(client, site, clock), day)
    assert f"arXiv answered with {len(body):,} bytes that are no whole {'RSS' if day == DAY else 'Atom'}" in fault
    assert len(site.asked) == 1


def test_the_answers_of_either_are_not_taken_for_the_others(client: httpx.Client, clock: Clock) -> None:
    pages = {"/rss/cs.CL+cs.LG": Answer(body=an_atom()), "/api/query": Answer(body=an_rss())}
    with web_site(Site(pages)) as site:
        for day in (DAY, BEFORE - timedelta(days=90)):
            assert "no whole" in fault_of(a_source(client, site, clock), day)


@pytest.mark.parametrize(
    ("broken", "fault"),
    [
        (("2512.00001v1</id>", "2512.1</id>"), "entry 1 that arXiv answered with has no id of the known form"),
        (("<title>Paper number 1</title>", "<title> </title>"), "has no title"),
        (("Z</published>", "</published>"), "has no published"),
        (("<published>2025-12-24", "<published>2025-13-24"), "has no published"),
        (("<published>2025-12-24T12:00:00Z", "<published>0001-01-01T00:00:00+14:00"), "has no published"),
        (("totalResults>1<", "totalResults>many<"), "the list that arXiv answered with has no totalResults"),
    ],
)
def test_an_entry_of_another_form_is_a_fault(broken: tuple[str, str], fault: str) -> None:
    true, untrue = broken
    content = an_atom([an_entry()]).replace(true.encode(), untrue.encode())
    with pytest.raises(SourceError, match=fault):
        parse_atom(content, day=BEFORE, source=NAME)


def test_a_paper_may_be_called_error() -> None:
    page = parse_atom(an_atom([an_entry(title="Error")]), day=BEFORE, source=NAME)
    assert [paper.title for paper in page.papers] == ["Error"]


def test_markup_and_comments_within_a_title_cut_nothing_off() -> None:
    content = an_atom([an_entry(title="TITLE")]).replace(b"TITLE", b"One<!-- two --> <i>three</i> four")
    (paper,) = parse_atom(content, day=BEFORE, source=NAME).papers
    assert paper.title == "One three four"


def test_entities_that_grow_are_not_read_out() -> None:
    bomb = b'<!DOCTYPE feed [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    content = an_atom([an_entry(title="TITLE")]).replace(b"<feed", bomb + b"<feed").replace(b"TITLE", b"See &b;")
    (paper,) = parse_atom(content, day=BEFORE, source=NAME).papers
    assert paper.title == "See &b;"


def test_a_missing_service_is_one_line(client: httpx.Client, clock: Clock) -> None:
    with web_site(Site()) as site:
        assert NOTHING.status == 404
        assert "answered 404; check the address" in fault_of(a_source(client, site, clock), DAY)


def test_arxiv_is_asked_as_seldom_as_it_wants() -> None:
    assert PACED.pause == 3
    assert replace(PACED, private=True).memory is PACED.memory


# Anything at all.

ENTRIES = [an_entry(number, at=INSIDE, title=f"Of {number} things & <more>") for number in range(4)]
ITEMS = [an_item(number, kind=kind) for number, kind in enumerate(["new", "cross", "replace", "new"])]
ATOM, RSS = an_atom(ENTRIES), an_rss(ITEMS)
ILLEGAL = st.sampled_from([b"\0", b"\xff", b"<", b"&", b"\x1b"])  # what no text of XML holds by itself


Told = set[tuple[str | None, str]]  # ids and titles


def told(content: bytes) -> Told | SourceError:
    """Return what an answer tells, or the error it ends with."""
    try:
        if b"<rss" in content:
            papers = parse_rss(content, source=NAME).papers
        else:
            papers = parse_atom(content, day=BEFORE, source=NAME).papers
    except SourceError as error:
        return error
    return {(paper.arxiv_id, paper.title) for paper in papers}


def is_true_or_refused(content: bytes, whole: bytes) -> bool:
    """Whether a damaged answer tells nothing but the truth, or one line that it is damaged."""
    truth, found = told(whole), told(content)
    assert isinstance(truth, set)
    if isinstance(found, set):
        return found <= truth
    return found.source == NAME and str(found).isprintable()


@pytest.mark.parametrize("whole", [ATOM, RSS])
def test_no_cut_answer_is_taken_for_a_list(whole: bytes) -> None:
    for end in range(len(whole.rstrip())):
        assert isinstance(told(whole[:end]), SourceError)


@pytest.mark.parametrize("whole", [ATOM, RSS])
@given(place=st.floats(0, 1, exclude_max=True), junk=ILLEGAL)
def test_a_damaged_byte_tells_nothing_untrue(whole: bytes, place: float, junk: bytes) -> None:
    at = int(place * len(whole))
    assert is_true_or_refused(whole[:at] + junk + whole[at + 1 :], whole)


@given(st.lists(st.integers(0, 3), max_size=8))
def test_entries_left_out_repeated_or_shuffled_tell_nothing_untrue(order: list[int]) -> None:
    for damaged, whole in (
        (an_atom([ENTRIES[number] for number in order]), ATOM),
        (an_rss([ITEMS[number] for number in order]), RSS),
    ):
        assert is_true_or_refused(damaged, whole)
        found, truth = told(damaged), told(whole)
        assert isinstance(found, set)
        assert isinstance(truth, set)
        assert {arxiv_id for arxiv_id, _ in found} == {f"2512.{n:05}" for n in order} & {one for one, _ in truth}


FIELDS = ["id", "published", "summary", "author", "name", "guid", "announce_type", "pubDate", "description"]


@pytest.mark.parametrize("whole", [ATOM, RSS])
@given(field=st.sampled_from(FIELDS), which=st.integers(0, 4), value=st.sampled_from(["", " ", "x", "9", "\u200b"]))
def test_a_field_of_another_value_tells_no_other_paper(whole: bytes, field: str, which: int, value: str) -> None:
    text = whole.decode()
    places = list(re.finditer(rf"<((?:\w+:)?{field})\b[^<>]*>[^<>]*</\1>", text))
    if places:
        found = places[which % len(places)]
        damaged = f"{text[: found.start()]}<{found[1]}>{value}</{found[1]}>{text[found.end() :]}"
        assert is_true_or_refused(damaged.encode(), whole)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(content: bytes) -> None:
    for parse in (lambda given: parse_rss(given, source=NAME), lambda given: parse_atom(given, day=DAY, source=NAME)):
        with pytest.raises(SourceError):
            parse(content)
