"""Pure: the one sentence that says why a stranger should care about a paper."""

import re
from collections.abc import Iterable
from functools import lru_cache

from newsletter.models import Paper
from newsletter.render.text import cut_at_word, sentences, visible

LONGEST = 250  # characters: nine in ten of the recorded summaries fit, and three of them read in half a minute
ACTS = r"propos|introduc|present|show|releas|develop|demonstrat|find|design|build|built|describ|stud(?:y|ies)|argu"
CONTRIBUTION = re.compile(
    rf"^(?!.*\bwe hope\b).*\b(?:we|(?:this|our) (?:paper|work|study|report|article))\b(?:\W+\w+){{0,4}}?\W+(?:{ACTS})",
    re.IGNORECASE,
)
# Openings that lean on a sentence before, which the reader does not see.
CONNECTIVES = (
    "here however therefore thus hence specifically moreover furthermore additionally first finally".split()  # noqa: SIM905 - one line reads better than eleven
)
LEANING = re.compile(
    rf"(?:(?:{'|'.join(CONNECTIVES)}|in addition), "
    r"|[^,.;:]{0,60}\b(?:this|these|such)\b[^,.;:]{0,40}, (?=(?:we|our|this|it)\b)"  # "To address these issues,"
    r"|(?:to|in) (?:fill|bridge|close) [^,.;:]{1,30}, (?=(?:we|our|this|it)\b))",
    re.IGNORECASE,
)
CONTENT_WORD = re.compile(r"\w{4,}")


@lru_cache(maxsize=2048)  # one paper stands in several tiers, and in the copies of many readers
def why_care(paper: Paper, longest: int = LONGEST) -> tuple[str, bool]:
    """Return a sentence of at most `longest` characters, and whether it is the source's summary.

    The first sentence of the source's summary; else the abstract's first sentence that tells a contribution (we
    propose, introduce, show, release); else the abstract's sentence nearest the title. Empty where nothing is known.
    """
    summary = sentences(visible(paper.summary or ""))
    if summary:
        return cut_at_word(summary[0], longest), True
    told = [standing_alone(sentence) for sentence in sentences(visible(paper.abstract or ""))]
    if not told:
        return "", False
    contribution = next((sentence for sentence in told if CONTRIBUTION.search(sentence)), None)
    return cut_at_word(contribution or nearest(visible(paper.title), told), longest), False


def standing_alone(sentence: str) -> str:
    """Return a sentence without the opening that leans on the one before, such as `However,` or `To this end,`."""
    rest = LEANING.sub("", sentence, count=1) if LEANING.match(sentence) else sentence
    return rest[:1].upper() + rest[1:]


def nearest(title: str, told: Iterable[str]) -> str:
    """Return the sentence that shares the largest part of its words with the title; of equals the first."""
    wanted = content_words(title)

    def shared(sentence: str) -> float:
        words = content_words(sentence)
        return len(words & wanted) / (len(words) + 5)  # + 5: a sentence of two words wins nothing by being short

    return max(told, key=shared)


def content_words(text: str) -> set[str]:
    """Return the words of four letters and more, case-folded: the short ones carry no topic."""
    return {word.casefold() for word in CONTENT_WORD.findall(text)}
