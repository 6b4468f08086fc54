"""Issues that are held back: by hand, by a canary, by refusals; and copies that wait."""

import json
import signal
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.flows.command import newsletter, readers, smtp, start
from tests.flows.ways import Way
from tests.send.servers import FaultyServer, faulty_server, mail_server

ISSUE = "daily/2025-12-26"


def sums(folder: Path, **variables: str) -> dict[str, Any]:
    return dict(json.loads(newsletter(folder, "status", ISSUE, "--json", **variables).out))


def everybody(number: int) -> Counter[str]:
    return Counter({f"reader{n}@example.org": 1 for n in range(number)})


def test_a_paused_issue_stops_within_a_message_and_goes_on_when_resumed(tmp_path: Path, way: Way) -> None:
    readers(tmp_path, 400)
    with mail_server(delay=0.02) as (mailbox, port):
        process = way.start(tmp_path, **smtp(port, connections="2"), **way.settings)
        while len(mailbox.taken) < 20:
            time.sleep(0.01)
        paused = newsletter(tmp_path, "issue", "pause", ISSUE, "--reason", "wrong lead", **way.settings)
        assert paused.code == 0
        paused_at = len(mailbox.taken)
        said = way.end(process)
        assert way.by_workers or (process.returncode == 0 and "paused (wrong lead)" in said)
        assert len(mailbox.taken) <= paused_at + 2  # one for each connection
        books = sums(tmp_path, **way.settings)
        assert (books["state"], books["sent"] + books["queued"]) == ("paused", 400)
        way.send(tmp_path, **smtp(port), **way.settings)
        assert len(mailbox.taken) == books["sent"]
        newsletter(tmp_path, "issue", "resume", ISSUE, **way.settings)
        way.send(tmp_path, **smtp(port, connections="8"), **way.settings)
    assert Counter(mailbox.recipients) == everybody(400)


def test_cancelled_among_ten_thousand_the_sums_hold_and_nothing_more_goes_out(tmp_path: Path, way: Way) -> None:
    readers(tmp_path, 10_000)
    with mail_server(delay=0.01) as (mailbox, port):
        settings = smtp(port, connections="4") | way.settings
        process = way.start(tmp_path, **settings)
        while len(mailbox.taken) < 50:
            time.sleep(0.01)
        assert newsletter(tmp_path, "issue", "cancel", ISSUE, **way.settings).code == 0
        way.end(process)
        books = sums(tmp_path, **way.settings)
        assert books["state"] == "cancelled"
        assert books["sent"] == len(mailbox.taken) < 10_000
        assert books["sent"] + books["skipped"] == books["audience"] == 10_000
        said = way.send(tmp_path, **settings)
        assert way.by_workers or "cancelled; nothing more of it goes out" in said
        assert len(mailbox.taken) == books["sent"]
    assert "that is for good" in newsletter(tmp_path, "issue", "resume", ISSUE, **way.settings).err


def test_an_issue_can_be_paused_before_there_is_one(tmp_path: Path) -> None:
    readers(tmp_path, 2)
    newsletter(tmp_path, "issue", "pause", ISSUE)
    with mail_server() as (mailbox, port):
        ran = newsletter(tmp_path, "send", **smtp(port))
        assert (ran.code, mailbox.taken) == (0, [])
    assert "paused" in ran.out


def test_what_is_no_issue_cannot_be_paused(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "issue", "pause", "tomorrow")
    assert (ran.code, ran.fault.startswith("newsletter: tomorrow: is no issue")) == (2, True)


def refusing(server: FaultyServer, bad: int) -> None:
    """Let the server refuse every reader whose number is below."""
    server.to_each = lambda to: "550 5.1.1 no such user" if int(to[6:].partition("@")[0]) < bad else None


def test_a_canary_that_is_refused_keeps_everybody_else_from_it(tmp_path: Path) -> None:
    readers(tmp_path, 100)
    with faulty_server({}) as server:
        refusing(server, 3)
        ran = newsletter(tmp_path, "send", "--canary", "10", **smtp(server.port))
    assert ran.code == 1
    assert f"{ISSUE}: 3 of the first 10 copies were not taken; it is paused" in ran.err
    books = sums(tmp_path)
    assert (books["state"], books["sent"], books["failed"], books["queued"]) == ("paused", 7, 3, 90)


def test_a_canary_that_arrives_is_followed_by_everybody(tmp_path: Path) -> None:
    readers(tmp_path, 60)
    with faulty_server({}) as server:
        refusing(server, 2)
        assert newsletter(tmp_path, "send", "--canary", "10", **smtp(server.port)).code == 1
        assert len(server.taken) == 58
    assert sums(tmp_path)["state"] == "finished"


def test_a_canary_waits_for_those_that_are_put_off(tmp_path: Path) -> None:
    readers(tmp_path, 40)
    with faulty_server({"RCPT": "450 4.2.0 greylisted, try again in 1 second"}, times=5) as server:
        ran = newsletter(tmp_path, "send", "--canary", "5", "--wait", "1m", **smtp(server.port))
    assert ran.code == 0
    assert sums(tmp_path)["sent"] == 40


def test_more_than_a_fifth_refused_pauses_the_issue(tmp_path: Path, way: Way) -> None:
    readers(tmp_path, 300)
    with faulty_server({}) as server:
        refusing(server, 150)
        said = way.send(tmp_path, **smtp(server.port), **way.settings)
        assert "11 of the last 11 copies were refused" in said
        assert f"`issue resume {ISSUE}` lets it go on" in said
        books = sums(tmp_path, **way.settings)
        assert (books["state"], books["failed"], books["queued"]) == ("paused", 11, 289)
        server.to_each = lambda _to: None
        newsletter(tmp_path, "issue", "resume", ISSUE, **way.settings)
        way.send(tmp_path, **smtp(server.port), **way.settings)
    books = sums(tmp_path, **way.settings)
    assert (books["sent"], books["failed"]) == (289, 11)


def test_greylisted_twice_everybody_gets_it_in_the_same_run(tmp_path: Path) -> None:
    readers(tmp_path, 50)
    tries: Counter[str] = Counter()

    def greylist(to: str) -> str | None:
        tries[to] += 1
        again = int(to[6:].partition("@")[0]) % 5 < 3 and tries[to] <= 2
        return "450 4.2.0 greylisted, please try again in 1 seconds" if again else None

    with faulty_server({}) as server:
        server.to_each = greylist
        ran = newsletter(tmp_path, "send", "--wait", "60", **smtp(server.port, connections="4"))
        assert Counter(server.recipients) == everybody(50)
    assert ran.code == 0
    assert sums(tmp_path)["state"] == "finished"


@pytest.mark.parametrize(
    "faults",
    [
        {"RCPT": "550 5.4.5 Daily user sending limit exceeded. For more information on Gmail sending limits"},
        pytest.param({"MAIL": "550 5.4.5 Daily user sending limit exceeded"}, marks=pytest.mark.slow),
        {"DOT": "554 Message rejected: Email address is not verified. The following identities failed the check"},
    ],
    ids=["Gmail at RCPT", "Gmail at MAIL", "the sandbox of SES"],
)
def test_over_quota_with_a_thousand_readers_nobody_is_struck_off(tmp_path: Path, faults: dict[str, str]) -> None:
    readers(tmp_path, 1000)
    with faulty_server(faults) as server:
        ran = newsletter(tmp_path, "send", **smtp(server.port, connections="4"))
        assert ran.code == 5
        assert "refuses this sender" in ran.err
        assert "nobody was struck off" in ran.err
        assert server.taken == []
    books = sums(tmp_path)
    assert (books["failed"], books["suppressed"], books["sent"]) == (0, 0, 0)
    with mail_server() as (mailbox, port):
        newsletter(tmp_path, "send", "--wait", "0", **smtp(port, connections="4"))
        assert len(mailbox.taken) >= 985  # what was answered waits a few minutes more
    assert sums(tmp_path)["sent"] + sums(tmp_path)["deferred"] == 1000


def test_a_person_is_told_calmly_of_what_is_in_doubt_and_says_what_becomes_of_it(tmp_path: Path) -> None:
    readers(tmp_path, 3)
    held = {"NEWSLETTER_IN_DOUBT": "hold"}
    with faulty_server({"DOT": "drop-after"}, times=1) as server:
        ran = newsletter(tmp_path, "send", **smtp(server.port), **held)
    assert "One copy was cut off while going out: nearly always such a copy has arrived" in ran.out
    [row] = json.loads(newsletter(tmp_path, "status", "--in-doubt", "--json").out)
    assert (row["issue"], row["cause"]) == (ISSUE, "network")
    with faulty_server({}) as server:  # another relay: only the one that had it may send it once more
        ran = newsletter(tmp_path, "send", "--resolve-in-doubt", "resend", **smtp(server.port), **held)
        assert server.taken == []
    assert sums(tmp_path)["in_doubt"] == 1
    ran = newsletter(tmp_path, "send", "--resolve-in-doubt", "sent", **smtp(server.port), **held)
    assert (ran.code, f"{ISSUE}: 1 in doubt now counted as sent: 3 sent of 3" in ran.out) == (0, True)


def test_resolved_by_a_resend_the_same_relay_gets_it_again(tmp_path: Path) -> None:
    readers(tmp_path, 2)
    with faulty_server({"DOT": "drop"}, times=1) as server:
        held = smtp(server.port) | {"NEWSLETTER_IN_DOUBT": "hold"}
        newsletter(tmp_path, "send", **held)
        ran = newsletter(tmp_path, "send", "--resolve-in-doubt", "resend", **held)
        assert (ran.code, len(server.taken)) == (0, 2)
        assert "Nothing is in doubt." in newsletter(tmp_path, "status", "--in-doubt").out


def test_a_second_interruption_ends_it_at_once_and_the_next_run_settles_it(tmp_path: Path) -> None:
    readers(tmp_path, 30)
    with faulty_server({}) as server:
        server.pause = 60
        process = start(tmp_path, "send", **smtp(server.port))
        while not server.taken:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        _out, err = process.communicate(timeout=20)
        assert process.returncode == 130
        assert "nothing is lost" in err
    with mail_server() as (mailbox, port):
        assert newsletter(tmp_path, "send", **smtp(port)).code == 1
    assert len(mailbox.taken) == 29
    assert sums(tmp_path)["in_doubt"] == 1
