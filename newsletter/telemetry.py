"""What is told of a running list: events in a log, and sums out of the database in the words of Prometheus."""

import json
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TypeVar

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from newsletter.errors import DatabaseError, UsageError
from newsletter.store.ledger import Ledger
from newsletter.store.limits import Working
from newsletter.store.sources import SourceStore
from newsletter.store.subscribers import SubscriberStore
from newsletter.store.waiting import Jobs, WaitingStore

LOG = logging.getLogger("newsletter")
NEWEST = 3  # issues that are told of


@dataclass(frozen=True, kw_only=True)
class Books(Collector):
    """Reads the database whenever it is asked, so that every process tells the same.

    Args:
        ledger: the copies.
        subscribers: the people.
        waiting: what waits.
        heard: when the sources answered last.
        clock: says what now is.
        working: who sends and how fast, at a moment in seconds since 1970.
        slowed: at how many copies a second each slowed lane is held, at a moment in seconds since 1970.
        jobs: what workers have to do, where they send.
    """

    ledger: Ledger
    subscribers: SubscriberStore
    waiting: WaitingStore
    heard: SourceStore
    clock: Callable[[], datetime]
    working: Callable[[float], Sequence[Working]] = lambda _now: ()
    slowed: Callable[[float], Mapping[str, float]] = lambda _now: {}
    jobs: Callable[[], Jobs | None] | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield whether the database answers, and what it tells then."""
        told = list[GaugeMetricFamily]()
        try:
            told.extend(self._told())
        except DatabaseError as fault:
            LOG.warning("metrics: %s", fault)
            told.clear()
        yield _gauge("newsletter_database_up", "Whether the database answers.", [], {(): bool(told)})
        yield from told

    def _told(self) -> Iterator[GaugeMetricFamily]:
        """Yield the people by standing, the copies by state, what waits and how long, and the age of sources."""
        standings = {(standing.value,): number for standing, number in self.subscribers.standings().items()}
        yield _gauge("newsletter_subscribers", "People by their standing.", ["standing"], standings)
        tallies = [self.ledger.tally(issue) for issue in self.ledger.newest(NEWEST)]
        copies = {(one.issue, state.value): number for one in tallies for state, number in one.counts.items()}
        yield _gauge("newsletter_deliveries", "Copies of an issue by state.", ["issue", "state"], copies)
        yield from self._queue()
        yield from self._senders()
        yield from self._sources()

    def _queue(self) -> Iterator[GaugeMetricFamily]:
        now = self.clock()
        waiting, last = self.waiting.now(now), self.waiting.last_frozen_at()
        yield _gauge("newsletter_waiting", "Copies that are due and not at rest.", [], {(): waiting.copies})
        age = (now - waiting.since).total_seconds() if waiting.since else 0
        yield _gauge("newsletter_waiting_age_seconds", "For how long the oldest of them has been due.", [], {(): age})
        put_off = {(domain,): number for domain, number in self.waiting.put_off().items()}
        yield _gauge("newsletter_put_off", "Copies that wait for another try after a 4xx.", ["domain"], put_off)
        made = {(): last.timestamp()} if last else {}
        yield _gauge("newsletter_last_issue_timestamp_seconds", "When the newest issue was made.", [], made)

    def _senders(self) -> Iterator[GaugeMetricFamily]:
        working = self.working(self.clock().timestamp())
        yield _gauge("newsletter_senders", "Processes that send.", [], {(): len({one.owner for one in working})})
        rates = {(lane,): sum(one.rate for one in working if one.lane == lane) for lane in {o.lane for o in working}}
        yield _gauge("newsletter_lane_copies_per_second", "Copies a second by lane.", ["lane"], rates)
        held = {(lane,): rate for lane, rate in self.slowed(self.clock().timestamp()).items()}
        yield _gauge("newsletter_lane_limit", "Copies a second that a slowed lane may carry.", ["lane"], held)
        jobs = self.jobs() if self.jobs else None
        if jobs:
            chunks = {(state,): number for state, number in asdict(jobs).items()}
            yield _gauge("newsletter_chunks", "Chunks of copies that workers have to send.", ["state"], chunks)

    def _sources(self) -> Iterator[GaugeMetricFamily]:
        now, heard = self.clock(), self.heard.all()
        read = {(one.name,): (now - one.read_at).total_seconds() for one in heard}
        yield _gauge("newsletter_source_age_seconds", "Since a source answered last.", ["source"], read)
        days = {(one.name,): (now.date() - one.newest).days for one in heard if one.newest}
        yield _gauge("newsletter_source_list_age_days", "How old a source's newest list is.", ["source"], days)


Labels = TypeVar("Labels", bound=tuple[str, ...])


def _gauge(name: str, what: str, labels: list[str], values: Mapping[Labels, float]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(name, what, labels=labels)
    for given, value in values.items():
        gauge.add_metric(given, value)
    return gauge


def serve(books: Books, port: int) -> int:
    """Answer Prometheus on this machine alone; return the port.

    Raises:
        UsageError: the port is in use.
    """
    registry = CollectorRegistry()
    registry.register(books)
    try:
        server, _thread = start_http_server(port, addr="127.0.0.1", registry=registry)
    except OSError as fault:
        said = (fault.strerror or "cannot be used").lower()
        raise UsageError(f"web.metrics_port {port}: {said}; choose another") from None
    return int(server.server_port)


class Event(logging.Formatter):
    """Writes an event on one line: for people the time and the words, for machines one JSON object."""

    def __init__(self, *, as_json: bool) -> None:
        super().__init__()
        self._as_json = as_json

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of an event; the story of an unexpected fault stays on it."""
        at = datetime.fromtimestamp(record.created, UTC)
        said = " | ".join(record.getMessage().splitlines())
        story = self.formatException(record.exc_info) if record.exc_info else ""
        if self._as_json:
            line = {"at": at.isoformat(timespec="milliseconds"), "level": record.levelname.lower(), "event": said}
            return json.dumps(line | ({"story": story} if story else {}), ensure_ascii=False)
        level = "" if record.levelno == logging.INFO else f"{record.levelname.lower()}: "
        return f"{at:%Y-%m-%d %H:%M:%S}Z {level}{said}" + (f"\n{story}" if story else "")


def log_events(*, as_json: bool) -> None:
    """Write what a service does to stderr, an event a line, from now on."""
    handler = logging.StreamHandler()
    handler.setFormatter(Event(as_json=as_json))
    log = logging.getLogger("newsletter")
    log.handlers[:] = [handler]
    log.setLevel(logging.INFO)
