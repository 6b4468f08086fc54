"""The sender between a real ledger and a real outbox."""

from dataclasses import replace
from pathlib import Path

import pytest

from newsletter.errors import OutboxError, RelayBusyError, RelayError, TemplateError
from newsletter.models import Delivery, Message, State, Subscriber
from newsletter.send.base import Transport
from newsletter.send.outbox import OutboxTransport
from newsletter.send.outcomes import DoubtPolicy
from newsletter.send.relays import PATIENCE, SUSPECTS, Route
from newsletter.send.sender import Sender, claimant
from newsletter.send.smtp import Relay, SmtpTransport
from newsletter.store.ledger import LEASE
from tests.conftest import Rights
from tests.make import NOON, a_reader, picks
from tests.send.servers import faulty_server
from tests.store.books import ISSUE, Books

pytestmark = pytest.mark.usefixtures("offers")

NAMES = ["ada", "alan", "grace"]


def compose(delivery: Delivery, reader: Subscriber) -> Message:
    content = f"To: {reader.address}\r\n\r\nhello\r\n".encode()
    return Message(f"m{delivery.subscriber_id}@example.org", "news@example.org", reader.address, content)


def sender(books: Books, transport: Transport, compose: object = compose, seen: list[Delivery] | None = None) -> Sender:
    return Sender(
        ledger=books.ledger,
        routes=[Route(transport=transport)],
        compose=compose,  # type: ignore[arg-type]  # a test may give one that raises
        choose=lambda _reader: picks(1),
        doubt=DoubtPolicy(),
        clock=lambda: NOON,
        progress=(seen if seen is not None else []).append,
    )


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(f"sqlite:///{tmp_path}/db", [a_reader(name) for name in NAMES])


def test_each_delivery_is_sent_and_told_of_once(books: Books, tmp_path: Path) -> None:
    seen: list[Delivery] = []
    box = OutboxTransport(tmp_path / "outbox")
    sender(books, box, seen=seen).run(ISSUE.key, claimant())
    sender(books, box, seen=seen).run(ISSUE.key, claimant())
    assert [delivery.state for delivery in seen] == [State.SENT] * 3
    assert len(list((tmp_path / "outbox/new").iterdir())) == 3


def test_one_poisoned_reader_fails_with_the_reason_and_the_rest_goes_on(books: Books, tmp_path: Path) -> None:
    def poisoned(delivery: Delivery, reader: Subscriber) -> Message:
        if reader.name == "Alan":
            raise ValueError("an address with spaces cannot be mailed")
        return compose(delivery, reader)

    sender(books, OutboxTransport(tmp_path / "outbox"), poisoned).run(ISSUE.key, claimant())
    assert books.states() == {State.SENT: 2, State.FAILED: 1}
    [(failed, reader)] = books.ledger.of_issue(ISSUE.key, [State.FAILED])
    assert (reader.name, failed.reply) == ("Alan", "could not be composed: an address with spaces cannot be mailed")


def test_a_broken_template_stops_everything_and_fails_nobody(books: Books, tmp_path: Path) -> None:
    def broken(_delivery: Delivery, _reader: Subscriber) -> Message:
        raise TemplateError("issue.txt.j2:2: no such name")

    with pytest.raises(TemplateError):
        sender(books, OutboxTransport(tmp_path / "outbox"), broken).run(ISSUE.key, claimant())
    assert books.states() == {State.QUEUED: 3}


def test_an_outbox_that_cannot_be_written_leaves_everybody_queued(books: Books, tmp_path: Path) -> None:
    (tmp_path / "outbox").write_text("a file where a folder should be")
    with pytest.raises(OutboxError, match="outbox"):
        sender(books, OutboxTransport(tmp_path / "outbox")).run(ISSUE.key, claimant())
    assert books.states() == {State.QUEUED: 3}


def test_a_relay_so_slow_that_leases_run_out_still_gets_every_message(tmp_path: Path) -> None:
    books = Books(f"sqlite:///{tmp_path}/db", [a_reader(f"r{number}") for number in range(12)])
    looks = iter(range(10_000))
    with faulty_server({}) as server:
        transport = SmtpTransport(Relay(host="127.0.0.1", port=server.port, security="none", timeout=5))
        # Time flies between two looks at the clock.
        slow = replace(sender(books, transport), clock=lambda: NOON + LEASE / 40 * next(looks))
        slow.run(ISSUE.key, claimant())
    assert books.states() == {State.SENT: 12}
    assert len(server.taken) == 12


def test_an_outbox_without_rights_is_named(books: Books, closed_folder: Path, ordinary_user: Rights) -> None:
    transport = OutboxTransport(closed_folder / "outbox")
    message = compose(books.claim()[0], a_reader())
    with ordinary_user(), pytest.raises(OutboxError, match=r"closed-.*Permission denied; make it writable"):
        list(transport.deliver(iter([message]), lambda _message: True))


def test_the_outbox_never_holds_a_delivery_twice(books: Books, tmp_path: Path) -> None:
    box = OutboxTransport(tmp_path / "outbox")
    message = compose(books.claim()[0], a_reader())
    for _ in range(2):
        assert len(list(box.deliver(iter([message]), lambda _message: True))) == 1
    [file] = (tmp_path / "outbox/new").iterdir()
    file.rename(tmp_path / "outbox/cur" / f"{file.name}:2,S")  # a mail reader has seen it
    list(box.deliver(iter([message]), lambda _message: True))
    assert list((tmp_path / "outbox/new").iterdir()) == []


def test_a_relay_that_loses_every_connection_is_given_up_and_everybody_waits(books: Books) -> None:
    with faulty_server({"MAIL": "drop"}) as server:
        transport = SmtpTransport(Relay(host="127.0.0.1", port=server.port, security="none", timeout=5))
        with pytest.raises(RelayError, match="loses every connection"):
            sender(books, transport).run(ISSUE.key, claimant())
    assert books.states() == {State.DEFERRED: PATIENCE}


def through(port: int) -> SmtpTransport:
    return SmtpTransport(Relay(host="127.0.0.1", port=port, security="none", timeout=5))


def test_one_reader_whose_host_refuses_us_keeps_nobody_else_waiting(books: Books) -> None:
    with faulty_server({"RCPT": "550 5.7.1 recipient does not accept mail from you"}, times=1) as server:
        sender(books, through(server.port)).run(ISSUE.key, claimant())
    assert books.states() == {State.SENT: 2, State.DEFERRED: 1}


def test_a_relay_that_refuses_the_sender_reader_after_reader_stops_the_run_and_fails_nobody(tmp_path: Path) -> None:
    books = Books(f"sqlite:///{tmp_path}/db", [a_reader(f"r{number}") for number in range(9)])
    with faulty_server({"RCPT": "550 5.1.8 bad outbound sender"}) as server, pytest.raises(RelayError):
        sender(books, through(server.port)).run(ISSUE.key, claimant())
    assert books.states() == {State.DEFERRED: SUSPECTS, State.QUEUED: 9 - SUSPECTS}


def test_a_relay_that_takes_one_message_a_connection_gets_them_all(books: Books) -> None:
    with faulty_server({"RSET": "drop"}) as server:
        server.one_each = True
        sender(books, through(server.port)).run(ISSUE.key, claimant())
    assert books.states() == {State.SENT: 3}
    assert len(server.taken) == 3


def test_a_relay_that_takes_fewer_connections_gets_everything_through_those(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    books = Books(f"sqlite:///{tmp_path}/db", [a_reader(f"r{number}") for number in range(60)])
    with faulty_server({}) as server:
        server.most = 1
        transport = SmtpTransport(Relay(host="127.0.0.1", port=server.port, security="none", timeout=5), connections=3)
        with caplog.at_level("WARNING", "newsletter"):
            sender(books, transport).run(ISSUE.key, claimant())
    assert books.states() == {State.SENT: 60}
    assert "too many connections" in caplog.text
    assert "smtp.connections" in caplog.text


def test_a_relay_that_takes_no_connection_ends_the_run_with_its_words(books: Books) -> None:
    with faulty_server({}) as server:
        server.most = 0
        transport = SmtpTransport(Relay(host="127.0.0.1", port=server.port, security="none", timeout=5), connections=3)
        with pytest.raises(RelayBusyError, match="too many connections"):
            sender(books, transport).run(ISSUE.key, claimant())
    assert books.states() == {State.QUEUED: 3}


def test_a_full_disk_stops_the_run_and_fails_nobody(books: Books, tmp_path: Path) -> None:
    def full(_delivery: Delivery, _reader: Subscriber) -> Message:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        sender(books, OutboxTransport(tmp_path / "outbox"), full).run(ISSUE.key, claimant())
    assert books.states() == {State.QUEUED: 3}
