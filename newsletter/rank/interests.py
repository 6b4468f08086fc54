"""One reader's cut of a digest."""

import re
from collections.abc import Iterable

from newsletter.models import Issue, Paper, Pick, Preferences


def choose(issue: Issue, preferences: Preferences) -> tuple[Pick, ...]:
    """Return the papers that a reader's copy tells, best first, as many as the reader asked for, else as the issue has.

    An excluded word drops a paper. An included word lifts it above those without one, whatever their votes; inside
    either group the digest's order stands. Words match whole and case-folded, so `rl` never hits `world`. Papers under
    the issue's `min_votes` are told only to readers whose word they hold; unknown votes pass.
    """
    as_written = {_folded(word): word for word in preferences.include}
    wanted, unwanted = _pattern(preferences.include), _pattern(preferences.exclude)
    lifted: list[Pick] = []
    others: list[Pick] = []
    for entry in issue.digest.entries:
        text = searchable(entry.paper)
        if unwanted and unwanted.search(text):
            continue
        if wanted and (found := wanted.search(text)):
            lifted.append(Pick(entry.rank, as_written[_folded(found[0])]))
        elif entry.paper.upvotes is None or entry.paper.upvotes >= issue.min_votes:
            others.append(Pick(entry.rank))
    return tuple((lifted + others)[: preferences.papers or issue.size])


def searchable(paper: Paper) -> str:
    """Return the text that a reader's words are looked for in, case-folded."""
    parts = [paper.title, paper.abstract, paper.summary, paper.organization, *(paper.authors or ())]
    return "\n".join([part for part in parts if part] + list(paper.keywords or ())).casefold()


def _pattern(words: Iterable[str]) -> re.Pattern[str] | None:
    folded = [r"\s+".join(map(re.escape, _folded(word).split())) for word in words if word.strip()]
    return re.compile(rf"(?<!\w)(?:{'|'.join(folded)})(?!\w)") if folded else None


def _folded(word: str) -> str:
    return " ".join(word.casefold().split())
