"""Several relays at once: how the messages are divided, and what becomes of a relay that fails.

A relay that fails rests for a while, then one connection tries it again; meanwhile the others do its share. Which relay
a copy goes through is decided anew at each attempt, save for one that was ever in doubt: only the relay that had it
may still be working on it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from newsletter.errors import RelayBusyError, RelayError, SenderRefusedError
from newsletter.models import Verdict
from newsletter.send.base import Transport
from newsletter.send.pace import FREE, Meter

FIRST_REST = timedelta(seconds=2)
LONGEST_REST = timedelta(minutes=5)
PATIENCE = 3  # failures in a row until the only relay is given up
AHEAD = 8  # messages that a relay of weight 1 may be ahead of the others
SUSPECTS = 3  # refusals that may be about the sender, until they are
SILENCE = timedelta(seconds=10)  # without an answer, and a relay's share is not waited for


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """A relay, its share of the messages among several, and its pace."""

    transport: Transport
    weight: float = 1
    meter: Meter = FREE


@dataclass(slots=True, kw_only=True)
class Health:
    """How a relay does in this run. All of it is guarded by the lock of the `Supply`."""

    route: Route
    answered_at: datetime
    share: float = 0  # messages drawn, divided by the weight
    open: set[object] = field(default_factory=set)  # its connections
    failures: int = 0  # in a row
    rests_until: datetime | None = None
    prober: object | None = None  # the connection that tries whether it works again
    served: bool = False  # whether it ever answered to a message
    given_up: bool = False
    faults: list[RelayError] = field(default_factory=list)
    suspects: int = 0  # refusals in a row that may be about the sender, with nobody served between

    @property
    def name(self) -> str:
        """The name of the relay, as the ledger knows it."""
        return self.route.transport.name

    @property
    def well(self) -> bool:
        """Whether it works, as far as is known."""
        return not (self.given_up or self.rests_until)

    def answered(self, now: datetime) -> None:
        """Note that the relay works."""
        self.served, self.prober, self.answered_at = True, None, now
        self.failures, self.rests_until = 0, None

    def failed(self, fault: RelayError, now: datetime) -> bool:
        """Note a failure; return whether the connection that met it may come back.

        A relay that takes fewer connections than are asked for, and has others open, is well. One that refuses the
        sender is given up for this run.
        """
        self.faults.append(fault)
        if isinstance(fault, RelayBusyError) and self.open and self.prober is None:
            return False
        self.prober = None
        self.failures += 1
        self.rests_until = now + min(FIRST_REST * 2 ** (self.failures - 1), LONGEST_REST)
        self.given_up = self.given_up or isinstance(fault, SenderRefusedError)
        return not self.given_up

    def refuses_sender(self, verdict: Verdict) -> bool:
        """Count an answer; return whether it tells, or several do together, that the relay refuses the sender."""
        if verdict is Verdict.ACCEPTED:
            self.suspects = 0
        self.suspects += verdict is Verdict.SUSPECT
        return verdict is Verdict.BARRED or self.suspects >= SUSPECTS

    def may_draw(self, connection: object, now: datetime) -> bool:
        """Whether a connection may draw messages: the relay works, or its rest is over and no other is trying it."""
        tried = self.prober is not None and self.prober is not connection
        resting = self.rests_until is not None and (now < self.rests_until or tried)
        return not (self.given_up or resting)


def within_share(one: Health, all_of_them: Sequence[Health], now: datetime) -> bool:
    """Return whether a relay may have the next message, going by the weights.

    One that rests, or has not answered for a while, holds up nobody.
    """
    if len(all_of_them) == 1:
        return True
    shares = [other.share for other in all_of_them if other.well and now - other.answered_at < SILENCE]
    return not shares or one.share <= min(shares) + AHEAD


def drawn(one: Health, all_of_them: Sequence[Health]) -> None:
    """Count a message to a relay's share. What others fell behind is soon forgotten: they do not get it all at once."""
    one.share += 1 / one.route.weight
    for other in all_of_them:
        other.share = max(other.share, one.share - 2 * AHEAD)
