"""One reader's cut of a digest."""

from collections.abc import Callable, Iterable, Sequence
from functools import cache, lru_cache

from newsletter.models import Entry, Issue, Paper, Pick, Preferences
from newsletter.rank.folding import fold

MOST_KEPT = 4096  # cuts of one issue; most readers share theirs

Cut = Callable[[Preferences], tuple[Pick, ...]]


def choose(issue: Issue, preferences: Preferences) -> tuple[Pick, ...]:
    """Return the papers that a reader's copy tells, best first, as many as the reader asked for, else as the issue has.

    An excluded word drops a paper. An included word lifts it above those without one, whatever their votes; inside
    either group the digest's order stands. A word may be a phrase, an author or an organisation, and is looked for as
    whole words, folded (see `fold`). Where fewer papers match than are wanted, the top of the rest follows, unless the
    reader (or else the list) wants only matches. Papers under the issue's `min_votes` are told only to readers whose
    word they hold; unknown votes pass.

    Returns:
        No paper at all if nothing matches and only matches are wanted, or everything is excluded.
    """
    return chooser(issue)(preferences)


def chooser(issue: Issue) -> Cut:
    """Return `choose` for one issue: its papers are folded once, and equal preferences are decided once."""
    entries = issue.digest.entries
    texts = cache(lambda: [fold(searchable(entry.paper)) for entry in entries])
    told = [entry.paper.upvotes is None or entry.paper.upvotes >= issue.min_votes for entry in entries]

    @lru_cache(maxsize=MOST_KEPT)
    def cut(include: tuple[str, ...], exclude: tuple[str, ...], papers: int, *, only_matches: bool) -> tuple[Pick, ...]:
        wanted, unwanted = _folded(include), _folded(exclude)
        searched = texts() if wanted or unwanted else [""] * len(entries)
        lifted, others = [], []
        for entry, text, worth in zip(entries, searched, told, strict=True):
            if _first_in(text, unwanted) is not None:
                continue
            match = _first_in(text, wanted)
            if match is not None:
                lifted.append(Pick(entry.rank, match))
            elif worth and not (wanted and only_matches):
                others.append(_unmatched(entry, wanted))
        return tuple((lifted + others)[:papers])

    def choice(preferences: Preferences) -> tuple[Pick, ...]:
        only = issue.only_matches if preferences.only_matches is None else preferences.only_matches
        papers = preferences.papers or issue.size
        return cut(preferences.include, preferences.exclude, papers, only_matches=only)

    return choice


def searchable(paper: Paper) -> str:
    """Return the text that a reader's words are looked for in; nothing matches across the end of one of its lines."""
    parts = [paper.title, paper.abstract, paper.summary, paper.organization, *(paper.authors or ())]
    return f" {FENCE}\n".join([part for part in parts if part] + list(paper.keywords or ()))


FENCE = "0fence0"  # a word that no reader asks for


def _folded(words: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Return each word with its folded form; what holds no word at all is passed over."""
    return tuple((folded, word) for word in words if (folded := fold(word)))


def _first_in(text: str, words: Sequence[tuple[str, str]]) -> str | None:
    """Return the first of the reader's words that a folded text holds, as the reader wrote it."""
    return next((word for folded, word in words if folded in text), None)


def _unmatched(entry: Entry, wanted: Sequence[tuple[str, str]]) -> Pick:
    return Pick(entry.rank, "" if wanted else None)
