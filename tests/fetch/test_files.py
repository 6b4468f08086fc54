"""The shape of a list, and lists kept as files: one day's, a folder of them, and what is none."""

import copy
import json
import re
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import SourceError
from newsletter.fetch.base import PaperSource
from newsletter.fetch.clean import clean_text
from newsletter.fetch.files import FileSource
from newsletter.fetch.listing import papers_of
from newsletter.models import Cadence, Paper, Period
from newsletter.periods import daily
from tests.conftest import Rights
from tests.fetch.hf_server import Item, an_item

DAY = date(2025, 12, 25)
EVE = date(2025, 12, 24)
TODAY = date(2025, 1, 1)  # a recording may be from after it


def read(payload: object, day: date | None = DAY) -> tuple[Paper, ...]:
    return papers_of(payload, day=day, source="huggingface")


# The shape of a list.


def test_every_field_of_an_item_is_read() -> None:
    assert read([an_item()]) == (
        Paper(
            title="Paper number 1",
            arxiv_id="2512.00001",
            abstract="We show that the number 1 matters.",
            summary="A number that matters.",
            authors=("Ada Lovelace",),
            author_count=2,
            organization="The Example Lab",
            published_on=date(2025, 12, 23),
            listed_on=DAY,
            upvotes=199,
            comment_count=2,
            keywords=("numbers", "meaning"),
            repository_url="https://example.com/code",
            repository_stars=7,
            project_url="https://example.com/project",
            thumbnail_url="https://example.com/1.png",
            source="huggingface",
            url="https://huggingface.co/papers/2512.00001",
        ),
    )


def test_a_field_that_is_absent_or_null_is_unknown() -> None:
    least = Paper(
        title="Bare",
        arxiv_id="2512.1234",
        listed_on=DAY,
        source="huggingface",
        url="https://huggingface.co/papers/2512.1234",
    )
    assert read([{"paper": {"id": "2512.1234", "title": "Bare"}}]) == (least,)
    nulls = dict.fromkeys(("summary", "ai_summary", "upvotes", "githubRepo", "githubStars", "organization"))
    empty = {"summary": " ", "authors": [], "ai_keywords": [], "organization": {}}
    assert read([{"paper": {"id": "2512.1234", "title": "Bare"} | nulls, "title": None}]) == (least,)
    assert read([{"paper": {"id": "2512.1234", "title": "Bare"} | empty, "title": ""}]) == (least,)


def test_zero_votes_are_known_to_be_zero() -> None:
    [paper] = read([an_item(paper={"upvotes": 0, "githubStars": 0}, numComments=0)])
    assert (paper.upvotes, paper.repository_stars, paper.comment_count) == (0, 0, 0)


@pytest.mark.parametrize(
    ("outer", "inner", "title"),
    [
        (r"LLM$\times$MapReduce", "LLMtimesMapReduce", "LLM×MapReduce"),
        (r"$\text{Transformer}^2$", "Transformer^2", "Transformer^2"),
        ("A title\n  with a hard wrap", "A title", "A title with a hard wrap"),
    ],
)
def test_the_outer_title_is_believed_before_the_inner(outer: str, inner: str, title: str) -> None:
    assert read([an_item(title=outer, paper={"title": inner})])[0].title == title


def test_the_outer_moment_of_publication_is_never_read() -> None:
    assert read([an_item(publishedAt="no moment")])[0].published_on == date(2025, 12, 23)
    item = an_item()
    del item["paper"]["publishedAt"]
    assert read([item])[0].published_on is None


def test_hidden_authors_are_counted_and_not_named() -> None:
    [paper] = read([an_item(paper={"authors": [{"name": "Alan Turing", "hidden": True}]})])
    assert (paper.authors, paper.author_count) == (None, 1)


@pytest.mark.parametrize(
    ("inner", "outer", "name"),
    [
        ({"name": "lab", "fullname": "The Lab"}, {"name": "other"}, "The Lab"),
        ({"name": "lab"}, None, "lab"),
        (None, {"name": "lab", "fullname": ""}, "lab"),
        ({}, {"fullname": "The Lab"}, "The Lab"),
        (None, None, None),
    ],
)
def test_an_organization_goes_by_its_full_name_at_either_level(inner: object, outer: object, name: str | None) -> None:
    assert read([an_item(paper={"organization": inner}, organization=outer)])[0].organization == name


def test_an_address_that_is_no_web_address_is_left_out() -> None:
    [paper] = read([an_item(paper={"githubRepo": "javascript:alert(1)", "projectPage": "here"}, thumbnail="//x/y")])
    assert (paper.repository_url, paper.project_url, paper.thumbnail_url) == (None, None, None)


def test_the_list_day_is_the_one_asked_for_else_the_items_own() -> None:
    assert [paper.listed_on for paper in read([an_item()], date(2025, 1, 1))] == [date(2025, 1, 1)]
    assert [paper.listed_on for paper in read([an_item()], None)] == [DAY]
    with pytest.raises(SourceError, match=r"item 1 of the list tells no list day; name the file .* or pass --as-of"):
        read([an_item(paper={"submittedOnDailyAt": None})], None)


def test_of_two_items_with_one_id_the_first_is_kept() -> None:
    papers = read([an_item(1), an_item(2), an_item(1, title="Once more")])
    assert [paper.title for paper in papers] == ["Paper number 1", "Paper number 2"]


@pytest.mark.parametrize(
    ("payload", "fault"),
    [
        ({"error": "Sorry,\nnot\x1b[31m here."}, "no list of papers but the error 'Sorry, not[31m here.'"),
        ({"error": "long " * 100}, "long long'; fetch"),
        ({"error": 4}, "no list of papers but other JSON"),
        (None, "no list of papers but other JSON"),
        ("[]", "no list of papers but other JSON"),
        ([an_item(), None], "item 2 of the list of 2025-12-25: Input should be a valid dictionary; "),
        ([[]], "item 1 of the list of 2025-12-25: Input should be a valid dictionary; "),
        ([{}], "paper: Field required"),
        ([{"paper": {"title": "A"}}], "paper.id: Field required"),
        ([an_item(paper={"id": "../../2512.00001"})], "paper.id: String should match"),
        ([an_item(paper={"id": "2512.00001\n"})], "paper.id: String should match"),
        ([an_item(paper={"title": ""}, title="\u200b")], "title: Field required"),
        ([an_item(title=7)], "title: Input should be a valid string"),
        ([an_item(paper={"authors": None})], "paper.authors: Input should be a valid list"),
        ([an_item(paper={"authors": [{"name": "A"}, {}]})], "paper.authors.1.name: Field required"),
        ([an_item(paper={"ai_keywords": None})], "paper.ai_keywords: Input should be a valid list"),
        ([an_item(paper={"upvotes": -1})], "paper.upvotes: Input should be greater than or equal to 0"),
        ([an_item(paper={"upvotes": "12"})], "paper.upvotes: Input should be a valid integer"),
        ([an_item(paper={"upvotes": True})], "paper.upvotes: Input should be a valid integer"),
        ([an_item(paper={"githubStars": 2**31})], "paper.githubStars: Input should be less than"),
        ([an_item(numComments=1.5)], "numComments: Input should be a valid integer"),
        ([an_item(paper={"publishedAt": 1766532600})], "paper.publishedAt: Input should be a moment such as"),
        ([an_item(paper={"publishedAt": "yesterday"})], "paper.publishedAt: Input should be a moment such as"),
    ],
)
def test_what_is_no_list_is_named_with_its_item_and_field(payload: object, fault: str) -> None:
    with pytest.raises(SourceError) as caught:
        read(payload)
    text = str(caught.value)
    assert text.startswith("source huggingface: ")
    assert fault in text
    assert text.isprintable()
    assert len(text) < 350


JUNK: st.SearchStrategy[object] = st.sampled_from(
    [None, True, -1, 1.5, 10**30, float("nan"), "", "\ud800", "\x00", "{", [], {}, [None], [[]]]
).map(copy.deepcopy)


@st.composite
def damaged(draw: st.DrawFn) -> object:
    """Return a list whose fields were cut, repeated, or replaced at random places."""
    payload: Any = copy.deepcopy([an_item(1), an_item(2)])
    for _ in range(draw(st.integers(1, 3))):
        parent: Any = payload
        while parent:
            key = draw(st.sampled_from(sorted(parent) if isinstance(parent, dict) else range(len(parent))))
            if not isinstance(parent[key], dict | list) or draw(st.integers(0, 3)) == 0:
                _damage(draw, parent, key)
                break
            parent = parent[key]
    return payload


def _damage(draw: st.DrawFn, parent: Any, key: Any) -> None:
    match draw(st.sampled_from(["cut", "repeat", "replace"])):
        case "cut":
            del parent[key]
        case "repeat":
            parent[key] = parent[key] * 2 if isinstance(parent[key], str | list | int) else [parent[key]] * 2
        case "replace":
            parent[key] = draw(JUNK | st.text(max_size=9))


@given(damaged() | JUNK, st.none() | st.just(DAY))
def test_a_damaged_list_is_papers_or_a_source_error(payload: object, day: date | None) -> None:
    try:
        papers = read(payload, day)
    except SourceError as error:
        assert str(error).isprintable()  # noqa: PT017 - what the payload is decides which of the two it must be
        return
    assert all(paper.title and paper.title == clean_text(paper.title) and paper.listed_on for paper in papers)
    assert all(paper.author_count is None or paper.author_count > 0 for paper in papers)
    json.dumps([repr(paper) for paper in papers], ensure_ascii=False).encode()


def test_the_recorded_outer_title_keeps_what_the_inner_lost(shared: Path) -> None:
    items = json.loads((shared / "hf_daily_papers/2024-05-27.json").read_bytes())
    [title] = [paper.title for paper in read(items) if paper.title.startswith("AutoCoder")]
    assert title.endswith("with AIEV-Instruct")


# Files.


def written(path: Path, *items: Item) -> Path:
    path.write_text(json.dumps(items))
    return path


def test_a_folder_lists_the_days_in_its_names(tmp_path: Path) -> None:
    written(tmp_path / "2025-12-25.json", an_item(1))
    written(tmp_path / "2025-12-24.json", an_item(2), an_item(3))
    for name in ["20251223.json", "2025-W51-1.json", "2025-13-01.json", "2025-12-22.json.bak", "daily-papers.txt"]:
        (tmp_path / name).write_text("not read")
    source: PaperSource = FileSource(tmp_path)
    assert (source.name, source.live) == (f"file:{tmp_path}", False)
    assert list(source.days(TODAY)) == [DAY, EVE]
    assert [paper.arxiv_id for paper in source.papers(daily(EVE))] == ["2512.00002", "2512.00003"]


def test_only_the_files_of_the_period_are_read(tmp_path: Path) -> None:
    written(tmp_path / "2025-12-25.json", an_item(1))
    written(tmp_path / "2025-12-24.json", an_item(2))
    (tmp_path / "2025-12-23.json").write_text("broken")
    source = FileSource(tmp_path)
    papers = source.papers(Period(Cadence.WEEKLY, EVE, date(2025, 12, 28)))
    assert [(paper.listed_on, paper.arxiv_id) for paper in papers] == [(EVE, "2512.00002"), (DAY, "2512.00001")]
    assert source.papers(daily(date(2025, 12, 26))) == ()


@pytest.mark.parametrize(
    ("name", "as_of", "day"),
    [
        ("2025-12-26.json", date(2025, 12, 27), date(2025, 12, 26)),
        ("list.json", date(2025, 12, 27), date(2025, 12, 27)),
        ("list.json", None, DAY),
    ],
)
def test_a_file_is_of_the_day_in_its_name_else_as_of_else_its_items(
    tmp_path: Path, name: str, as_of: date | None, day: date
) -> None:
    source = FileSource(written(tmp_path / name, an_item()), as_of=as_of)
    assert source.days(TODAY) == [day]
    assert [paper.listed_on for paper in source.papers(daily(day))] == [day]
    assert source.papers(daily(date(2025, 1, 1))) == ()


def test_a_file_without_any_day_asks_for_one(tmp_path: Path) -> None:
    path = written(tmp_path / "list.json", an_item(paper={"submittedOnDailyAt": None}))
    with pytest.raises(SourceError, match=r"name the file YYYY-MM-DD\.json or pass --as-of"):
        FileSource(path).days(TODAY)


def test_an_empty_list_has_no_papers(tmp_path: Path) -> None:
    source = FileSource(written(tmp_path / "2025-12-25.json"))
    assert source.days(TODAY) == []
    assert source.papers(daily(DAY)) == ()


def test_the_source_has_the_name_it_is_given(tmp_path: Path) -> None:
    source = FileSource(written(tmp_path / "2025-12-25.json", an_item()), "file:mine")
    assert [paper.source for paper in source.papers(daily(DAY))] == ["file:mine"]


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b'[\n {"paper" 1}]', "is no JSON: Expecting ':' delimiter at line 2, column 11"),
        (b"", "is no JSON: Expecting value at line 1, column 1"),
        (b"[\xff]", ": byte 1 is not UTF-8"),
        (b"[" * 200_000, "cannot be read (maximum recursion depth exceeded"),
        (b"[" + b"9" * 5000 + b"]", "cannot be read (Exceeds the limit"),
        (None, "cannot be read (No such file or directory)"),
    ],
)
@pytest.mark.parametrize("name", ["2025-12-25.json", "list.json"])
def test_a_file_that_is_no_json_is_named(tmp_path: Path, name: str, content: bytes | None, fault: str) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SourceError, match=re.escape(f"source file:mine: {path}")) as caught:
        FileSource(path, "file:mine").papers(daily(DAY))
    assert fault in str(caught.value)
    assert str(caught.value).isprintable()


def test_an_error_object_is_quoted_with_the_source(tmp_path: Path) -> None:
    path = tmp_path / "2025-12-25.json"
    path.write_text('{"error":"Sorry, not here."}')
    with pytest.raises(SourceError, match=r"source file:mine: no list of papers but the error 'Sorry, not here\.'"):
        FileSource(path, "file:mine").days(TODAY)


def test_a_byte_order_mark_does_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "2025-12-25.json"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps([an_item()]).encode())
    assert len(FileSource(path).papers(daily(DAY))) == 1


def test_a_folder_without_lists_says_how_to_name_them(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("[]")
    for ask in (FileSource(tmp_path).days, lambda _today: FileSource(tmp_path).papers(daily(DAY))):
        with pytest.raises(SourceError, match=r"holds no file named YYYY-MM-DD\.json; name each list by its day"):
            ask(TODAY)


@pytest.mark.parametrize("path", ["a\0b", "x" * 300, "missing/2025-12-25.json"])
def test_a_path_that_leads_nowhere_is_a_source_error(tmp_path: Path, path: str) -> None:
    with pytest.raises(SourceError, match="cannot be read"):
        FileSource(tmp_path / path).days(TODAY)


def test_a_folder_named_as_a_list_is_a_source_error(tmp_path: Path) -> None:
    (tmp_path / "2025-12-25.json").mkdir()
    with pytest.raises(SourceError, match=r"2025-12-25\.json cannot be read"):
        FileSource(tmp_path).papers(daily(DAY))


def test_a_folder_that_may_not_be_read_is_a_source_error(closed_folder: Path, ordinary_user: Rights) -> None:
    with ordinary_user(), pytest.raises(SourceError, match="cannot be read"):
        FileSource(closed_folder).days(TODAY)


def test_the_recorded_days_are_read_whole(shared: Path) -> None:
    folder = shared / "hf_daily_papers"
    source = FileSource(folder)
    days = source.days(TODAY)
    assert len(days) == 46
    assert days == sorted(days, reverse=True)
    for day in days:
        assert len(source.papers(daily(day))) == len(json.loads((folder / f"{day}.json").read_bytes()))


def test_the_recorded_error_is_no_empty_list(shared: Path) -> None:
    with pytest.raises(SourceError, match="Sorry, we can't find the page"):
        FileSource(shared / "hf_malformed/api_error_object.json").days(TODAY)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files") / "list.json"


WHOLE = json.dumps([an_item(1), an_item(2)]).encode()
places = st.integers(0, len(WHOLE))


@given(places, places, st.binary(max_size=4) | st.sampled_from([b"[", b"]", b"}", b'"', b"null", b"\\ud800", b"-1"]))
def test_damaged_bytes_are_papers_or_a_source_error(scratch: Path, start: int, end: int, between: bytes) -> None:
    scratch.write_bytes(WHOLE[:start] + between + WHOLE[end:])  # cut where start < end, repeated where end < start
    try:
        days = FileSource(scratch).days(TODAY)
    except SourceError as error:
        assert str(error).isprintable()  # noqa: PT017 - what the bytes are decides which of the two it must be
        return
    assert all(isinstance(day, date) for day in days)
