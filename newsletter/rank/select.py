"""Which of a period's papers may stand in its issue at all."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from newsletter.models import Paper


def unpublished(papers: Iterable[Paper], already_published: AbstractSet[str]) -> list[Paper]:
    """Return the papers that no earlier issue carried, each identity once (the first seen wins).

    Args:
        papers: in the order of the sources.
        already_published: keys (`Paper.key`) of what readers had before; lists do name a paper again days later.
    """
    fresh = {
        paper.key: paper
        for paper in reversed(list(papers))
        if already_published.isdisjoint({paper.key, paper.title_key})  # a source may have told no id then, or now
    }
    return list(reversed(fresh.values()))
