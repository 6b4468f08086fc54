"""How long it takes to read a day's list, repair its texts and rank it, and to import a year of lists."""

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from newsletter.fetch.files import FileSource
from newsletter.periods import daily
from newsletter.rank.digest import build_digest
from newsletter.rank.votes import VOTES
from newsletter.settings import bundled
from newsletter.store.engine import Database
from newsletter.store.meta import prepare_schema
from newsletter.store.papers import PaperStore

PAPERS = 50  # of the largest list
DAYS = 260  # of a year
USUAL = 20  # papers of a usual list
FIRST = date(2025, 1, 1)
NOW = datetime(2026, 1, 1, tzinfo=UTC)

Item = dict[str, Any]


@dataclass(frozen=True, slots=True)
class PaperFigures:
    """The median of a day in milliseconds, and one import of a year in seconds."""

    rounds: int
    day_papers: int
    day_ms: float
    year_papers: int
    year_seconds: float


def measure(folder: Path | None, rounds: int) -> PaperFigures:
    """Measure on lists in the Hugging Face shape, the sample's if no folder is named; papers repeat under new ids.

    Raises:
        SourceError: the folder holds no lists.
    """
    items = _items(folder or bundled("seeds"))
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / f"{FIRST}.json"
        path.write_text(json.dumps(_renumbered(items, PAPERS, 0)))
        day = FileSource(path)
        times = [_timed(lambda: build_digest(day.papers(daily(FIRST)), daily(FIRST), VOTES)) for _ in range(rounds)]
        year = _year(Path(place) / "year", items)
        database = Database(f"sqlite:///{place}/papers.sqlite3")
        prepare_schema(database)
        spent = _timed(lambda: _import(year, PaperStore(database)))
    return PaperFigures(rounds, PAPERS, round(statistics.median(times) * 1000, 1), DAYS * USUAL, round(spent, 2))


def _items(folder: Path) -> list[Item]:
    FileSource(folder).days(FIRST)  # says what is wrong with the folder
    return [item for path in sorted(folder.glob("????-??-??.json")) for item in json.loads(path.read_bytes())]


def _renumbered(items: Sequence[Item], number: int, first: int) -> list[Item]:
    """Return so many items, each with an id of its own and no list day but that of its file."""
    numbered = enumerate(islice(cycle(items), first, first + number), start=first)
    return [
        item
        | {
            "paper": item["paper"]
            | {
                "id": f"{2501 + n // 90_000}.{n % 90_000 + 1:05}",
            }
        }
        for n, item in numbered
    ]


def _year(folder: Path, items: Sequence[Item]) -> FileSource:
    folder.mkdir()
    for number in range(DAYS):
        listed = _renumbered(items, USUAL, number * USUAL)
        (folder / f"{FIRST + timedelta(days=number)}.json").write_text(json.dumps(listed))
    return FileSource(folder)


def _import(source: FileSource, papers: PaperStore) -> None:
    papers.observe((paper for day in source.days(FIRST) for paper in source.papers(daily(day))), NOW)


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
