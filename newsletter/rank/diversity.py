"""No topic fills the top: a crowded topic's paper lets another pass that has nearly as many votes."""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace

from newsletter.models import Entry
from newsletter.rank.sections import topic_of

MOST = 3  # papers of one topic ...
AMONG = 5  # ... among so many in a row


def diversified(entries: Sequence[Entry], cost: float) -> list[Entry]:
    """Return the entries with no more than three of five in a row on one topic, where that costs little.

    Where a place would go to a fourth paper of its topic, it goes to the next paper on something else, if that one has
    at least (1 - cost) of the votes of the paper it passes; its reason says what it passed and by how many votes. Else
    the order stays. Papers whose votes are unknown pass each other only at equal comments, and never those with votes.

    Args:
        entries: ranked.
        cost: the share of a paper's votes that may be passed over, from 0 (the order stays) to 1.
    """
    if not cost:
        return list(entries)
    topics = {entry.rank: topic_of(entry.paper) for entry in entries}
    last: deque[str] = deque(maxlen=AMONG - 1)
    rest = list(entries)
    placed: list[Entry] = []
    while rest:
        first = rest[0]
        chosen = first
        if _crowded(last, topics[first.rank]):
            chosen = next(
                (entry for entry in rest if not _crowded(last, topics[entry.rank]) and _may_pass(entry, first, cost)),
                first,
            )
        rest.remove(chosen)
        last.append(topics[chosen.rank])
        placed.append(chosen if chosen is first else _explained(chosen, first, topics[first.rank]))
    return placed


def _crowded(last: Sequence[str], topic: str) -> bool:
    return bool(topic) and list(last).count(topic) >= MOST


def _may_pass(entry: Entry, first: Entry, cost: float) -> bool:
    votes, passed = entry.paper.upvotes, first.paper.upvotes
    if votes is None or passed is None:
        return votes is passed and entry.paper.comment_count == first.paper.comment_count
    return votes >= (1 - cost) * passed


def _explained(entry: Entry, passed: Entry, topic: str) -> Entry:
    votes = (passed.paper.upvotes or 0) - (entry.paper.upvotes or 0)
    fewer = f" with {votes} more" if votes > 0 else ""
    return replace(entry, reason=f"{entry.reason}; before “{topic}”{fewer}, for variety")
