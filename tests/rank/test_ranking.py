"""Order, cut and reasons."""

import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.models import Pick, Preferences
from newsletter.periods import daily
from newsletter.rank.digest import build_digest
from newsletter.rank.interests import choose
from newsletter.rank.votes import VOTES
from tests.make import DAY, a_paper, an_issue

counts = st.one_of(st.none(), st.integers(0, 3))
papers = st.lists(
    st.builds(
        a_paper,
        number=st.integers(1, 40),
        upvotes=counts,
        comment_count=counts,
        repository_stars=counts,
        published_on=st.one_of(st.none(), st.just(DAY)),
    ),
    unique_by=lambda paper: paper.key,
)


@given(papers, st.randoms(use_true_random=False))
def test_shuffled_input_gives_the_same_order(listed: list, chance: random.Random) -> None:  # type: ignore[type-arg]
    shuffled = listed.copy()
    chance.shuffle(shuffled)
    rank = VOTES.rank
    assert rank(listed, daily(DAY)) == rank(shuffled, daily(DAY))
    assert [entry.rank for entry in rank(listed, daily(DAY))] == list(range(1, len(listed) + 1))


def test_votes_decide_then_comments_then_stars_then_the_newer_paper_then_the_id() -> None:
    first = a_paper(5, upvotes=9)
    level = a_paper(4, upvotes=5, comment_count=3)
    starred = a_paper(3, upvotes=5, comment_count=2, repository_stars=7)
    newer = a_paper(2, upvotes=5, comment_count=2)
    older = a_paper(1, upvotes=5, comment_count=2, published_on=None)
    last = a_paper(0, upvotes=5, comment_count=None)
    listed = [last, older, newer, starred, level, first]
    assert [entry.paper for entry in VOTES.rank(listed, daily(DAY))] == listed[::-1]


def test_unknown_votes_are_not_zero_votes() -> None:
    unknown, zero = a_paper(1, upvotes=None, comment_count=9), a_paper(2, upvotes=0, comment_count=0)
    ranked = VOTES.rank([unknown, zero], daily(DAY))
    assert [entry.paper for entry in ranked] == [zero, unknown]
    assert [entry.reason for entry in ranked] == [
        "0 votes, first of the day",
        "votes unknown: 9 comments, published 2025-12-25",
    ]


@pytest.mark.parametrize(
    ("votes", "reasons"),
    [
        ([9, 5], ["9 votes, first of the day", "5 votes"]),
        ([9, 9, 1], ["9 votes, level with 1 other", "9 votes, level with 1 other", "1 vote"]),
    ],
)
def test_the_reason_says_how_a_paper_got_its_place(votes: list[int], reasons: list[str]) -> None:
    listed = [a_paper(n, upvotes=count) for n, count in enumerate(votes)]
    assert [entry.reason for entry in VOTES.rank(listed, daily(DAY))] == reasons


def test_a_paper_that_an_earlier_issue_carried_is_left_out_whatever_its_version() -> None:
    again = a_paper(1, arxiv_id="2512.00001v3")
    digest = build_digest([again, a_paper(2)], daily(DAY), VOTES, already_published={a_paper(1).key})
    assert [entry.paper.arxiv_id for entry in digest.entries] == ["2512.00002"]


def test_a_paper_without_id_is_known_by_its_title() -> None:
    one, other = a_paper(arxiv_id=None, title="Deep  Learning!"), a_paper(arxiv_id=None, title="deep learning")
    assert one.key == other.key


def test_a_copy_holds_at_most_as_many_entries_as_the_issue_allows() -> None:
    assert [pick.rank for pick in choose(an_issue(12, size=10), Preferences())] == list(range(1, 11))


def test_an_included_word_lifts_and_an_excluded_one_drops() -> None:
    titles = ["Robots", "World models", "RL for robots", "Poetry"]
    issue = an_issue([a_paper(n, title=title, abstract="") for n, title in enumerate(titles)])
    chosen = choose(issue, Preferences(include=("rl", "poetry"), exclude=("world models",)))
    assert chosen == (Pick(3, "rl"), Pick(4, "poetry"), Pick(1, ""))


def test_a_reader_gets_as_many_papers_as_they_asked_for() -> None:
    assert len(choose(an_issue(12, size=10), Preferences(papers=4))) == 4
    assert len(choose(an_issue(12, size=10), Preferences(papers=11))) == 11


def test_the_word_that_lifted_a_paper_is_kept_as_the_reader_wrote_it() -> None:
    issue = an_issue([a_paper(1, title="Large  language MODELS")])
    assert choose(issue, Preferences(include=("Language models",))) == (Pick(1, "Language models"),)


def test_words_match_whole() -> None:
    issue = an_issue([a_paper(1, title="World models", abstract=""), a_paper(2, title="Other", abstract="")])
    assert [pick.rank for pick in choose(issue, Preferences(include=("rl",)))] == [1, 2]
    assert [pick.rank for pick in choose(issue, Preferences(exclude=("world",)))] == [2]


def test_papers_under_the_threshold_are_told_only_to_who_asked_for_them() -> None:
    listed = [a_paper(1, upvotes=9), a_paper(2, upvotes=1, title="Quantum"), a_paper(3, upvotes=None)]
    issue = replace(an_issue(listed), min_votes=5)
    assert [pick.rank for pick in choose(issue, Preferences())] == [1, 3]
    assert [pick.rank for pick in choose(issue, Preferences(include=("quantum",)))] == [2, 1, 3]
