"""Words that mean one thing are one word; words that do not, are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.rank.folding import LONG_FORMS, fold

SAME = [
    ("LLM", "LLMs", "Large Language Models", "large  language-model"),
    ("RL", "reinforcement learning", "Reinforcement-Learning"),
    ("fine-tuning", "finetuning", "fine tuning"),
    ("multi-modal", "Multimodal"),
    ("agent", "Agents", "AGENTS"),
    ("category", "categories"),
    ("box", "boxes"),
    ("Müller", "Muller", "MÜLLER"),
    ("VLMs", "vision-language models"),
    ("Mixture-of-Experts", "MoE"),
]
DIFFERENT = [
    ("rl", "world"),
    ("agent", "agentic"),
    ("news", "new"),
    ("bias", "bia"),
    ("gas", "ga"),
    ("C", "C++"),
    ("C", "C#"),
    ("class", "clas"),
    ("analysis", "analysi"),
]


@pytest.mark.parametrize("forms", SAME, ids=lambda forms: forms[0])
def test_forms_of_one_word_are_one(forms: tuple[str, ...]) -> None:
    assert len({fold(form) for form in forms}) == 1


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_words_that_mean_something_else_stay_apart(one: str, other: str) -> None:
    assert fold(one) not in fold(other)
    assert fold(other) not in fold(one)


def test_a_phrase_is_found_as_whole_words_only() -> None:
    text = fold("We train LLMs in a world model.")
    assert fold("language models") in text
    assert fold("world models") in text
    assert fold("rl") not in text
    assert fold("train LLM in") in text
    assert fold("we world") not in text


@given(st.text())
def test_folding_is_idempotent_and_has_a_space_at_each_end(text: str) -> None:
    folded = fold(text)
    assert fold(folded) == folded
    assert folded == "" or (folded[0], folded[-1]) == (" ", " ")


def test_every_long_form_is_folded_itself() -> None:
    assert [short for short, long in LONG_FORMS.items() if fold(long) != f" {long} "] == []
    assert [short for short in LONG_FORMS if fold(short) != f" {LONG_FORMS[short]} "] == []
