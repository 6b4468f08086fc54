"""One reader's cut of a digest."""

import re
from collections.abc import Iterable

from newsletter.models import Entry, Issue, Paper, Preferences


def choose(issue: Issue, preferences: Preferences) -> tuple[Entry, ...]:
    """Return the entries that a reader's copy tells in full, best first, at most as many as the issue allows.

    An excluded word drops a paper. An included word lifts it above those without one, whatever their votes; inside
    either group the digest's order stands. Words match whole and case-folded, so `rl` never hits `world`. Papers under
    the issue's `min_votes` are told only to readers whose word they hold; unknown votes pass.
    """
    wanted, unwanted = _pattern(preferences.include), _pattern(preferences.exclude)
    lifted: list[Entry] = []
    others: list[Entry] = []
    for entry in issue.digest.entries:
        text = searchable(entry.paper)
        if unwanted and unwanted.search(text):
            continue
        if wanted and wanted.search(text):
            lifted.append(entry)
        elif entry.paper.upvotes is None or entry.paper.upvotes >= issue.min_votes:
            others.append(entry)
    return tuple((lifted + others)[: issue.size])


def searchable(paper: Paper) -> str:
    """Return the text that a reader's words are looked for in, case-folded."""
    parts = [paper.title, paper.abstract, paper.summary, paper.organization, *(paper.authors or ())]
    return "\n".join([part for part in parts if part] + list(paper.keywords or ())).casefold()


def _pattern(words: Iterable[str]) -> re.Pattern[str] | None:
    folded = [r"\s+".join(map(re.escape, word.casefold().split())) for word in words if word.strip()]
    return re.compile(rf"(?<!\w)(?:{'|'.join(folded)})(?!\w)") if folded else None
