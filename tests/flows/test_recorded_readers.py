"""Twenty readers with interests of every kind, on each recorded day: what they get, and why."""

import os
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from newsletter.models import Entry, Issue, Paper, Pick, Preferences
from newsletter.rank.interests import choose
from newsletter.render.words import filled_of

TABLE = Path(__file__).parent.parent.parent / "docs/interests.md"
HEAD = """# Twenty readers

What interests find on the recorded list days, at most ten papers a copy: how many papers with one of the words a copy
had in the mean, on how many of the days there was none, and the words that matched, most often first. A test writes
this table anew and compares (`NEWSLETTER_TEST_WRITE=1 make test` keeps what it wrote).

| include | exclude | only matches | a copy has | days without | what matched |
| --- | --- | --- | ---: | ---: | --- |
"""

READERS = [
    Preferences(),
    Preferences(papers=3),
    Preferences(include=("LLM",)),
    Preferences(include=("large language models",), papers=5),
    Preferences(include=("rl",)),
    Preferences(include=("agents",)),
    Preferences(include=("agents", "reasoning"), exclude=("video",)),
    Preferences(include=("diffusion",), exclude=("robots", "LLMs")),
    Preferences(include=("video generation",), only_matches=True),
    Preferences(include=("protein",), only_matches=True),
    Preferences(include=("Google DeepMind", "NVIDIA")),
    Preferences(include=("Yoshua Bengio",), only_matches=True),
    Preferences(exclude=("benchmark",)),
    Preferences(exclude=("LLMs", "language models", "video", "image"), papers=20),
    Preferences(include=("RAG", "retrieval"), papers=4),
    Preferences(include=("fine-tuning",)),
    Preferences(include=("vision-language",), exclude=("agents",)),
    Preferences(include=("3D", "Gaussian splatting"), papers=100),
    Preferences(include=("C++",), only_matches=True),
    Preferences(include=("quantum", "medical", "chemistry"), exclude=("survey",)),
]

Cuts = list[dict[date, tuple[Pick, ...]]]  # of each reader

# What each word may be written as in a paper, told apart from the program's own folding.
SPELLED = {
    "LLM": r"M?LLMs?|large[\W_]+language[\W_]+models?",
    "LLMs": r"M?LLMs?|large[\W_]+language[\W_]+models?",
    "large language models": r"M?LLMs?|large[\W_]+language[\W_]+models?",
    "language models": r"LLMs?|VLMs?|MLLMs?|LVLMs?|SLMs?|language[\W_]+models?",
    "rl": r"RL|RLVR|RLHF|reinforcement[\W_]+learning",
    "agents": r"agents?",
    "diffusion": r"diffusions?|DiTs?",
    "vision-language": r"VLMs?|LVLMs?|VLAs?|vision[\W_]+languages?",
    "robots": r"robots?",
    "benchmark": r"benchmarks?",
    "RAG": r"RAGs?|retrieval[\W_]+augmented[\W_]+generations?",
    "fine-tuning": r"SFT|fine[\W_]*tunings?",
    "survey": r"surveys?",
    "image": r"images?|t2is?",
    "video": r"videos?|t2vs?",
    "protein": r"proteins?",
}


@pytest.fixture(scope="module")
def cuts(issues: dict[date, Issue]) -> Cuts:
    return [{day: choose(issue, reader) for day, issue in issues.items()} for reader in READERS]


def entries(issue: Issue, choice: tuple[Pick, ...]) -> list[Entry]:
    by_rank = {entry.rank: entry for entry in issue.digest.entries}
    return [replace(by_rank[pick.rank], match=pick.match) for pick in choice]


def text_of(paper: Paper) -> str:
    told = [
        paper.title,
        paper.abstract,
        paper.summary,
        paper.organization,
        *(paper.authors or ()),
        *(paper.keywords or ()),
    ]
    return " \n ".join(filter(None, told))


def holds(paper: Paper, word: str) -> bool:
    pattern = SPELLED.get(word, re.escape(word).replace(r"\ ", r"[\W_]+").replace(r"\-", r"[\W_]+"))
    return bool(re.search(rf"(?<![^\W_])(?:{pattern})(?![^\W_])", text_of(paper), re.IGNORECASE))


def every(issues: dict[date, Issue], cuts: Cuts) -> Iterator[tuple[Issue, Preferences, list[Entry]]]:
    for reader, by_day in zip(READERS, cuts, strict=True):
        for day, choice in by_day.items():
            yield issues[day], reader, entries(issues[day], choice)


def test_a_copy_holds_matches_first_and_nothing_excluded(issues: dict[date, Issue], cuts: Cuts) -> None:
    assert len(issues) == 46
    assert len(READERS) == 20
    for issue, reader, told in every(issues, cuts):
        hits = [entry for entry in told if entry.match]
        assert told[: len(hits)] == hits
        for group in (hits, told[len(hits) :]):
            assert [entry.rank for entry in group] == sorted(entry.rank for entry in group)
        assert all(holds(entry.paper, entry.match or "") for entry in hits), (issue.key, reader)
        assert not [entry for entry in told for word in reader.exclude if holds(entry.paper, word)], (issue.key, reader)


def test_a_copy_is_filled_from_the_top_and_misses_no_match(issues: dict[date, Issue], cuts: Cuts) -> None:
    for issue, reader, told in every(issues, cuts):
        allowed = [
            entry for entry in issue.digest.entries if not any(holds(entry.paper, word) for word in reader.exclude)
        ]
        matching = [entry.rank for entry in allowed if any(holds(entry.paper, word) for word in reader.include)]
        others = [entry.rank for entry in allowed if entry.rank not in matching]
        wanted = matching if reader.only_matches else matching + others
        assert [entry.rank for entry in told] == wanted[: reader.papers or issue.size], (issue.key, reader)


def test_a_copy_says_where_its_matches_end(issues: dict[date, Issue], cuts: Cuts) -> None:
    for _issue, reader, told in every(issues, cuts):
        hits = sum(bool(entry.match) for entry in told)
        said = filled_of(told)
        if not reader.include or hits == len(told):
            assert said == ""
        elif hits:
            assert said.startswith(f"{hits} of these ha")
        else:
            assert said.startswith("No paper here has one of your words")


def test_the_table_of_readers_is_up_to_date(cuts: Cuts) -> None:
    rows = []
    for reader, by_day in zip(READERS, cuts, strict=True):
        matches = [[pick.match for pick in choice if pick.match] for choice in by_day.values()]
        found = [word for day in matches for word in day]
        words = sorted({*found}, key=lambda word: (-found.count(word), word))
        mean = f"{len(found) / len(by_day):.1f} of {sum(map(len, by_day.values())) / len(by_day):.1f}"
        none = str(sum(not day for day in matches)) if reader.include else ""
        cells = [
            ", ".join(reader.include),
            ", ".join(reader.exclude),
            "yes" if reader.only_matches else "",
            mean,
            none,
            ", ".join(words),
        ]
        rows.append(f"| {' | '.join(cells)} |\n")
    written = HEAD + "".join(rows)
    if os.environ.get("NEWSLETTER_TEST_WRITE"):
        TABLE.write_text(written)
    assert TABLE.read_text() == written
