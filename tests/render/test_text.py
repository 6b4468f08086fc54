"""Cutting and wrapping words."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.render.text import clip, count, cut_at_word, day_words, sentences, wrap

words = st.text("abc .!?, ", max_size=200)


def test_abbreviations_and_initials_end_no_sentence() -> None:
    text = "We follow A. Author et al. Their work, e.g. Figure 2, holds. It does!"
    assert sentences(text) == ["We follow A. Author et al. Their work, e.g. Figure 2, holds.", "It does!"]


def test_what_is_too_long_is_clipped_after_a_word() -> None:
    assert clip("One two three four five.", 12) == "One two…"
    assert clip("x" * 30, 12) == "x" * 11 + "…"
    assert clip("", 12) == ""


@given(words, st.integers(1, 80))
def test_a_cut_is_short_enough_and_never_in_a_word(text: str, limit: int) -> None:
    cut = cut_at_word(text, limit)
    assert len(cut) <= max(limit, 0) or cut == text
    if cut.endswith("…"):
        head = cut[:-1]
        assert text.startswith(head)
        assert not text[len(head)].isalpha() or not head or not head[-1].isalpha()


@given(words, st.integers(1, 80))
def test_clipped_text_fits(text: str, limit: int) -> None:
    assert len(clip(text, limit)) <= limit


def test_lines_are_wrapped_and_addresses_stay_whole() -> None:
    url = "https://example.org/" + "x" * 100
    lines = wrap(f"{'word ' * 30}{url}", 3, "1. ").splitlines()
    assert lines[0].startswith("1. word")
    assert lines[-1] == f"   {url}"
    assert all(len(line) <= 72 for line in lines[:-1])


@pytest.mark.parametrize(("number", "words"), [(0, "0 votes"), (1, "1 vote"), (1204, "1,204 votes")])
def test_numbers_agree_with_their_nouns(number: int, words: str) -> None:
    assert count(number, "vote") == words


def test_a_day_is_written_out() -> None:
    assert day_words(date(2025, 12, 25)) == "Thursday 25 December 2025"
