"""`newsletter send` against real SMTP servers: each reader once, whatever happens."""

import json
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from tests.flows.command import newsletter, readers, smtp, start
from tests.flows.ways import Way
from tests.send.servers import PASSWORD, USER, faulty_server, mail_server
from tests.send.test_smtp import server_context

if TYPE_CHECKING:
    from tests.postgres import Server

ISSUE = "daily/2025-12-26"


def sums(folder: Path, **variables: str) -> dict[str, Any]:
    return dict(json.loads(newsletter(folder, "status", ISSUE, "--json", **variables).out))


def test_through_starttls_and_login_each_reader_gets_it_once(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    readers(tmp_path, 5)
    with mail_server(server_context(authority), login=True) as (mailbox, port):
        settings = smtp(port, security="starttls", username=USER.decode(), password=PASSWORD.decode())
        settings["SSL_CERT_FILE"] = str(tmp_path / "ca.pem")
        first, second = newsletter(tmp_path, "send", **settings), newsletter(tmp_path, "send", **settings)
    assert (first.code, second.code) == (0, 0)
    assert "nothing to send" in second.out
    assert sorted(mailbox.recipients) == [f"reader{n}@example.org" for n in range(5)]
    assert all(mailbox.logins)


def test_the_defaults_of_a_first_real_mailing_are_warned_of(tmp_path: Path) -> None:
    readers(tmp_path, 1)
    with mail_server() as (_mailbox, port):
        settings = smtp(port)
        del settings["NEWSLETTER_SENDER"]
        ran = newsletter(tmp_path, "send", **settings)
    assert ran.code == 0
    assert [line.split(":")[:3] for line in ran.err.splitlines()] == [
        ["newsletter", " warning", " sender is not set"],
        ["newsletter", " warning", " sources is not set"],
    ]


def test_several_connections_share_the_work(tmp_path: Path) -> None:
    readers(tmp_path, 300)
    with mail_server() as (mailbox, port):
        ran = newsletter(tmp_path, "send", **smtp(port, connections="4"))
    assert ran.code == 0
    assert Counter(mailbox.recipients) == Counter({f"reader{n}@example.org": 1 for n in range(300)})
    assert "300 of 300" in ran.err


def test_a_refused_reader_fails_alone_and_is_listed(tmp_path: Path, way: Way) -> None:
    readers(tmp_path, 3)
    with faulty_server({"RCPT": "550 5.1.1 no such user"}, times=1) as server:
        way.send(tmp_path, **smtp(server.port), **way.settings)
        assert len(server.taken) == 2
    listed = json.loads(newsletter(tmp_path, "status", ISSUE, "--not-sent", "--json", **way.settings).out)
    assert listed == [{"subscriber": "reader0@example.org", "state": "failed", "why": "550 5.1.1 no such user"}]


def test_a_postponed_reader_waits_for_a_later_run(tmp_path: Path, way: Way) -> None:
    readers(tmp_path, 2)
    with faulty_server({"RCPT": "450 4.2.0 greylisted"}, times=1) as server:
        way.send(tmp_path, **smtp(server.port), **way.settings)
    books = sums(tmp_path, **way.settings)
    assert (books["sent"], books["deferred"], books["state"]) == (1, 1, "sending")


def test_a_message_whose_answer_was_lost_is_in_doubt_and_the_rest_goes_on(tmp_path: Path, way: Way) -> None:
    readers(tmp_path, 3)
    with faulty_server({"DOT": "drop-after"}, times=1) as server:
        for _ in range(2):
            way.send(tmp_path, **smtp(server.port), **way.settings)
            assert len(server.taken) == 3
    assert sums(tmp_path, **way.settings)["in_doubt_causes"] == {"process": 0, "network": 1, "power": 0}


def test_what_is_held_in_doubt_is_sent_once_more_when_the_settings_say_so(tmp_path: Path) -> None:
    readers(tmp_path, 2)
    with faulty_server({"DOT": "drop"}, times=1) as server:
        held = smtp(server.port) | {"NEWSLETTER_IN_DOUBT": "hold"}
        assert newsletter(tmp_path, "send", **held).code == 1
        [row] = json.loads(newsletter(tmp_path, "status", ISSUE, "--not-sent", "--json").out)
        assert row["state"] == "in_doubt"
        assert "the relay had the message and did not answer; held" in row["why"]
        assert newsletter(tmp_path, "send", **held).code == 1
        assert len(server.taken) == 1
        assert newsletter(tmp_path, "send", **(held | {"NEWSLETTER_IN_DOUBT": "resend"})).code == 0
        assert len(server.taken) == 2


def test_copies_of_an_older_issue_that_still_wait_go_out_with_the_next_one(tmp_path: Path) -> None:
    readers(tmp_path, 3)
    with faulty_server({"MAIL": "452 4.7.0 try again"}, times=1) as server:
        assert newsletter(tmp_path, "send", "--date", "2025-12-24", **smtp(server.port)).code == 0
        down = smtp(server.port)
    assert newsletter(tmp_path, "send", "--date", "2025-12-25", **down).code == 5
    with mail_server() as (mailbox, port):
        ran = newsletter(tmp_path, "send", **smtp(port))
    assert ran.code == 0
    assert "daily/2025-12-25, still open: 3 sent of 3" in ran.out
    assert "daily/2025-12-24, still open: 1 deferred, 2 sent of 3" in ran.out
    assert len(mailbox.taken) == 6


def test_a_relay_that_refuses_the_sender_stops_the_run_and_strikes_nobody_off(tmp_path: Path) -> None:
    readers(tmp_path, 5)
    with faulty_server({"DOT": "550 5.4.5 Daily user sending quota exceeded"}, times=3) as server:
        ran = newsletter(tmp_path, "send", **smtp(server.port))
        assert ran.code == 5
        assert "refuses this sender: 550 5.4.5 Daily user sending quota exceeded" in ran.err.splitlines()[-1]
        assert [sums(tmp_path)[state] for state in ("deferred", "queued", "failed")] == [3, 2, 0]
        assert newsletter(tmp_path, "send", **smtp(server.port)).code == 0
        assert len(server.taken) == 2


def killed_again_and_again(
    folder: Path, number: int, kills: int, wait: Callable[[int], float], way: Way
) -> list[tuple[str, bytes]]:
    """Kill a sender so many times while messages flow, send what is left; return who got what of the server."""
    readers(folder, number)
    with mail_server(delay=0.004) as (mailbox, port):
        settings = smtp(port, connections="4") | way.settings
        for kill in range(kills):
            process = way.start(folder, **settings)
            taken, deadline = len(mailbox.taken), time.monotonic() + 10
            while len(mailbox.taken) == taken and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.005)
            time.sleep(wait(kill))
            process.send_signal(signal.SIGKILL)
            process.communicate()
        way.send(folder, **settings)
        return list(zip(mailbox.recipients, mailbox.contents, strict=True))


def check_books(folder: Path, number: int, kills: int, copies: list[tuple[str, bytes]], way: Way) -> None:
    taken = Counter(reader for reader, _content in copies)
    books = sums(folder, **way.settings)
    not_sent = newsletter(folder, "status", ISSUE, "--not-sent", "--json", **way.settings).out
    held = {row["subscriber"] for row in json.loads(not_sent)}
    everybody = {f"reader{n}@example.org" for n in range(number)}
    assert max(taken.values()) == 1, "nobody twice"
    assert set(taken) | held == everybody, "nobody lost"
    assert books["in_doubt"] <= 4 * kills, "at most one in doubt per connection and kill"
    assert books["audience"] == number == books["sent"] + books["in_doubt"]


def test_killed_while_messages_flow_nobody_is_lost_and_nobody_gets_two(tmp_path: Path, way: Way) -> None:
    taken = killed_again_and_again(tmp_path, 600, 10, lambda kill: 0.007 * kill, way)
    check_books(tmp_path, 600, 10, taken, way)


def test_killed_under_resend_everybody_gets_it_and_a_second_copy_is_the_same(tmp_path: Path, way: Way) -> None:
    resending = Way(way.settings | {"NEWSLETTER_IN_DOUBT": "resend"})
    copies = killed_again_and_again(tmp_path, 150, 4, lambda kill: 0.009 * kill, resending)
    got = Counter(reader for reader, _content in copies)
    assert set(got) == {f"reader{n}@example.org" for n in range(150)}, "nobody lost"
    assert len(copies) - 150 <= 4 * 4, "at most one more per connection and kill"
    assert len(set(copies)) == 150, "the same bytes, Message-ID and Date among them"
    not_sent = json.loads(newsletter(tmp_path, "status", ISSUE, "--not-sent", "--json", **way.settings).out)
    assert all(got[row["subscriber"]] == 2 for row in not_sent), "who is in doubt a second time is held"


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("way", ["sqlite", "postgresql"], indirect=True)  # a lone worker is missed for 5 s each time
def test_a_hundred_kills_lose_nobody_and_double_nobody(tmp_path: Path, way: Way) -> None:
    taken = killed_again_and_again(tmp_path, 6000, 100, lambda kill: 0.0013 * kill, way)
    check_books(tmp_path, 6000, 100, taken, way)


def test_several_senders_of_one_server_share_the_readers_and_one_may_die(tmp_path: Path, postgresql: "Server") -> None:
    readers(tmp_path, 400)
    way = Way({"NEWSLETTER_DATABASE_URL": postgresql.new_url()})
    with mail_server(delay=0.01) as (mailbox, port):
        settings = smtp(port, connections="2") | way.settings
        processes = [start(tmp_path, "send", **settings) for _ in range(4)]
        while len(mailbox.taken) < 40:
            time.sleep(0.01)
        processes[0].send_signal(signal.SIGKILL)
        for process in processes:
            process.communicate(timeout=100)
        newsletter(tmp_path, "send", **settings)
    check_books(tmp_path, 400, 1, [(reader, b"") for reader in mailbox.recipients], way)


def test_started_eight_times_at_once_one_sends_and_seven_say_that_it_is_busy(tmp_path: Path) -> None:
    readers(tmp_path, 200)
    with mail_server(delay=0.01) as (mailbox, port):
        processes = [start(tmp_path, "send", **smtp(port)) for _ in range(8)]
        ended = [process.communicate(timeout=100) for process in processes]
    codes = sorted(process.returncode for process in processes)
    assert codes == [0] + [4] * 7
    assert sum("another run is sending" in err for _out, err in ended) == 7
    assert Counter(mailbox.recipients) == Counter({f"reader{n}@example.org": 1 for n in range(200)})


def test_interrupted_it_ends_what_is_in_flight_and_goes_on_next_time(tmp_path: Path) -> None:
    readers(tmp_path, 200)
    with mail_server(delay=0.01) as (mailbox, port):
        process = start(tmp_path, "send", **smtp(port))
        while not mailbox.taken:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        _out, err = process.communicate(timeout=30)
        assert process.returncode == 130
        assert err.splitlines()[-1] == "newsletter: interrupted; nothing is lost, run the same command again"
        books = sums(tmp_path)
        assert (books["in_doubt"], books["claimed"], books["sending"]) == (0, 0, 0)
        assert newsletter(tmp_path, "send", **smtp(port)).code == 0
    assert Counter(mailbox.recipients) == Counter({f"reader{n}@example.org": 1 for n in range(200)})
