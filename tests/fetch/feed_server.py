"""A stand-in for any web site: a real HTTP server on loopback that answers as told and keeps a record."""

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fetch.hf_server import Answer

NOTHING = Answer(404, b"")


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


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    path: str
    query: Mapping[str, str]
    headers: Message


@dataclass
class Site:
    """What the server knows: an answer for each path, and what was answered to whom."""

    pages: dict[str, Answer] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    told: list[int] = field(default_factory=list)  # the statuses
    url: str = ""

    def page(self, request: Request) -> Answer:
        """Return the answer to a request, were it the first."""
        return self.pages.get(request.path, NOTHING)

    def answer(self, target: str, headers: Message) -> Answer:
        """Return the answer to a request; 304 where the asker has it already (RFC 9110, section 13.2.2)."""
        address = urlsplit(target)
        self.asked.append(Request(address.path, dict(parse_qsl(address.query)), headers))
        answer = self.page(self.asked[-1])
        kept = headers["If-None-Match"] or headers["If-Modified-Since"]
        if kept and kept in {answer.headers.get("ETag"), answer.headers.get("Last-Modified")}:
            answer = Answer(304, b"", {"ETag": answer.headers.get("ETag", "")})
        self.told.append(answer.status)
        return answer


class _Server(ThreadingHTTPServer):
    def __init__(self, site: Site) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.site = site

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that hung up."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.site.answer(self.path, self.headers)
        time.sleep(answer.delay)
        self.send_response_only(answer.status)
        headers = {"Content-Type": "application/xml", "Content-Length": str(len(answer.body))}
        for header, value in (headers | dict(answer.headers)).items():
            if value:  # an empty one is left out
                self.send_header(header, value)
        self.end_headers()
        for piece in [answer.body[at : at + 1] for at in range(len(answer.body))] if answer.drip else [answer.body]:
            self.wfile.write(piece)
            time.sleep(answer.drip)


@contextmanager
def web_site(site: Site) -> Iterator[Site]:
    """Run the server; `site.url` is its address."""
    with _Server(site) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.005,), daemon=True)
        thread.start()
        site.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield site
        finally:
            server.shutdown()
            thread.join()
