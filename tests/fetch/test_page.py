"""The pasted Daily Papers page: recorded, damaged, and made up."""

import logging
import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import SourceError
from newsletter.fetch.base import PaperSource
from newsletter.fetch.page import AUTHORS, DATE, Page, PageSource, parse_page
from newsletter.models import Cadence, Paper, Period
from newsletter.periods import daily

DAY = date(2025, 12, 25)
META_LINES = 141  # of the recorded page: 47 blocks of three

SMALL = """new

Get papers by mail!

Dec 25

How Bees Count: A Field Study -- with Maps

We watched bees for a summer and found that they count to four, in 34.0\\% of the trials.

  • 7 authors
·
Mar 14, 2024 2

A Paper Nobody Signed

Its card lost the line below, so nothing is known but these words.

Slow Tides

The sea was measured twice a day, and `measured' is the right word.

example-lab The Example Lab
·
Sep 27
"""


def words(page: Page) -> list[tuple[str, str | None]]:
    return [(paper.title, paper.abstract) for paper in page.papers]


def texts_without(lines: list[str], damaged: int) -> str:
    return "\n".join(line for number, line in enumerate(lines) if number != damaged)


@pytest.fixture(scope="module")
def recorded(shared: Path) -> str:
    return (shared / "seed" / "daily-papers-2025-12-25.txt").read_text("utf-8")


@pytest.fixture(scope="module")
def meta_lines(recorded: str) -> list[int]:
    """Where the recorded page's meta lines are: a block of three around each separator."""
    return [at + step for at, line in enumerate(recorded.split("\n")) if line == "·" for step in (-1, 0, 1)]


def written(tmp_path: Path, text: str = SMALL) -> Path:
    path = tmp_path / "page.txt"
    path.write_text(text, "utf-8")
    return path


def test_a_page_is_read_with_all_that_it_shows() -> None:
    page = parse_page(SMALL, DAY, "page:small")
    assert (page.day, page.year_inferred) == (DAY, False)
    assert page.papers == (
        Paper(
            title="How Bees Count: A Field Study – with Maps",
            abstract="We watched bees for a summer and found that they count to four, in 34.0% of the trials.",
            author_count=7,
            published_on=date(2024, 3, 14),
            comment_count=2,
            listed_on=DAY,
            source="page:small",
        ),
        Paper(
            title="A Paper Nobody Signed",
            abstract="Its card lost the line below, so nothing is known but these words.",
            listed_on=DAY,
            source="page:small",
        ),
        Paper(
            title="Slow Tides",
            abstract="The sea was measured twice a day, and \u2018measured’ is the right word.",
            organization="The Example Lab",
            published_on=date(2025, 9, 27),
            listed_on=DAY,
            source="page:small",
        ),
    )


def test_the_recorded_page_holds_fifty_papers(recorded: str) -> None:
    page = parse_page(recorded, DAY)
    papers = page.papers
    dates = [paper.published_on for paper in papers if paper.published_on]
    comments = [paper.comment_count for paper in papers if paper.comment_count is not None]
    nameless = [paper for paper in papers if paper.author_count is None]
    assert (page.day, len(papers)) == (DAY, 50)
    assert len(nameless) == 4
    assert [paper.organization for paper in papers if paper.organization] == ["Stanford NLP"]
    assert len([paper for paper in nameless if paper.organization is None]) == 3
    assert (len(dates), sum(day.year == 2025 for day in dates), max(dates) <= DAY) == (47, 16, True)
    assert (len(comments), sum(comments)) == (14, 28)
    assert all(paper.upvotes is None and paper.arxiv_id is None and paper.authors is None for paper in papers)
    assert all(len(paper.title) < 140 and len(paper.abstract or "") > 1350 for paper in papers)


def test_the_recorded_page_settles_its_own_year(recorded: str) -> None:
    known, inferred = parse_page(recorded, DAY), parse_page(recorded, None)
    assert inferred == Page(known.day, year_inferred=True, papers=known.papers)


@pytest.mark.parametrize("damaged", range(META_LINES))
def test_a_missing_meta_line_still_reads_fifty_papers(recorded: str, meta_lines: list[int], damaged: int) -> None:
    assert len(meta_lines) == META_LINES
    page = parse_page(texts_without(recorded.split("\n"), meta_lines[damaged]), DAY)
    assert words(page) == words(parse_page(recorded, DAY))


def test_a_missing_meta_block_still_reads_fifty_papers(recorded: str) -> None:
    blocks = recorded.split("\n\n")
    whole = words(parse_page(recorded, DAY))
    metas = [place for place, block in enumerate(blocks) if "\n·\n" in block]
    assert len(metas) == 47
    for place in metas:
        assert words(parse_page("\n\n".join(blocks[:place] + blocks[place + 1 :]), DAY)) == whole
    assert words(parse_page("\n\n".join(block for block in blocks if "\n·\n" not in block), DAY)) == whole


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        (r"\n", "\r\n"),
        (r"\n", "\r"),
        (r"\n\n", "\n\n\n\n"),
        (r"\n\n", "\n"),
        (r"(?m)$", "  "),
        (r"\A", "\ufeff"),
        (r" ", "\u00a0"),
        (r"•", "*"),
        (r"(?m)^·$", "•"),
        (r" authors\n·\n", " author · "),
    ],
)
@pytest.mark.parametrize("text", ["small", "recorded"])
def test_spacing_line_ends_and_bullets_do_not_matter(
    text: str, pattern: str, replacement: str, request: pytest.FixtureRequest
) -> None:
    page = SMALL if text == "small" else request.getfixturevalue("recorded")
    assert parse_page(re.sub(pattern, replacement, page), DAY) == parse_page(page, DAY)


@pytest.mark.parametrize(
    ("as_of", "day"),
    [
        (date(2025, 12, 25), date(2025, 12, 25)),
        (date(2025, 12, 31), date(2025, 12, 25)),
        (date(2026, 1, 2), date(2025, 12, 25)),
        (date(2025, 12, 24), date(2024, 12, 25)),
        (None, date(2025, 12, 25)),
    ],
)
def test_the_page_is_from_the_newest_year_that_is_possible(as_of: date | None, day: date) -> None:
    page = parse_page(SMALL, as_of)
    assert (page.day, page.year_inferred) == (day, as_of is None)
    assert [paper.published_on for paper in page.papers] == [date(2024, 3, 14), None, date(day.year, 9, 27)]


@pytest.mark.parametrize(("as_of", "year"), [(date(2026, 5, 1), 2024), (date(2104, 1, 1), 2096), (None, 2028)])
def test_a_leap_day_is_in_a_leap_year(as_of: date | None, year: int) -> None:
    assert parse_page(SMALL.replace("Dec 25", "Feb 29"), as_of).day == date(year, 2, 29)


def test_a_year_beside_the_page_date_is_believed() -> None:
    page = parse_page(SMALL.replace("Dec 25", "Dec 25, 2026"), None)
    assert (page.day, page.year_inferred) == (date(2026, 12, 25), False)


def test_a_day_that_is_in_no_calendar_is_unknown() -> None:
    assert parse_page(SMALL.replace("Sep 27", "Sep 31"), DAY).papers[2].published_on is None


@pytest.mark.parametrize("between", ["• 2 authors\n\nBees Once More", "Bees Once More"])
def test_a_paper_without_abstract_has_none(between: str) -> None:
    first, second = parse_page(SMALL.replace("We watched", f"{between}\n\nWe watched"), DAY).papers[:2]
    assert (first.title, first.abstract) == ("How Bees Count: A Field Study – with Maps", None)
    assert (second.title, (second.abstract or "")[:10]) == ("Bees Once More", "We watched")
    assert (first.author_count, second.author_count) == (2 if "authors" in between else None, 7)


def test_a_short_abstract_without_full_stop_is_known_by_its_place() -> None:
    assert words(parse_page(SMALL.replace("of the trials.", "of the trials"), DAY))[0][1] is not None


def test_an_abstract_of_two_paragraphs_stays_one() -> None:
    second = "And the sea was calm. " * 20
    page = parse_page(SMALL.replace("right word.", f"right word.\n\n{second}"), DAY)
    assert len(page.papers) == 3
    assert (page.papers[2].abstract or "").endswith("right word. " + second.strip())


def test_a_wrapped_abstract_is_one_paragraph() -> None:
    assert words(parse_page(SMALL.replace("for a summer", "for\na summer"), DAY)) == words(parse_page(SMALL, DAY))


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", "no page date such as `Dec 25` down to line 1"),
        ("A letter\n\nof no interest", "down to line 3 ('of no interest')"),
        (SMALL.replace("Dec 25", ""), "down to line 11 ('• 7 authors')"),
        ("line\n" * 40, "down to line 12 ('line')"),
        ("new\n\nDec 25\n\n", "no papers below the page date on line 3"),
        (SMALL.replace("Dec 25", "Feb 30"), "line 5: Feb 30 is no day of the calendar"),
        (f"Dec 25\n\n{'word ' * 100}\n\nMay 1, 2024", "line 3 is an abstract without a title"),
    ],
)
def test_what_is_no_page_is_named_with_its_line(text: str, fault: str) -> None:
    with pytest.raises(SourceError, match=re.escape(fault)) as caught:
        parse_page(text, DAY, "page:x.txt")
    assert str(caught.value).startswith("source page:x.txt: ")
    assert caught.value.exit_code == 3


def test_a_page_without_any_year_asks_for_as_of() -> None:
    text = SMALL.replace(", 2024", "")
    with pytest.raises(SourceError, match="--as-of DATE"):
        parse_page(text, None)
    assert parse_page(text, DAY).papers[0].published_on == date(2025, 3, 14)


def test_the_source_lists_its_one_day(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = written(tmp_path)
    source: PaperSource = PageSource(path, DAY)
    assert (source.name, source.live) == (f"page:{path}", False)
    assert list(source.days(date(2030, 1, 1))) == [DAY]
    assert len(list(source.papers(daily(DAY)))) == 3
    assert len(list(source.papers(Period(Cadence.WEEKLY, date(2025, 12, 22), date(2025, 12, 28))))) == 3
    assert not list(source.papers(daily(date(2025, 12, 24))))
    assert {paper.source for paper in source.papers(daily(DAY))} == {source.name}
    assert not caplog.records


def test_an_inferred_year_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = PageSource(written(tmp_path), name="page:small")
    assert list(source.days(DAY)) == [DAY]
    assert len(source.papers(daily(DAY))) == 3
    assert [(record.name, record.levelno) for record in caplog.records] == [("newsletter", logging.WARNING)]
    message = caplog.records[0].getMessage()
    assert "page:small" in message
    assert "2025" in message
    assert "--as-of DATE" in message


def test_a_page_pasted_anew_is_read_anew(tmp_path: Path) -> None:
    source = PageSource(written(tmp_path), DAY)
    assert list(source.days(DAY)) == [DAY]
    written(tmp_path, SMALL.replace("Dec 25", "Dec 24"))
    assert list(source.days(DAY)) == [date(2025, 12, 24)]


def test_a_paper_from_after_the_page_is_kept_and_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    source = PageSource(written(tmp_path, SMALL.replace("Sep 27", "Dec 27")), DAY)
    assert source.papers(daily(DAY))[2].published_on == date(2025, 12, 27)
    assert len(caplog.records) == 1
    assert "'Slow Tides' is dated 2025-12-27" in caplog.text


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"Dec 25\n\n\xff\xfe", "byte 8 is not UTF-8"), (None, "cannot be read (No such file or directory)")],
)
def test_a_file_that_cannot_be_read_is_one_line(tmp_path: Path, content: bytes | None, fault: str) -> None:
    path = tmp_path / "page.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=re.escape(fault)) as caught:
        list(PageSource(path).days(DAY))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("path", [Path("/"), Path("a\0b")])
def test_what_is_no_file_is_a_source_error(path: Path) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        PageSource(path).papers(daily(DAY))


PIECES = (
    *("Dec 25", "Feb 29", "Sep 31", "Jul 10, 2023 1", "Mar 14, 2199", "Nov 10 2", "• 7 authors", "1 author", "·", "*"),
    *("A Title", "An abstract.", "word " * 80, "lab The Lab", "", "\n", "\r", "\u00a0", "\ufeff", "\u2028", "\x00"),
)
lines = st.lists(st.sampled_from(PIECES) | st.text(max_size=8), max_size=20).map("\n".join)


@settings(max_examples=300, deadline=None)
@given(st.text() | lines | lines.map("Dec 25\n".__add__), st.none() | st.dates())
def test_any_text_is_a_page_or_a_source_error(text: str, as_of: date | None) -> None:
    try:
        page = parse_page(text, as_of)
    except SourceError as error:
        assert "\n" not in str(error)  # noqa: PT017 - what the text is decides which of the two it must be
        return
    assert page.papers
    assert all(paper.title and paper.listed_on == page.day for paper in page.papers)
    assert not any(AUTHORS.fullmatch(paper.title) or DATE.fullmatch(paper.title) for paper in page.papers)
