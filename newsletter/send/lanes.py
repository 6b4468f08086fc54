"""Lanes: the copies for one large provider, which go at its pace and hold up no others.

A provider that answers 421 or 4.7.x has its lane halved in every process, and won back a tenth with each quiet minute.
All other domains share one lane, which no answer slows: one of their many servers does not speak for the rest.
"""

import os
import secrets
import socket
import threading
from collections import Counter

from newsletter.models import Outcome
from newsletter.send.pace import FREE, Meter, Rate, asks_to_slow, slower, speed
from newsletter.store.limits import LimitStore, Working

BEAT = 1.0  # seconds between two looks at what the others noted
PROVIDERS = {
    "gmail": "gmail.com googlemail.com",
    "microsoft": "outlook.com hotmail.com live.com msn.com hotmail.co.uk hotmail.fr hotmail.de outlook.fr outlook.de",
    "yahoo": "yahoo.com ymail.com rocketmail.com aol.com yahoo.co.uk yahoo.fr yahoo.de yahoo.co.jp yahoo.com.br",
}
LANE_OF = {domain: lane for lane, domains in PROVIDERS.items() for domain in domains.split()}


class Lanes:
    """How the lanes of one process go; safe to share between threads.

    Args:
        limits: what all processes share; None shares nothing and slows nothing.
        list_id: whose copies they carry.
    """

    def __init__(self, limits: LimitStore | None = None, list_id: str = "") -> None:
        self.limits = limits
        self._list_id = list_id
        self._owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
        self._door = threading.RLock()
        self._sent = Counter[str]()
        self._before = Counter[str]()  # as of the last beat
        self._beaten_at: float | None = None
        self._stale = True  # something has changed that is not read yet
        self._meters: dict[str, Meter] = {}

    def meter(self, lane: str, now: float) -> Meter:
        """Return what slows a lane down now; `now` in seconds since 1970."""
        if self._stale or now - (self._beaten_at or 0) >= BEAT:
            self.beat(now)
        return self._meters.get(lane, FREE)

    def answered(self, lane: str, outcome: Outcome, now: float) -> None:
        """Count an answer, and slow the lane down where it asks for that."""
        if self.limits is None:
            return
        with self._door:
            self._sent[lane] += 1
            if not lane or not asks_to_slow(outcome):
                return
            own = (self._sent[lane] - self._before[lane]) / self._stretch(now)
            shared = sum(one.rate for one in self.limits.working(now) if one.lane == lane)
            self.limits.slow(lane, lambda old: slower(old, max(own, shared), now))
            self._stale = True

    def beat(self, now: float) -> None:
        """Note what this process sends, and read which lanes are slowed.

        Raises:
            DatabaseError: the database failed.
        """
        if self.limits is None:
            return
        with self._door:
            stretch = self._stretch(now)
            self._sent[""] += 0
            rates = {lane: (sent, (sent - self._before[lane]) / stretch) for lane, sent in self._sent.items()}
            self.limits.note(self._owner, self._list_id, rates, now)
            self._before, self._beaten_at, self._stale = self._sent.copy(), now, False
            self._meters = {lane: self._tuned(lane, rate) for lane, rate in self.slowed(now).items()}

    def working(self, now: float) -> list[Working]:
        """Return who works for this list, a row for each lane."""
        return self.limits.working(now, self._list_id) if self.limits else []

    def leave(self) -> None:
        """Show that this process sends no more.

        Raises:
            DatabaseError: the database failed.
        """
        if self.limits:
            self.limits.leave(self._owner)

    def slowed(self, now: float) -> dict[str, float]:
        """Return how many copies a second each slowed lane may carry, in all processes together."""
        if self.limits is None:
            return {}
        limited = {lane: speed(one, now) for lane, one in self.limits.slowed().items()}
        return {lane: rate for lane, rate in limited.items() if rate}

    def _stretch(self, now: float) -> float:
        """Return the seconds since the last beat, at least one beat."""
        return max(now - self._beaten_at, BEAT) if self._beaten_at else BEAT

    def _tuned(self, lane: str, per_second: float) -> Meter:
        meter = self._meters.get(lane)
        if meter is None or self.limits is None:
            return Meter(f"lane {lane}", Rate(per_second), self.limits.reserve) if self.limits else FREE
        meter.retune(Rate(per_second))
        return meter
