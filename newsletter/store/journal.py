"""Marks and settlements of many connections, each group of them one transaction.

Whoever comes while a group is being written waits for the next one, and the first of those who wait writes it for all.
No thread of its own, no timer: a single connection writes at once, and sixteen share a commit.
"""

import threading
from collections.abc import Callable, Sequence

from newsletter.models import Delivery

Enter = Callable[[Sequence[Delivery], Sequence[Delivery]], set[tuple[str, int]]]


class Journal:
    """What the connections of one process write into the ledger.

    Args:
        enter: writes marks and settlements in one transaction; returns whose marks count, as in `Ledger.enter`.
    """

    def __init__(self, enter: Enter) -> None:
        self._enter = enter
        self._marks: list[_Mark] = []
        self._settled: list[Delivery] = []
        self._page = threading.Lock()  # guards the two lists, for an instant
        self._turn = threading.Lock()  # held while a group is being written

    def mark(self, one: Delivery) -> bool:
        """Note that the final dot of this delivery is about to be written; False means that it must not be.

        Whatever was settled before stands as well when this returns.

        Raises:
            DatabaseError: the database failed; the dot must not be written.
        """
        mark = _Mark(one)
        with self._page:
            self._marks.append(mark)
        with self._turn:
            if not mark.written:
                self._write()
        if mark.fault:
            raise mark.fault
        return mark.counts

    def settle(self, one: Delivery) -> None:
        """Write where a delivery came to rest, together with the next mark or at the next `flush`."""
        with self._page:
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
        with self._page:
            marks, settled = self._marks, self._settled
            self._marks, self._settled = [], []
        try:
            counting = self._enter([mark.one for mark in marks], settled) if marks or settled else set()
        except Exception as fault:
            with self._page:
                self._settled[:0] = settled
            for mark in marks:
                mark.fault, mark.written = fault, True
            raise
        for mark in marks:
            mark.counts, mark.written = (mark.one.issue, mark.one.subscriber_id) in counting, True


class _Mark:
    """One mark on its way into the database."""

    __slots__ = ("counts", "fault", "one", "written")

    def __init__(self, one: Delivery) -> None:
        self.one = one
        self.written = self.counts = False
        self.fault: Exception | None = None
