"""Where measured mail goes: Postfix's smtp-sink, a small sink of our own, or a server that runs already.

Our own takes everything and keeps nothing but the count; it stands in where Postfix is not installed.
"""

import os
import re
import selectors
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from newsletter.errors import SurroundingsError, UsageError

LOOPBACK = "127.0.0.1"
START_SECONDS = 10
CHUNK = 1 << 18
POSTFIX_FOLDERS = "/usr/sbin:/usr/local/sbin:/usr/libexec/postfix"  # not on everybody's PATH
END_OF_BODY = b"\r\n.\r\n"
GREETING = b"220 sink.example.org ESMTP\r\n"
EXTENSIONS = b"250-sink.example.org\r\n250-PIPELINING\r\n250 8BITMIME\r\n"
ANSWERS = {b"EHLO": EXTENSIONS, b"DATA": b"354 go on\r\n", b"QUIT": b"221 bye\r\n"}
OTHERWISE = b"250 ok\r\n"


@dataclass(frozen=True, slots=True)
class Sink:
    """A server that takes mail; `taken` tells how many messages so far, or None where it cannot tell."""

    name: str
    host: str
    port: int
    taken: Callable[[], int | None]


@contextmanager
def opened(wanted: str | None = None) -> Iterator[Sink]:
    """Open a sink for as long as the block runs.

    Args:
        wanted: `smtp-sink`, `bundled`, or HOST:PORT of a server that runs; smtp-sink where it is installed if None.

    Raises:
        UsageError: there is no such sink.
        SurroundingsError: it does not start, or nothing answers there.
    """
    program = find_program("smtp-sink")
    if wanted == "bundled" or (wanted is None and program is None):
        with _bundled() as sink:
            yield sink
    elif wanted in {None, "smtp-sink"}:
        if program is None:
            raise UsageError("--sink smtp-sink: is not installed; install Postfix, or take --sink bundled")
        with _postfix(program) as sink:
            yield sink
    else:
        yield _running(wanted or "")


def find_program(name: str) -> str | None:
    """Return the path of one of Postfix's programs, or None."""
    return shutil.which(name, path=f"{os.environ.get('PATH', os.defpath)}:{POSTFIX_FOLDERS}")


@contextmanager
def server(module: str, *arguments: str) -> "Iterator[tuple[int, subprocess.Popen[str]]]":
    """Run one of this package's servers in a process of its own; yield its port and the process.

    Such a server writes its port on a line, and ends with its standard input: it cannot outlive us.

    Raises:
        SurroundingsError: it does not start.
    """
    command = [sys.executable, "-m", f"newsletter.bench.{module}", *arguments]
    # A session of its own: Ctrl-C is ours to hear.
    with subprocess.Popen(  # noqa: S603 - our own module
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            said = process.stdout.readline() if process.stdout else ""
            if not said:
                raise SurroundingsError(f"the bench's {module} server does not start; is 127.0.0.1 to be had?")
            yield int(said), process
        finally:
            process.kill()


@contextmanager
def _bundled() -> Iterator[Sink]:
    with server("sink") as (port, process):

        def taken() -> int:
            if process.stdin is None or process.stdout is None:
                raise AssertionError
            process.stdin.write("\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield Sink("the bundled sink", LOOPBACK, port, taken)


@contextmanager
def _postfix(program: str) -> Iterator[Sink]:
    with socket.socket() as free:
        free.bind((LOOPBACK, 0))
        port: int = free.getsockname()[1]
    unprivileged = ["-u", "nobody"] if os.geteuid() == 0 else []  # root must name somebody
    command = [program, *unprivileged, "-c", "-m", "2000", f"{LOOPBACK}:{port}", "1000"]
    with tempfile.TemporaryDirectory() as folder:
        told, said = Path(folder) / "counts", Path(folder) / "faults"
        with (
            told.open("wb") as out,
            said.open("wb") as err,
            subprocess.Popen(  # noqa: S603 - found on PATH
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, start_new_session=True
            ) as process,
        ):
            try:
                _wait_for(port, process, said)
                yield Sink("Postfix's smtp-sink", LOOPBACK, port, lambda: _last_count(told))
            finally:
                process.kill()


def _wait_for(port: int, process: "subprocess.Popen[bytes]", said: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < until:
        if _answers(LOOPBACK, port):
            return
        time.sleep(0.02)
    fault = (said.read_text(errors="replace").strip().splitlines() or ["no answer"])[-1]
    raise SurroundingsError(f"smtp-sink does not start: {fault}; run again, or take --sink bundled")


def _last_count(told: Path) -> int:
    """Return the last of smtp-sink's running counters, each ended by a carriage return."""
    with told.open("rb") as lines:
        lines.seek(-min(told.stat().st_size, 200), os.SEEK_END)
        counts = re.findall(rb"mesg=(\d+)\r", lines.read())
    return int(counts[-1]) if counts else 0


def _running(wanted: str) -> Sink:
    host, _, port = wanted.rpartition(":")
    if not host or not re.fullmatch(r"\d{1,5}", port):
        raise UsageError(f"--sink {wanted}: is no sink; write smtp-sink, bundled or HOST:PORT")
    if not _answers(host.strip("[]"), int(port)):
        raise SurroundingsError(f"--sink {wanted}: nothing answers there; check that the sink runs")
    return Sink(wanted, host.strip("[]"), int(port), lambda: None)


def _answers(host: str, port: int) -> bool:
    with suppress(OSError, OverflowError), socket.create_connection((host, port), timeout=START_SECONDS):
        return True
    return False


class Session:
    """What one client of the bundled sink said, and where it is: among its commands or inside a body."""

    def __init__(self) -> None:
        self.taken = 0
        self._rest = b""
        self._in_body = False

    def answers(self, said: bytes) -> bytes:
        """Return the replies to what came in, and count the messages that ended in it."""
        said = self._rest + said
        replies: list[bytes] = []
        while True:
            end = END_OF_BODY if self._in_body else b"\r\n"
            head, found, tail = said.partition(end)
            if not found:
                # All that can matter of an unfinished body is the beginning of its end.
                self._rest = said[1 - len(END_OF_BODY) :] if self._in_body else said
                return b"".join(replies)
            replies.append(OTHERWISE if self._in_body else ANSWERS.get(head[:4].upper(), OTHERWISE))
            self.taken += self._in_body
            self._in_body = replies[-1] == ANSWERS[b"DATA"]
            said = b"\r\n" + tail if self._in_body else tail  # an empty body is a dot alone


def serve(listener: socket.socket, questions: int) -> None:
    """Take mail until nobody asks any more; each line of the questions is answered with the count on stdout."""
    taken = 0
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(questions, selectors.EVENT_READ)
        while True:
            for key, _events in selector.select():
                if key.fileobj == questions:
                    if not os.read(key.fd, 1):
                        return
                    _say(taken)
                elif key.fileobj is listener:
                    _welcome(listener, selector)
                elif isinstance(key.fileobj, socket.socket):
                    taken += _heard(key.fileobj, key.data, selector)


def _welcome(listener: socket.socket, selector: selectors.BaseSelector) -> None:
    client, _address = listener.accept()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.sendall(GREETING)
    selector.register(client, selectors.EVENT_READ, Session())


def _heard(client: socket.socket, session: Session, selector: selectors.BaseSelector) -> int:
    """Answer a client; return how many messages ended in what it said."""
    before = session.taken
    replies = ANSWERS[b"QUIT"]  # a client that is gone needs no other
    with suppress(OSError):
        said = client.recv(CHUNK)
        if said:
            replies = session.answers(said)
            client.sendall(replies)
    if replies.endswith(ANSWERS[b"QUIT"]):
        selector.unregister(client)
        client.close()
    return session.taken - before


def _say(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def main() -> None:
    """Serve on a free port of loopback, which is written on the first line."""
    with socket.create_server((LOOPBACK, 0), backlog=1000) as listener:
        _say(listener.getsockname()[1])
        serve(listener, sys.stdin.fileno())


if __name__ == "__main__":
    main()
