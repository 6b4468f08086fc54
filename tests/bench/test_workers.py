"""What the engine costs: the same no-op deliveries, 500 at a time, by jobs and by a bare loop over locked rows."""

import multiprocessing
import time
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from newsletter import worker
from newsletter.bench.workers import READERS
from newsletter.crew import Crew
from newsletter.settings import Settings
from newsletter.store.engine import Database
from newsletter.wiring import build
from tests.flows.command import newsletter
from tests.postgres import Server

COPIES = 200_000
TAKE = text(
    "UPDATE delivery SET state = 'claimed' WHERE ctid = ANY (ARRAY(SELECT ctid FROM delivery"
    " WHERE state = 'queued' LIMIT 500 FOR UPDATE SKIP LOCKED)) RETURNING subscriber_id"
)
SETTLE = text("UPDATE delivery SET state = 'sent' WHERE state = 'claimed' AND subscriber_id = ANY (:taken)")
DONE = text("SELECT count(*) FROM delivery WHERE state = 'sent'")


def no_op(database: Database) -> int:
    """Claim up to 500 copies and settle them, as one chunk does; return how many these were."""
    with database.writing() as connection:
        taken = list(connection.scalars(TAKE))
    with database.writing() as connection:
        connection.execute(SETTLE, {"taken": taken})
    return len(taken)


def bare(url: str, _folder: str) -> None:
    with closing(Database(url)) as database:
        while no_op(database):
            pass


def by_jobs(url: str, folder: str) -> None:
    parts = worker.enlisted(build(Settings(database_url=url, workers=True), Path(folder)))

    class Idle(Crew):
        def send(self, issue: str, copies: int) -> None:
            del issue, copies
            no_op(parts.database)

    worker.__dict__["Crew"] = Idle  # in this process alone
    worker.work(parts)


def rate(url: str, folder: Path, how: str) -> float:
    """Return deliveries a second of two processes, between a tenth and nine tenths of the way."""
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=globals()[how], args=(url, str(folder))) for _ in range(2)]
    for process in processes:
        process.start()
    seen: list[tuple[float, int]] = [(0, 0)]
    with closing(Database(url)) as database:
        while seen[-1][1] < COPIES:
            time.sleep(0.1)
            with database.reading() as connection:
                seen.append((time.perf_counter(), int(connection.scalar(DONE) or 0)))
    for process in processes:
        process.terminate()
        process.join()
    middle = [one for one in seen if COPIES / 10 <= one[1] <= COPIES * 9 / 10]
    return (middle[-1][1] - middle[0][1]) / (middle[-1][0] - middle[0][0])


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_jobs_reach_half_of_what_a_bare_loop_does(tmp_path: Path, postgresql: Server) -> None:
    rates = {}
    for how in ("bare", "by_jobs"):
        url = postgresql.new_url()
        settings = {"NEWSLETTER_DATABASE_URL": url, "NEWSLETTER_WORKERS": "true"}
        assert newsletter(tmp_path, "upgrade", **settings).code == 0
        with closing(Database(url)) as database, database.writing() as connection:
            connection.execute(READERS, {"readers": COPIES})
        assert newsletter(tmp_path, "send", **settings).code == 0
        rates[how] = rate(url, tmp_path, how)
    assert rates["by_jobs"] >= rates["bare"] / 2, rates
    print(rates)  # noqa: T201 - the figures are the point
