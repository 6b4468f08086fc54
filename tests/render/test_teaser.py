"""The sentence that says why a paper matters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.render.teaser import LONGEST, why_care
from tests.make import a_paper

BACKGROUND = "Lenses are old. They have been studied for long."


def test_the_sources_summary_comes_first_and_is_told_to_be_one() -> None:
    paper = a_paper(summary="Glass that thinks. It also sings.", abstract="We propose much more.")
    assert why_care(paper) == ("Glass that thinks.", True)


@pytest.mark.parametrize(
    ("abstract", "told"),
    [
        (f"{BACKGROUND} We propose PrismNet, a lens. It works.", "We propose PrismNet, a lens."),
        (f"{BACKGROUND} In this paper, we introduce a lens.", "We introduce a lens."),
        (f"{BACKGROUND} To address these issues, we present a lens.", "We present a lens."),
        (f"{BACKGROUND} This work shows that glass bends.", "This work shows that glass bends."),
        (f"{BACKGROUND} We are thereby able to release a lens.", "We are thereby able to release a lens."),
        (
            f"{BACKGROUND} To bridge data, model and test, we show a lens.",
            "To bridge data, model and test, we show a lens.",
        ),
        (f"{BACKGROUND} We hope that our study can help. Here, we find glass.", "We find glass."),
    ],
)
def test_else_the_first_contribution_stands_alone(abstract: str, told: str) -> None:
    assert why_care(a_paper(summary=None, abstract=abstract)) == (told, False)


def test_else_the_sentence_nearest_the_title_is_taken() -> None:
    abstract = "Glass is old. Curved mirrors for telescopes gather light. It rains."
    told, summarized = why_care(a_paper(title="Mirrors for telescopes", summary=None, abstract=abstract))
    assert (told, summarized) == ("Curved mirrors for telescopes gather light.", False)


def test_nothing_is_invented() -> None:
    assert why_care(a_paper(summary=None, abstract=None)) == ("", False)
    assert why_care(a_paper(summary=" ", abstract=" ")) == ("", False)


@given(st.text(max_size=900), st.text(max_size=900))
def test_a_sentence_fits_whatever_a_paper_holds(summary: str, abstract: str) -> None:
    told, _ = why_care(a_paper(summary=summary, abstract=abstract))
    assert len(told) <= LONGEST
