"""Ranking `discussed`: what people talk about."""

from newsletter.models import Paper
from newsletter.rank.base import Merit, MeritRanking, count, known


def discussed(paper: Paper) -> Merit:
    """Return the comments, then the votes.

    Formula: (comments, votes). Comments are few (at most ten on a list's first day), so votes decide often.
    """
    return None if paper.comment_count is None else (paper.comment_count, known(paper.upvotes))


DISCUSSED = MeritRanking(
    discussed, lambda paper: count(paper.comment_count or 0, "comment"), unknown="comments unknown"
)
