"""The rankings beside votes: what each goes by, and what all of them promise."""

import random
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.models import Observation, Paper
from newsletter.periods import daily, weekly
from newsletter.rank.base import Ranking
from newsletter.rank.settled import CURVE, SETTLED, share
from newsletter.rank.trending import TRENDING, votes_per_hour
from newsletter.wiring import RANKINGS
from tests.make import DAY, a_paper

MIDNIGHT = datetime(2025, 12, 25, tzinfo=UTC)


def read(number: int, votes: Mapping[float, int | None], day: date = DAY, **fields: object) -> Paper:
    """Return a paper with these votes at these hours after its list day began."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    seen = tuple(Observation(start + timedelta(hours=hours), upvotes) for hours, upvotes in votes.items())
    return a_paper(number, listed_on=day, upvotes=seen[-1].upvotes, observations=seen, **fields)


counts = st.one_of(st.none(), st.integers(0, 3))
days = st.one_of(st.none(), st.sampled_from([DAY, DAY - timedelta(days=1)]))
papers = st.lists(
    st.builds(
        a_paper,
        number=st.integers(1, 40),
        upvotes=counts,
        comment_count=counts,
        published_on=days,
        listed_on=days,
        observations=st.lists(
            st.builds(
                Observation, st.integers(0, 200).map(lambda hours: MIDNIGHT + timedelta(hours=hours - 100)), counts
            ),
            max_size=3,
        ).map(lambda seen: tuple(sorted(seen, key=lambda one: one.seen_at))),
    ),
    unique_by=lambda paper: paper.key,
)


@pytest.mark.parametrize("ranking", RANKINGS.values(), ids=RANKINGS.keys())
@given(listed=papers, chance=st.randoms(use_true_random=False))
def test_every_ranking_places_each_paper_once_and_shuffling_changes_nothing(
    ranking: Ranking, listed: list[Paper], chance: random.Random
) -> None:
    shuffled = listed.copy()
    chance.shuffle(shuffled)
    entries = ranking.rank(listed, weekly(DAY))
    assert entries == ranking.rank(shuffled, weekly(DAY))
    assert [entry.rank for entry in entries] == list(range(1, len(listed) + 1))
    assert {entry.paper.key for entry in entries} == {paper.key for paper in listed}
    assert all(entry.reason for entry in entries)


@pytest.mark.parametrize("name", ["votes", "settled", "trending"])
def test_papers_whose_votes_are_unknown_stand_last_by_comments_and_date_and_say_so(name: str) -> None:
    talked_about = a_paper(1, upvotes=None, comment_count=3)
    newer = a_paper(2, upvotes=None, comment_count=None, published_on=DAY)
    older = a_paper(3, upvotes=None, comment_count=None, published_on=DAY - timedelta(days=1))
    bare = a_paper(4, upvotes=None, comment_count=None, published_on=None)
    voted = read(5, {8: 0})
    entries = RANKINGS[name].rank([bare, older, newer, talked_about, voted], daily(DAY))
    assert [entry.paper for entry in entries] == [voted, talked_about, newer, older, bare]
    assert [entry.reason for entry in entries[1:]] == [
        "votes unknown: 3 comments, published 2025-12-25",
        "votes unknown: published 2025-12-25",
        "votes unknown: published 2025-12-24",
        "votes unknown",
    ]


def test_a_young_paper_is_weighed_by_what_its_age_has_brought_so_far() -> None:
    monday = read(1, {97.9: 80}, DAY - timedelta(days=4))
    thursday = read(2, {7.9: 40})
    assert [entry.paper for entry in SETTLED.rank([monday, thursday], weekly(DAY))] == [thursday, monday]
    reasons = [entry.reason for entry in SETTLED.rank([monday, thursday], weekly(DAY))]
    assert reasons == [
        "40 votes at 36% of what its age brings, first of the week",
        "80 votes at 86% of what its age brings",
    ]


def test_within_one_reading_of_one_day_settled_is_votes() -> None:
    listed = [read(n, {9: n * 7 % 11}) for n in range(1, 9)]
    by_votes = [entry.paper for entry in RANKINGS["votes"].rank(listed, daily(DAY))]
    assert [entry.paper for entry in SETTLED.rank(listed, daily(DAY))] == by_votes


def test_the_share_of_final_votes_grows_with_age_to_all_of_them() -> None:
    shares = [share(hours / 2) for hours in range(1000)]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (CURVE[0][1], 1.0)
    assert all(share(age) == reached for age, reached in CURVE)


def test_a_paper_nobody_read_a_time_for_counts_as_settled() -> None:
    assert [entry.reason for entry in SETTLED.rank([a_paper(1, upvotes=7)], weekly(DAY))] == [
        "7 votes, first of the week"
    ]


def test_trending_goes_by_the_votes_since_a_reading_six_hours_ago() -> None:
    assert votes_per_hour(read(1, {8: 10, 20: 34})) == 2.0
    assert votes_per_hour(read(1, {8: 10, 15: 20, 20: 34})) == 2.0  # 15 is too near to 20
    assert votes_per_hour(read(1, {8: 10, 13: 20})) == 20 / 13  # no reading is old enough: since the day began
    assert votes_per_hour(read(1, {8: None, 24: 12})) == 0.5
    assert votes_per_hour(read(1, {0.1: 3})) == 3.0  # a day that has just begun counts as an hour
    assert votes_per_hour(a_paper(1)) is None


def test_trending_says_its_rate() -> None:
    assert TRENDING.rank([read(1, {8: 10, 20: 34})], daily(DAY))[0].reason == "2.0 votes an hour, first of the day"


def test_discussed_goes_by_comments_then_votes() -> None:
    listed = [
        a_paper(1, comment_count=2, upvotes=1),
        a_paper(2, comment_count=2, upvotes=9),
        a_paper(3, comment_count=3),
    ]
    entries = RANKINGS["discussed"].rank(listed, daily(DAY))
    assert [entry.paper.arxiv_id for entry in entries] == ["2512.00003", "2512.00002", "2512.00001"]
    assert entries[0].reason == "3 comments, first of the day"


def test_newest_goes_by_the_day_then_by_the_number_within_the_id() -> None:
    old, new = a_paper(7, published_on=DAY - timedelta(days=1)), a_paper(3)
    later = a_paper(5)
    undated = a_paper(9, published_on=None, listed_on=None)
    entries = RANKINGS["newest"].rank([undated, old, new, later], daily(DAY))
    assert [entry.paper for entry in entries] == [later, new, old, undated]
    assert entries[-1].reason == "date unknown: 1 comment"
