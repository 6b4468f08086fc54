"""Several relays and paces, with real servers on loopback."""

import json
import socket
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.flows.command import newsletter, readers
from tests.send.servers import faulty_server, mail_server

ISSUE = "daily/2025-12-26"


def config(folder: Path, *relays: tuple[int, str], more: str = "") -> None:
    """Write a newsletter.toml with these relays: a port and further lines each."""
    tables = "".join(f"[[relays]]\nport = {port}\n{lines}\n" for port, lines in relays)
    (folder / "newsletter.toml").write_text(
        'transport = "smtp"\nsender = "Papers <papers@example.org>"\nsources = []\n'
        f'[smtp]\nhost = "127.0.0.1"\nsecurity = "none"\ntimeout = 10\n{tables}{more}'
    )


def sums(folder: Path) -> dict[str, Any]:
    return dict(json.loads(newsletter(folder, "status", ISSUE, "--json").out))


def everybody(number: int) -> Counter[str]:
    return Counter({f"reader{n}@example.org": 1 for n in range(number)})


def closed_port() -> int:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def test_two_relays_share_the_readers_by_their_weights(tmp_path: Path) -> None:
    readers(tmp_path, 200)
    with faulty_server({}) as one, faulty_server({}) as two:
        config(tmp_path, (one.port, "weight = 3"), (two.port, ""))
        assert newsletter(tmp_path, "send").code == 0
        assert Counter(one.recipients + two.recipients) == everybody(200)
        assert 125 <= len(one.taken) <= 175


@pytest.mark.parametrize("fault", ["closed", "421 4.3.2 too busy", "554 5.3.2 no service"])
def test_a_relay_that_is_down_is_told_of_and_the_other_does_its_work(tmp_path: Path, fault: str) -> None:
    readers(tmp_path, 50)
    with faulty_server({"BANNER": fault}) as bad, faulty_server({}) as good:
        port = closed_port() if fault == "closed" else bad.port
        config(tmp_path, (port, ""), (good.port, ""))
        ran = newsletter(tmp_path, "send")
        assert ran.code == 0
        assert Counter(good.recipients) == everybody(50)
    assert f"relay 127.0.0.1:{port}" in ran.err
    assert "the others did its work" in ran.err


def test_a_relay_that_refuses_the_sender_is_left_out_and_fails_nobody(tmp_path: Path) -> None:
    readers(tmp_path, 50)
    with faulty_server({"MAIL": "550 5.4.5 daily sending limit exceeded"}) as bad, faulty_server({}) as good:
        config(tmp_path, (bad.port, "connections = 2"), (good.port, ""))
        ran = newsletter(tmp_path, "send")
        assert ran.code == 0
        assert Counter(good.recipients) == everybody(50)
    assert "refuses this sender" in ran.err


def test_when_all_relays_are_down_the_run_says_so_and_loses_nothing(tmp_path: Path) -> None:
    readers(tmp_path, 5)
    config(tmp_path, (closed_port(), ""), (closed_port(), ""))
    ran = newsletter(tmp_path, "send")
    assert (ran.code, "nothing answers there" in ran.err) == (5, True)
    assert sums(tmp_path)["queued"] == 5


def test_a_relay_that_dies_in_mid_run_leaves_its_share_to_the_other(tmp_path: Path) -> None:
    readers(tmp_path, 120)
    with faulty_server({"DATA": "drop"}) as dying, faulty_server({}) as good:
        dying.times["DATA"] = 0
        config(tmp_path, (dying.port, "connections = 2"), (good.port, "connections = 2"))

        def die(_to: str) -> None:
            if len(dying.taken) == 20:
                dying.times["DATA"] = 10**9

        dying.to_each = die
        assert newsletter(tmp_path, "send", "--wait", "0").code == 0
        got = Counter(dying.recipients + good.recipients)
    books = sums(tmp_path)
    assert max(got.values()) == 1
    assert books["sent"] == len(got)
    assert books["sent"] + books["deferred"] == 120
    assert books["deferred"] <= 12  # a lost connection each, until the relay is given a rest


def test_what_one_relay_has_in_doubt_never_goes_through_another(tmp_path: Path) -> None:
    readers(tmp_path, 30)
    with faulty_server({"DOT": "drop-after"}, times=1) as one, faulty_server({}) as two:
        config(tmp_path, (one.port, ""), (two.port, ""))
        assert newsletter(tmp_path, "send").code == 1
        [row] = json.loads(newsletter(tmp_path, "status", "--in-doubt", "--json").out)
        assert row["relay"] == f"relay 127.0.0.1:{one.port}"
        newsletter(tmp_path, "send", "--resolve-in-doubt", "resend")
        assert Counter(one.recipients)[row["subscriber"]] == 2
        assert Counter(two.recipients)[row["subscriber"]] == 0
    assert sums(tmp_path)["sent"] == 30


def test_a_slow_domain_holds_up_nobody_else(tmp_path: Path) -> None:
    lines = [f"  - address: slow{n}@slow.example.net\n" for n in range(4)]
    lines += [f"  - address: reader{n}@example.org\n" for n in range(60)]
    (tmp_path / "subscribers.yaml").write_text("subscribers:\n" + "".join(lines))
    with faulty_server({}) as server:
        config(tmp_path, (server.port, "connections = 2"), more='[limits.domains."slow.example.net"]\nper_second = 2\n')
        assert newsletter(tmp_path, "send").code == 0
        order = [to.partition("@")[2] for to in server.recipients]
    assert len(order) == 64
    assert order[-2:] == ["slow.example.net"] * 2


def test_a_domain_gets_no_more_connections_than_allowed(tmp_path: Path) -> None:
    (tmp_path / "subscribers.yaml").write_text(
        "subscribers:\n" + "".join(f"  - address: reader{n}@slow.example.net\n" for n in range(20))
    )
    with faulty_server({}) as server:
        server.pause = 0.02
        at_once: list[int] = []
        busy: set[str] = set()

        def note(to: str) -> None:
            busy.add(to)
            at_once.append(len(busy - set(server.recipients)))

        server.to_each = note
        limit = '[limits.domains."slow.example.net"]\nconnections = 1\n'
        config(tmp_path, (server.port, "connections = 4"), more=limit)
        assert newsletter(tmp_path, "send").code == 0
    assert len(server.taken) == 20
    assert max(at_once) <= 2  # the next envelope rides with the dot


def test_a_limit_spreads_messages_evenly_and_holds_over_two_runs(tmp_path: Path) -> None:
    readers(tmp_path, 30)
    with mail_server() as (mailbox, port):
        config(tmp_path, (port, "connections = 4"), more="[limits]\nper_second = 20\n")
        assert newsletter(tmp_path, "send").code == 0
    arrived = mailbox.arrived
    assert len(arrived) == 30
    # One that is late does not make the next one early: any ten take at least their nine intervals, but for the jitter
    # with which a busy machine lets a message through.
    assert arrived[-1] - arrived[0] >= 29 / 20 - 0.3


def test_a_wrong_relay_setting_is_one_line(tmp_path: Path) -> None:
    config(tmp_path, (25, "wieght = 3"))
    ran = newsletter(tmp_path, "send")
    assert (ran.code, "relays.wieght: there is no such setting" in ran.fault) == (2, True)


def test_signed_mails_leave_with_their_signature(tmp_path: Path) -> None:
    import dkim
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import ed25519

    from newsletter.send.dkim import DkimKey

    key = ed25519.Ed25519PrivateKey.generate()
    pem = key.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption())
    (tmp_path / "dkim.pem").write_bytes(pem)
    readers(tmp_path, 3)
    with mail_server() as (mailbox, port):
        config(tmp_path, (port, ""), more='[dkim.keys]\ns1 = "dkim.pem"\n')
        assert newsletter(tmp_path, "send").code == 0
    record = DkimKey("example.org", "s1", key).dns_record()[1].encode()
    assert len(mailbox.contents) == 3
    for content in mailbox.contents:
        assert dkim.DKIM(content).verify(dnsfunc=lambda _name, **_options: record)


def test_a_key_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    readers(tmp_path, 1)
    config(tmp_path, (25, ""), more='[dkim.keys]\ns1 = "none.pem"\n')
    ran = newsletter(tmp_path, "send")
    assert (ran.code, "dkim.keys.s1 none.pem: No such file" in ran.fault) == (2, True)


def test_bounces_come_to_an_address_of_the_readers_own(tmp_path: Path) -> None:
    readers(tmp_path, 2)
    with mail_server() as (mailbox, port):
        config(tmp_path, (port, ""))
        text = (tmp_path / "newsletter.toml").read_text()
        (tmp_path / "newsletter.toml").write_text('bounce_address = "bounces@example.org"\n' + text)
        assert newsletter(tmp_path, "send").code == 0
    senders = {envelope.mail_from for envelope in mailbox.taken}
    assert len(senders) == 2
    assert all(str(sender).startswith("bounces+") for sender in senders)
