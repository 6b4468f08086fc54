"""One process among many that send an issue: chunks come in one after the other, the connections stay open."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from newsletter import dispatch
from newsletter.errors import DatabaseError, RefusalsError, RelayError
from newsletter.models import Delivery, Tally
from newsletter.parts import Parts
from newsletter.send.sender import DRAIN_SECONDS
from newsletter.send.supply import Supply

REST = timedelta(minutes=1)  # after a fault, until this process tries the relay or the issue again: neither is stormed
BREATH = timedelta(seconds=1)  # the same where the database was away
NO_WAIT = timedelta(0)
TURN = 10.0  # seconds that an issue keeps the connections while another one waits
STANDSTILL = 2.0  # seconds in which no copy came to rest end a turn as well


def patience(fault: BaseException) -> timedelta:
    """Return after which a chunk that met this fault may be tried again, by any process.

    Where the relays failed this one rests, and another may do better at once. A fault of the issue is everybody's.
    """
    if isinstance(fault, NotNowError):
        return fault.wait
    if isinstance(fault, RelayError):
        return NO_WAIT
    return BREATH if isinstance(fault, DatabaseError) else REST


class NotNowError(Exception):
    """A chunk is not to be sent here and now: the process stops, or rests after a fault that was told of.

    Args:
        wait: after which any process may try it again; none where only this one cannot.
    """

    def __init__(self, wait: timedelta) -> None:
        super().__init__(f"not before {wait.total_seconds():.0f} seconds")
        self.wait = wait


@dataclass(eq=False)
class _Shift:
    """The work on one issue, for as long as chunks of it come, and no other issue waits for long."""

    issue: str
    begun_at: float
    wanted: int = 0  # copies that were asked for
    rested: int = 0  # copies that came to rest
    supply: Supply | None = None
    ended: bool = False
    fault: BaseException | None = None

    def stop(self) -> None:
        if self.supply:
            self.supply.stop()


class Crew:
    """Sends chunks of issues with the connections of one process; safe to share between threads.

    Args:
        parts: what to work with.
        monotonic: seconds of a clock that nobody sets.
    """

    def __init__(self, parts: Parts, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._parts = replace(parts, workers=False)
        self._monotonic = monotonic
        self._changed = threading.Condition()
        self._shift: _Shift | None = None
        self._resting: dict[str, float] = {}  # by issue: until when
        self._relays_rest = 0.0  # until when
        self._stopped = False

    def send(self, issue: str, copies: int) -> None:
        """Send up to so many copies of an issue, whichever are due.

        Returns when as many came to rest, or none is left, or another issue's turn has come: the rest is another
        chunk's.

        Raises:
            NotNowError: the process stops, or the issue rests.
            NewsletterError: as `dispatch.work_off`; once for each fault, to whoever began.
        """
        if issue not in self._parts.ledger.due(self._parts.clock()):
            return
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._shift is None or self._shift.issue == issue)
            if self._stopped:
                raise NotNowError(NO_WAIT)
            first = self._shift is None
            shift = self._shift or self._begun(issue)
            shift.wanted += copies
            mine = shift.wanted
            if shift.supply:
                shift.supply.extend(copies)
        self._see_through(shift, mine)
        if shift.fault and first:
            raise shift.fault
        if shift.fault and not isinstance(shift.fault, RefusalsError):
            raise NotNowError(patience(shift.fault))

    @property
    def rests(self) -> float:
        """For how many seconds nothing is sent from here, since the relays failed; other processes may do better."""
        return max(0.0, self._relays_rest - self._monotonic())

    def stop(self) -> None:
        """Take no more chunks, and let the messages in flight end."""
        with self._changed:
            self._stopped = True
            shift = self._shift
            if shift:
                shift.stop()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._shift is None, DRAIN_SECONDS)
            if shift:
                shift.ended = True
            self._changed.notify_all()

    def _see_through(self, shift: _Shift, mine: int) -> None:
        """Wait until a chunk is through; end the shift where it takes long and another issue waits."""
        rested = -1
        while True:
            with self._changed:
                if self._changed.wait_for(lambda: shift.ended or shift.rested >= mine, STANDSTILL):
                    return
                stands, rested = shift.rested == rested, shift.rested
            long = self._monotonic() - shift.begun_at >= TURN
            if (stands or long) and self._others_wait(shift.issue):
                with self._changed:
                    shift.stop()

    def _others_wait(self, issue: str) -> bool:
        try:
            return any(one != issue for one in self._parts.ledger.due(self._parts.clock()))
        except DatabaseError:
            return False  # the shift meets it as well

    def _begun(self, issue: str) -> _Shift:
        if self.rests:
            raise NotNowError(NO_WAIT)
        left = self._resting.get(issue, 0) - self._monotonic()
        if left > 0:
            raise NotNowError(timedelta(seconds=left))
        shift = self._shift = _Shift(issue, self._monotonic())
        threading.Thread(target=self._work, args=(shift,), daemon=True).start()
        return shift

    def _work(self, shift: _Shift) -> None:
        def opened(supply: Supply) -> None:
            with self._changed:
                shift.supply, supply.limit = supply, shift.wanted
                if self._stopped:
                    supply.stop()

        def rested(_delivery: Delivery) -> None:
            with self._changed:
                shift.rested += 1
                self._changed.notify_all()

        def watch(_tally: Tally) -> Callable[[Delivery], None]:
            return rested

        fault: BaseException | None = None
        try:
            dispatch.work_off(self._parts, shift.issue, watch, opened=opened)
        except BaseException as failed:  # noqa: BLE001 - whoever began is told
            fault = failed
        with self._changed:
            until = self._monotonic() + REST.total_seconds()
            if isinstance(fault, RelayError):
                self._relays_rest = until
            elif fault and not isinstance(fault, DatabaseError | RefusalsError):
                self._resting[shift.issue] = until
            shift.fault, shift.ended, self._shift = fault, True, None
            self._changed.notify_all()
