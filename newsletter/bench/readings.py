"""Recorded votes: when each paper was read, and what became of it."""

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, NonNegativeInt, ValidationError

from newsletter.errors import UsageError
from newsletter.models import Observation, Paper

SHIPPED = Path(__file__).parent / "votes"


def _in_utc(moment: datetime) -> datetime:
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _unless_empty(text: object) -> object:
    return text or None


Moment = Annotated[datetime, AfterValidator(_in_utc)]
Maybe = BeforeValidator(_unless_empty)


class VotesRow(BaseModel):
    """A paper's first reading on its list day, the next day's first, and its votes five or more days later."""

    arxiv_id: str
    list_date: date
    seen_at: Moment
    upvotes_seen: NonNegativeInt
    comments_seen: Annotated[NonNegativeInt | None, Maybe]
    stars_seen: Annotated[NonNegativeInt | None, Maybe]
    next_seen_at: Annotated[Moment | None, Maybe]
    upvotes_next: Annotated[NonNegativeInt | None, Maybe]
    upvotes_late_ge5d: Annotated[NonNegativeInt | None, Maybe]


class SnapshotRow(BaseModel):
    """A further reading of a paper."""

    arxiv_id: str
    list_date: date
    seen_at: Moment
    upvotes: NonNegativeInt


@dataclass(frozen=True, slots=True)
class Recorded:
    """One paper of one list day: each reading of it, oldest first, and the votes that decide what was right."""

    paper: Paper
    next_votes: int | None  # at the first reading of the day after
    late_votes: int | None  # five or more days after its list day

    def seen(self, until: datetime) -> Paper | None:
        """Return the paper as it was last read before a moment, or None if that was never."""
        before = tuple(one for one in self.paper.observations if one.seen_at < until)
        return replace(self.paper, upvotes=before[-1].upvotes, observations=before) if before else None

    def first_seen(self) -> Paper:
        """Return the paper as it was read first."""
        first = self.paper.observations[0]
        return replace(self.paper, upvotes=first.upvotes, observations=(first,))


def read_records(votes: Path | None = None, snapshots: Path | None = None) -> list[Recorded]:
    """Return the recorded papers of two CSV files; of a file that is not named, the one that is shipped.

    Args:
        votes: a file with the columns of VotesRow, others are passed over.
        snapshots: a file with the columns of SnapshotRow.

    Raises:
        UsageError: a file cannot be read, lacks a column, or has a value that is none.
    """
    more: dict[tuple[str, date], list[Observation]] = defaultdict(list)
    for row in _rows(snapshots or SHIPPED / "snapshots.csv", SnapshotRow):
        more[row.arxiv_id, row.list_date].append(Observation(row.seen_at, row.upvotes))
    rows = _rows(votes or SHIPPED / "votes.csv", VotesRow)
    return [_recorded(row, more[row.arxiv_id, row.list_date]) for row in rows]


Row = TypeVar("Row", bound=BaseModel)


def _rows(path: Path, kind: type[Row]) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            for given in reader:
                yield _row(given, kind, f"{path}, line {reader.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as fault:
        raise UsageError(f"{path}: cannot be read ({fault})") from None


def _row(given: dict[str, str], kind: type[Row], place: str) -> Row:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        column = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"{place}: {column}: {first['msg']}; name a CSV file with the columns of docs/ranking.md"
        ) from None


def _recorded(row: VotesRow, more: list[Observation]) -> Recorded:
    first = Observation(row.seen_at, row.upvotes_seen, row.comments_seen, row.stars_seen)
    following = [Observation(row.next_seen_at, row.upvotes_next)] if row.next_seen_at else []
    readings = {one.seen_at: one for one in (*more, *following, first)}
    paper = Paper(
        title=row.arxiv_id,
        arxiv_id=row.arxiv_id,
        listed_on=row.list_date,
        comment_count=row.comments_seen,
        repository_stars=row.stars_seen,
        observations=tuple(sorted(readings.values(), key=lambda one: one.seen_at)),
    )
    return Recorded(paper, row.upvotes_next, row.upvotes_late_ge5d)
