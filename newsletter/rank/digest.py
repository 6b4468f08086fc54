"""The digest builder: a period's papers, ranked, without what readers had before, with what the editor decided."""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

from newsletter.models import Curation, Digest, Entry, Paper, Period
from newsletter.rank.base import Ranking
from newsletter.rank.diversity import diversified
from newsletter.rank.rising import bloomers, rise_of
from newsletter.rank.select import unpublished

PICKED, AGAIN = "editor’s pick", "on the list again"


def build_digest(  # noqa: PLR0913 - what a digest is made of, all but three of them by name and with a default
    papers: Iterable[Paper],
    period: Period,
    ranking: Ranking,
    *,
    already_published: AbstractSet[str] = frozenset(),
    earlier: Iterable[Paper] = (),
    curation: Curation = Curation(),  # noqa: B008 - frozen
    size: int = 10,
    diversity: float = 0.0,
) -> Digest:
    """Rank all that a period offers; nothing is cut by number here, see `interests.choose`.

    Late bloomers of earlier days take their place by the ranking; what the editor pinned comes first, in the ranking's
    order. A period without papers of its own has no entries, whatever came before it.

    Args:
        papers: what the sources listed within the period, merged.
        period: the period.
        ranking: the order.
        already_published: keys of papers that an earlier issue carried.
        earlier: papers of the days before, with their readings.
        curation: what the editor pinned and dropped.
        size: how many papers a copy tells; late bloomers, and papers listed again, have to belong to them.
        diversity: as in `diversified`.
    """
    left_out = already_published | curation.dropped
    fresh = unpublished(papers, left_out)
    if not fresh:
        return Digest(period, ())
    own = {paper.key for paper in fresh}
    before = unpublished(earlier, left_out)
    again = {paper.key for paper in before} & own
    older = [paper for paper in before if paper.key not in own]
    pinned = [paper for paper in older if paper.key in curation.pinned]
    late = [paper for paper in bloomers(older, _least_told(fresh, size)) if paper.key not in curation.pinned]
    entries = diversified(ranking.rank([*fresh, *pinned, *late], period), diversity)
    remarks = dict.fromkeys(again, AGAIN) | {paper.key: rise_of(paper) for paper in late}
    remarked = [replace(entry, remark=remarks.get(entry.paper.key, "")) for entry in entries]
    placed = _pinned_first(remarked, curation)
    # A list named them before: once more is news where a copy tells them, and noise below.
    fitting = [entry for place, entry in enumerate(placed) if place < size or entry.paper.key not in again]
    return Digest(period, tuple(replace(entry, rank=rank) for rank, entry in enumerate(fitting, start=1)))


def _least_told(papers: Sequence[Paper], size: int) -> int:
    """Return the votes of the last paper that a copy tells, 0 if all are told."""
    votes = sorted((paper.upvotes or 0 for paper in papers), reverse=True)
    return votes[size - 1] if len(votes) >= size else 0


def _pinned_first(entries: Iterable[Entry], curation: Curation) -> list[Entry]:
    notes = curation.pinned
    marked = [
        replace(entry, remark=PICKED, note=notes[entry.paper.key], reason=f"{PICKED}; {entry.reason}")
        if entry.paper.key in notes
        else entry
        for entry in entries
    ]
    return sorted(marked, key=lambda entry: entry.remark != PICKED)
