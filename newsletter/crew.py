"""One process among many that send an issue: chunks come in one after the other, the connections stay open."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from newsletter import dispatch
from newsletter.errors import DatabaseError, RefusalsError
from newsletter.models import Delivery, Tally
from newsletter.parts import Parts
from newsletter.send.sender import DRAIN_SECONDS
from newsletter.send.supply import Supply

REST = timedelta(minutes=1)  # after a fault, until this process tries the issue again; a relay is not stormed


@dataclass(eq=False)
class _Shift:
    """The work on one issue, for as long as chunks of it come."""

    issue: str
    wanted: int = 0  # copies that were asked for
    rested: int = 0  # copies that came to rest
    supply: Supply | None = None
    ended: bool = False
    fault: BaseException | None = None


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
        self._faults: dict[str, tuple[float, BaseException]] = {}  # by issue: until when it rests, and why
        self._stopped = False

    def send(self, issue: str, copies: int) -> None:
        """Send up to so many copies of an issue, whichever are due; return when as many came to rest, or none is left.

        Raises:
            NewsletterError: as `dispatch.work_off`; for a minute also without another try.
        """
        if issue not in self._parts.ledger.due(self._parts.clock()):
            return
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._shift is None or self._shift.issue == issue)
            if self._stopped:
                return
            shift = self._shift or self._begun(issue)
            shift.wanted += copies
            mine = shift.wanted
            if shift.supply:
                shift.supply.extend(copies)
            self._changed.wait_for(lambda: shift.ended or shift.rested >= mine)
            if shift.fault:
                raise shift.fault

    def stop(self) -> None:
        """Take no more chunks, and let the messages in flight end."""
        with self._changed:
            self._stopped = True
            shift = self._shift
            if shift and shift.supply:
                shift.supply.stop()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._shift is None, DRAIN_SECONDS)
            if shift:
                shift.ended = True
            self._changed.notify_all()

    def _begun(self, issue: str) -> _Shift:
        until, fault = self._faults.get(issue, (0, None))
        if fault and self._monotonic() < until:
            raise fault
        shift = self._shift = _Shift(issue)
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
        except BaseException as failed:  # noqa: BLE001 - whoever brought a chunk is told
            fault = failed
        with self._changed:
            if fault and not isinstance(fault, DatabaseError | RefusalsError):
                self._faults[shift.issue] = self._monotonic() + REST.total_seconds(), fault
            shift.fault, shift.ended, self._shift = fault, True, None
            self._changed.notify_all()
