"""How an issue is frozen on PostgreSQL, and how much faster two `newsletter worker` processes send it than one.

Everything happens in a schema of its own, which is dropped at the end; all mail goes to a sink.
"""

import json
import os
import resource
import secrets
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass

from sqlalchemy import make_url, text

from newsletter.bench.delay import delayed
from newsletter.bench.sink import Sink, opened
from newsletter.errors import SurroundingsError, UsageError
from newsletter.store.engine import Database

PATIENCE = 1800  # seconds
LOOK = 0.1  # seconds between two looks at the sums
READERS = text(
    "INSERT INTO subscriber"
    " (list_id, key, address, cadence, include, exclude, format, active, origin, listed, standing)"
    " SELECT 'papers', a, a, 'daily', '[]', '[]', 'html', true, 'import', true, 'active'"
    " FROM (SELECT 'reader' || n || '@example.org' AS a FROM generate_series(1, :readers) n) given"
)
SUMS = text("SELECT state, count(*) FROM delivery GROUP BY state")


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerFigures:
    """What was measured: `peak_rss_mb` is the process that froze the issue, `speedup` two workers beside one."""

    recipients: int
    connections: int
    rtt_ms: float
    freeze_seconds: float
    peak_rss_mb: float
    one_per_second: float | None
    two_per_second: float | None
    speedup: float | None
    lost: int
    doubled: int


def measure(server: str, recipients: int, connections: int, rtt_ms: float, *, only_freeze: bool) -> WorkerFigures:
    """Freeze an issue for so many readers, and send it with one worker and with two.

    Args:
        server: the URL of a PostgreSQL database in which a schema may be made.
        recipients: how many readers.
        connections: of each worker.
        rtt_ms: how long each reply is held back, so that the sink is not the limit.
        only_freeze: send nothing.

    Raises:
        UsageError: it is no PostgreSQL URL.
        SurroundingsError: a process failed, or copies were lost.
    """
    if make_url(server).get_backend_name() != "postgresql":
        raise UsageError("--server: workers share a PostgreSQL server; write postgresql+psycopg://...")
    rates: list[float] = []
    froze, peak, lost, doubled = 0.0, 0.0, 0, 0
    with opened() as sink, delayed(sink.host, sink.port, rtt_ms) as (host, port):
        for number in (1,) if only_freeze else (1, 2):
            with _list(server, recipients, host, port, connections) as (database, settings, folder):
                froze, peak = _frozen(settings, folder)
                if only_freeze:
                    break
                before = sink.taken()
                rates.append(_sent(database, settings, folder, number))
                more = _taken(sink, before, recipients) - recipients
                lost, doubled = lost + max(0, -more), doubled + max(0, more)
    one, two = [*rates, None, None][:2]
    return WorkerFigures(
        recipients=recipients,
        connections=connections,
        rtt_ms=rtt_ms,
        freeze_seconds=round(froze, 2),
        peak_rss_mb=round(peak, 1),
        one_per_second=one,
        two_per_second=two,
        speedup=round(two / one, 2) if one and two else None,
        lost=lost,
        doubled=doubled,
    )


@contextmanager
def _list(
    server: str, recipients: int, host: str, port: int, connections: int
) -> Iterator[tuple[Database, dict[str, str], str]]:
    """Make a schema with so many readers; yield it with the settings that send to a sink, and a folder to be in."""
    schema = f"bench_{secrets.token_hex(4)}"
    url = make_url(server).update_query_dict({"options": f"-csearch_path={schema}"})
    settings = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")} | {
        "NEWSLETTER_DATABASE_URL": url.render_as_string(hide_password=False),
        "NEWSLETTER_WORKERS": "true",
        "NEWSLETTER_TRANSPORT": "smtp",
        "NEWSLETTER_SENDER": "Papers <papers@example.org>",
        "NEWSLETTER_SMTP__HOST": host,
        "NEWSLETTER_SMTP__PORT": str(port),
        "NEWSLETTER_SMTP__SECURITY": "none",
        "NEWSLETTER_SMTP__CONNECTIONS": str(connections),
    }
    with closing(Database(server)) as plain, tempfile.TemporaryDirectory(prefix="newsletter-bench-") as folder:
        with plain.writing() as connection:
            connection.execute(text(f"CREATE SCHEMA {schema}"))
        try:
            _command(["upgrade"], settings, folder)
            with closing(Database(settings["NEWSLETTER_DATABASE_URL"])) as database:
                with database.writing() as connection:
                    connection.execute(READERS, {"readers": recipients})
                yield database, settings, folder
        finally:
            with plain.writing() as connection:
                connection.execute(text(f"DROP SCHEMA {schema} CASCADE"))


def _frozen(settings: dict[str, str], folder: str) -> tuple[float, float]:
    """Freeze the sample's issue and queue its copies; return the seconds that took, and the most memory in MB."""
    start = time.perf_counter()
    _command(["send"], settings, folder)
    return time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024


def _sent(database: Database, settings: dict[str, str], folder: str, number: int) -> float:
    """Send with so many workers; return copies a second between a tenth and nine tenths of the way."""
    command = [sys.executable, "-m", "newsletter", "worker"]
    workers = [
        subprocess.Popen(command, env=settings, cwd=folder, stderr=subprocess.DEVNULL)  # noqa: S603 - our own
        for _ in range(number)
    ]
    try:
        return _rate(database)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.wait()


def _rate(database: Database) -> float:
    seen: list[tuple[float, int]] = []
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        with database.reading() as connection:
            sums = {str(state): int(copies) for state, copies in connection.execute(SUMS)}
        audience = sum(sums.values())
        seen.append((time.perf_counter(), sums.get("sent", 0)))
        if seen[-1][1] == audience:
            middle = [one for one in seen if audience / 10 <= one[1] <= audience * 9 / 10] or seen
            (begun, first), (ended, last) = middle[0], middle[-1]
            return round((last - first) / max(ended - begun, LOOK), 1)
        time.sleep(max(LOOK, audience / 100_000))
    raise SurroundingsError(f"bench workers: {sums} after {PATIENCE} seconds; run again with fewer recipients")


def _taken(sink: Sink, before: int | None, recipients: int) -> int:
    after = sink.taken()
    return recipients if before is None or after is None else after - before


def _command(words: list[str], settings: dict[str, str], folder: str) -> None:
    ran = subprocess.run(  # noqa: S603 - our own
        [sys.executable, "-m", "newsletter", *words],
        env=settings,
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    if ran.returncode:
        said = (ran.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise SurroundingsError(f"bench workers: newsletter {json.dumps(words)}: {said}; mend that and run again")
