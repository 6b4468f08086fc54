"""Ranking `trending`: what is gaining votes now."""

from datetime import timedelta

from newsletter.models import Paper
from newsletter.rank.base import Merit, MeritRanking, age_in_hours, hours_between

SHORTEST = timedelta(hours=6)  # between two readings: over less time a rate is noise
LEAST_AGE = 1.0  # hour: a list day that has just begun


def trending(paper: Paper) -> Merit:
    """Return votes per hour.

    Formula: (last votes - votes before) / hours between, where `before` is the last reading at least six hours older;
    with no such reading, votes / hours since the paper's list day began; with no reading at all, no merit.
    """
    rate = votes_per_hour(paper)
    return None if rate is None else (rate,)


def votes_per_hour(paper: Paper) -> float | None:
    """Return how many votes an hour a paper gained lately, or None where it cannot be known."""
    timed = [seen for seen in paper.observations if seen.upvotes is not None]
    if not timed:
        return None
    last = timed[-1]
    before = next((seen for seen in reversed(timed) if last.seen_at - seen.seen_at >= SHORTEST), None)
    if before:
        return ((last.upvotes or 0) - (before.upvotes or 0)) / hours_between(before.seen_at, last.seen_at)
    age = age_in_hours(paper)
    return None if age is None else (last.upvotes or 0) / max(age, LEAST_AGE)


TRENDING = MeritRanking(trending, lambda paper: f"{votes_per_hour(paper) or 0:.1f} votes an hour")
