"""Real SMTP servers on loopback: a well-behaved one that counts what it took, and one that breaks where it is told."""

import asyncio
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeVar

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, Session

Server = TypeVar("Server", bound=socketserver.BaseServer)
USER, PASSWORD = b"mailer", b"correct horse"


@dataclass
class Mailbox:
    """What a server accepted, in order."""

    taken: list[Envelope] = field(default_factory=list)
    logins: list[bool] = field(default_factory=list)
    arrived: list[float] = field(default_factory=list)  # when, in seconds
    delay: float = 0  # seconds between taking a message and saying so

    async def handle_DATA(self, _server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        self.taken.append(envelope)
        self.arrived.append(time.monotonic())
        self.logins.append(bool(session.authenticated))
        await asyncio.sleep(self.delay)
        return "250 2.0.0 taken"

    async def handle_EHLO(  # noqa: N802 - aiosmtpd's name
        self, _server: Any, session: Session, _envelope: Envelope, hostname: str, responses: list[str]
    ) -> list[str]:
        """Offer what aiosmtpd can do and does not tell: it reads commands one after the other, however they come."""
        session.host_name = hostname
        return [responses[0], "250-PIPELINING", *responses[1:]]

    @property
    def recipients(self) -> list[str]:
        return [envelope.rcpt_tos[0] for envelope in self.taken]

    @property
    def contents(self) -> list[bytes]:
        return [envelope.original_content or b"" for envelope in self.taken]


class _AnyPort(Controller):
    """A controller that takes a free port, which aiosmtpd alone does not find again."""

    def _trigger_server(self) -> None:
        assert isinstance(self.server, asyncio.Server)
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()  # type: ignore[no-untyped-call]  # aiosmtpd's own gap


@contextmanager
def mail_server(
    tls: ssl.SSLContext | None = None, *, login: bool = False, delay: float = 0
) -> Iterator[tuple[Mailbox, int]]:
    """Run a server; with `tls` it asks for STARTTLS, with `login` for USER and PASSWORD. Yields mailbox and port."""

    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        return AuthResult(success=(given.login, given.password) == (USER, PASSWORD), handled=False)

    mailbox = Mailbox(delay=delay)
    controller = _AnyPort(
        mailbox,
        hostname="127.0.0.1",
        port=0,
        tls_context=tls,
        require_starttls=tls is not None,
        authenticator=check if login else None,
        auth_required=login,
        auth_require_tls=tls is not None,
        decode_data=False,
    )
    controller.start()
    try:
        yield mailbox, controller.port
    finally:
        controller.stop()


class FaultyServer(socketserver.ThreadingTCPServer):
    """Answers by a script: `faults` maps a verb (or BANNER, BODY, DOT) to a reply, or to "drop" or "drop-after".

    `times` is how often each fault strikes before the server behaves.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, faults: dict[str, str], times: int = 10**9) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.faults = faults
        self.times = dict.fromkeys(faults, times)
        self.lock = threading.Lock()
        self.taken: list[bytes] = []
        self.asked = 0  # connections
        self.one_each = False  # ends the connection after each message
        self.commands: list[str] = []
        self.most = 10**9  # connections at once
        self.to_each: Callable[[str], str | None] = lambda _recipient: None  # what RCPT answers, if not 250
        self.recipients: list[str] = []  # of what was taken, in order
        self.slow = 0.0  # seconds between the bytes of a reply
        self.pause = 0.0  # seconds between taking a message and saying so
        self.open = 0

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def fault(self, verb: str) -> str | None:
        with self.lock:
            if self.times.get(verb, 0) <= 0:
                return None
            self.times[verb] -= 1
            return self.faults[verb]


GOOD = {
    "BANNER": "220 ready",
    "EHLO": "250-here\r\n250 8BITMIME",
    "HELO": "250 here",
    "MAIL": "250 ok",
    "RCPT": "250 ok",
    "DATA": "354 go on",
    "RSET": "250 ok",
    "QUIT": "221 bye",
}


class _Conversation(socketserver.StreamRequestHandler):
    server: FaultyServer
    disable_nagle_algorithm = True  # small replies go out at once, as a mail server's do
    sender = wanted = False
    recipient = ""

    def handle(self) -> None:
        with self.server.lock:
            self.server.open += 1
            self.server.asked += 1
            crowded = self.server.open > self.server.most
        try:
            if self.answer("BANNER", "421 4.7.0 too many connections" if crowded else None):
                self.talk()
        finally:
            with self.server.lock:
                self.server.open -= 1

    def talk(self) -> None:
        for line in self.rfile:
            verb = line[:4].decode().upper()
            self.server.commands.append(line.decode().strip())
            if not self.answer(verb) or (verb == "DATA" and self.last.startswith("354") and not self.body()):
                return

    def answer(self, verb: str, good: str | None = None) -> bool:
        """Reply to a verb; return whether the connection goes on."""
        reply = self.server.fault(verb) or good or self.to_this(verb) or GOOD.get(verb, "502 what?")
        if verb == "RCPT" and not self.sender:
            reply = "503 5.5.1 MAIL first"
        if reply == "drop":
            return False
        if reply == "silence":
            self.rfile.read()  # until the other side has had enough
            return False
        self.last = reply
        if verb in {"MAIL", "RCPT"}:  # nobody to deliver to until a RCPT is taken
            self.sender = verb == "RCPT" or reply.startswith("250")
            self.wanted = verb == "RCPT" and reply.startswith("250")
        for byte in reply.encode() + b"\r\n" if self.server.slow else ():
            self.wfile.write(bytes([byte]))
            time.sleep(self.server.slow)
        if not self.server.slow:
            self.wfile.write(reply.encode() + b"\r\n")
        return not reply.startswith("421")

    def to_this(self, verb: str) -> str | None:
        """Return what this recipient in particular is answered."""
        if verb != "RCPT":
            return None
        self.recipient = self.server.commands[-1].partition("<")[2].partition(">")[0]
        return self.server.to_each(self.recipient)

    def body(self) -> bool:
        lines: list[bytes] = []
        for line in self.rfile:
            if line == b".\r\n":
                break
            if not lines and self.server.fault("BODY") == "drop":
                return False
            lines.append(line)
        else:
            return False
        fault = self.server.fault("DOT") if self.wanted else "554 5.5.1 no valid recipients"
        if fault == "drop":
            return False
        if fault is None or fault == "drop-after":
            self.server.taken.append(b"".join(lines))
            self.server.recipients.append(self.recipient)
            time.sleep(self.server.pause)
        if fault in {"drop-after", "silence"}:
            if fault == "silence":
                self.rfile.read()
            return False
        self.last = fault or "250 2.0.0 taken"
        self.wfile.write(self.last.encode() + b"\r\n")
        return not self.last.startswith("421") and not self.server.one_each


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """Serve in a thread of its own for as long as the block runs."""
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def faulty_server(faults: dict[str, str], times: int = 10**9) -> Iterator[FaultyServer]:
    """Run a server that breaks as told."""
    with running(FaultyServer(faults, times)) as server:
        yield server
