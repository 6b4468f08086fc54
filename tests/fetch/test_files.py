"""Lists kept as files: one day's, a folder of them, and what is none."""

import json
import os
import re
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import SourceError
from newsletter.fetch.base import PaperSource
from newsletter.fetch.files import FileSource
from newsletter.models import Cadence, Period
from newsletter.periods import daily
from tests.fetch.hf_server import Item, an_item

DAY = date(2025, 12, 25)
EVE = date(2025, 12, 24)
TODAY = date(2025, 1, 1)  # a recording may be from after it


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


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_a_source_error(tmp_path: Path) -> None:
    folder = tmp_path / "closed"
    folder.mkdir(0o000)
    with pytest.raises(SourceError, match="cannot be read"):
        FileSource(folder).days(TODAY)


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
