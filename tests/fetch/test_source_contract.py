"""What every source of papers promises, asked of each of them."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import date, timedelta
from itertools import islice, pairwise
from pathlib import Path

import pytest

from newsletter.errors import SourceError
from newsletter.fetch.arxiv import ArxivSource
from newsletter.fetch.base import PaperSource
from newsletter.fetch.clean import clean_text
from newsletter.fetch.feed import FeedSource
from newsletter.fetch.files import FileSource
from newsletter.fetch.http import Manners, build_client
from newsletter.fetch.huggingface import HuggingFaceSource
from newsletter.fetch.page import PageSource
from newsletter.models import Cadence, Period
from newsletter.periods import daily
from tests.fetch import feed_server
from tests.fetch.feed_server import Arxiv, Site, web_site
from tests.fetch.hf_server import Api, Item, an_item, hf_api
from tests.fetch.loopback import Answer

DAY = date(2025, 12, 25)  # a Thursday
WEEK = Period(Cadence.WEEKLY, date(2025, 12, 22), date(2025, 12, 28))
ITEMS = [an_item(1, title="Two\n  lines of $\\Omega$"), an_item(2)]
PAGE = "Dec 25\n\nTwo\u00a0 lines of $\\Omega$\n\nWe look.\n\n• 2 authors\n\nAnother One\n\nWe see.\n\n• 3 authors\n"

Shelf = Callable[[str], PaperSource]  # from "whole" or "broken"


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def a_file(folder: Path, _stack: ExitStack, state: str) -> PaperSource:
    path = folder / "2025-12-25.json"
    path.write_text(json.dumps(ITEMS) if state == "whole" else "{")
    return FileSource(path)


def a_folder(folder: Path, stack: ExitStack, state: str) -> PaperSource:
    a_file(folder, stack, state)
    return FileSource(folder, name="file:days")


def a_page(folder: Path, _stack: ExitStack, state: str) -> PaperSource:
    path = folder / "page.txt"
    path.write_text(PAGE if state == "whole" else "a letter", "utf-8")
    return PageSource(path, as_of=DAY, name="page:page.txt")


def an_api(_folder: Path, stack: ExitStack, state: str) -> PaperSource:
    lists: dict[date, list[Item]] = {WEEK.start + timedelta(days=after): [] for after in range(7)}
    lists[DAY] = ITEMS if state == "whole" else [{}]
    api = stack.enter_context(hf_api(Api(lists)))
    client = stack.enter_context(build_client())
    return HuggingFaceSource(client, endpoint=api.url, today=lambda: DAY, manners=Manners(private=True))


def an_arxiv(_folder: Path, stack: ExitStack, state: str) -> PaperSource:
    items = [feed_server.an_item(1, title=ITEMS[0]["title"]), feed_server.an_item(2)]
    rss = feed_server.an_rss(items, DAY)
    site = stack.enter_context(web_site(Arxiv(rss=rss if state == "whole" else rss[:-20])))
    client = stack.enter_context(build_client())
    manners = Manners(private=True)
    return ArxivSource(
        client, ["cs.CL"], today=lambda: DAY, name="arxiv:cs.CL", endpoint=site.url, rss=site.url, manners=manners
    )


def a_feed(_folder: Path, stack: ExitStack, state: str) -> PaperSource:
    items = [feed_server.an_item(1, title=ITEMS[0]["title"]), feed_server.an_item(2)]
    feed = Answer(body=feed_server.an_rss(items) if state == "whole" else b"<html><body>Hello</body></html>")
    site = stack.enter_context(web_site(Site({"/feed": feed})))
    client = stack.enter_context(build_client())
    return FeedSource(client, site.url + "/feed", name="feed:example", manners=Manners(private=True))


@pytest.fixture(params=[a_file, a_folder, a_page, an_api, an_arxiv, a_feed])
def make(request: pytest.FixtureRequest, tmp_path: Path, stack: ExitStack) -> Shelf:
    return lambda state: request.param(tmp_path, stack, state)


@pytest.fixture
def source(make: Shelf) -> PaperSource:
    return make("whole")


def test_days_come_newest_first_and_the_listed_day_is_among_them(source: PaperSource) -> None:
    days = list(islice(source.days(DAY), 10))
    assert DAY in days
    assert all(newer > older for newer, older in pairwise(days))


def test_a_live_source_knows_of_no_day_after_today(source: PaperSource) -> None:
    before = date(2025, 12, 20)
    days = list(islice(source.days(before), 10))
    assert all(day <= before for day in days) if source.live else days == [DAY]


def test_papers_carry_their_day_and_their_source(source: PaperSource) -> None:
    papers = list(source.papers(daily(DAY)))
    assert len(papers) == 2
    assert {(paper.listed_on, paper.source) for paper in papers} == {(DAY, source.name)}


def test_text_is_repaired(source: PaperSource) -> None:
    first = next(iter(source.papers(daily(DAY))))
    assert first.title == "Two lines of Ω"
    assert first.abstract
    assert clean_text(first.abstract) == first.abstract


def test_a_week_holds_its_day_and_the_day_before_holds_nothing(source: PaperSource) -> None:
    assert list(source.papers(WEEK)) == list(source.papers(daily(DAY)))
    assert list(source.papers(daily(DAY - timedelta(days=1)))) == []


def test_asking_twice_gives_the_same(source: PaperSource) -> None:
    assert list(source.papers(WEEK)) == list(source.papers(WEEK))


def test_what_cannot_be_read_is_one_line_with_the_sources_name(make: Shelf) -> None:
    source = make("broken")
    with pytest.raises(SourceError) as caught:
        list(source.papers(daily(DAY)))
    assert caught.value.source == source.name
    assert str(caught.value).startswith(f"source {source.name}: ")
    assert str(caught.value).isprintable()
