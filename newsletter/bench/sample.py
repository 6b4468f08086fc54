"""The issue that `newsletter bench send` hands over, who sends it, and its readers: the same for every contender."""

from collections.abc import Iterator
from dataclasses import replace

from newsletter.bench.render import DAY, sample_issue
from newsletter.links import Links
from newsletter.models import Issue, Message, Pick, Preferences, Subscriber
from newsletter.rank.interests import choose
from newsletter.render.compiled import CompiledIssue
from newsletter.render.message import Letterhead
from newsletter.render.templates import Templates
from newsletter.settings import bundled

TOLD = 15  # papers told in full: a copy of about 45 KB, as large as such mails get
LETTERHEAD = Letterhead("Papers", "papers@example.org", None, "Trending Papers", "papers.example.org")
LINKS = Links("papers", "bench", "example.org", "papers@example.org", "https://news.example.org")


def templates() -> Templates:
    """Return the shipped templates."""
    return Templates([bundled("templates")])


def issue() -> Issue:
    """Return the issue."""
    return replace(sample_issue(), size=TOLD, full=TOLD)


def choice(made: Issue) -> tuple[Pick, ...]:
    """Return the papers of every copy: no reader asks for anything of their own."""
    return choose(made, Preferences())


def compiled(by: Templates) -> CompiledIssue:
    """Return the issue compiled."""
    return CompiledIssue(issue(), by, LETTERHEAD, LINKS)


def readers(number: int) -> Iterator[Subscriber]:
    """Yield so many readers, each with an address of their own."""
    return (Subscriber(address=f"reader{n}@example.org", name=f"Reader {n}", id=n) for n in range(1, number + 1))


def one_copy() -> Message:
    """Return the first reader's copy."""
    made = compiled(templates())
    return made.message_for(next(readers(1)), choice(made.issue), date=DAY)
