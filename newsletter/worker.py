"""Many machines: jobs in PostgreSQL, carried out by any number of `newsletter worker` processes.

The only file that knows Procrastinate. Each job is a thin call into what a laptop runs as well. A chunk is so many
copies of an issue, whichever are due when its job runs: no row belongs to one, so a job that is lost or runs twice
changes nothing. The rows of the ledger decide who gets a copy.
"""

import asyncio
import logging
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from math import ceil
from pathlib import Path
from typing import Any

import psycopg
from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision, SyncPsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job, Status
from procrastinate.manager import JobManager
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, inspect, text

from newsletter import alarm, dispatch, schedule
from newsletter.crew import BREATH, REST, Crew, NotNowError, patience
from newsletter.errors import DatabaseError, NewsletterError, RefusalsError, RelayError, SurroundingsError
from newsletter.parts import Parts
from newsletter.send.outcomes import MAXIMUM_AGE
from newsletter.send.sender import claimant
from newsletter.settings import bundled
from newsletter.store import meta
from newsletter.store.engine import Database, alive
from newsletter.store.ledger import Ledger
from newsletter.store.waiting import Jobs

LOG = logging.getLogger("newsletter")
CHUNK = 500  # copies
CHUNKS_AT_ONCE = 2  # one is being sent, the next is at hand: connections never wait for a job
CONTROLS_AT_ONCE = 2  # a tick that waits for a slow source holds up no sweep
# A killed worker's jobs are begun anew within STALLED + the sweep's interval: under ten seconds.
HEARTBEAT = 1.5  # seconds between two signs of life
STALLED = 5.0  # seconds without one
EVERY = 2  # seconds between two sweeps
EVERY_MINUTE, EVERY_FEW_SECONDS = "* * * * *", f"* * * * * */{EVERY}"
SCHEMA = "jobs_schema"  # the newest of Procrastinate's migrations that a database has
PATIENCE = 5.0  # seconds for a connection to the database
SIGN = 2.0  # seconds between two signs of life of the process
LARGEST_DIFFERENCE = 10.0  # seconds between our clock and the server's; the largest of two machines is twice that
QUEUED = text(
    "SELECT count(*) FILTER (WHERE job.status = 'todo'),"
    " count(*) FILTER (WHERE job.status = 'doing' AND alive.id IS NOT NULL),"
    " count(*) FILTER (WHERE job.status = 'doing' AND alive.id IS NULL)"
    " FROM procrastinate_jobs job LEFT JOIN procrastinate_workers alive"
    " ON alive.id = job.worker_id AND alive.last_heartbeat >= now() - make_interval(secs => :silence)"
    " WHERE job.queue_name = :queue AND job.status IN ('todo', 'doing')"
)
LIVE = text(  # a job that is put off for longer than any of ours is nobody's
    "SELECT count(*) FROM procrastinate_jobs"
    " WHERE queue_name = :queue AND status IN ('todo', 'doing') AND args->>'issue' = :issue"
    " AND coalesce(scheduled_at <= now() + make_interval(secs => :rest), true)"
)


def enlisted(parts: Parts) -> Parts:
    """Return parts that leave sending to workers: what they queue is announced to them in the same transaction.

    The invented readers of the example are nobody's list here; a list without a file was imported.

    Raises:
        DatabaseError: the tables of the jobs cannot be made.
    """
    prepare_schema(parts.database)
    roster = None if parts.roster == bundled("subscribers.example.yaml") else parts.roster
    chunks = Chunks(parts.mailing.list_id)
    ledger = Ledger(parts.database, parts.mailing.list_id, chunks.announce)
    return replace(parts, workers=True, ledger=ledger, roster=roster, jobs=partial(_told, chunks, parts.database))


def prepare_schema(database: Database) -> str | None:
    """Make Procrastinate's tables, or bring them up to the installed version; return that version if they changed.

    Raises:
        DatabaseError: the database failed; what was not reached is done by the next call.
    """
    scripts = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    newest = scripts[-1].name
    with database.reading() as connection:
        there = inspect(connection).has_table("procrastinate_jobs")
    # A machine that was updated before this one has a newer one; a backup may have been brought back without them.
    if there and (meta.read(database, SCHEMA) or "") >= newest:
        return None
    while _migrate(database, scripts) < newest:
        pass
    return newest.partition("_")[0]


def _migrate(database: Database, scripts: Sequence[Path]) -> str:
    """Make the tables, or run the next migration; return the name of the newest that has run now.

    Each is a transaction of its own: what one adds to a type can be used only when that is committed.
    """
    newest = scripts[-1].name
    with database.writing() as connection, _explained(database):
        database.lock(connection, SCHEMA)
        kept = connection.scalar(text("SELECT value FROM meta WHERE name = :name"), {"name": SCHEMA})
        following = next((one for one in scripts if one.name > (kept or newest)), None)
        if not inspect(connection).has_table("procrastinate_jobs"):
            _driver(connection).execute(SchemaManager.get_schema())
            following = None
        elif following:
            _driver(connection).execute(following.read_text())
        reached = following.name if following else max(kept or newest, newest)
        connection.execute(meta.kept(database, SCHEMA, reached))
    return reached


class Chunks:
    """The chunks of one list that wait for a worker."""

    def __init__(self, list_id: str) -> None:
        self.queue = f"send:{list_id}"
        self._manager = JobManager(SyncPsycopgConnector())  # never opened: it writes within our own transactions

    def announce(self, connection: Connection, issue: str, copies: int) -> None:
        """Queue jobs for so many copies of an issue, within an open transaction."""
        jobs = [
            Job(
                id=None,
                queue=self.queue,
                lock=None,
                queueing_lock=None,
                priority=-n,  # the first chunk of an issue comes before the second of any
                task_name="send_chunk",
                task_kwargs={"issue": issue, "n": n},
            )
            for n in range(-(-copies // CHUNK))
        ]
        if jobs:
            self._manager.batch_defer_jobs(jobs, connection=_driver(connection))

    def waiting(self, connection: Connection, issue: str) -> int:
        """Return how many chunks of an issue wait or are being sent."""
        given = {"queue": self.queue, "issue": issue, "rest": 2 * REST.total_seconds()}
        return int(connection.scalar(LIVE, given) or 0)

    def jobs(self, database: Database) -> Jobs:
        """Return how many chunks wait and are at work; silent is a worker whose jobs ought to be another's by now.

        Raises:
            DatabaseError: the database failed, or holds no jobs yet.
        """
        with database.reading() as connection:
            return Jobs(*connection.execute(QUEUED, {"queue": self.queue, "silence": STALLED + EVERY}).one())


def _told(chunks: Chunks, database: Database) -> Jobs | None:
    try:
        return chunks.jobs(database)
    except DatabaseError as fault:
        LOG.warning("the jobs of the workers cannot be counted: %s", fault)
        return None


def sweep(parts: Parts, chunks: Chunks) -> None:
    """Take back what dead senders held, and queue chunks of issues that have due copies and no job.

    Raises:
        DatabaseError: the database failed.
    """
    now = parts.clock()
    parts.ledger.recover(claimant(), now, lambda one, cause: parts.doubt.doubted(one, cause, now), sole_sender=False)
    parts.ledger.reconsider(parts.doubt.resent, now, now - MAXIMUM_AGE)
    for key in dispatch.due(parts):
        with parts.database.writing() as connection, _explained(parts.database):
            parts.database.lock(connection, f"sweep {key}")
            if not chunks.waiting(connection, key):
                chunks.announce(connection, key, parts.ledger.due_copies(key, now))


def work(parts: Parts) -> None:
    """Carry out jobs until SIGTERM or Ctrl-C, which lets the messages in flight end; a second one ends it at once.

    Where the subscriber file is not, the list is as it was brought in elsewhere.

    Args:
        parts: what to work with, `enlisted`.

    Raises:
        SurroundingsError: this machine's clock is wrong.
        DatabaseError: the database does not answer at the beginning; later it is waited for.
    """
    check_clock(parts)
    if isinstance(parts.roster, Path) and not parts.roster.exists():
        LOG.info("%s is not on this machine: the list is as it was brought in elsewhere", parts.roster)
        parts = replace(parts, roster=None)
    for name in ("procrastinate", "psycopg.pool"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters of it is told in our own words
    asyncio.run(_work(parts))


async def _work(parts: Parts) -> None:
    crew, stopping = Crew(parts), asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        stopping.set()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)

    loop.set_exception_handler(_passed_over)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    away = False
    while not stopping.is_set():
        try:
            await asyncio.to_thread(check_clock, parts)
            if away:
                LOG.info("the database answers again")
            away = False
            await _serve(parts, crew, stopping)
        except (ConnectorException, psycopg.Error, DatabaseError) as fault:
            if not away:
                LOG.warning("the database does not answer (%s); waiting for it", _first_line(fault))
            away = True
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), BREATH.total_seconds())
    with suppress(DatabaseError):  # else it is missed by itself, seconds later
        parts.pace.lanes.leave()
    LOG.info("stopped; nothing is lost")


def check_clock(parts: Parts) -> None:
    """Compare this machine's clock with the server's: leases and jobs go by both.

    Raises:
        SurroundingsError: they differ by more than ten seconds.
    """
    before = parts.clock()
    with parts.database.reading() as connection:
        theirs: Any = connection.scalar(text("SELECT clock_timestamp()"))
    ahead, behind = (before - theirs).total_seconds(), (theirs - parts.clock()).total_seconds()
    if max(ahead, behind) > LARGEST_DIFFERENCE:  # who stood still between the two looks is neither
        which = "ahead of" if ahead > behind else "behind"
        said = f"this machine's clock is {max(ahead, behind):,.0f} seconds {which} the database server's"
        raise SurroundingsError(f"{said}; set both by NTP and start again: workers agree by them on who has a copy")


def _passed_over(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Pass over that a job of ours cannot be ended: while we stood still another worker did, or the database went."""
    if not isinstance(context.get("exception"), ConnectorException | psycopg.Error):
        loop.default_exception_handler(context)


async def _serve(parts: Parts, crew: Crew, stopping: asyncio.Event) -> None:
    """Work until told to stop, or until the database is lost.

    Raises:
        ConnectorException, psycopg.Error: the database does not answer.
        SurroundingsError: this machine's clock went wrong.
    """
    loop, rests = asyncio.get_running_loop(), asyncio.Event()
    app = _app(parts, crew, lambda: loop.call_soon_threadsafe(rests.set))
    async with app.open_async():
        workers = [
            asyncio.create_task(_send(app, parts, crew, rests)),
            asyncio.create_task(_carry_out(app, _control(parts), CONTROLS_AT_ONCE)),
        ]
        LOG.info("working for the list %s", parts.mailing.list_id)
        beat = asyncio.create_task(_beat(parts))
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait([*workers, beat, stop], return_when=asyncio.FIRST_COMPLETED)
        for task in (*workers, beat, stop):
            task.cancel()  # a worker takes no more jobs then, and waits for those at work
        if stopping.is_set() or beat.done():
            await asyncio.to_thread(crew.stop)
        ended = await asyncio.gather(beat, *workers, return_exceptions=True)
    for fault in ended:
        if isinstance(fault, Exception):
            raise fault


async def _carry_out(app: App, queue: str, number: int) -> None:
    """Carry out the jobs of a queue, so many at once; cancelled, take no more and wait for those at work."""
    await app.run_worker_async(
        queues=[queue],
        concurrency=number,
        update_heartbeat_interval=HEARTBEAT,
        stalled_worker_timeout=STALLED,
        fetch_job_polling_interval=HEARTBEAT,
        delete_jobs="always",
        install_signal_handlers=False,
    )


async def _send(app: App, parts: Parts, crew: Crew, rests: asyncio.Event) -> None:
    """Carry out chunks; while the relays rest take none, so that other workers have them."""
    while True:
        rests.clear()
        chunks = asyncio.create_task(_carry_out(app, f"send:{parts.mailing.list_id}", CHUNKS_AT_ONCE))
        rest = asyncio.create_task(rests.wait())
        try:
            await asyncio.wait([chunks, rest], return_when=asyncio.FIRST_COMPLETED)
        finally:
            rest.cancel()
            chunks.cancel()
            [ended] = await asyncio.gather(chunks, return_exceptions=True)
        if isinstance(ended, Exception):
            raise ended
        LOG.info("no chunks are taken for %.0f seconds", crew.rests)
        await asyncio.sleep(crew.rests)


async def _beat(parts: Parts) -> None:
    """Show that this process is there, also while it has nothing to send.

    Raises:
        SurroundingsError: this machine's clock went wrong.
    """
    while True:
        try:
            await asyncio.to_thread(check_clock, parts)
            await asyncio.to_thread(parts.pace.lanes.beat, parts.clock().timestamp())
        except DatabaseError:
            LOG.debug("no sign of life could be given")  # the jobs tell of a lost database
        await asyncio.sleep(SIGN)


def _app(parts: Parts, crew: Crew, rest: Callable[[], object]) -> App:
    """Return the jobs of a list; `rest` is called where the relays failed."""
    url = alive(parts.database.url.set(drivername="postgresql")).render_as_string(hide_password=False)
    app = App(connector=PsycopgConnector(conninfo=url, timeout=PATIENCE))
    chunks, name = Chunks(parts.mailing.list_id), _control(parts)

    @app.task(name="send_chunk", queue=chunks.queue, retry=Patience())
    def send_chunk(issue: str, n: int) -> None:
        try:
            crew.send(issue, CHUNK)
        except NotNowError:
            raise
        except Exception as fault:
            _tell(parts, f"chunk {n} of {issue}", fault)
            if isinstance(fault, RelayError):
                rest()
            raise

    @app.periodic(cron=EVERY_MINUTE, periodic_id=name)
    @app.task(name="tick", queue=name, queueing_lock=f"tick {name}")  # no lock: a dead one would keep it for ever
    def tick(timestamp: int) -> None:
        del timestamp
        with _guarded():
            done = schedule.tick(parts)
            for line in done.lines:
                LOG.info("%s", line)
            for fault in (*done.faults, *done.passing):
                LOG.error("%s", fault)

    @app.periodic(cron=EVERY_FEW_SECONDS, periodic_id=name)
    @app.task(name="sweep", queue=name, queueing_lock=f"sweep {name}")
    async def sweep_up(timestamp: int) -> None:
        del timestamp
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED):
            with suppress(ConnectorException):  # another sweep was quicker
                await _taken_over(app, job)
        with _guarded():
            await asyncio.to_thread(sweep, parts, chunks)

    return app


async def _taken_over(app: App, job: Job) -> None:
    """Let another worker begin a chunk anew; what rings by itself is gone, since it rings again."""
    if job.task_name == "send_chunk":
        await app.job_manager.retry_job(job)
        LOG.warning("a worker died or stands still: its chunk is begun anew")
    else:
        await app.job_manager.finish_job(job, Status.FAILED, delete_job=True)


@contextmanager
def _guarded() -> Iterator[None]:
    """Tell of a fault, and leave the rest to the next time."""
    try:
        yield
    except NewsletterError as fault:
        LOG.error("%s", fault)  # noqa: TRY400 - one line is what a person needs
    except Exception:
        LOG.exception("unexpected fault, please report it")


class Patience(BaseRetryStrategy):
    """When a chunk that failed is tried again; one that goes missing is queued anew by the sweep."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return a wait: short where the database was away, none where the issue is held back by now."""
        del job
        if isinstance(exception, RefusalsError):
            return None
        wait = ceil(patience(exception).total_seconds())
        decision: RetryDecision = RetryDecision(retry_in={"seconds": wait})
        return decision


def _tell(parts: Parts, what: str, fault: Exception) -> None:
    if not isinstance(fault, NewsletterError):
        LOG.error("%s: unexpected fault, please report it", what, exc_info=fault)
        return
    LOG.error("%s: %s", what, fault)
    if isinstance(fault, DatabaseError):
        return  # it is where the alarms are kept
    try:
        alarm.tell(parts, [fault])
    except NewsletterError as further:
        LOG.warning("the operator could not be told: %s", further)


def _control(parts: Parts) -> str:
    """Return the queue of all that is no sending."""
    return f"control:{parts.mailing.list_id}"


def _driver(connection: Connection) -> Any:
    """Return psycopg's own connection, in the same transaction."""
    return connection.connection.driver_connection


@contextmanager
def _explained(database: Database) -> Iterator[None]:
    try:
        yield
    except (ConnectorException, psycopg.Error) as fault:
        raise DatabaseError(database.explain(_first_line(fault))) from fault


def _first_line(fault: BaseException) -> str:
    said = str(fault.__cause__ or fault).strip() or type(fault).__name__
    return said.splitlines()[0]
