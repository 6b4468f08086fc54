"""Ranking `settled`: papers of several days, as their votes will stand once they have settled."""

from itertools import pairwise

from newsletter.models import Paper
from newsletter.rank.base import Merit, MeritRanking, age_in_hours, count

# Hours since a paper's list day began (UTC), and the share of its final votes that it has by then. Votes at a reading
# over the same papers' votes five or more days later, both summed, for the lists from 2024-12-30 to 2025-08-29
# (`newsletter bench ranking` fits them anew from the figures it ships with). Between two ages the share is linear.
CURVE = (
    (7.9, 0.359),
    (17.1, 0.405),
    (24.1, 0.661),
    (49.6, 0.737),
    (73.7, 0.807),
    (97.9, 0.862),
    (120.2, 0.906),
    (144.2, 0.958),
    (168.5, 0.970),
    (193.4, 0.998),
    (240.0, 1.0),
)


def settled(paper: Paper) -> Merit:
    """Return the votes a paper will have in the end.

    Formula: votes / share(age), where `share` is CURVE at the paper's age when it was last read. A paper whose age is
    unknown counts as settled.
    """
    return None if paper.upvotes is None else (paper.upvotes / share_of(paper),)


def share_of(paper: Paper) -> float:
    """Return the share of its final votes that a paper has reached by its age, from 0.359 to 1."""
    age = age_in_hours(paper)
    return CURVE[-1][1] if age is None else share(age)


def share(age: float) -> float:
    """Return the share of its final votes that a paper has at an age in hours; younger than the curve is its start."""
    if age <= CURVE[0][0]:
        return CURVE[0][1]
    for (left, low), (right, high) in pairwise(CURVE):
        if age <= right:
            return low + (high - low) * (age - left) / (right - left)
    return CURVE[-1][1]


def _words(paper: Paper) -> str:
    now, reached = count(paper.upvotes or 0, "vote"), share_of(paper)
    return now if reached == 1 else f"{now} at {reached:.0%} of what its age brings"


SETTLED = MeritRanking(settled, _words)
