"""Papers that go on gaining votes after their day: the reason to look again tomorrow."""

from collections.abc import Iterable

from newsletter.models import Observation, Paper, Riser

MOST = 3  # papers that are named as rising
LEAST_NAMED = 5  # votes: less is noise
MOST_BLOOMERS = 2  # papers of earlier days that are told beside those of the day
LEAST_GAIN, LEAST_RISE = 10, 1.5  # votes gained, and votes now by votes at first: then a paper rose


def first_votes(paper: Paper) -> Observation | None:
    """Return a paper's first reading that has votes, or None."""
    return next((seen for seen in paper.observations if seen.upvotes is not None), None)


def gained(paper: Paper) -> int | None:
    """Return the votes a paper gained since they were first read, or None where they were not."""
    first = first_votes(paper)
    if first is None or first.upvotes is None or paper.upvotes is None:
        return None
    return paper.upvotes - first.upvotes


def since_yesterday(paper: Paper) -> int | None:
    """Return the votes gained since the last reading of an earlier day (UTC), or None where there is none."""
    timed = [seen for seen in paper.observations if seen.upvotes is not None]
    if not timed or timed[-1].upvotes is None:
        return None
    today = timed[-1].seen_at.date()
    before = next((seen.upvotes for seen in reversed(timed) if seen.seen_at.date() < today), None)
    return None if before is None else timed[-1].upvotes - before


def rose(paper: Paper) -> bool:
    """Whether much of a paper's votes came after it was first read."""
    gain = gained(paper)
    if gain is None or paper.upvotes is None:
        return False
    return gain >= LEAST_GAIN and paper.upvotes >= LEAST_RISE * (paper.upvotes - gain)


def rise_of(paper: Paper) -> str:
    """Return what readers are told of a paper that rose."""
    return f"rose by {gained(paper)} after its day"


def risers(papers: Iterable[Paper]) -> tuple[Riser, ...]:
    """Return the papers that gained most since they were first read, most first; of equals by title.

    Args:
        papers: papers of earlier days, with their readings.
    """
    risen = []
    for paper in papers:
        gain, first = gained(paper), first_votes(paper)
        if gain is not None and first and gain >= LEAST_NAMED:
            risen.append(Riser(paper, gain, first.seen_at.date()))
    return tuple(sorted(risen, key=lambda riser: (-riser.gained, riser.paper.title))[:MOST])


def bloomers(earlier: Iterable[Paper], least: int) -> list[Paper]:
    """Return the papers of earlier days that rose, at most two, those that gained most; of equals by key.

    Args:
        earlier: papers that no issue told yet, with their readings.
        least: votes that place a paper among those an issue tells today.
    """
    late = [paper for paper in earlier if rose(paper) and (paper.upvotes or 0) >= least]
    return sorted(late, key=lambda paper: (-(gained(paper) or 0), paper.key))[:MOST_BLOOMERS]
