"""Many copies, several connections, one supply."""

from pathlib import Path

from newsletter.models import Delivery, Message, State, Subscriber
from newsletter.send.sender import claimant
from newsletter.send.smtp import Relay, SmtpTransport
from tests.make import a_reader
from tests.send.servers import faulty_server
from tests.send.test_sender import compose, sender
from tests.store.books import ISSUE, Books


def test_one_poisoned_reader_among_ten_thousand_fails_alone(tmp_path: Path) -> None:
    books = Books(f"sqlite:///{tmp_path}/db", [a_reader(f"r{number}") for number in range(10_000)])

    def poisoned(delivery: Delivery, reader: Subscriber) -> Message:
        if reader.name == "R5000":
            raise ValueError("an address with spaces cannot be mailed")
        return compose(delivery, reader)

    with faulty_server({}) as server:
        relay = Relay(host="127.0.0.1", port=server.port, security="none", timeout=5)
        sender(books, SmtpTransport(relay, connections=4), poisoned).run(ISSUE.key, claimant())
    assert books.states() == {State.SENT: 9_999, State.FAILED: 1}
    assert len(server.taken) == 9_999


def test_a_canary_takes_no_more_than_it_was_asked_for(tmp_path: Path) -> None:
    books = Books(f"sqlite:///{tmp_path}/db", [a_reader(f"r{number}") for number in range(50)])
    with faulty_server({}) as server:
        relay = Relay(host="127.0.0.1", port=server.port, security="none", timeout=5)
        sender(books, SmtpTransport(relay, connections=4)).run(ISSUE.key, claimant(), 7)
    assert books.states() == {State.SENT: 7, State.QUEUED: 43}


def test_a_connection_carries_so_many_messages_and_no_more(tmp_path: Path) -> None:
    books = Books(f"sqlite:///{tmp_path}/db", [a_reader(f"r{number}") for number in range(25)])
    with faulty_server({}) as server:
        relay = Relay(host="127.0.0.1", port=server.port, security="none", timeout=5, messages=10)
        sender(books, SmtpTransport(relay)).run(ISSUE.key, claimant())
    assert books.states() == {State.SENT: 25}
    assert sum(command.upper().startswith("EHLO") for command in server.commands) == 3
