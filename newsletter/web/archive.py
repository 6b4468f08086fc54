"""What went out, for everybody to read: cards for lists, pages as they were sent, feed items. Frozen, so kept ready."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from newsletter.copies import Pieces, compile_issue
from newsletter.models import Issue, Pick, Preferences
from newsletter.parts import Parts
from newsletter.periods import parse_key
from newsletter.rank.interests import choose
from newsletter.render.feed import Item, content_of
from newsletter.render.text import clip, visible
from newsletter.render.words import day_line, subject_of, title_of

FRESH = 3.0  # seconds for which the list of issues is not asked for again
ON_A_PAGE = 30
ALSO = 160  # characters of a card's second line
MOST_CARDS = 4000
MOST_PAGES = 64  # each is some 50 KB


@dataclass(frozen=True, slots=True)
class Card:
    """One issue in a list: its key, its days in words, its lead paper, and what else it tells."""

    key: str
    day: str
    lead: str
    also: str

    @property
    def path(self) -> str:
        """Where it can be read."""
        return f"/issues/{self.key}"


class Archive:
    """The issues of a list that went out, newest first; safe to share between threads."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._lock = threading.Lock()
        self._keys: Sequence[str] = ()
        self._asked = -FRESH
        # Nothing of a frozen issue changes, so what was made of it once is good for ever.
        self.card = lru_cache(MOST_CARDS)(self._card)
        self.page = lru_cache(MOST_PAGES)(self._page)
        self.item = lru_cache(MOST_PAGES)(self._item)

    def issues(self) -> Sequence[str]:
        """Return the keys of the issues that went out, newest first."""
        with self._lock:
            if time.monotonic() - self._asked >= FRESH:
                self._keys = sorted(self._parts.issues.keys(), key=_order, reverse=True)
                self._asked = time.monotonic()
            return self._keys

    def has(self, key: str) -> bool:
        """Whether this issue went out."""
        return parse_key(key) is not None and (key in self.issues() or self._parts.issues.find(key) is not None)

    def cards(self, page: int) -> list[Card]:
        """Return a page of the archive, counted from 1."""
        return [self.card(key) for key in self.issues()[(page - 1) * ON_A_PAGE : page * ON_A_PAGE]]

    @property
    def pages(self) -> int:
        """How many pages the archive has."""
        return max(1, -(-len(self.issues()) // ON_A_PAGE))

    def beside(self, key: str) -> tuple[str | None, str | None]:
        """Return the issues before and after one, of the same cadence."""
        alike = [one for one in self.issues() if one.partition("/")[0] == key.partition("/")[0]]
        if key not in alike:
            return None, None
        at = alike.index(key)
        return (alike[at + 1] if at + 1 < len(alike) else None), (alike[at - 1] if at else None)

    def _card(self, key: str) -> Card:
        issue = self._issue(key)
        told = {pick.rank for pick in _everybodys(issue)}
        titles = [visible(title_of(entry)) for entry in issue.digest.entries if entry.rank in told]
        lead = issue.wording.subject or (titles[0] if titles else "No new papers")
        return Card(key, day_line(issue.digest.period), visible(lead), clip("; ".join(titles[1:]), ALSO))

    def _page(self, key: str) -> str:
        """Return the mail that went out, without what is a reader's own."""
        issue = self._issue(key)
        kept = Pieces(self._parts.issues, key, read_only=True)
        return compile_issue(self._parts, issue, kept).page(_everybodys(issue)).html

    def _item(self, key: str) -> Item:
        issue = self._issue(key)
        told = [pick.rank for pick in _everybodys(issue)]
        entries = [entry for entry in issue.digest.entries if entry.rank in told]
        return Item(
            url=self._parts.links.issue_url(key),
            at=self._parts.issues.frozen_at(key),
            title=f"{day_line(issue.digest.period)}: {subject_of(issue, entries)}",
            summary=self.card(key).also,
            content=content_of(issue, told),
        )

    def _issue(self, key: str) -> Issue:
        issue = self._parts.issues.find(key)
        if issue is None:
            raise LookupError(key)
        return issue


def _everybodys(issue: Issue) -> tuple[Pick, ...]:
    return choose(issue, Preferences())


def _order(key: str) -> tuple[str, str]:
    period = parse_key(key)
    return (period.end.isoformat() if period else "", key)
