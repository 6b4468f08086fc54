"""Marks and settlements of many connections, each group of them one transaction.

Whoever comes while a group is being written waits for the next one, and the first of those who wait writes it for all.
No thread of its own, no timer: a single connection writes at once, and sixteen share a commit. Each waits on a lock of
its own, and all are let go at once: passing one lock from each to the next would take the interpreter's lock as often.
"""

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TypeVar

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
        self._waiting: deque[_Mark] = deque()
        self._settled: deque[Delivery] = deque()  # deques: appended to and emptied by many threads without a lock
        self._writing = False  # somebody is, and lets the first who waits write next
        self._door = threading.Lock()

    def mark(self, one: Delivery, relay: str) -> bool:
        """Note that the final dot of a delivery is about to be written to a relay; False means that it must not be.

        False may also mean that another mark of the same group did not count. Whatever was settled before stands as
        well when this returns.

        Raises:
            DatabaseError: the database failed; the dot must not be written.
        """
        return self._written(_Mark((one, relay)))

    def settle(self, one: Delivery) -> None:
        """Write where a delivery came to rest, together with the next mark or at the next `flush`."""
        self._settled.append(one)

    def flush(self) -> None:
        """Write what is settled now.

        Raises:
            DatabaseError: the database failed; what was to be written is tried again by the next mark or flush.
        """
        if self._settled:
            self._written(_Mark(None))

    def _written(self, mark: "_Mark") -> bool:
        with self._door:
            self._waiting.append(mark)
            first, self._writing = not self._writing, True
        if not first:
            mark.turn.acquire()
        if not mark.written:
            self._write_group()
        if mark.fault:
            raise mark.fault
        return mark.counts

    def _write_group(self) -> None:
        """Write for all who wait, and let the first who came meanwhile write next."""
        group = _emptied(self._waiting)  # before the settlements: each was settled before its connection's next mark
        settled = _emptied(self._settled)
        fault: Exception | None = None
        counts = False
        try:
            counts = self._enter([mark.row for mark in group if mark.row], settled)
        except Exception as failed:  # noqa: BLE001 - each who waits raises it
            self._settled.extendleft(reversed(settled))
            fault = failed
        for mark in group:
            mark.fault, mark.counts, mark.written = fault, counts, True
            mark.turn.release()
        with self._door:
            following = self._waiting[0] if self._waiting else None
            self._writing = following is not None
        if following:
            following.turn.release()


class _Mark:
    """A mark on its way into the database, or the wish to see the settlements there."""

    __slots__ = ("counts", "fault", "row", "turn", "written")

    def __init__(self, row: tuple[Delivery, str] | None) -> None:
        self.row = row
        self.fault: Exception | None = None
        self.written = self.counts = False
        self.turn = threading.Lock()
        self.turn.acquire()


def _emptied(waiting: deque[Entry]) -> list[Entry]:
    taken = []
    while waiting:
        taken.append(waiting.popleft())
    return taken
