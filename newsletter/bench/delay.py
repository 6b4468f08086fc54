"""A relay far away: a proxy that holds back each reply for a round trip, and holds up nothing else.

Bytes of the client go on at once; bytes of the server wait in a queue until their moment has come, however many are
under way, so that throughput stays what it was. It stands in for a network of that delay (netem needs root and a
kernel module).
"""

import selectors
import socket
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from newsletter.bench.sink import CHUNK, LOOPBACK, server

MOST_WAITING = 1 << 22  # bytes of one direction; more are left with their sender


@contextmanager
def delayed(host: str, port: int, rtt_ms: float) -> Iterator[tuple[str, int]]:
    """Yield where a server can be reached as if it were so many milliseconds away; itself for none.

    Raises:
        SurroundingsError: the proxy does not start.
    """
    if not rtt_ms:
        yield host, port
        return
    with server("delay", host, str(port), str(rtt_ms)) as (own, _process):
        yield LOOPBACK, own


@dataclass(eq=False)
class Pipe:
    """One direction of a connection: what has come in, and when it may go on."""

    source: socket.socket
    target: socket.socket
    delay: float
    waiting: deque[tuple[float, bytes]] = field(default_factory=deque)
    size: int = 0
    ended: bool = False  # the source will say no more
    stuck: bool = False  # the target takes no more for now

    @property
    def hungry(self) -> bool:
        """Whether more may be read."""
        return not self.ended and self.size < MOST_WAITING

    def fill(self, now: float) -> None:
        """Take what the source has said; an empty piece at the end stands for its end."""
        try:
            said = self.source.recv(CHUNK)
        except BlockingIOError:
            return
        except OSError:
            said = b""
        self.ended = not said
        self.size += len(said)
        self.waiting.append((now + self.delay, said))

    def drain(self, now: float) -> None:
        """Pass on what is due.

        Raises:
            OSError: the target is gone.
        """
        self.stuck = False
        while self.waiting and self.waiting[0][0] <= now:
            due, said = self.waiting.popleft()
            if not said:
                self.target.shutdown(socket.SHUT_WR)
                return
            try:
                sent = self.target.send(said)
            except BlockingIOError:
                sent = 0
            self.size -= sent
            if sent < len(said):
                self.waiting.appendleft((due, said[sent:]))
                self.stuck = True
                return

    @property
    def done(self) -> bool:
        """Whether all has been passed on, the end too."""
        return self.ended and not self.waiting


@dataclass(eq=False)
class Connection:
    """A client, the server it speaks to, and what is under way between them."""

    client: socket.socket
    upstream: socket.socket
    delay: float

    def __post_init__(self) -> None:
        self.there = Pipe(self.client, self.upstream, 0)
        self.back = Pipe(self.upstream, self.client, self.delay)

    def move(self, ready: socket.socket | None, events: int) -> None:
        """Read from a side that has something, and pass on what is due both ways.

        Raises:
            OSError: a side is gone.
        """
        now = time.monotonic()
        for pipe in (self.there, self.back):
            if pipe.source is ready and events & selectors.EVENT_READ and pipe.hungry:
                pipe.fill(now)
            pipe.drain(now)

    def events(self, side: socket.socket) -> int:
        """Return what to wait for on a side."""
        out, into = (self.there, self.back) if side is self.client else (self.back, self.there)
        return (selectors.EVENT_READ if out.hungry else 0) | (selectors.EVENT_WRITE if into.stuck else 0)

    def close(self) -> None:
        """End both sides."""
        self.client.close()
        self.upstream.close()


class Proxy:
    """The loop: one thread, all connections."""

    def __init__(self, listener: socket.socket, host: str, port: int, delay: float) -> None:
        self._listener = listener
        self._server = (host, port)
        self._delay = delay
        self._selector = selectors.DefaultSelector()
        self._watched: dict[socket.socket, int] = {}
        # One delay for all: what came first is due first.
        self._due: deque[tuple[float, Connection]] = deque()

    def run(self, parent: int) -> None:
        """Forward until the parent's end of that file is closed."""
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(parent, selectors.EVENT_READ)
        while True:
            wait = max(0.0, self._due[0][0] - time.monotonic()) if self._due else None
            for key, events in self._selector.select(wait):
                if key.fileobj == parent:
                    return
                if key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._step(key.data, key.fileobj, events)
            while self._due and self._due[0][0] <= time.monotonic():
                self._step(self._due.popleft()[1], None, 0)

    def _accept(self) -> None:
        client, _address = self._listener.accept()
        try:
            upstream = socket.create_connection(self._server, timeout=10)
        except OSError:
            client.close()
            return
        connection = Connection(client, upstream, self._delay)
        for side in (client, upstream):
            side.settimeout(0)
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._watch(connection)

    def _step(self, connection: Connection, ready: socket.socket | None, events: int) -> None:
        if connection.client.fileno() < 0:  # closed while this was on its way
            return
        try:
            connection.move(ready, events)
        except OSError:
            self._forget(connection)
            return
        if ready is connection.upstream and connection.back.waiting:
            self._due.append((connection.back.waiting[-1][0], connection))
        if connection.there.done and connection.back.done:
            self._forget(connection)
        else:
            self._watch(connection)

    def _watch(self, connection: Connection) -> None:
        """Wait for what each side can do now; a side that can do nothing is not looked at."""
        for side in (connection.client, connection.upstream):
            wanted, before = connection.events(side), self._watched.get(side, 0)
            if wanted == before:
                continue
            if not wanted:
                self._selector.unregister(side)
            elif before:
                self._selector.modify(side, wanted, connection)
            else:
                self._selector.register(side, wanted, connection)
            self._watched[side] = wanted

    def _forget(self, connection: Connection) -> None:
        for side in (connection.client, connection.upstream):
            if self._watched.pop(side, 0):
                with suppress(KeyError, ValueError):
                    self._selector.unregister(side)
        connection.close()


def main(host: str, port: str, rtt_ms: str) -> None:
    """Serve on a free port of loopback, which is written on the first line."""
    with socket.create_server((LOOPBACK, 0), backlog=1000) as listener:
        sys.stdout.write(f"{listener.getsockname()[1]}\n")
        sys.stdout.flush()
        Proxy(listener, host, int(port), float(rtt_ms) / 1000).run(sys.stdin.fileno())


if __name__ == "__main__":
    main(*sys.argv[1:])
