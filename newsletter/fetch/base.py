"""The contract every source of papers keeps."""

from collections.abc import Iterable
from datetime import date
from typing import Protocol

from newsletter.models import Paper, Period


class PaperSource(Protocol):
    """Somewhere papers are listed by day.

    `name` is the spec the operator wrote; every SourceError carries it. `live` sources change with the world (an old
    newest day is stale there); the others are recordings, whose newest day is welcome however old. Papers of `voted`
    sources gain votes, so that reading a day again tells something new.
    """

    name: str
    live: bool
    voted: bool

    def days(self, today: date) -> Iterable[date]:
        """Yield the days that may hold a list, newest first, none after `today` for a live source.

        Lazy and possibly endless: the caller stops asking. A day that is yielded may turn out to be empty.

        Raises:
            SourceError: the source cannot be read.
        """
        ...

    def papers(self, period: Period) -> Iterable[Paper]:
        """Return the papers listed within the period, text already repaired, in the source's own order.

        Raises:
            SourceError: the source cannot be read, or its answer is no list of papers.
        """
        ...
