"""Papers of earlier days that go on gaining votes: the reason to look again tomorrow."""

from collections.abc import Iterable, Mapping
from datetime import date

from newsletter.models import Paper, Riser

MOST = 3  # papers that are named as rising
LEAST_GAIN = 5  # votes: less is noise


def risers(papers: Iterable[Paper], seen: Mapping[str, tuple[date, int]]) -> tuple[Riser, ...]:
    """Return the papers that gained most since they were first seen, most first; of equals by title.

    Args:
        papers: papers of earlier days as they stand now.
        seen: for each paper's key, the day and the votes of its first observation.
    """
    gained = [
        Riser(paper, paper.upvotes - seen[paper.key][1], seen[paper.key][0])
        for paper in papers
        if paper.upvotes is not None and paper.key in seen
    ]
    risen = [riser for riser in gained if riser.gained >= LEAST_GAIN]
    return tuple(sorted(risen, key=lambda riser: (-riser.gained, riser.paper.title))[:MOST])
