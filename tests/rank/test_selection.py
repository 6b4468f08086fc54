"""What stands in an issue at all: nothing twice, late bloomers, variety, and the editor's word."""

import random
from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.models import Curation, Entry, Observation, Paper
from newsletter.periods import daily
from newsletter.rank.digest import AGAIN, PICKED, build_digest
from newsletter.rank.diversity import AMONG, MOST, diversified
from newsletter.rank.rising import MOST_BLOOMERS, since_yesterday
from newsletter.rank.sections import topic_of
from newsletter.rank.votes import VOTES
from tests.make import DAY, NOON, a_paper

EARLIER = DAY - timedelta(days=2)
# Ids that the recorded lists name on two days, six days apart.
LISTED_AGAIN = ["2604.07429", "2606.11176", "2608.12313", "2608.13558"]


def of_today(*votes: int) -> list[Paper]:
    return [a_paper(n, upvotes=count, title=f"Paper {n}", abstract="") for n, count in enumerate(votes, start=1)]


def late(number: int, before: int, now: int, day: date = EARLIER) -> Paper:
    """Return a paper of an earlier day that stood at `before` votes and stands at `now`."""
    seen = (Observation(NOON - timedelta(days=2), before), Observation(NOON, now))
    return a_paper(number, title=f"Paper {number}", abstract="", upvotes=now, listed_on=day, observations=seen)


def numbers(entries: tuple[Entry, ...]) -> list[str]:
    return [entry.paper.title.removeprefix("Paper ") for entry in entries]


def test_a_paper_that_rose_after_its_day_takes_its_place_and_says_so() -> None:
    digest = build_digest(of_today(50, 20), daily(DAY), VOTES, earlier=[late(7, 5, 30)])
    assert numbers(digest.entries) == ["1", "7", "2"]
    assert [entry.remark for entry in digest.entries] == ["", "rose by 25 after its day", ""]
    assert [entry.rank for entry in digest.entries] == [1, 2, 3]


@pytest.mark.parametrize(("before", "now"), [(25, 34), (30, 40), (5, 14)])
def test_a_paper_that_gained_little_stays_where_it_was(before: int, now: int) -> None:
    digest = build_digest(of_today(50, 10), daily(DAY), VOTES, earlier=[late(7, before, now)])
    assert numbers(digest.entries) == ["1", "2"]


def test_a_late_bloomer_has_to_belong_to_the_papers_that_a_copy_tells() -> None:
    today = of_today(*range(60, 40, -1))
    assert "77" in numbers(build_digest(today, daily(DAY), VOTES, earlier=[late(77, 1, 51)], size=10).entries)
    assert "77" not in numbers(build_digest(today, daily(DAY), VOTES, earlier=[late(77, 1, 50)], size=10).entries)


def test_late_bloomers_stay_few() -> None:
    digest = build_digest(of_today(9), daily(DAY), VOTES, earlier=[late(n, 1, 20 + n) for n in range(10, 20)])
    assert len(digest.entries) == 1 + MOST_BLOOMERS
    assert numbers(digest.entries) == ["19", "18", "1"]


def test_late_bloomers_make_no_issue_on_their_own() -> None:
    assert build_digest([], daily(DAY), VOTES, earlier=[late(7, 5, 50)]).entries == ()


@pytest.mark.parametrize("arxiv_id", LISTED_AGAIN)
def test_a_paper_that_is_listed_again_is_told_once(arxiv_id: str) -> None:
    first = a_paper(1, arxiv_id=arxiv_id, listed_on=EARLIER)
    again = replace(first, arxiv_id=f"{arxiv_id}v2", listed_on=DAY)
    told = build_digest([first, a_paper(2)], daily(EARLIER), VOTES)
    carried = {entry.paper.key for entry in told.entries}
    later = build_digest([again, a_paper(3)], daily(DAY), VOTES, already_published=carried, earlier=[first])
    assert [entry.paper.arxiv_id for entry in later.entries] == ["2512.00003"]


def test_a_paper_that_was_only_named_may_come_again_and_says_so() -> None:
    named = late(1, 5, 8)
    today = [replace(named, listed_on=DAY), a_paper(2, upvotes=3, title="Paper 2")]
    digest = build_digest(today, daily(DAY), VOTES, earlier=[named])
    assert numbers(digest.entries) == ["1", "2"]
    assert [entry.remark for entry in digest.entries] == [AGAIN, ""]


def test_a_paper_that_was_only_named_is_not_named_again() -> None:
    named = late(1, 2, 2)
    today = [*of_today(9, 8)[1:], a_paper(3, upvotes=9, title="Paper 3"), replace(named, listed_on=DAY)]
    assert numbers(build_digest(today, daily(DAY), VOTES, earlier=[named], size=2).entries) == ["3", "2"]


def test_a_pinned_paper_leads_with_its_note_and_a_dropped_one_is_gone() -> None:
    curation = Curation({a_paper(3).key: "Read this."}, frozenset({a_paper(1).key}))
    digest = build_digest(of_today(50, 20, 3), daily(DAY), VOTES, curation=curation)
    assert numbers(digest.entries) == ["3", "2"]
    assert (digest.entries[0].remark, digest.entries[0].note) == (PICKED, "Read this.")
    assert digest.entries[0].reason.startswith("editor’s pick; 3 votes")


def test_a_pinned_paper_of_an_earlier_day_comes_too_unless_readers_had_it() -> None:
    older = late(7, 2, 2)
    curation = Curation({older.key: ""})
    assert numbers(build_digest(of_today(9), daily(DAY), VOTES, earlier=[older], curation=curation).entries) == [
        "7",
        "1",
    ]
    told = build_digest(
        of_today(9), daily(DAY), VOTES, earlier=[older], curation=curation, already_published={older.key}
    )
    assert numbers(told.entries) == ["1"]


def on(*topics: str, votes: list[int] | None = None) -> list[Entry]:
    """Return entries on these topics, by a word that tells each."""
    counts = votes or [100] * len(topics)
    papers = [
        a_paper(n, title=f"Paper {n} {topic}", abstract="", upvotes=count)
        for n, (topic, count) in enumerate(zip(topics, counts, strict=True), start=1)
    ]
    return [Entry(paper, rank, "") for rank, paper in enumerate(papers, start=1)]


def ranks(entries: list[Entry]) -> list[int]:
    return [entry.rank for entry in entries]


def test_a_fourth_of_one_topic_lets_a_paper_with_nearly_as_many_votes_pass() -> None:
    entries = on("video", "video", "video", "video", "robot", votes=[100, 99, 98, 97, 90])
    placed = diversified(entries, 0.1)
    assert ranks(placed) == [1, 2, 3, 5, 4]
    assert placed[3].reason == "; before “Video and images” with 7 more, for variety"


def test_variety_costs_no_more_than_it_may() -> None:
    entries = on("video", "video", "video", "video", "robot", votes=[100, 99, 98, 97, 87])
    assert ranks(diversified(entries, 0.1)) == [1, 2, 3, 4, 5]
    assert ranks(diversified(entries, 0.11)) == [1, 2, 3, 5, 4]
    assert ranks(diversified(entries, 0)) == [1, 2, 3, 4, 5]


def test_unknown_votes_are_not_weighed_against_known_ones() -> None:
    entries = on(*["video"] * 4, "robot")
    unknown = [replace(one, paper=replace(one.paper, upvotes=None)) for one in entries]
    assert ranks(diversified([*entries[:4], unknown[4]], 1.0)) == [1, 2, 3, 4, 5]
    assert ranks(diversified(unknown, 0.1)) == [1, 2, 3, 5, 4]
    talked_about = [replace(one, paper=replace(one.paper, comment_count=9 - one.rank)) for one in unknown]
    assert ranks(diversified(talked_about, 0.1)) == [1, 2, 3, 4, 5]


@given(
    st.lists(st.sampled_from(["video", "robot", "agents", "glass"]), max_size=30),
    st.lists(st.integers(0, 50), min_size=30, max_size=30),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
)
def test_variety_keeps_every_paper_and_its_bound(topics: list[str], votes: list[int], cost: float) -> None:
    entries = on(*topics, votes=sorted(votes, reverse=True)[: len(topics)])
    placed = diversified(entries, cost)
    assert sorted(ranks(placed)) == ranks(entries)
    for place, entry in enumerate(placed):
        passed = [other for other in placed[place + 1 :] if other.rank < entry.rank]
        assert all((entry.paper.upvotes or 0) >= (1 - cost) * (other.paper.upvotes or 0) for other in passed)
        around = [topic_of(one.paper) for one in placed[max(0, place - AMONG + 1) : place]]
        crowded = around.count(topic_of(entry.paper)) >= MOST and topic_of(entry.paper)
        if crowded and cost == 1.0:  # nothing else was left
            assert {topic_of(one.paper) for one in placed[place:]} == {topic_of(entry.paper)}


def test_the_change_since_yesterday_is_since_the_last_reading_of_an_earlier_day() -> None:
    hours = {-30: 5, -14: 9, -2: 20, 0: 26}  # noon; the day began twelve hours ago
    seen = tuple(Observation(NOON + timedelta(hours=hour), votes) for hour, votes in hours.items())
    assert since_yesterday(a_paper(observations=seen)) == 26 - 9
    assert since_yesterday(a_paper(observations=seen[2:])) is None
    assert since_yesterday(a_paper()) is None


@given(st.randoms(use_true_random=False), st.lists(st.integers(0, 30), min_size=1, max_size=25))
def test_shuffled_input_gives_the_same_issue(chance: random.Random, votes: list[int]) -> None:
    words = ("video", "robot", "agents")
    today = [a_paper(n, title=f"Paper {n} {words[n % 3]}", upvotes=count) for n, count in enumerate(votes, start=1)]
    earlier = [late(100 + n, n, 3 * n + 12) for n in range(8)]
    curation = Curation({today[-1].key: "", earlier[0].key: "Late."}, frozenset({earlier[1].key}))

    def made(papers: list[Paper], before: list[Paper]) -> tuple[Entry, ...]:
        return build_digest(papers, daily(DAY), VOTES, earlier=before, curation=curation, diversity=0.3).entries

    expected = made(today, earlier)
    assert made(chance.sample(today, len(today)), chance.sample(earlier, len(earlier))) == expected
