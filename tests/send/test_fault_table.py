"""Every phase of a conversation, every fault in it: what becomes of the copy, and what the person is told."""

import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from newsletter.errors import RelayError
from newsletter.models import State
from newsletter.send.sender import claimant
from newsletter.send.smtp import Relay, SmtpTransport
from tests.make import a_reader
from tests.send.servers import faulty_server
from tests.send.test_sender import sender
from tests.store.books import ISSUE, Books

pytestmark = pytest.mark.usefixtures("offers")
SAFE = {"security": "starttls"}
LOGIN = {"username": "mailer", "password": "secret"}
WITH_LOGIN = "250-here\r\n250 AUTH PLAIN"


@dataclass(frozen=True)
class Cell:
    """A fault, how often it strikes, and what comes of it."""

    phase: str
    fault: str
    state: State
    told: str = ""  # what the run ends with, if not well


SENT, QUEUED, DEFERRED, FAILED, DOUBT = State.SENT, State.QUEUED, State.DEFERRED, State.FAILED, State.IN_DOUBT
TABLE = [
    Cell("BANNER", "421 4.3.2 shutting down", QUEUED, "refuses the connection: 421"),
    Cell("BANNER", "554 5.3.2 no service", QUEUED, "refuses the connection: 554"),
    Cell("BANNER", "drop", QUEUED, "connection failed"),
    Cell("BANNER", "hello there", QUEUED, "refuses the connection|connection failed"),
    Cell("EHLO", "502 5.5.1 what?", SENT),  # HELO will do
    Cell("EHLO", "drop", QUEUED, "connection failed"),
    Cell("MAIL", "451 4.3.0 busy", DEFERRED),
    Cell("MAIL", "550 5.1.8 bad sender", QUEUED, "refuses this sender"),
    Cell("MAIL", "552 5.3.4 too large", FAILED),
    Cell("MAIL", "421 4.7.0 slow down", DEFERRED),
    Cell("MAIL", "drop", DEFERRED, "loses every connection|^$"),
    Cell("MAIL", "silence", DEFERRED, "loses every connection|^$"),
    Cell("MAIL", "what is this", DEFERRED, "loses every connection|^$"),
    Cell("RCPT", "450 4.2.0 greylisted", DEFERRED),
    Cell("RCPT", "550 5.1.1 no such user", FAILED),
    Cell("RCPT", "550 5.7.1 denied", DEFERRED),
    Cell("RCPT", "421 4.7.0 slow down", DEFERRED),
    Cell("RCPT", "drop", DEFERRED, "^$"),
    Cell("RCPT", "silence", DEFERRED, "^$"),
    Cell("RCPT", "252 who knows", DEFERRED, "^$"),
    Cell("DATA", "451 4.3.0 busy", DEFERRED),
    Cell("DATA", "554 5.6.0 no", FAILED),
    Cell("DATA", "421 4.3.2 going down", DEFERRED),
    Cell("DATA", "drop", DEFERRED, "^$"),
    Cell("DATA", "silence", DEFERRED, "^$"),
    Cell("DATA", "250 what", DEFERRED, "^$"),
    Cell("DOT", "451 4.3.0 busy", DEFERRED),
    Cell("DOT", "552 5.3.4 too large", FAILED),
    Cell("DOT", "554 5.7.1 looks like spam", DEFERRED),
    Cell("DOT", "421 4.3.2 going down", DEFERRED),
    Cell("DOT", "drop", DOUBT),
    Cell("DOT", "drop-after", DOUBT),
    Cell("DOT", "silence", DOUBT),
    Cell("DOT", "garbage", DOUBT),
    Cell("DOT", "354 more", DOUBT),
]


def run(folder: Path, cell: Cell, answers: dict[str, str] | None = None, /, **options: object) -> tuple[Books, str]:
    """Send to one reader through a server with a fault; return the books and what the run ended with."""
    books = Books(f"sqlite:///{folder}/db", [a_reader()])
    told = ""
    with faulty_server({cell.phase: cell.fault} | (answers or {})) as server:
        relay = Relay(host="127.0.0.1", port=server.port, timeout=0.3, **({"security": "none"} | options))  # type: ignore[arg-type]  # Relay's own fields
        try:
            sender(books, SmtpTransport(relay)).run(ISSUE.key, claimant())
        except RelayError as fault:
            told = str(fault)
    return books, told


@pytest.mark.parametrize("cell", TABLE, ids=lambda cell: f"{cell.phase} {cell.fault}")
def test_each_fault_leaves_its_state(tmp_path: Path, cell: Cell) -> None:

    books, told = run(tmp_path, cell)
    assert books.states() == {cell.state: 1}
    assert re.search(cell.told or "^$", told), told


@pytest.mark.parametrize(
    ("cell", "options"),
    [
        (Cell("EHLO", "250-here\r\n250 8BITMIME", QUEUED, "does not offer STARTTLS"), SAFE),
        (Cell("EHLO", "250-here\r\n250 STARTTLS", QUEUED, "refuses the connection|does not offer|TLS failed"), SAFE),
        (Cell("EHLO", WITH_LOGIN, QUEUED, "refuses user mailer|login failed"), LOGIN),
        (Cell("EHLO", "250 here", QUEUED, "offers no login"), LOGIN),
    ],
    ids=["STARTTLS missing", "STARTTLS refused", "AUTH refused", "AUTH missing"],
)
def test_without_tls_or_login_nothing_goes_out(tmp_path: Path, cell: Cell, options: dict[str, object]) -> None:

    books, told = run(tmp_path, cell, **options)
    assert books.states() == {cell.state: 1}
    assert re.search(cell.told, told), told


def test_a_relay_that_answers_byte_by_byte_is_waited_for(tmp_path: Path) -> None:
    books = Books(f"sqlite:///{tmp_path}/db", [a_reader("ada"), a_reader("alan")])
    with faulty_server({}) as server:
        server.slow = 0.005
        relay = Relay(host="127.0.0.1", port=server.port, security="none", timeout=2)
        sender(books, SmtpTransport(relay)).run(ISSUE.key, claimant())
    assert books.states() == {State.SENT: 2}
