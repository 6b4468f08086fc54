"""How a list stands: what comes next, what waits, what was missed, and when its sources answered last."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from newsletter.models import Cadence, State
from newsletter.parts import Parts
from newsletter.periods import DAY, Slot
from newsletter.store.sources import Heard
from newsletter.store.waiting import Jobs, Waiting

AHEAD = timedelta(days=40)  # in which an issue of each cadence is due
MISSED = timedelta(days=14)  # after which a missed slot is nobody's news
SLOTS = 14  # of a cadence that are looked at


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a list stands at a moment."""

    at: datetime
    next: Mapping[Cadence, datetime]  # when the first reader of each cadence is due
    waiting: Waiting
    in_doubt: int
    missed: tuple[Slot, ...]  # newest first
    sources: tuple[Heard, ...]
    last_issue_at: datetime | None
    senders: int  # processes that send, or wait for work
    lanes: Mapping[str, float]  # copies a second of all of them
    slowed: Mapping[str, float]  # copies a second at most, where a provider asked for that
    jobs: Jobs | None  # where workers send


def standing(parts: Parts) -> Standing:
    """Return how the list stands now; nothing is written.

    Raises:
        DatabaseError: the database failed.
    """
    now = parts.clock()
    moment, lanes = now.timestamp(), defaultdict[str, float](float)
    working = parts.pace.lanes.working(moment)
    for one in working:
        lanes[one.lane or "others"] += round(one.rate, 1)
    doubtful = sum(parts.ledger.tally(key)[State.IN_DOUBT] for key in parts.ledger.in_doubt())
    slots = (slot for cadence in Cadence for slot in parts.slots.newest(cadence, SLOTS))
    return Standing(
        at=now,
        next=next_dues(parts),
        waiting=parts.waiting.now(now),
        in_doubt=doubtful,
        missed=tuple(slot for slot in slots if slot.missed and slot.day >= (now - MISSED).date()),
        sources=tuple(parts.heard.all()),
        last_issue_at=parts.waiting.last_frozen_at(),
        senders=len({one.owner for one in working}),
        lanes=lanes,
        slowed={lane: round(rate, 1) for lane, rate in parts.pace.lanes.slowed(moment).items()},
        jobs=parts.jobs() if parts.jobs else None,
    )


def next_dues(parts: Parts) -> dict[Cadence, datetime]:
    """Return for each cadence that has readers when the first of them is due next."""
    now, dues = parts.clock(), dict[Cadence, datetime]()
    for cadence in Cadence:
        wishes = parts.subscribers.wishes(cadence)
        days = parts.timetable.due_days(cadence, now.date() - DAY, (now + AHEAD).date())
        moments = (min((parts.timetable.moment(day, *wish) for wish in wishes), default=now) for day in days)
        following = next((moment for moment in moments if moment > now), None)
        if wishes and following:
            dues[cadence] = following
    return dues
