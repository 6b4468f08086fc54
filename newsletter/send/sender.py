"""The sender: draws due deliveries from the ledger, has them composed, hands them over and settles them.

One thread per connection. At any moment a connection has at most one message between its mark and its settlement,
which is all that can be in doubt when the process dies.
"""

import logging
import os
import secrets
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime

from newsletter.errors import NewsletterError, RelayBusyError, RelayError
from newsletter.models import Delivery, Message, Outcome, State, Subscriber, Verdict
from newsletter.send.base import Transport
from newsletter.send.outcomes import DoubtPolicy, after, printable
from newsletter.store.engine import boot_id
from newsletter.store.ledger import LEASE, Choose, Claimant, Ledger

LOG = logging.getLogger("newsletter")
BATCH = 20  # deliveries a claim takes; what a power loss can put in doubt, per connection
LOGIN_WANTED = 530  # RFC 4954 section 6; RFC 3207 section 4 uses it for TLS
SUSPECTS = 3  # refusals in a row that may be about the sender, with nobody served between, until they are
PATIENCE = 3  # connections in a row that may be lost without an answer to a single message

Compose = Callable[[Delivery, Subscriber], Message]
Progress = Callable[[Delivery], None]


def claimant() -> Claimant:
    """Return a name that no other process, living or dead, has ever claimed under."""
    return Claimant(f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}", boot_id())


@dataclass(frozen=True, kw_only=True)
class Sender:
    """Sends what is due of an issue.

    Args:
        ledger: who gets a copy, and what became of it.
        transport: where messages go.
        compose: makes the message of a delivery; a failure fails that delivery alone.
        choose: the papers that a reader's copy carries.
        doubt: what becomes of deliveries whose end nobody knows.
        clock: the present moment, aware.
        progress: told of each delivery that came to rest; called from several threads.
    """

    ledger: Ledger
    transport: Transport
    compose: Compose
    choose: Choose
    doubt: DoubtPolicy
    clock: Callable[[], datetime]
    progress: Progress
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self, issue: str, me: Claimant) -> None:
        """Hand over every due delivery of an issue.

        An interruption lets the messages in flight end, gives back what was claimed, and goes on to the caller. Where
        the relay takes fewer connections than are asked for, the run goes on with those.

        Raises:
            NewsletterError: the relay, the database or the outbox failed; what is not settled waits for the next run.
        """
        lines = [_Line(self, issue, replace(me, owner=f"{me.owner}/{n}")) for n in range(self.transport.connections)]
        with ThreadPoolExecutor(len(lines), thread_name_prefix="connection") as pool:
            runs = [pool.submit(line.run) for line in lines]
            try:
                faults = [fault for run in runs if (fault := run.exception())]
            except BaseException:
                self.stop.set()
                raise
        grave = [fault for fault in faults if not isinstance(fault, RelayBusyError)]
        if grave or (faults and not any(line.served for line in lines)):
            raise (grave or faults)[0]
        if faults:
            LOG.warning("%s; going on with fewer, a lower smtp.connections asks for less", faults[0])
            _Line(self, issue, me).run()  # what such a line gave back after all others were done


class _Line:
    """One connection's share of the work."""

    def __init__(self, sender: Sender, issue: str, me: Claimant) -> None:
        self._sender = sender
        self._issue = issue
        self._me = me
        self._waiting: deque[tuple[Delivery, Subscriber]] = deque()  # claimed, not yet drawn
        self._fresh_until = sender.clock()
        self._drawn: dict[str, Delivery] = {}  # by Message-ID, in order: drawn, not yet settled
        self._suspects = 0
        self.served = False  # whether a relay answered to a message

    def run(self) -> None:
        """Open connections until nothing is due."""
        try:
            self._connect_again_and_again()
        except RelayBusyError:
            raise  # the other connections go on with its share
        except BaseException:
            self._sender.stop.set()
            raise
        finally:
            self._give_back()

    def _connect_again_and_again(self) -> None:
        lost = 0
        while self._refill():
            lost = 0 if self._connection() else lost + 1
            if lost == PATIENCE:
                raise RelayError(f"{self._sender.transport.name}: loses every connection; run again later")

    def _connection(self) -> bool:
        """Use one connection for as long as it lives; return whether a message was answered on it."""
        answered = False
        for outcome in self._sender.transport.deliver(self._messages(), self._before_dot):
            delivery = self._drawn.pop(next(iter(self._drawn)))
            self._settle(delivery, outcome)
            answered = answered or outcome.code is not None or outcome.verdict is Verdict.ACCEPTED
            self.served = self.served or answered
        return answered

    def _messages(self) -> Iterator[Message]:
        while self._refill():
            delivery, reader = self._waiting.popleft()
            try:
                message = self._sender.compose(delivery, reader)
            except (NewsletterError, OSError, MemoryError):  # no fault of this copy: the next would fail as well
                self._waiting.appendleft((delivery, reader))
                raise
            except Exception as fault:  # noqa: BLE001 - one poisoned copy must not stop the rest
                self._settle(delivery, Outcome(Verdict.REFUSED, text=f"could not be composed: {fault}"))
                continue
            self._drawn[message.id] = delivery
            yield message

    def _before_dot(self, message: Message) -> bool:
        return self._sender.ledger.mark(self._drawn[message.id], self._sender.clock())

    def _settle(self, delivery: Delivery, outcome: Outcome) -> None:
        settled = after(delivery, outcome, self._sender.clock(), self._sender.doubt)
        self._sender.ledger.settle([settled])
        self._sender.progress(settled)
        if outcome.verdict is Verdict.ACCEPTED:
            self._suspects = 0
        self._suspects += outcome.verdict is Verdict.SUSPECT
        if outcome.verdict is Verdict.BARRED or self._suspects == SUSPECTS:
            said = printable(f"{outcome.code} {outcome.text}")
            raise RelayError(f"{self._sender.transport.name}: refuses this sender: {said}; {_mend(outcome)}")

    def _refill(self) -> bool:
        """Make sure that something is claimed; False when nothing is due or the run is to stop."""
        sender, now = self._sender, self._sender.clock()
        if sender.stop.is_set():
            return False
        if self._waiting and now >= self._fresh_until:  # a slow relay: claim anew before the lease runs out
            self._give_back()
        if not self._waiting:
            self._waiting.extend(sender.ledger.claim(self._issue, self._me, BATCH, now, sender.choose))
            self._fresh_until = now + LEASE / 2
        return bool(self._waiting)

    def _give_back(self) -> None:
        """Return what was claimed and never drawn; what was drawn is for `recover`, which knows its phase."""
        self._sender.ledger.settle([replace(delivery, state=State.QUEUED) for delivery, _reader in self._waiting])
        self._waiting.clear()


def _mend(outcome: Outcome) -> str:
    if "starttls" in outcome.text.casefold():
        return 'set smtp.security = "starttls"'
    if outcome.code == LOGIN_WANTED:
        return "set smtp.username and smtp.password"
    return "settle this with whoever runs it and run again; nobody was struck off"
