"""The words around an issue, in each of its forms."""

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.models import Cadence, Issue, Period, Wording
from newsletter.periods import daily, monthly, weekly
from newsletter.render.teaser import content_words
from newsletter.render.words import day_line, lead_heading, preheader_of, subject_of, summary_of, voice_of
from tests.make import DAY, a_paper, an_issue

CATCH_UP = Period(Cadence.DAILY, date(2025, 12, 22), DAY)


def of(*titles: str, period: Period | None = None) -> Issue:
    issue = an_issue([a_paper(number, title=title) for number, title in enumerate(titles, start=1)])
    return replace(issue, digest=replace(issue.digest, period=period or issue.digest.period))


def subject(issue: Issue) -> str:
    return subject_of(issue, issue.digest.entries)


def preheader(issue: Issue) -> str:
    return preheader_of(issue, issue.digest.entries)


def test_a_subject_is_the_lead_and_how_many_more_there_are() -> None:
    assert subject(of("Lenses for robots", "Second", "Third")) == "Lenses for robots · 2 more"
    assert subject(of("Lenses for robots")) == "Lenses for robots"


def test_a_long_lead_is_cut_at_a_word_that_promises_nothing_more() -> None:
    lead = "An extraordinarily detailed account of lenses for all of the robots of this world"
    assert subject(of(lead, "Second")) == "An extraordinarily detailed account of lenses for all… · 1 more"


@pytest.mark.parametrize(
    ("period", "words"),
    [
        (weekly(DAY), "The week: Lenses · 1 more"),
        (monthly(DAY), "December: Lenses · 1 more"),
        (CATCH_UP, "Catching up: Lenses · 1 more"),
    ],
)
def test_each_kind_of_issue_says_what_it_is(period: Period, words: str) -> None:
    assert subject(of("Lenses", "Second", period=period)) == words


@pytest.mark.parametrize(
    ("period", "words"),
    [
        (daily(DAY), "Thursday 25 December 2025"),
        (weekly(DAY), "22–28 December 2025"),
        (weekly(date(2026, 1, 1)), "29 December 2025 – 4 January 2026"),
        (weekly(date(2026, 9, 30)), "28 September – 4 October 2026"),
        (monthly(DAY), "December 2025"),
    ],
)
def test_days_are_written_out(period: Period, words: str) -> None:
    assert day_line(period) == words


def test_a_longer_issue_has_a_heading_above_its_lead() -> None:
    assert [bool(lead_heading(period)) for period in (daily(DAY), weekly(DAY), monthly(DAY), CATCH_UP)] == [0, 1, 1, 1]


def test_the_preheader_names_papers_two_and_three() -> None:
    issue = of("Lenses", "Mirrors that bend to a thought: a survey", "Prisms in the age of glass")
    assert preheader(issue) == "Also: Mirrors that bend to a thought: a survey; Prisms in the age of glass"


def test_the_preheader_repeats_no_word_of_the_subject() -> None:
    issue = of(
        "Video models", "PrismNet: better video models", "Video everywhere", "Glass for the patient reader of old"
    )
    assert preheader(issue) == "Also: PrismNet; Glass for the patient reader of old"


@given(st.lists(st.text(st.characters(categories=["L", "Nd", "Zs", "P"]), max_size=90), min_size=1, max_size=8))
def test_a_preheader_has_40_to_110_characters_whatever_the_titles(titles: list[str]) -> None:
    issue = of(*titles)
    assert 40 <= len(preheader(issue)) <= 110


def test_a_preheader_of_the_shortest_titles_is_filled_with_words_rather_than_with_the_subjects() -> None:
    assert preheader(of("Lenses", "A", "B", "Lenses too")) == "Also: A; B. The others are on the same subject."
    assert preheader(of("Lenses", "A", "B")) == "Also: A; B. That is all there was on the list."


@example(titles=["A" * 12, *"AAAAAA", "A" * 12])
@given(st.lists(st.from_regex(r"[A-Za-z]{1,12}( [A-Za-z]{1,12}){0,12}", fullmatch=True), min_size=6, max_size=8))
def test_a_preheader_with_papers_to_choose_from_shares_no_word_with_the_subject(titles: list[str]) -> None:
    issue = of(*titles)
    taken = content_words(subject(issue))
    if sum(not content_words(title) & taken for title in titles[1:]) >= 6:
        assert not content_words(preheader(issue)) & taken


def test_the_editor_overrides_both() -> None:
    issue = replace(of("Lenses", "Mirrors"), wording=Wording(subject="Read\nthis", preheader="It is short"))
    assert (subject(issue), preheader(issue)) == ("Read this", "It is short")


def test_thin_and_empty_issues_have_a_voice_of_their_own() -> None:
    assert voice_of(of("Lenses")).startswith("A quiet day: one paper made the list")
    assert voice_of(of("Lenses", "Mirrors", period=weekly(DAY))).startswith("A quiet week: two papers")
    assert voice_of(of()).startswith("Nothing new")
    assert voice_of(an_issue(4)) == ""
    assert subject(of()) == "No new papers"
    assert 40 <= len(preheader(of())) <= 110


def test_a_copy_says_how_much_of_the_list_it_tells() -> None:
    issue = an_issue(12)
    assert summary_of(issue, issue.digest.entries[:10]) == "10 of 12 papers"
    assert summary_of(issue, issue.digest.entries) == "12 papers"
