"""Marks and settlements of many connections, each group of them one transaction.

Whoever comes while a group is being written waits for the next one, and the first of those who wait writes it for all.
No thread of its own, no timer: a single connection writes at once, and sixteen share a commit.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

from newsletter.errors import DatabaseError
from newsletter.models import Delivery

Entry = TypeVar("Entry")
Enter = Callable[[Sequence[tuple[Delivery, str]], Sequence[Delivery]], bool]


class Journal:
    """What the connections of one process write into the ledger.

    Args:
        enter: writes marks and settlements in one transaction; returns whether all count, as `Ledger.enter`.
    """

    def __init__(self, enter: Enter) -> None:
        self._enter = enter
        self._marks: deque[_Mark] = deque()  # deques: appended to and emptied by many threads without a lock
        self._settled: deque[Delivery] = deque()
        self._turn = threading.Lock()  # held while a group is being written

    def mark(self, one: Delivery, relay: str) -> bool:
        """Note that the final dot of a delivery is about to be written to a relay; False means that it must not be.

        False may also mean that another mark of the same group did not count. Whatever was settled before stands as
        well when this returns.

        Raises:
            DatabaseError: the database failed; the dot must not be written.
        """
        mark = _Mark(one, relay)
        self._marks.append(mark)
        with self._turn:
            if not mark.written:
                self._write()
        if mark.fault:
            raise mark.fault
        return mark.counts

    def settle(self, one: Delivery) -> None:
        """Write where a delivery came to rest, together with the next mark or at the next `flush`."""
        self._settled.append(one)

    def flush(self) -> None:
        """Write what is settled now.

        Raises:
            DatabaseError: the database failed; what was to be written is tried again by the next mark or flush.
        """
        if self._settled:
            with self._turn:
                self._write()

    def _write(self) -> None:
        # Marks first: what its connection settled before a mark was in the other deque before.
        marks, settled = _emptied(self._marks), _emptied(self._settled)
        fault: DatabaseError | None = None
        counts = False
        try:
            counts = self._enter([(mark.one, mark.relay) for mark in marks], settled) if marks or settled else True
        except DatabaseError as failed:
            self._settled.extendleft(reversed(settled))
            fault = failed
        for mark in marks:
            mark.fault, mark.counts, mark.written = fault, counts, True
        if fault and not marks:
            raise fault


class _Mark:
    """One mark on its way into the database."""

    __slots__ = ("counts", "fault", "one", "relay", "written")

    def __init__(self, one: Delivery, relay: str) -> None:
        self.one = one
        self.relay = relay
        self.fault: DatabaseError | None = None
        self.written = self.counts = False


def _emptied(waiting: deque[Entry]) -> list[Entry]:
    taken = []
    while waiting:
        taken.append(waiting.popleft())
    return taken
