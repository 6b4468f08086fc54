"""`newsletter bench send`: its figures, its sinks, its delay and its peers."""

import json
import smtplib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from newsletter.bench import sample
from newsletter.bench.delay import delayed
from newsletter.bench.peers import Load, installed, nodemailer, usual_script
from newsletter.bench.sink import CHUNK, Session, Sink, find_program, opened
from newsletter.errors import SurroundingsError, UsageError
from newsletter.models import Message
from tests.flows.command import newsletter

QUICK = ["--recipients", "50", "--connections", "3", "--rounds", "1", "--peer-seconds", "0.2", "--sink", "bundled"]
MAIL = "Subject: hello\r\n\r\nbody\r\n"


@pytest.fixture
def sink() -> Iterator[Sink]:
    with opened("bundled") as sink:
        yield sink


@pytest.fixture(scope="module")
def one_copy() -> Message:
    return sample.one_copy()


@contextmanager
def echo() -> Iterator[int]:
    """Serve one client: whatever it says comes back, until it has said all."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            client, _address = listener.accept()
            with client:
                while said := client.recv(CHUNK):
                    client.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()


def test_the_figures_are_there_and_every_message_was_counted(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "bench", "send", *QUICK, "--json")
    assert ran.err == ""
    figures = json.loads(ran.out)
    for name in ("messages_per_second", "cpu_ms_per_message", "peak_rss_mb", "vs_usual_script"):
        assert figures[name] > 0, name
    assert (figures["vs_smtp_source"] is None) == (find_program("smtp-source") is None)
    assert figures["vs_nodemailer"] is None
    assert figures["counted"] is True
    assert (figures["messages"], figures["connections"], figures["rounds"]) == (50, 3, 1)
    assert 40_000 < figures["message_bytes"] < 50_000
    assert list(tmp_path.iterdir()) == []


def test_a_table_names_each_contender_and_how_it_was_measured(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "bench", "send", *QUICK, "--rtt-ms", "2")
    assert "newsletter" in ran.out
    assert "the usual script" in ran.out
    closing = " ".join(ran.out.split())
    assert "50 recipients" in closing
    assert "3 connections, replies 2 ms late" in closing
    assert "the bundled sink (every message counted)" in closing


def test_without_programs_and_packages_only_the_script_is_a_peer(
    tmp_path: Path, one_copy: Message, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("newsletter.bench.peers.find_program", lambda _name: None)
    assert [peer.key for peer in installed(one_copy, "none", None)] == ["usual_script"]


@pytest.mark.parametrize(
    ("arguments", "code", "line"),
    [
        (["--sink", "nonsense"], 2, "--sink nonsense: is no sink; write smtp-sink, bundled or HOST:PORT"),
        (["--sink", "127.0.0.1:1"], 5, "--sink 127.0.0.1:1: nothing answers there"),
        (["--sink", "127.0.0.1:99999"], 5, "--sink 127.0.0.1:99999: nothing answers there"),
        (["--node-modules", "here"], 2, "--node-modules here: holds no nodemailer"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: list[str], code: int, line: str) -> None:
    ran = newsletter(tmp_path, "bench", "send", *QUICK, *arguments)
    assert line in ran.fault
    assert ran.code == code


def test_smtp_sink_is_asked_for_where_it_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.bench.sink.find_program", lambda _name: None)
    with pytest.raises(UsageError, match="install Postfix"), opened("smtp-sink"):
        pass
    with opened() as sink:
        assert sink.name == "the bundled sink"


def test_a_sink_that_does_not_start_is_one_line_with_its_own_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.bench.sink.find_program", lambda _name: "/bin/false")
    with pytest.raises(SurroundingsError, match="smtp-sink does not start"), opened("smtp-sink"):
        pass


@pytest.mark.skipif(find_program("smtp-sink") is None, reason="Postfix is not installed")
def test_postfix_own_sink_tells_what_it_took() -> None:
    with opened("smtp-sink") as sink:
        assert sink.taken() == 0
        with smtplib.SMTP(sink.host, sink.port) as client:
            client.sendmail("news@example.org", "reader@example.org", MAIL)
        assert sink.taken() == 1


def test_the_bundled_sink_takes_mail_of_any_shape_and_counts_it(sink: Sink) -> None:
    with smtplib.SMTP(sink.host, sink.port) as client:
        for content in (MAIL, ".\r\n..\r\n", "x" * 3 * CHUNK, ""):
            client.sendmail("news@example.org", ["a@example.org", "b@example.org"], content)
        assert client.has_extn("pipelining")
    assert sink.taken() == 4


def test_a_sink_that_runs_is_used_and_cannot_be_asked(sink: Sink) -> None:
    with opened(f"{sink.host}:{sink.port}") as same:
        assert (same.port, same.taken()) == (sink.port, None)


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7, 100])
def test_a_conversation_is_understood_however_it_is_cut(size: int) -> None:
    body = b"a\r\n..\r\n.b\r\n"
    envelope = b"MAIL FROM:<a@example.org>\r\nRCPT TO:<b@example.org>\r\nDATA\r\n"
    said = b"EHLO x\r\n" + envelope + body + b".\r\n" + envelope + b".\r\nQUIT\r\n"
    session = Session()
    replies = b"".join(session.answers(said[at : at + size]) for at in range(0, len(said), size))
    codes = [int(line[:3]) for line in replies.splitlines()]
    assert codes == [250, 250, 250] + [250, 250, 354, 250] * 2 + [221]
    assert session.taken == 2


def test_replies_come_after_the_delay_whole_and_in_order() -> None:
    sent = bytes(range(256)) * 40_000  # more than any buffer between the two
    with (
        echo() as port,
        delayed("127.0.0.1", port, 100) as (host, own),
        socket.create_connection((host, own)) as client,
    ):

        def say() -> None:
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=say)
        start = time.monotonic()
        writer.start()
        came = [client.recv(CHUNK)]
        assert time.monotonic() - start > 0.09
        while said := client.recv(CHUNK):
            came.append(said)
        writer.join()
    assert b"".join(came) == sent


def test_mail_through_the_delay_arrives(sink: Sink) -> None:
    with delayed(sink.host, sink.port, 5) as (host, port):
        for _ in range(3):
            with smtplib.SMTP(host, port) as client:
                client.sendmail("news@example.org", "reader@example.org", MAIL)
    assert sink.taken() == 3


def test_without_a_delay_nothing_stands_between() -> None:
    with delayed("127.0.0.1", 25, 0) as place:
        assert place == ("127.0.0.1", 25)


def test_the_usual_script_stops_when_all_have_their_copy(sink: Sink) -> None:
    reading = usual_script(Load(host=sink.host, port=sink.port, recipients=2, connections=1))
    assert (reading.messages, sink.taken()) == (2, 2)
    assert reading.cpu_seconds > 0


def test_the_usual_script_signs_if_asked(sink: Sink, tmp_path: Path) -> None:
    pytest.importorskip("dkim")
    from newsletter.bench.send import private_key

    key = private_key("rsa", tmp_path)
    load = Load(host=sink.host, port=sink.port, recipients=2, connections=1, dkim="rsa", key=key)
    assert usual_script(load).messages == sink.taken() == 2


def test_nodemailer_is_given_the_parts_of_our_copy(
    tmp_path: Path, one_copy: Message, monkeypatch: pytest.MonkeyPatch, require: Callable[[str], str]
) -> None:
    """A stand-in for the package takes what it is given; the real one is not installed for this."""
    node = require("node")
    folder = tmp_path / "node_modules/nodemailer"
    folder.mkdir(parents=True)
    (folder / "package.json").write_text('{"name": "nodemailer", "version": "1.2.3", "main": "index.js"}')
    (folder / "index.js").write_text(
        """
        const seen = [];
        exports.createTransport = (options) => ({
          sendMail: async (mail) => { seen.push(mail); },
          close: () => require("node:fs").writeFileSync(__dirname + "/seen", JSON.stringify({options, seen})),
        });
        """
    )
    monkeypatch.chdir(tmp_path)
    [peer] = [peer for peer in installed(one_copy, "none", None) if peer.key == "nodemailer"]
    assert peer.label == "nodemailer 1.2.3"
    load = Load(host="127.0.0.1", port=25, recipients=3, connections=2)
    assert nodemailer(node, folder, load, one_copy).messages == 3
    told = json.loads((folder / "seen").read_text())
    assert told["options"]["maxConnections"] == 2
    assert [mail["to"] for mail in told["seen"]] == [f"reader{n}@example.org" for n in (1, 2, 3)]
    assert all(mail["to"] in mail["html"] and len(mail["html"]) > 20_000 for mail in told["seen"])
