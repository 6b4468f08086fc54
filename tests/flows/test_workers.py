"""`newsletter worker`: an issue shared by processes that are killed, stopped and cut off."""

import json
import signal
import subprocess
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.flows.command import newsletter, readers, smtp, start
from tests.postgres import Server, postgresql_server
from tests.send.servers import Mailbox, faulty_server, mail_server

ISSUE = "daily/2025-12-26"
PATIENCE = 90  # seconds; a refused chunk is tried again after sixty
CONNECTIONS = 4
Settings = dict[str, str]


def settings_of(server: Server, port: int, **options: str) -> Settings:
    of_relay = smtp(port, connections=str(CONNECTIONS), **options)
    return of_relay | {"NEWSLETTER_DATABASE_URL": server.new_url(), "NEWSLETTER_WORKERS": "true"}


def books(folder: Path, settings: Settings) -> dict[str, Any]:
    return dict(json.loads(newsletter(folder, "status", ISSUE, "--json", **settings).out))


def wait_until(done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not done():
        assert time.monotonic() < deadline, "it takes too long"
        time.sleep(0.02)


def held_by(pid: int, settings: Settings) -> int:
    """Return how many copies a process has in hand, by the database."""
    query = "SELECT count(*) FROM delivery WHERE state IN ('claimed', 'sending') AND owner LIKE %s"
    url = settings["NEWSLETTER_DATABASE_URL"].replace("+psycopg", "")
    with psycopg.connect(url) as connection:
        return int(connection.execute(query, [f"%:{pid}:%"]).fetchall()[0][0])


def doctor(folder: Path, settings: Settings) -> dict[str, tuple[str, str]]:
    """Return what doctor says, by the name of the check: state and detail."""
    checks = json.loads(newsletter(folder, "doctor", "--json", **settings).out)["checks"]
    return {one["name"]: (one["state"], one["detail"]) for one in checks}


def held_by_the_silent(since: datetime, settings: Settings) -> int:
    """Return how many jobs are held by workers that gave no sign of life since then."""
    query = (
        "SELECT count(*) FROM procrastinate_jobs job JOIN procrastinate_workers worker ON worker.id = job.worker_id"
        " WHERE job.status = 'doing' AND job.task_name = 'send_chunk' AND worker.last_heartbeat < %s"
    )
    with psycopg.connect(settings["NEWSLETTER_DATABASE_URL"].replace("+psycopg", "")) as connection:
        return int(connection.execute(query, [since]).fetchall()[0][0])


def at_rest(folder: Path, settings: Settings) -> dict[str, Any]:
    """Wait until nothing of the issue moves any more; return its sums."""
    last: dict[str, Any] = {}

    def rests() -> bool:
        last.update(books(folder, settings))
        return not any(last[state] for state in ("queued", "claimed", "sending", "deferred"))

    wait_until(rests)
    return last


@contextmanager
def workers(folder: Path, number: int, settings: Settings) -> Iterator[list["subprocess.Popen[str]"]]:
    """Run so many workers; at the end each is told to stop, unless it is gone, and stops in peace."""
    processes = [start(folder, "worker", **settings) for _ in range(number)]
    killed: set[int] = set()
    try:
        yield processes
        killed = {one.pid for one in processes if one.poll() == -signal.SIGKILL}
        for process in processes:
            process.terminate()
        for process in processes:
            _out, err = process.communicate(timeout=PATIENCE)
            assert "Traceback" not in err, err
            assert process.returncode == 0 or process.pid in killed, err
    finally:
        for process in processes:
            process.kill()
            process.communicate()


def check(mailbox: Mailbox, number: int, sums: dict[str, Any], *, most_in_doubt: int = 0) -> None:
    taken = Counter(mailbox.recipients)
    assert max(taken.values()) == 1, "nobody twice"
    assert number - len(taken) <= sums["in_doubt"] <= most_in_doubt, "nobody lost"
    assert sums["audience"] == number == sums["sent"] + sums["in_doubt"]


def test_send_queues_and_workers_send_each_reader_one_copy(tmp_path: Path, postgresql: Server) -> None:
    readers(tmp_path, 1200)
    with mail_server(delay=0.002) as (mailbox, port):
        settings = settings_of(postgresql, port)
        ran = newsletter(tmp_path, "send", **settings)
        assert ran.code == 0
        assert "1,200 queued of 1,200" in ran.out
        assert mailbox.taken == []
        with workers(tmp_path, 2, settings):
            sums = at_rest(tmp_path, settings)
    check(mailbox, 1200, sums)


def test_a_killed_worker_is_replaced_within_ten_seconds(tmp_path: Path, postgresql: Server) -> None:
    readers(tmp_path, 1000)
    with mail_server(delay=0.02) as (mailbox, port):
        settings = settings_of(postgresql, port)
        newsletter(tmp_path, "send", **settings)
        with workers(tmp_path, 2, settings) as (first, _second):
            wait_until(lambda: len(mailbox.taken) > 200)
            first.send_signal(signal.SIGKILL)
            first.wait()
            killed = time.monotonic()
            wait_until(lambda: held_by(first.pid, settings) == 0)
            assert time.monotonic() - killed < 10
            sums = at_rest(tmp_path, settings)
    check(mailbox, 1000, sums, most_in_doubt=CONNECTIONS)


def test_the_jobs_of_a_killed_worker_are_begun_anew_by_another_within_ten_seconds(
    tmp_path: Path, postgresql: Server
) -> None:
    readers(tmp_path, 4000)
    with mail_server(delay=0.02) as (mailbox, port):
        settings = settings_of(postgresql, port)
        newsletter(tmp_path, "send", **settings)
        with workers(tmp_path, 2, settings) as (first, _second):
            wait_until(lambda: held_by(first.pid, settings) > 0 and len(mailbox.taken) > 200)
            first.send_signal(signal.SIGKILL)
            first.wait()
            killed = datetime.now(UTC)
            time.sleep(3)  # who lives has given two more signs of it
            assert held_by_the_silent(killed, settings) > 0
            wait_until(lambda: held_by_the_silent(killed, settings) == 0)
            assert datetime.now(UTC) - killed < timedelta(seconds=10)
            assert books(tmp_path, settings)["queued"] > 0, "it was in the middle of the issue"


def test_what_the_last_worker_held_is_taken_over_within_ten_seconds(tmp_path: Path, postgresql: Server) -> None:
    """Its claims and its job alone are left: nobody works on what lies beyond them."""
    readers(tmp_path, 60)
    with mail_server(delay=0.2) as (mailbox, port):
        settings = settings_of(postgresql, port)
        newsletter(tmp_path, "send", **settings)
        with workers(tmp_path, 1, settings) as (first,):
            wait_until(lambda: len(mailbox.taken) > 10)
            first.send_signal(signal.SIGKILL)
            first.wait()
        time.sleep(0.5)  # what was on its way has arrived
        before, killed = len(mailbox.taken), time.monotonic()
        with workers(tmp_path, 1, settings):
            wait_until(lambda: len(mailbox.taken) > before)
            assert time.monotonic() - killed < 10
            sums = at_rest(tmp_path, settings)
    check(mailbox, 60, sums, most_in_doubt=CONNECTIONS)


def test_a_worker_that_was_stopped_and_woken_doubles_nothing(tmp_path: Path, postgresql: Server) -> None:
    readers(tmp_path, 1500)
    with mail_server(delay=0.02) as (mailbox, port):
        settings = settings_of(postgresql, port)
        newsletter(tmp_path, "send", **settings)
        with workers(tmp_path, 2, settings) as (first, _second):
            wait_until(lambda: len(mailbox.taken) > 200)
            first.send_signal(signal.SIGSTOP)
            time.sleep(7)  # its jobs are given to the other meanwhile
            first.send_signal(signal.SIGCONT)
            sums = at_rest(tmp_path, settings)
    check(mailbox, 1500, sums)


def test_a_restarted_database_is_found_again(tmp_path: Path, missing: Callable[[str], None]) -> None:
    from tests.postgres import find

    if find("initdb") is None:
        missing("initdb is not installed: apt-get install postgresql")
    readers(tmp_path, 1500)
    with mail_server(delay=0.02) as (mailbox, port), postgresql_server() as server:
        settings = settings_of(server, port)
        newsletter(tmp_path, "send", **settings)
        with workers(tmp_path, 2, settings):
            wait_until(lambda: len(mailbox.taken) > 200)
            server.restart()
            sums = at_rest(tmp_path, settings)
    check(mailbox, 1500, sums, most_in_doubt=2 * CONNECTIONS)


def test_terminated_a_worker_ends_what_is_in_flight(tmp_path: Path, postgresql: Server) -> None:
    readers(tmp_path, 600)
    with mail_server(delay=0.02) as (mailbox, port):
        settings = settings_of(postgresql, port)
        newsletter(tmp_path, "send", **settings)
        with workers(tmp_path, 1, settings) as (only,):
            wait_until(lambda: len(mailbox.taken) > 20)
            only.terminate()
            _out, err = only.communicate(timeout=PATIENCE)
            assert only.returncode == 0
            assert "stopped; nothing is lost" in err.splitlines()[-1]
        sums = books(tmp_path, settings)
        assert (sums["claimed"], sums["sending"], sums["in_doubt"]) == (0, 0, 0)
        assert sums["queued"] + sums["sent"] == 600


def test_three_workers_keep_one_rate_and_are_seen(tmp_path: Path, postgresql: Server) -> None:
    readers(tmp_path, 1600)
    with mail_server() as (mailbox, port):
        settings = settings_of(postgresql, port) | {"NEWSLETTER_LIMITS__PER_SECOND": "200"}
        newsletter(tmp_path, "send", **settings)
        with workers(tmp_path, 3, settings):
            wait_until(lambda: len(mailbox.taken) > 600)
            now = json.loads(newsletter(tmp_path, "status", "--now", "--json", **settings).out)
            checks = doctor(tmp_path, settings)
            sums = at_rest(tmp_path, settings)
    check(mailbox, 1600, sums)
    assert now["senders"] == 3
    assert now["chunks"]["waiting"] + now["chunks"]["at_work"] in {1, 2, 3, 4}, "those of 1,600 copies, or what is left"
    assert checks["workers"] == ("ok", "3 at work, each alive within 10 seconds")
    assert checks["jobs"][0] == "ok"
    steady = mailbox.arrived[400:]  # all three are at it by then
    assert (len(steady) - 1) / (steady[-1] - steady[0]) == pytest.approx(200, rel=0.05)


def test_after_a_restart_of_all_workers_there_is_no_burst(tmp_path: Path, postgresql: Server) -> None:
    readers(tmp_path, 1400)
    with mail_server() as (mailbox, port):
        settings = settings_of(postgresql, port) | {"NEWSLETTER_LIMITS__PER_SECOND": "200"}
        newsletter(tmp_path, "send", **settings)
        with workers(tmp_path, 3, settings):
            wait_until(lambda: len(mailbox.taken) > 400)
        before = len(mailbox.taken)
        assert before < 1400
        time.sleep(2)  # 400 copies' worth
        with workers(tmp_path, 3, settings):
            sums = at_rest(tmp_path, settings)
    check(mailbox, 1400, sums)
    after = mailbox.arrived[before:]
    most = max(bisect_right(after, moment + 0.5) - number for number, moment in enumerate(after))
    assert most <= 100 * 1.05 + 3 * 20, "a half second's worth, and the stretch that each of three has reserved"


def test_greylisted_twice_everybody_gets_it(tmp_path: Path, postgresql: Server) -> None:
    readers(tmp_path, 50)
    tries: Counter[str] = Counter()

    def greylist(to: str) -> str | None:
        tries[to] += 1
        again = int(to[6:].partition("@")[0]) % 5 < 3 and tries[to] <= 2
        return "450 4.2.0 greylisted, please try again in 1 seconds" if again else None

    with faulty_server({}) as server:
        server.to_each = greylist
        settings = settings_of(postgresql, server.port)
        newsletter(tmp_path, "send", **settings)
        with workers(tmp_path, 2, settings):
            at_rest(tmp_path, settings)
        assert Counter(server.recipients) == Counter({f"reader{n}@example.org": 1 for n in range(50)})


def test_over_quota_with_a_thousand_readers_nobody_is_struck_off(tmp_path: Path, postgresql: Server) -> None:
    readers(tmp_path, 1000)
    with faulty_server({"RCPT": "550 5.4.5 Daily user sending limit exceeded"}) as server:
        settings = settings_of(postgresql, server.port)
        newsletter(tmp_path, "send", **settings)
        only = start(tmp_path, "worker", **settings)
        assert only.stderr
        told = next(line for line in only.stderr if "refuses this sender" in line)
        only.terminate()
        only.communicate(timeout=PATIENCE)
        assert "nobody was struck off" in told
        assert server.taken == []
    sums = books(tmp_path, settings)
    assert (sums["failed"], sums["suppressed"], sums["sent"]) == (0, 0, 0)
    with mail_server() as (mailbox, port), workers(tmp_path, 1, settings | smtp(port)):
        wait_until(lambda: len(mailbox.taken) >= 985)  # what was answered waits a few minutes more


def test_doctor_and_status_tell_of_jobs_that_nobody_takes_from_a_dead_worker(
    tmp_path: Path, postgresql: Server
) -> None:
    readers(tmp_path, 1200)
    with mail_server(delay=0.02) as (mailbox, port):
        settings = settings_of(postgresql, port)
        assert doctor(tmp_path, settings)["database"][1].endswith("empty, the first run makes its tables")
        newsletter(tmp_path, "send", **settings)
        assert "Chunks:   3 waiting, 0 being sent" in newsletter(tmp_path, "status", "--now", **settings).out
        assert doctor(tmp_path, settings)["jobs"] == ("ok", "3 chunks waiting, 0 being sent")
        with workers(tmp_path, 1, settings) as (only,):
            wait_until(lambda: len(mailbox.taken) > 20)
            only.send_signal(signal.SIGKILL)
            only.wait()
            wait_until(lambda: doctor(tmp_path, settings)["jobs"][0] == "warn")
        assert doctor(tmp_path, settings)["jobs"][1] == "2 chunks are with workers that fell silent"
        said = newsletter(tmp_path, "status", "--now", **settings).out
        assert "Chunks:   1 waiting, 0 being sent, 2 with a worker that fell silent" in said


def test_two_lists_share_a_server_and_keep_their_readers_apart(tmp_path: Path, postgresql: Server) -> None:
    with mail_server(delay=0.002) as (mailbox, port):
        settings = settings_of(postgresql, port)
        lists = {name: settings | {"NEWSLETTER_LIST_ID": name} for name in ("papers", "letters")}
        for name, its in lists.items():
            (tmp_path / name).mkdir()
            readers(tmp_path / name, 700)
            newsletter(tmp_path / name, "send", **its)
        with workers(tmp_path / "papers", 1, lists["papers"]):
            sums = at_rest(tmp_path / "papers", lists["papers"])
            assert books(tmp_path / "letters", lists["letters"])["queued"] == 700
            assert doctor(tmp_path / "letters", lists["letters"])["workers"][0] == "fail", "none works for this one"
        check(mailbox, 700, sums)
        assert doctor(tmp_path / "papers", lists["papers"])["workers"][0] == "fail", "it left in peace, and at once"
        with workers(tmp_path / "letters", 1, lists["letters"]):
            at_rest(tmp_path / "letters", lists["letters"])
        assert set(Counter(mailbox.recipients).values()) == {2}


def test_sqlite_has_no_workers_and_says_so_in_one_line(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "worker")
    assert ran.code == 2
    assert "workers share a PostgreSQL server; set database_url" in ran.fault
    assert "workers share a PostgreSQL server" in newsletter(tmp_path, "send", NEWSLETTER_WORKERS="true").fault
    assert list(tmp_path.iterdir()) == []


def test_workers_are_to_be_wanted_and_send_does_not_wait_for_them(tmp_path: Path, postgresql: Server) -> None:
    readers(tmp_path, 1)
    settings = settings_of(postgresql, 9)
    ran = newsletter(tmp_path, "send", "--wait", "30", **settings)
    assert (ran.code, "--wait: workers send what was put off" in ran.err) == (2, True)
    settings["NEWSLETTER_WORKERS"] = "false"
    ran = newsletter(tmp_path, "worker", **settings)
    assert (ran.code, "set workers = true" in ran.fault) == (2, True)


def test_a_worker_without_the_subscriber_file_sends_and_takes_nobody_off(tmp_path: Path, postgresql: Server) -> None:
    readers(tmp_path, 30)
    (tmp_path / "elsewhere").mkdir()
    with mail_server() as (mailbox, port):
        settings = settings_of(postgresql, port) | {"NEWSLETTER_SUBSCRIBERS": "subscribers.yaml"}
        newsletter(tmp_path, "send", **settings)
        with workers(tmp_path / "elsewhere", 1, settings):
            sums = at_rest(tmp_path, settings)
    check(mailbox, 30, sums)


def test_a_worker_whose_relay_is_down_leaves_the_chunks_to_the_others(tmp_path: Path, postgresql: Server) -> None:
    readers(tmp_path, 2500)
    with mail_server(delay=0.005) as (mailbox, port):
        settings = settings_of(postgresql, port)
        newsletter(tmp_path, "send", **settings)
        with workers(tmp_path, 1, settings | smtp(9)) as (lame,):
            time.sleep(3)
            begun = time.monotonic()
            with workers(tmp_path, 1, settings):
                sums = at_rest(tmp_path, settings)
                assert time.monotonic() - begun < 30, "it waits for nobody"
            assert lame.poll() is None
    check(mailbox, 2500, sums)


def test_an_issue_whose_domain_is_slow_holds_up_no_other(tmp_path: Path, postgresql: Server) -> None:
    """A thousand weekly readers, one a second; the daily issue comes after theirs."""
    weekly = "".join(f"  - {{address: reader{n}@slow.example, period: weekly}}\n" for n in range(1000))
    daily = "".join(f"  - address: reader{n}@example.org\n" for n in range(50))
    (tmp_path / "subscribers.yaml").write_text(f"subscribers:\n{weekly}{daily}")
    with mail_server() as (mailbox, port):
        slow = {"NEWSLETTER_LIMITS__DOMAINS": '{"slow.example": {"per_minute": 60}}'}
        settings = settings_of(postgresql, port) | slow
        assert newsletter(tmp_path, "send", "--period", "weekly", **settings).code == 0
        with workers(tmp_path, 2, settings):
            wait_until(lambda: len(mailbox.taken) > 2)
            assert newsletter(tmp_path, "send", **settings).code == 0
            begun = time.monotonic()
            wait_until(lambda: sum(to.endswith("@example.org") for to in mailbox.recipients) == 50)
            assert time.monotonic() - begun < 30
            before = len(mailbox.taken)
            wait_until(lambda: len(mailbox.taken) > before)  # and the slow one goes on


def test_what_rings_by_itself_goes_on_after_a_worker_died_at_it(tmp_path: Path, postgresql: Server) -> None:
    settings = settings_of(postgresql, 9)
    newsletter(tmp_path, "upgrade", **settings)
    url = settings["NEWSLETTER_DATABASE_URL"].replace("+psycopg", "")
    name = "control:papers"
    left = (
        "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - interval '1 hour')"
        " RETURNING id) INSERT INTO procrastinate_jobs (queue_name, task_name, status, args, queueing_lock, worker_id)"
        " SELECT %(name)s, 'tick', unnest(ARRAY['doing', 'todo'])::procrastinate_job_status,"
        " '{\"timestamp\": 0}'::jsonb, 'tick control:papers', id FROM dead"
    )
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(left, {"name": name})

        def ticks() -> int:
            query = "SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'tick' AND args->>'timestamp' = '0'"
            return int(connection.execute(query).fetchall()[0][0])

        assert ticks() == 2
        with workers(tmp_path, 1, settings):
            wait_until(lambda: ticks() == 0)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_killed_again_and_again_workers_lose_nobody_and_double_nobody(tmp_path: Path, postgresql: Server) -> None:
    readers(tmp_path, 6000)
    kills = 30
    with mail_server(delay=0.004) as (mailbox, port):
        settings = settings_of(postgresql, port)
        newsletter(tmp_path, "send", **settings)
        with workers(tmp_path, 1, settings):
            for kill in range(kills):
                with workers(tmp_path, 1, settings) as (victim,):
                    time.sleep(1 + 0.037 * kill)
                    victim.send_signal(signal.SIGKILL)
                    victim.wait()
            sums = at_rest(tmp_path, settings)
    check(mailbox, 6000, sums, most_in_doubt=CONNECTIONS * kills)
