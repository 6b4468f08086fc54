"""Many machines: jobs in PostgreSQL, carried out by any number of `newsletter worker` processes.

The only file that knows Procrastinate. Each job is a thin call into what a laptop runs as well. A chunk is so many
copies of an issue, whichever are due when its job runs: no row belongs to one, so a job that is lost or runs twice
changes nothing. The rows of the ledger decide who gets a copy.
"""

import asyncio
import logging
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
from procrastinate import App, BaseRetryStrategy, PsycopgConnector, RetryDecision, SyncPsycopgConnector
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Job
from procrastinate.manager import JobManager
from procrastinate.schema import SchemaManager
from sqlalchemy import Connection, inspect, text

from newsletter import alarm, dispatch, schedule
from newsletter.crew import REST, Crew
from newsletter.errors import DatabaseError, NewsletterError, RefusalsError
from newsletter.parts import Parts
from newsletter.send.sender import claimant
from newsletter.settings import bundled
from newsletter.store import meta
from newsletter.store.engine import Database
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
BREATH = 1.0  # seconds until a lost database is asked again
QUEUED = text(
    "SELECT count(*) FILTER (WHERE job.status = 'todo'),"
    " count(*) FILTER (WHERE job.status = 'doing' AND alive.id IS NOT NULL),"
    " count(*) FILTER (WHERE job.status = 'doing' AND alive.id IS NULL)"
    " FROM procrastinate_jobs job LEFT JOIN procrastinate_workers alive"
    " ON alive.id = job.worker_id AND alive.last_heartbeat >= now() - make_interval(secs => :silence)"
    " WHERE job.queue_name = :queue AND job.status IN ('todo', 'doing')"
)
LIVE = text(
    "SELECT count(*) FROM procrastinate_jobs"
    " WHERE queue_name = :queue AND status IN ('todo', 'doing') AND args->>'issue' = :issue"
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
    return replace(parts, workers=True, ledger=ledger, roster=roster, jobs=partial(chunks.jobs, parts.database))


def prepare_schema(database: Database) -> str | None:
    """Make Procrastinate's tables, or bring them up to the installed version; return that version if they changed.

    Raises:
        DatabaseError: the database failed; what was not reached is done by the next call.
    """
    scripts = sorted(Path(SchemaManager.get_migrations_path()).glob("*.sql"))
    newest = scripts[-1].name
    if (meta.read(database, SCHEMA) or "") >= newest:  # a machine that was updated before this one has a newer one
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
                task_name="send_chunk",
                task_kwargs={"issue": issue, "n": n},
            )
            for n in range(-(-copies // CHUNK))
        ]
        if jobs:
            self._manager.batch_defer_jobs(jobs, connection=_driver(connection))

    def waiting(self, connection: Connection, issue: str) -> int:
        """Return how many chunks of an issue wait or are being sent."""
        return int(connection.scalar(LIVE, {"queue": self.queue, "issue": issue}) or 0)

    def jobs(self, database: Database) -> Jobs:
        """Return how many chunks wait and are at work; silent is a worker whose jobs ought to be another's by now.

        Raises:
            DatabaseError: the database failed, or holds no jobs yet.
        """
        with database.reading() as connection:
            return Jobs(*connection.execute(QUEUED, {"queue": self.queue, "silence": STALLED + EVERY}).one())


def sweep(parts: Parts, chunks: Chunks) -> None:
    """Take back what dead senders held, and queue chunks of issues that have due copies and no job.

    Raises:
        DatabaseError: the database failed.
    """
    now = parts.clock()
    parts.ledger.recover(claimant(), now, lambda one, cause: parts.doubt.doubted(one, cause, now), sole_sender=False)
    parts.ledger.reconsider(parts.doubt.resent, now)
    for key in dispatch.due(parts):
        with parts.database.writing() as connection, _explained(parts.database):
            parts.database.lock(connection, f"sweep {key}")
            if not chunks.waiting(connection, key):
                chunks.announce(connection, key, parts.ledger.due_copies(key, now))


def work(parts: Parts) -> None:
    """Carry out jobs until SIGTERM or Ctrl-C, which lets the messages in flight end; a second one ends it at once.

    Args:
        parts: what to work with, `enlisted`.
    """
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
    while not stopping.is_set():
        try:
            await _serve(parts, crew, stopping)
        except (ConnectorException, psycopg.Error) as fault:
            LOG.warning("the database does not answer (%s); trying again", _first_line(fault))
            await asyncio.sleep(BREATH)
    with suppress(DatabaseError):  # else it is missed by itself, seconds later
        parts.pace.lanes.leave()
    LOG.info("stopped; nothing is lost")


def _passed_over(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Pass over that a job of ours cannot be ended: while we stood still another worker did, or the database went."""
    if not isinstance(context.get("exception"), ConnectorException | psycopg.Error):
        loop.default_exception_handler(context)


async def _serve(parts: Parts, crew: Crew, stopping: asyncio.Event) -> None:
    """Work until told to stop, or until the database is lost.

    Raises:
        ConnectorException, psycopg.Error: the database does not answer.
    """
    app = _app(parts, crew)
    queues = ((f"send:{parts.mailing.list_id}", CHUNKS_AT_ONCE), (_control(parts), CONTROLS_AT_ONCE))
    async with app.open_async():
        workers = [
            asyncio.create_task(
                app.run_worker_async(
                    queues=[queue],
                    concurrency=number,
                    update_heartbeat_interval=HEARTBEAT,
                    stalled_worker_timeout=STALLED,
                    fetch_job_polling_interval=HEARTBEAT,
                    delete_jobs="always",
                    install_signal_handlers=False,
                )
            )
            for queue, number in queues
        ]
        LOG.info("working for the list %s", parts.mailing.list_id)
        beat = asyncio.create_task(_beat(parts))
        stop = asyncio.create_task(stopping.wait())
        await asyncio.wait([*workers, stop], return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        beat.cancel()
        if stopping.is_set():
            await asyncio.to_thread(crew.stop)
        for worker in workers:
            worker.cancel()
        ended = await asyncio.gather(*workers, return_exceptions=True)
    for fault in ended:
        if isinstance(fault, Exception):
            raise fault


async def _beat(parts: Parts) -> None:
    """Show that this process is there, also while it has nothing to send."""
    while True:
        try:
            await asyncio.to_thread(parts.pace.lanes.beat, parts.clock().timestamp())
        except DatabaseError:
            LOG.debug("no sign of life could be given")  # the jobs tell of a lost database
        await asyncio.sleep(2 * BREATH)


def _app(parts: Parts, crew: Crew) -> App:
    """Return the jobs of a list."""
    url = parts.database.url.set(drivername="postgresql").render_as_string(hide_password=False)
    app, chunks, name = App(connector=PsycopgConnector(conninfo=url)), Chunks(parts.mailing.list_id), _control(parts)

    @app.task(name="send_chunk", queue=chunks.queue, retry=Patience())
    def send_chunk(issue: str, n: int) -> None:
        try:
            crew.send(issue, CHUNK)
        except Exception as fault:
            _tell(parts, f"chunk {n} of {issue}", fault)
            raise

    @app.periodic(cron=EVERY_MINUTE, periodic_id=name)
    @app.task(name="tick", queue=name, lock=f"tick {name}", queueing_lock=f"tick {name}")
    def tick(timestamp: int) -> None:
        del timestamp
        done = schedule.tick(parts)
        for line in done.lines:
            LOG.info("%s", line)
        for fault in (*done.faults, *done.passing):
            LOG.error("%s", fault)

    @app.periodic(cron=EVERY_FEW_SECONDS, periodic_id=name)
    @app.task(name="sweep", queue=name, queueing_lock=f"sweep {name}")  # no lock: a dead one would keep it
    async def sweep_up(timestamp: int) -> None:
        del timestamp
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=STALLED):
            try:
                await app.job_manager.retry_job(job)
            except ConnectorException:
                continue  # another sweep was quicker
            LOG.warning("a worker died or stands still: its %s is begun anew", job.task_name)
        try:
            await asyncio.to_thread(sweep, parts, chunks)
        except NewsletterError as fault:
            LOG.error("%s", fault)  # noqa: TRY400 - one line is what a person needs

    return app


class Patience(BaseRetryStrategy):
    """When a chunk that failed is tried again; one that stays away is queued anew by the sweep."""

    def get_retry_decision(self, *, exception: BaseException, job: Job) -> RetryDecision | None:
        """Return a wait: short where the database was away, none where the issue is held back by now."""
        del job
        if isinstance(exception, RefusalsError):
            return None
        wait = 1 if isinstance(exception, DatabaseError) else int(REST.total_seconds())
        decision: RetryDecision = RetryDecision(retry_in={"seconds": wait})
        return decision


def _tell(parts: Parts, what: str, fault: Exception) -> None:
    if not isinstance(fault, NewsletterError):
        LOG.error("%s: unexpected fault, please report it", what, exc_info=fault)
        return
    LOG.error("%s: %s", what, fault)
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
