"""The digest builder: a period's papers, ranked, with what readers had before taken out."""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from newsletter.models import Digest, Paper, Period
from newsletter.rank.base import Ranking
from newsletter.rank.select import unpublished


def build_digest(
    papers: Iterable[Paper], period: Period, ranking: Ranking, *, already_published: AbstractSet[str] = frozenset()
) -> Digest:
    """Rank all that a period offers; nothing is cut by number here, see `interests.choose`.

    Args:
        papers: what the sources listed within the period, merged.
        period: the period.
        ranking: the order.
        already_published: keys of papers that an earlier issue carried.
    """
    return Digest(period, tuple(ranking.rank(unpublished(papers, already_published), period)))
