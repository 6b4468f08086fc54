"""Pure: how fast messages may go. Each has its own moment, so that a limit is a true rate and no burst with a rest."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from newsletter.models import Outcome
from newsletter.store.limits import Slowdown

AHEAD = 0.1  # seconds' worth of moments that are reserved at once: what a killed process can waste
Reserve = Callable[[str, float, float], float]  # a bucket's name, how long a stretch, now; returns the stretch's start


SETTLING = 10.0  # seconds after a cut in which further complaints are about what was under way before it
SLOWEST = 0.1  # messages a second
LEAST = 1.0  # messages a second that a lane is taken to have carried, so that a cut is felt
RECOVERY = 1.1  # times as fast with each quiet minute


def asks_to_slow(outcome: Outcome) -> bool:
    """Whether an answer asks for fewer messages: 421 (RFC 5321 section 3.8), or a 4.7.x (RFC 3463 section 3.8)."""
    code = outcome.code or 0
    return code == 421 or (400 <= code < 500 and outcome.text.startswith("4.7."))  # noqa: PLR2004 - reply codes


def slower(old: Slowdown | None, observed: float, now: float) -> Slowdown:
    """Return a lane's slowdown after a complaint: half as fast as it went.

    Args:
        old: how it stood.
        observed: messages a second lately, of all who send.
        now: seconds since 1970.
    """
    if old and now - old.since < SETTLING:
        return old
    limited = speed(old, now) if old else None
    full = old.full if old and limited else max(observed, LEAST)
    return Slowdown(max((limited or full) / 2, SLOWEST), full, now)


def speed(one: Slowdown, now: float) -> float | None:
    """Return how many messages a second a slowed lane may carry by now, None once it is as fast as before."""
    recovered = one.rate * RECOVERY ** ((now - one.since) / 60)
    return recovered if recovered < one.full else None


class Limit(Protocol):
    """How many messages at most, as the settings have it."""

    per_second: float | None
    per_minute: float | None
    per_hour: float | None


@dataclass(frozen=True, slots=True)
class Rate:
    """So many messages a second."""

    per_second: float

    @classmethod
    def of(cls, limit: Limit) -> Self | None:
        """Return the slowest of several limits, or None where there is none."""
        given = ((limit.per_second, 1), (limit.per_minute, 60), (limit.per_hour, 3600))
        rates = [number / seconds for number, seconds in given if number is not None]
        return cls(min(rates)) if rates else None

    @property
    def interval(self) -> float:
        """Seconds from one message to the next."""
        return 1 / self.per_second

    @property
    def group(self) -> int:
        """How many moments are reserved at once."""
        return max(1, int(self.per_second * AHEAD))


class Meter:
    """The moments of one bucket that this process has reserved; not safe to share between threads without a lock.

    Args:
        name: the bucket, the same for every process that shares the limit.
        rate: None is no limit.
        reserve: takes a stretch of the bucket's time, as `LimitStore.reserve`.
    """

    def __init__(self, name: str, rate: Rate | None, reserve: Reserve) -> None:
        self._name = name
        self._rate = rate
        self._reserve = reserve
        self._next = 0.0
        self._left = 0  # moments of the reserved stretch

    @classmethod
    def of(cls, name: str, limit: Limit, reserve: Reserve) -> "Meter":
        """Read it from the settings; FREE where they set no limit."""
        rate = Rate.of(limit)
        return cls(name, rate, reserve) if rate else FREE

    def wait(self, now: float) -> float:
        """Return how many seconds are left until the next message may go; zero or less means that it may now.

        Args:
            now: seconds since 1970.
        """
        if self._rate is None:
            return 0
        if not self._left:
            self._left = self._rate.group
            late = now - self._next  # a thread that woke late loses nothing of the rate, one that paused all of it
            begin = self._next if 0 < late < AHEAD else now
            self._next = self._reserve(self._name, self._left * self._rate.interval, begin)
        return self._next - now

    def retune(self, rate: Rate) -> None:
        """Go by another rate from the next stretch on."""
        self._rate = rate

    def take(self) -> None:
        """Use the next moment."""
        if self._rate is not None:
            self._next += self._rate.interval
            self._left -= 1


FREE = Meter("", None, lambda _name, _span, now: now)
