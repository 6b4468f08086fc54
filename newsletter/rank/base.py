"""The contract every ranking keeps, and what they share: the tie-break, and how merit becomes an order."""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, time
from typing import Protocol

from newsletter.models import Cadence, Entry, Paper, Period

# What a ranking orders by, larger is better, compared like a tuple; None where nothing is known to order by.
Merit = tuple[float, ...] | None

SPANS = {Cadence.DAILY: "day", Cadence.WEEKLY: "week", Cadence.MONTHLY: "month"}
HOUR = 3600.0


class Ranking(Protocol):
    """An order of papers with a reason for each place.

    The order is total: the same papers in any other sequence give the same entries.
    """

    def rank(self, papers: Iterable[Paper], period: Period) -> list[Entry]:
        """Return every paper with its rank from 1, best first, and one line that says why it stands there."""
        ...


@dataclass(frozen=True, slots=True)
class MeritRanking:
    """Order by merit, then by the tie-break. Papers whose merit is unknown come last, by comments and date.

    Args:
        merit: the formula.
        words: what the formula made of a paper, for people.
        unknown: what is said of a paper without merit.
    """

    merit: Callable[[Paper], Merit]
    words: Callable[[Paper], str]
    unknown: str = "votes unknown"

    def rank(self, papers: Iterable[Paper], period: Period) -> list[Entry]:
        """Return the papers by merit; the reason says what it is, and with how many others it is shared."""
        judged = [(self.merit(paper), paper) for paper in papers]
        judged.sort(key=lambda one: (one[0] is None, [-part for part in one[0] or ()], tie_break(one[1])))
        shared = Counter(merit for merit, _paper in judged)
        entries = []
        for rank, (merit, paper) in enumerate(judged, start=1):
            if merit is None:
                reason = _by_comments_and_date(paper, self.unknown)
            else:
                reason = self.words(paper) + _standing(rank, shared[merit], SPANS[period.cadence])
            entries.append(Entry(paper, rank, reason))
        return entries


def tie_break(paper: Paper) -> tuple[int, int, int, str, str]:
    """Return what decides between papers of equal merit: comments, stars, the newer paper, then its id.

    40 % of recorded list days tie across the tenth place, so this decides often. Unknown sorts below every known value.
    """
    return (
        -known(paper.comment_count),
        -known(paper.repository_stars),
        -(paper.published_on.toordinal() if paper.published_on else 0),
        paper.key,
        paper.title,
    )


def known(value: int | None) -> int:
    """Return a count for sorting: unknown is below zero, never equal to it."""
    return -1 if value is None else value


def count(number: int, noun: str) -> str:
    """Return `1 vote`, `2 votes`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def age_in_hours(paper: Paper) -> float | None:
    """Return the hours from the start of a paper's list day (UTC) to its last reading; None where either is unknown.

    A reading before that start, by a clock that is wrong, counts as one at the start.
    """
    if not paper.listed_on or not paper.observations:
        return None
    return max(hours_between(datetime.combine(paper.listed_on, time(), UTC), paper.observations[-1].seen_at), 0.0)


def hours_between(earlier: datetime, later: datetime) -> float:
    """Return the hours from one moment to another."""
    return (later - earlier).total_seconds() / HOUR


def _standing(rank: int, sharing: int, span: str) -> str:
    if sharing > 1:
        return f", level with {count(sharing - 1, 'other')}"
    return f", first of the {span}" if rank == 1 else ""


def _by_comments_and_date(paper: Paper, unknown: str) -> str:
    """Say what the tie-break went by."""
    comments = "" if paper.comment_count is None else count(paper.comment_count, "comment")
    dated = f"published {paper.published_on}" if paper.published_on else ""
    told = ", ".join(filter(None, [comments, dated]))
    return f"{unknown}: {told}" if told else unknown
