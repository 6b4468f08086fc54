"""The copies that are claimed and wait for a connection, shared by all connections of a process.

Every draw asks three paces (the list's, the relay's, the domain's), the shares of the relays and whose domain has
connections to spare; what may not go yet waits aside, so that a slow domain or relay holds up no other.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

from newsletter.errors import RelayError
from newsletter.models import Delivery, Outcome, Subscriber
from newsletter.send.lanes import LANE_OF, Lanes
from newsletter.send.pace import FREE, Meter
from newsletter.send.relays import PATIENCE, Health, drawn, within_share
from newsletter.settings.sending import LimitSettings
from newsletter.store.ledger import LEASE, Choose, Claimant, Ledger
from newsletter.store.limits import LimitStore

BATCH = 20  # claimed and not yet sent, per connection: what a power loss can put in doubt
NO_LIMIT = 10**9
NAP = 1.0  # seconds after which a waiting connection looks again, whatever it was told


@dataclass(frozen=True, slots=True)
class DomainPace:
    """A recipient domain's pace, and how many connections may carry its messages at once."""

    meter: Meter = FREE
    connections: int = NO_LIMIT


@dataclass(frozen=True, slots=True)
class Pace:
    """What slows sending down, besides the relays' own paces: the list's, and some domains'."""

    overall: Meter = FREE
    domains: Mapping[str, DomainPace] = field(default_factory=dict)
    lanes: Lanes = field(default_factory=Lanes)

    @property
    def lane_of(self) -> dict[str, str]:
        """The lane of each domain that is not in everybody's: a provider's, or its own where it has its own pace."""
        return LANE_OF | {domain: domain for domain in self.domains}

    @classmethod
    def of(cls, limits: LimitSettings, store: LimitStore, list_id: str) -> Self:
        """Read it from the settings."""
        reserve = store.reserve
        domains = {
            name: DomainPace(Meter.of(f"domain {name}", limit, reserve), limit.connections or NO_LIMIT)
            for name, limit in limits.domains.items()
        }
        return cls(Meter.of("all", limits, reserve), domains, Lanes(store, list_id))


@dataclass(frozen=True, slots=True)
class Work:
    """A claimed copy, its reader, and the lane it came from."""

    delivery: Delivery
    reader: Subscriber
    lane: "_Lane"
    stale_at: datetime  # claim it anew from then on, before its lease runs out


@dataclass(slots=True, eq=False)
class _Lane:
    """The copies of one domain that keeps its own pace, or of all others."""

    name: str
    pace: DomainPace
    waiting: deque[Work] = field(default_factory=deque)
    in_flight: int = 0
    claiming: bool = False
    exhausted: bool = False  # nothing more is due

    def first_for(self, relay: Health) -> Work | None:
        """Return the first copy that may go through this relay."""
        return next((work for work in self.waiting if not _pinned_elsewhere(work.delivery, relay)), None)


@dataclass(kw_only=True)
class Supply:
    """Claims copies of one issue and hands them to the connections.

    Args:
        ledger: where they are claimed.
        issue: the issue.
        me: who claims.
        choose: the papers that a reader's copy tells.
        clock: the present moment, aware.
        relays: all relays of this run.
        pace: how fast messages may go.
        connections: how many draw.
        limit: draw no more than these, for a canary.
    """

    ledger: Ledger
    issue: str
    me: Claimant
    choose: Choose
    clock: Callable[[], datetime]
    relays: Sequence[Health]
    pace: Pace
    connections: int
    limit: int = NO_LIMIT
    stopped: bool = False

    def __post_init__(self) -> None:
        self._changed = threading.Condition()
        self._chunk = max(1, self.connections * BATCH // 2)
        lanes = self.ledger.lanes(self.issue)
        self._lanes = [_Lane(name, self.pace.domains.get(name, DomainPace())) for name in lanes]
        self._in_flight = 0

    def draw(self, relay: Health, connection: object, patience: float = math.inf) -> Work | None:
        """Return the next copy for a relay; each must come back through `done` or `put_back`.

        Args:
            relay: the relay that it is for.
            connection: who asks; one alone tries a relay that has rested, until it is `answered`, `failed` or `tried`.
            patience: seconds to wait for a copy that may go; zero does not wait.

        Returns:
            None when the work is at an end, the relay is given up, or patience has ended.

        Raises:
            DatabaseError: no more could be claimed.
        """
        until = time.monotonic() + patience
        with self._changed:
            while not self.stopped:
                now = self.clock()
                if lane := next(filter(self._wants_more, self._lanes), None):
                    self._fill(lane, now)
                    continue
                work, pause = self._look(relay, connection, now)
                left = until - time.monotonic()
                if work or left <= 0 or self._at_an_end(relay):
                    return work
                self._changed.wait(min(pause, left))
        return None

    def done(self, work: Work, *, again: bool = False) -> None:
        """Take note that a copy came to rest or, `again`, that it waits to be claimed anew."""
        with self._changed:
            if again:
                self.limit += 1
                work.lane.exhausted = False
            self._landed(work)

    def put_back(self, work: Work) -> None:
        """Take back a copy whose dot was not written; another connection may have it."""
        with self._changed:
            self.limit += 1
            work.lane.waiting.appendleft(work)
            self._landed(work)
            self._changed.notify()

    def extend(self, number: int) -> None:
        """Hand out so many copies more than were asked for so far, also of what has become due since."""
        with self._changed:
            self.limit += number
            for lane in self._lanes:
                lane.exhausted = False
            self._changed.notify_all()

    def answered(self, relay: Health) -> None:
        """Take note that a relay answered to a message."""
        with self._changed:
            if relay.rests_until:
                self._changed.notify_all()
            relay.answered(self.clock())

    def failed(self, relay: Health, fault: RelayError) -> bool:
        """Take note that a relay failed; return whether the connection may come back, as `Health.failed`."""
        with self._changed:
            self._changed.notify_all()
            return relay.failed(fault, self.clock())

    def tried(self, relay: Health, connection: object) -> None:
        """Take note that a connection ended without a fault; if it was to try the relay, another may do so now."""
        with self._changed:
            if relay.prober is connection:
                relay.prober = None
                self._changed.notify_all()

    def stop(self) -> None:
        """Hand out nothing more."""
        with self._changed:
            self.stopped = True
            self._changed.notify_all()

    def give_back(self) -> None:
        """Return to the ledger what was claimed and not drawn."""
        for lane in self._lanes:
            self._release(lane)

    def heard(self, work: Work, outcome: Outcome) -> None:
        """Take note of what a copy's provider answered."""
        if outcome.code is not None:
            self.pace.lanes.answered(work.lane.name, outcome, self.clock().timestamp())

    @property
    def finished(self) -> bool:
        """Whether all that is due, or was asked for, came to rest."""
        empty = all(lane.exhausted and not lane.waiting for lane in self._lanes)
        return (empty or self.limit <= 0) and not self._in_flight

    def _wants_more(self, lane: _Lane) -> bool:
        few = len(lane.waiting) < min(self._chunk // 2 + 1, self.limit)
        return few and not lane.claiming and not lane.exhausted

    def _fill(self, lane: _Lane, now: datetime) -> None:
        """Claim for a lane, while other connections go on drawing what is there."""
        lane.claiming = True
        self._changed.release()
        try:
            names = [relay.name for relay in self.relays]
            number = min(self._chunk, self.limit)
            rows = self.ledger.claim(
                self.issue, self.me, number, now=now, choose=self.choose, lane=lane.name, relays=names
            )
        finally:
            self._changed.acquire()
            lane.claiming = False
        lane.exhausted = not rows
        lane.waiting.extend(Work(one, reader, lane, now + LEASE / 2) for one, reader in rows)
        self._changed.notify_all()

    def _look(self, relay: Health, connection: object, now: datetime) -> tuple[Work | None, float]:
        """Return a copy that may go now, if there is one, and in how many seconds it is worth to look again."""
        pause = NAP
        if not relay.may_draw(connection, now) or self.limit <= 0 or not within_share(relay, self.relays, now):
            return None, pause
        for lane in self._lanes:
            self._drop_stale(lane, now)
            work = lane.first_for(relay)
            if work is None or lane.in_flight >= lane.pace.connections:
                continue
            slowed = self.pace.lanes.meter(lane.name, now.timestamp())
            paces = (self.pace.overall, relay.route.meter, lane.pace.meter, slowed)
            meters = [meter for meter in paces if meter is not FREE]
            wait = max((meter.wait(now.timestamp()) for meter in meters), default=0)
            if wait <= 0:
                relay.prober = connection if relay.rests_until else None
                self._take(work, relay, meters)
                return work, 0
            pause = min(pause, wait)
        return None, pause

    def _take(self, work: Work, relay: Health, meters: Iterable[Meter]) -> None:
        for meter in meters:
            meter.take()
        drawn(relay, self.relays)
        work.lane.waiting.remove(work)
        self._lanes.sort(key=lambda lane: lane is work.lane)  # the others come first next time
        work.lane.in_flight += 1
        self._in_flight += 1
        self.limit -= 1

    def _landed(self, work: Work) -> None:
        work.lane.in_flight -= 1
        self._in_flight -= 1
        if not self._in_flight or work.lane.pace.connections < NO_LIMIT:
            self._changed.notify_all()

    def _drop_stale(self, lane: _Lane, now: datetime) -> None:
        """Let go of what waited so long that its lease may end in flight; it is claimed anew."""
        if lane.waiting and now >= lane.waiting[0].stale_at:
            self._release(lane)
            lane.exhausted = False

    def _release(self, lane: _Lane) -> None:
        now = self.clock()
        self.ledger.settle([work.delivery.unclaimed(now) for work in lane.waiting], now)
        lane.waiting.clear()

    def _at_an_end(self, relay: Health) -> bool:
        """Whether nothing can come any more for this relay."""
        if relay.given_up or self._hopeless(relay):
            return True
        nothing_left = self.limit <= 0 or all(lane.exhausted and not lane.first_for(relay) for lane in self._lanes)
        return nothing_left and not self._in_flight

    def _hopeless(self, relay: Health) -> bool:
        """Whether a relay that rests need not be waited for: no other works, and it never did or failed too often."""
        alone = not any(other.well for other in self.relays)
        return alone and (not relay.served or relay.failures >= PATIENCE)


def _pinned_elsewhere(one: Delivery, relay: Health) -> bool:
    """Whether another relay had this copy when it came into doubt: it may still be at work on it."""
    return bool(one.doubts and one.relay and one.relay != relay.name)
