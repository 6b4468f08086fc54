"""Our own sender as `bench send` measures it: the real pipeline on a real ledger, in a process of its own.

Only `pipeline.deliver` is under the clock: it freezes the issue, compiles it, queues a copy for each reader, sends
them and settles each. Importing the readers is not, and happens in another process: its memory is not the sender's.
"""

import json
import multiprocessing
import resource
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from newsletter import pipeline
from newsletter.bench import sample
from newsletter.bench.peers import Load, Reading
from newsletter.errors import NewsletterError
from newsletter.models import State
from newsletter.parts import Mailing, Parts, timetable_of
from newsletter.send.dkim import DkimKey, load_key, sign_message
from newsletter.send.outcomes import DoubtPolicy
from newsletter.send.relays import Route
from newsletter.send.smtp import Relay, SmtpTransport
from newsletter.send.supply import Pace
from newsletter.settings import Settings
from newsletter.settings.serving import BounceSettings
from newsletter.store.alarms import AlarmStore
from newsletter.store.bounces import Tolerance
from newsletter.store.curation import CurationStore
from newsletter.store.engine import Database
from newsletter.store.enrolments import EnrolmentStore
from newsletter.store.holds import HoldStore
from newsletter.store.issues import IssueStore
from newsletter.store.ledger import Ledger
from newsletter.store.meta import prepare_schema
from newsletter.store.papers import PaperStore
from newsletter.store.retention import RetentionStore
from newsletter.store.slots import SlotStore
from newsletter.store.sources import SourceStore
from newsletter.store.subscribers import SubscriberStore
from newsletter.store.waiting import WaitingStore

LIST = sample.LINKS.list_id


@dataclass(frozen=True, slots=True)
class OwnReading:
    """A run of our sender, and the most memory its process ever held."""

    reading: Reading
    peak_rss_mb: float


def measure(load: Load, folder: Path) -> OwnReading:
    """Import the readers into a database in that folder, and deliver the sample issue to each.

    Raises:
        NewsletterError: the relay or the database failed.
    """
    importing = multiprocessing.get_context("spawn").Process(target=_import, args=(load, folder))
    importing.start()
    importing.join()
    if importing.exitcode:
        raise NewsletterError("the readers could not be imported")
    parts, issue = _parts(load, folder), sample.issue()
    with parts.database.sole_sender():
        cpu, start = time.process_time(), time.perf_counter()
        tally = pipeline.deliver(parts, issue)
        seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    if tally[State.SENT] != load.recipients:
        raise NewsletterError(f"only {tally[State.SENT]:,} of {load.recipients:,} copies were taken; look at the sink")
    return OwnReading(Reading(load.recipients, seconds, cpu_seconds), _peak_mb())


def _import(load: Load, folder: Path) -> None:
    parts = _parts(load, folder)
    parts.subscribers.add(sample.readers(load.recipients), parts.clock())


def main() -> None:
    """Measure the load on standard input, and write what was measured."""
    load = Load.read()
    try:
        with tempfile.TemporaryDirectory(prefix="newsletter-bench-") as folder:
            measured = measure(load, Path(folder))
    except NewsletterError as fault:
        sys.exit(str(fault))
    sys.stdout.write(json.dumps(asdict(measured)))


def _parts(load: Load, folder: Path) -> Parts:
    """Return the parts of a run as the shipped settings make them, nobody's own settings among them."""
    database = Database(f"sqlite:///{folder}/bench.sqlite3")
    prepare_schema(database)
    subscribers = SubscriberStore(database, LIST)
    relay = Relay(host=load.host, port=load.port, security="none")
    return Parts(
        mailing=_mailing(),
        sources=(),
        go_on_without=False,
        rankings={},
        roster=None,
        templates=sample.templates(),
        links=sample.LINKS,
        database=database,
        papers=PaperStore(database),
        curation=CurationStore(database, LIST),
        subscribers=subscribers,
        issues=IssueStore(database, LIST),
        ledger=Ledger(database, LIST),
        holds=HoldStore(database, LIST),
        enrolments=EnrolmentStore(database, subscribers, LIST, Tolerance.of(BounceSettings())),
        retention=RetentionStore(database, LIST, 0),
        heard=SourceStore(database, LIST),
        alarms=AlarmStore(database, LIST),
        waiting=WaitingStore(database, LIST),
        slots=SlotStore(database, LIST),
        timetable=timetable_of(Settings()),
        routes=(Route(transport=SmtpTransport(relay, load.connections)),),
        pace=Pace(),
        sign=partial(sign_message, _keys(load)),
        doubt=DoubtPolicy(),
        clock=lambda: datetime.now(UTC),
    )


def _keys(load: Load) -> tuple[DkimKey, ...]:
    if load.key is None:
        return ()
    pem = Path(load.key).read_bytes()
    return (load_key(pem, domain=sample.LINKS.domain, selector="bench", name=load.key),)


def _mailing() -> Mailing:
    return Mailing(
        list_id=LIST,
        title=sample.LETTERHEAD.list_name,
        letterhead=sample.LETTERHEAD,
        postal_address=None,
        entries=sample.TOLD,
        full=sample.TOLD,
        min_votes=0,
        only_matches=False,
        diversity=0,
        max_age_days=3,
        zone=ZoneInfo("UTC"),
    )


def _peak_mb() -> float:
    """Return the most memory this process held; the kernel's own counter also counts who started it."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        kilobytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return kilobytes / 1024 if sys.platform != "darwin" else kilobytes / 1024**2
    [peak] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(peak) / 1024


if __name__ == "__main__":
    main()
