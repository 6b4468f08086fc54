"""The sender: draws due deliveries, has them composed, hands them over and settles them.

One thread per connection. At any moment a connection has at most one message between its mark and its settlement,
which is all that can be in doubt when the process dies.
"""

import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from newsletter.errors import NewsletterError, RefusalsError, RelayBusyError, RelayError, SenderRefusedError
from newsletter.models import Delivery, Message, Outcome, Subscriber, Verdict
from newsletter.send.mends import known_mend
from newsletter.send.outcomes import Brake, DoubtPolicy, after, printable
from newsletter.send.relays import PATIENCE, Health, Route
from newsletter.send.supply import NO_LIMIT, Pace, Supply, Work
from newsletter.store.engine import boot_id
from newsletter.store.journal import Journal
from newsletter.store.ledger import Choose, Claimant, Ledger

LOG = logging.getLogger("newsletter")
LOGIN_WANTED = 530  # RFC 4954 section 6; RFC 3207 section 4 uses it for TLS
IDLE_SECONDS = 20.0  # a connection that waits longer than this for a message is closed meanwhile
LOST = {Verdict.POSTPONED, Verdict.UNKNOWN, Verdict.UNTRIED}  # without an answer: what a lost connection leaves behind
DRAIN_SECONDS = 30.0  # what an interruption leaves to the messages in flight

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
        routes: the relays that messages go through.
        pace: how fast they may go.
        compose: makes the message of a delivery; a failure fails that delivery alone.
        choose: the papers that a reader's copy carries.
        doubt: what becomes of deliveries whose end nobody knows.
        clock: the present moment, aware.
        progress: told of each delivery that came to rest; called from several threads.
    """

    ledger: Ledger
    routes: Sequence[Route]
    compose: Compose
    choose: Choose
    doubt: DoubtPolicy
    clock: Callable[[], datetime]
    progress: Progress
    pace: Pace = field(default_factory=Pace)

    def run(
        self, issue: str, me: Claimant, limit: int = NO_LIMIT, opened: Callable[[Supply], None] = lambda _supply: None
    ) -> None:
        """Hand over every due delivery of an issue, or `limit` of them; `opened` gets hold of what they come from.

        An interruption lets the messages in flight end, gives back what was claimed, and goes on to the caller. A relay
        that fails while others work is told of in a warning.

        Raises:
            RefusalsError: too many copies were refused; the caller should hold the issue back.
            NewsletterError: the relays, the database or the outbox failed; what is not settled waits for the next run.
        """
        run = _Run(self, issue, me, limit)
        opened(run.supply)
        run.start()
        try:
            run.ended.wait()
        except BaseException:
            run.supply.stop()
            run.ended.wait(DRAIN_SECONDS)  # what is still open then is in doubt by the next run
            raise
        finally:
            run.close()
        run.raise_faults()


class _Run:
    """What the connections of one run share."""

    def __init__(self, sender: Sender, issue: str, me: Claimant, limit: int) -> None:
        self.sender = sender
        now = sender.clock()
        self.relays = [Health(route=route, answered_at=now) for route in sender.routes]
        self.supply = Supply(
            ledger=sender.ledger,
            issue=issue,
            me=me,
            choose=sender.choose,
            clock=sender.clock,
            relays=self.relays,
            pace=sender.pace,
            connections=sum(route.transport.connections for route in sender.routes),
            limit=limit,
        )
        self.journal = Journal(lambda marks, settled: sender.ledger.enter(marks, settled, sender.clock()))
        self.brake = Brake()
        self.faults: list[BaseException] = []
        self.finished = False
        self.ended = threading.Event()  # an interrupted Thread.join takes its thread for ended; this does not
        self._open: set[_Line] = set()
        self._door = threading.Lock()

    def start(self) -> None:
        """Open a thread for each connection; they end with the process, whatever they do."""
        lines = [_Line(self, relay) for relay in self.relays for _ in range(relay.route.transport.connections)]
        self._open = set(lines)
        for line in lines:
            threading.Thread(target=line.run, daemon=True).start()

    def left(self, line: "_Line") -> None:
        """Take note that a connection has nothing more to do."""
        with self._door:
            self._open.discard(line)
            if not self._open:
                self.ended.set()

    def close(self) -> None:
        """Write what is settled, and give back what was not drawn."""
        self.finished = self.supply.finished or self.supply.stopped
        try:
            self.journal.flush()
            self.supply.give_back()
        except NewsletterError as fault:
            self.faults.append(fault)

    def raise_faults(self) -> None:
        """Raise what went wrong, the gravest first; warn of what the other relays made good."""
        for fault in self.faults:
            raise fault
        said = {str(fault): fault for relay in self.relays for fault in relay.faults}
        if said and not (self.finished and any(relay.well for relay in self.relays)):
            raise next(iter(said.values()))
        for line, fault in said.items():
            less = ", or a lower smtp.connections" if isinstance(fault, RelayBusyError) else ""
            LOG.warning("%s%s; the others did its work", line, less)


class _Line:
    """One connection's share of the work."""

    def __init__(self, run: _Run, relay: Health) -> None:
        self._run = run
        self._relay = relay
        self._sender, self._supply, self._journal = run.sender, run.supply, run.journal
        self._first: Work | None = None  # drawn before there was a connection
        self._drawn: dict[str, Work] = {}  # by Message-ID, in order: handed over, not yet settled
        self._fenced: Work | None = None  # the one whose mark did not count
        self._lost = 0  # connections in a row without an answer to a single message

    def run(self) -> None:
        """Open connections until nothing is left to do."""
        try:
            while work := self._supply.draw(self._relay, self):
                try:
                    self._connection(work)
                    self._supply.tried(self._relay, self)
                except RelayError as fault:
                    if not self._supply.failed(self._relay, fault):
                        return
        except BaseException as fault:  # noqa: BLE001 - whatever it is, the run ends and the caller is told
            self._run.faults.append(fault)
            self._supply.stop()
        finally:
            self._run.left(self)

    def _connection(self, first: Work) -> None:
        """Use one connection for as long as it lives.

        Raises:
            RelayError: it could not be opened, was lost without a single answer (again and again, or by a relay that
                had failed before), or the relay refuses the sender.
        """
        transport = self._relay.route.transport
        self._first, answers, lost = first, 0, 0
        try:
            for outcome in transport.deliver(self._messages(), self._before_dot):
                work = self._drawn.pop(next(iter(self._drawn)))
                answers += _answered(outcome)
                lost += outcome.verdict in LOST and work is not self._fenced
                self._settle(work, outcome)
        except RelayError:
            self._put_back(self._drawn.values())
            self._drawn.clear()
            raise
        finally:
            self._relay.open.discard(self)
            self._put_back([self._first])
        self._lost = self._lost + 1 if lost and not answers and not self._supply.stopped else 0
        if self._lost == PATIENCE or (self._lost and self._relay.prober is self):
            self._lost = 0
            raise RelayError(f"{transport.name}: loses every connection; run again later")

    def _messages(self) -> Iterator[Message | None]:
        self._relay.open.add(self)
        work, self._first = self._first, None
        while work:
            if message := self._composed(work):
                self._drawn[message.id] = work
                yield message
            work = self._supply.draw(self._relay, self, 0)
            if work is None and self._drawn:
                yield None  # the dot goes alone; asked again, its outcome is settled
            if work is None:
                self._journal.flush()
                work = self._supply.draw(self._relay, self, IDLE_SECONDS)

    def _composed(self, work: Work) -> Message | None:
        """Return the message of a copy; one that cannot be made fails alone."""
        try:
            return self._sender.compose(work.delivery, work.reader)
        except (NewsletterError, OSError, MemoryError):  # no fault of this copy: the next would fail as well
            self._supply.put_back(work)
            raise
        except Exception as fault:  # noqa: BLE001 - one poisoned copy must not stop the rest
            self._rest(work, Outcome(Verdict.REFUSED, text=f"could not be composed: {fault}"))
            return None

    def _before_dot(self, message: Message) -> bool:
        work = self._drawn[message.id]
        counts = self._journal.mark(work.delivery, self._relay.name)
        self._fenced = None if counts else work
        return counts

    def _settle(self, work: Work, outcome: Outcome) -> None:
        """Write what became of a copy, and stop where the answer is about more than this copy.

        Raises:
            SenderRefusedError: the relay refuses the sender, or so it seems.
            RefusalsError: too many copies were refused.
        """
        if _answered(outcome):
            self._supply.answered(self._relay)
        if work is self._fenced:
            self._let_go(work)
        elif outcome.verdict in {Verdict.UNTRIED, Verdict.BARRED}:
            self._supply.put_back(work)
        else:
            self._rest(work, outcome)
        if self._relay.refuses_sender(outcome.verdict):
            said = printable(f"{outcome.code} {outcome.text}")
            known = known_mend(self._relay.name, said)
            mend = f"{known}; nobody was struck off" if known else _mend(outcome)
            raise SenderRefusedError(f"{self._relay.name}: refuses this sender: {said}; {mend}")
        if self._run.brake.pulled(outcome):
            raise RefusalsError(f"{self._run.brake}, the last with {outcome.code} {printable(outcome.text)}")

    def _rest(self, work: Work, outcome: Outcome) -> None:
        settled = after(work.delivery, outcome, self._sender.clock(), self._sender.doubt)
        self._journal.settle(settled)
        self._supply.heard(work, outcome)
        self._supply.done(work)
        self._sender.progress(settled)

    def _let_go(self, work: Work) -> None:
        """Leave a copy whose mark did not count, and whose dot was not written, to whoever claims it next."""
        now = self._sender.clock()
        self._journal.settle(work.delivery.unclaimed(now))
        self._journal.flush()
        if self._sender.ledger.held(work.delivery.issue):
            self._supply.stop()
        self._supply.done(work, again=True)

    def _put_back(self, works: Iterable[Work | None]) -> None:
        for work in works:
            if work:
                self._supply.put_back(work)


def _answered(outcome: Outcome) -> bool:
    """Whether the relay said anything to a message."""
    return outcome.code is not None or outcome.verdict is Verdict.ACCEPTED


def _mend(outcome: Outcome) -> str:
    if "starttls" in outcome.text.casefold():
        return 'set smtp.security = "starttls"'
    if outcome.code == LOGIN_WANTED:
        return "set smtp.username and smtp.password"
    return "settle this with whoever runs it and run again; nobody was struck off"
