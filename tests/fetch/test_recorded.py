"""Every recorded answer of every source, through one path, against a table of what is in it."""

import csv
import json
import os
import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import SourceError
from newsletter.fetch.arxiv import parse_atom, parse_rss
from newsletter.fetch.clean import clean_text
from newsletter.fetch.files import FileSource
from newsletter.fetch.listing import papers_of
from newsletter.fetch.page import parse_page
from newsletter.models import Paper
from newsletter.periods import daily
from newsletter.rank.digest import build_digest
from newsletter.rank.votes import VOTES
from tests.fetch.hf_server import an_item

TABLE = Path(__file__).parent / "recorded.csv"
COLUMNS = ["file", "papers", "votes", "comments", "authors", "dated", "code", "keywords", "fault"]
SOME_DAY = date(2026, 1, 1)
TRACES = re.compile(r"\\[A-Za-z%&]|\dtimes\b|\bsim\d|``|\$\\|\s\s|https?://\S+\{")


def load(path: Path) -> Iterable[Paper]:
    """Return the papers of a recorded file, read as the source that asked for it reads them."""
    content, name = path.read_bytes(), path.name
    match path.parent.name:
        case "arxiv" if name.startswith("rss"):
            return parse_rss(content, source=name).papers
        case "arxiv":
            return parse_atom(content, day=SOME_DAY, source=name).papers
        case "seed":
            return parse_page(content.decode(), date(2025, 12, 25), name).papers
    return FileSource(path, name=name).papers(daily(_day_of(path)))


def _day_of(path: Path) -> date:
    try:
        return date.fromisoformat(path.stem)
    except ValueError:
        return SOME_DAY


def counted(path: Path) -> dict[str, str]:
    """Return a row of the table."""
    row = dict.fromkeys(COLUMNS, "") | {"file": f"{path.parent.name}/{path.name}"}
    try:
        papers = list(load(path))
    except SourceError as error:
        return row | {"fault": str(error)}
    return row | {
        "papers": str(len(papers)),
        "votes": _sum(paper.upvotes for paper in papers),
        "comments": _sum(paper.comment_count for paper in papers),
        "authors": _sum(paper.author_count for paper in papers),
        "dated": str(sum(paper.published_on is not None for paper in papers)),
        "code": str(sum(paper.repository_url is not None for paper in papers)),
        "keywords": _sum(len(paper.keywords) if paper.keywords else None for paper in papers),
    }


def _sum(values: Iterable[int | None]) -> str:
    known = [value for value in values if value is not None]
    return str(sum(known)) if known else ""


def recorded(shared: Path) -> list[Path]:
    folders = ("hf_daily_papers", "hf_malformed", "arxiv", "seed")
    return [path for folder in folders for path in sorted((shared / folder).iterdir())]


def test_every_recorded_file_holds_what_the_table_says(shared: Path) -> None:
    rows = [counted(path) for path in recorded(shared)]
    if os.environ.get("NEWSLETTER_TEST_WRITE"):
        with TABLE.open("w", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    with TABLE.open(newline="") as file:
        assert rows == list(csv.DictReader(file))
    assert len(rows) == 56


def test_no_recorded_text_keeps_a_trace_of_tex_and_repairing_it_again_changes_nothing(shared: Path) -> None:
    seen = 0
    for path in recorded(shared):
        if "malformed" in str(path) or "abc" in path.name:
            continue
        for paper in load(path):
            for text in filter(None, (paper.title, paper.abstract, paper.summary)):
                seen += 1
                assert clean_text(text) == text
                assert not TRACES.search(text), text
    assert seen > 2500


def test_no_digit_and_no_less_than_of_a_recorded_abstract_is_lost(shared: Path) -> None:
    seen = 0
    for path in sorted((shared / "hf_daily_papers").glob("*.json")):
        items = {item["paper"]["id"]: item["paper"]["summary"] for item in json.loads(path.read_bytes())}
        for paper in load(path):
            raw = items[paper.arxiv_id or ""]
            if not re.search(
                r"(https?://\S+)/? ?\{\1", raw.replace("\\_", "_")
            ):  # the copy of a doubled address goes, digits and all
                seen += 1
                assert re.findall(r"\d", paper.abstract or "") == re.findall(r"\d", raw)
                assert (paper.abstract or "").count("<") == raw.count("<")
    assert seen > 850


LIST = [an_item(number, numComments=number) for number in range(1, 6)]
TRUE = {paper.key: paper for paper in papers_of(LIST, day=SOME_DAY, source="list")}
KEYS = st.sampled_from(sorted(LIST[0]["paper"]) + sorted(LIST[0]))
NONSENSE = st.sampled_from([None, -1, 1.5, True, "", "x", "\ud800", [], {}, [1], {"a": 1}, 10**400])


@given(st.integers(0, 4), KEYS, st.sampled_from(["cut", "repeat", "corrupt"]), NONSENSE, st.integers(1, 500))
def test_a_damaged_list_makes_an_error_with_its_name_or_an_issue_of_true_papers(
    number: int, key: str, kind: str, nonsense: object, length: int
) -> None:
    payload: Any = json.loads(json.dumps(LIST))
    parent = payload[number]["paper"] if key in payload[number]["paper"] else payload[number]
    match kind:
        case "cut":
            parent.pop(key, None)
        case "repeat":
            payload.insert(length % 5, json.loads(json.dumps(payload[number])))
        case "corrupt":
            parent[key] = nonsense
    try:
        papers = papers_of(payload, day=SOME_DAY, source="list")
    except SourceError as error:
        assert error.source == "list"  # noqa: PT017 - which of the two it is depends on the damage
        assert str(error).startswith("source list: ")  # noqa: PT017
        return
    entries = build_digest(papers, daily(SOME_DAY), VOTES).entries
    assert {entry.paper.key for entry in entries} == set(TRUE)
    untouched = [entry.paper for entry in entries if entry.paper.key != list(TRUE)[number]]
    assert untouched == [TRUE[paper.key] for paper in untouched]


@given(st.integers(0, len(json.dumps(LIST)) - 1))
def test_a_list_that_was_cut_anywhere_is_never_an_issue(end: int) -> None:
    cut = json.dumps(LIST)[:end]
    with pytest.raises((SourceError, json.JSONDecodeError)):
        papers_of(json.loads(cut), day=SOME_DAY, source="list")
