"""A relay that has failed rests, and is tried again by one connection: however that one ends, the run goes on."""

import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from newsletter.errors import RelayError
from newsletter.models import Delivery, Message, State, Subscriber
from newsletter.send.sender import claimant
from newsletter.send.smtp import Relay, SmtpTransport
from tests.make import NOON, a_reader
from tests.send.servers import FaultyServer, faulty_server
from tests.send.test_sender import compose, sender
from tests.store.books import ISSUE, Books

pytestmark = [pytest.mark.usefixtures("offers"), pytest.mark.timeout(30)]

HASTE = 20  # a rest of two seconds is over in a tenth
READERS = 20
SERVED = 5  # messages, until the relay fails


def hasty() -> Callable[[], datetime]:
    begun = time.monotonic()
    return lambda: NOON + HASTE * timedelta(seconds=time.monotonic() - begun)


def fails_once(server: FaultyServer, then: str, times: int = 1) -> None:
    """Take some messages, each on a connection of its own, then refuse one connection; break so at the next."""
    server.one_each = True
    server.times = dict.fromkeys(server.times, 0)

    def count(_to: str) -> None:
        if len(server.taken) >= SERVED and not server.times["BANNER"]:
            server.to_each = lambda _recipient: None
            server.times |= {"BANNER": 1, then: times}

    server.to_each = count


def run(books: Books, server: FaultyServer, connections: int, made: object = compose) -> None:
    relay = Relay(host="127.0.0.1", port=server.port, security="none", timeout=5)
    hurried = replace(sender(books, SmtpTransport(relay, connections), made), clock=hasty())
    hurried.run(ISSUE.key, claimant())


@pytest.fixture
def books(tmp_path: Path) -> Books:
    return Books(f"sqlite:///{tmp_path}/db", [a_reader(f"r{number}") for number in range(READERS)])


@pytest.mark.parametrize("connections", [1, 3])
@pytest.mark.parametrize("phase", ["MAIL", "RCPT", "DATA"])
def test_the_one_that_tries_is_dropped_without_a_word_and_the_rest_is_sent(
    books: Books, phase: str, connections: int
) -> None:
    with faulty_server({"BANNER": "421 4.3.2 too busy", phase: "drop"}) as server:
        fails_once(server, phase, 2 if phase == "DATA" else 1)  # the message that is under way meets it, too
        run(books, server, connections)
    states = books.states()
    assert states[State.SENT] == len(server.taken)
    assert sum(states.values()) == READERS
    assert states.get(State.DEFERRED, 0) <= 2  # the one in flight as it broke, and the one that tried


def test_the_one_that_tries_has_no_answer_to_its_dot_and_the_rest_is_sent(books: Books) -> None:
    with faulty_server({"BANNER": "421 4.3.2 too busy", "DOT": "drop-after"}) as server:
        fails_once(server, "DOT", 2)
        run(books, server, 1)
    assert books.states() == {State.SENT: READERS - 2, State.IN_DOUBT: 2}
    assert len(server.taken) == READERS


@pytest.mark.parametrize("connections", [1, 3])
def test_the_one_that_tries_finds_a_copy_that_cannot_be_made_and_the_rest_is_sent(
    books: Books, connections: int
) -> None:
    with faulty_server({"BANNER": "421 4.3.2 too busy"}) as server:
        fails_once(server, "BANNER")

        def poisoned(delivery: Delivery, reader: Subscriber) -> Message:
            if len(server.taken) > SERVED and not server.times["BANNER"] and not spoilt:
                spoilt.append(reader)
                raise ValueError("an address with spaces cannot be mailed")
            return compose(delivery, reader)

        spoilt: list[Subscriber] = []
        run(books, server, connections, poisoned)
    assert books.states() == {State.SENT: READERS - 1, State.FAILED: 1}


def test_a_relay_that_drops_each_connection_that_tries_is_given_up(books: Books) -> None:
    with faulty_server({"BANNER": "421 4.3.2 too busy", "MAIL": "drop"}) as server:
        fails_once(server, "MAIL", 10**9)
        with pytest.raises(RelayError, match="too busy"):
            run(books, server, 2)
    states = books.states()
    assert states[State.SENT] == len(server.taken)
    assert sum(states.values()) == READERS
