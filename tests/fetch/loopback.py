"""A real HTTP server on loopback that answers as it is told, and a clock that only sleeping moves."""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Answer:
    """What is answered to one request in place of a list."""

    status: int = 200
    body: bytes = b"[]"
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0  # seconds before the status line
    drip: float = 0  # seconds between the bytes of the body


@dataclass
class Clock:
    """A clock that only sleeping moves."""

    now: float = 0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@contextmanager
def loopback(answer: Callable[[str, Message], Answer], content_type: str) -> Iterator[str]:
    """Run a server whose answers come from a function of path and headers; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            _give(self, answer(self.path, self.headers), content_type)

    with _Quiet(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up."""


def _give(handler: BaseHTTPRequestHandler, answer: Answer, content_type: str) -> None:
    time.sleep(answer.delay)
    handler.send_response_only(answer.status)
    headers = {"Content-Type": content_type, "Content-Length": str(len(answer.body))}
    for header, value in (headers | dict(answer.headers)).items():
        if value:  # an empty one is left out
            handler.send_header(header, value)
    handler.end_headers()
    for piece in [answer.body[at : at + 1] for at in range(len(answer.body))] if answer.drip else [answer.body]:
        handler.wfile.write(piece)
        time.sleep(answer.drip)
