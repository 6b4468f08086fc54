"""Nouns for tests, each a whole valid thing with only what the test speaks of spelled out."""

from datetime import UTC, date, datetime
from typing import Any

from newsletter.models import Cadence, Digest, Entry, Issue, Message, Paper, Period, Pick, Preferences, Subscriber

DAY = date(2025, 12, 25)
NOON = datetime(2025, 12, 25, 12, tzinfo=UTC)


def a_paper(number: int = 1, **fields: Any) -> Paper:
    """Return a paper that differs from others by its number."""
    given: dict[str, Any] = {
        "title": f"Paper number {number}",
        "arxiv_id": f"2512.{number:05}",
        "abstract": f"We show that the number {number} matters. It matters a lot.",
        "authors": ("Ada Lovelace", "Alan Turing"),
        "author_count": 2,
        "published_on": DAY,
        "listed_on": DAY,
        "upvotes": 10,
        "comment_count": 1,
        "source": "sample",
        "url": f"https://huggingface.co/papers/2512.{number:05}",
    }
    return Paper(**(given | fields))


def a_reader(name: str = "ada", **preferences: Any) -> Subscriber:
    """Return an active subscriber at example.org."""
    return Subscriber(address=f"{name}@example.org", name=name.title(), preferences=Preferences(**preferences))


def an_issue(papers: int | list[Paper] = 3, *, day: date = DAY, size: int = 10, list_id: str = "papers") -> Issue:
    """Return a daily issue of so many papers, in order."""
    listed = [a_paper(n, upvotes=100 - n) for n in range(1, papers + 1)] if isinstance(papers, int) else papers
    entries = tuple(Entry(paper, rank, "placed by the test") for rank, paper in enumerate(listed, start=1))
    digest = Digest(Period(Cadence.DAILY, day, day), entries)
    return Issue(list_id=list_id, title="Trending Papers", digest=digest, size=size)


def picks(*ranks: int) -> tuple[Pick, ...]:
    """Return a choice of papers that no word of the reader lifted."""
    return tuple(map(Pick, ranks))


def a_message(number: int = 1, content: bytes = b"Subject: hello\r\n\r\nbody\r\n") -> Message:
    """Return a small message to its own reader."""
    return Message(f"m{number}@example.org", "news@example.org", f"reader{number}@example.org", content)
