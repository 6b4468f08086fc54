"""How quickly the pages answer many readers at once while an issue goes out from the same SQLite file."""

import http.client
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

from newsletter.bench.sink import Sink, opened
from newsletter.errors import SurroundingsError

COMMAND = (sys.executable, "-m", "newsletter")
PAGES = ("/archive", "/issues/daily/2025-12-24", "/", "/feed.atom")
EARLIER, ISSUE = "2025-12-24", "2025-12-25"  # days of the sample: what the archive has, and what goes out meanwhile
PATIENCE = 30.0  # seconds for an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class ServeFigures:
    """What the readers saw: milliseconds until a page was there, and answers that were none.

    `copies_per_second` is how fast the issue went out meanwhile, 0 where none did; `locked` counts what sender and
    server said of a locked database.
    """

    readers: int
    answers: int
    faults: int
    median_ms: float
    p99_ms: float
    slowest_ms: float
    copies_per_second: float
    locked: int


@dataclass
class _Reader:
    """One open reader: a kept connection, a page a second."""

    address: str
    at: float  # when the first page is asked for
    until: float
    waits: list[float] = field(default_factory=list)
    faults: int = 0

    def read(self) -> None:
        """Ask for a page each second until the end."""
        place = urlsplit(self.address)
        connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=PATIENCE)
        for page in cycle(PAGES):
            if self.at > self.until:
                break
            time.sleep(max(0.0, self.at - time.perf_counter()))
            self._ask(connection, page)
            self.at += 1
        connection.close()

    def _ask(self, connection: http.client.HTTPConnection, page: str) -> None:
        try:
            connection.request("GET", page)
            answer = connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self.faults += 1
            connection.close()
            return
        self.waits.append(time.perf_counter() - self.at)  # from when it was due: a late start counts
        self.faults += answer.status != http.client.OK


def measure(readers: int, seconds: float, recipients: int) -> ServeFigures:
    """Let readers ask for pages, each one a second, while an issue goes out to so many recipients.

    Args:
        readers: with a connection each, all open at once.
        seconds: how long they read.
        recipients: of the issue; 0 sends none.

    Raises:
        SurroundingsError: the server, the sender or the sink failed.
    """
    with tempfile.TemporaryDirectory(prefix="newsletter-bench-") as name, opened() as sink:
        folder = Path(name)
        _prepare(folder, sink, recipients)
        with _served(folder) as (address, said):
            crowd, threads = _crowd(address, readers, seconds)
            sender = _started(folder, "send", "--date", ISSUE) if recipients else None
            begun = time.perf_counter()
            for thread in threads:
                thread.start()
            output = sender.communicate()[0] if sender else ""
            took = time.perf_counter() - begun
            for thread in threads:
                thread.join()
        if sender and sender.returncode:
            raise SurroundingsError(f"bench serve: the sender failed: {_last(output)}")
        locked = sum("locked" in line for line in [*output.splitlines(), *said])
        return _figures(crowd, recipients / took if recipients else 0.0, locked)


def _figures(crowd: Sequence[_Reader], rate: float, locked: int) -> ServeFigures:
    waits = sorted(wait * 1000 for one in crowd for wait in one.waits)
    if len(waits) < 2:  # noqa: PLR2004 - two values make a quantile
        raise SurroundingsError("bench serve: the pages gave no answers; run again")
    return ServeFigures(
        readers=len(crowd),
        answers=len(waits),
        faults=sum(one.faults for one in crowd),
        median_ms=round(statistics.median(waits), 1),
        p99_ms=round(statistics.quantiles(waits, n=100)[98], 1),
        slowest_ms=round(waits[-1], 1),
        copies_per_second=round(rate, 1),
        locked=locked,
    )


def _crowd(address: str, readers: int, seconds: float) -> tuple[list[_Reader], list[threading.Thread]]:
    """Make the readers, each beginning at a moment of its own within the first second."""
    start = time.perf_counter() + 0.5
    crowd = [_Reader(address, start + number / readers, start + seconds) for number in range(readers)]
    return crowd, [threading.Thread(target=one.read, daemon=True) for one in crowd]


def _prepare(folder: Path, sink: Sink, recipients: int) -> None:
    """Make a list with an issue in its archive and readers who wait for the next."""
    (folder / "newsletter.toml").write_text(
        f'base_url = "http://127.0.0.1"\nsender = "papers@example.org"\ntransport = "smtp"\n[smtp]\n'
        f'host = "{sink.host}"\nport = {sink.port}\nsecurity = "none"\nconnections = 4\n'
    )
    (folder / "subscribers.yaml").write_text("subscribers:\n  - first@example.org\n")
    _ran(folder, "send", "--date", EARLIER)
    if recipients:
        rows = "".join(f"reader{number}@example.org\n" for number in range(recipients))
        (folder / "readers.csv").write_text(f"address\n{rows}")
        _ran(folder, "subscribers", "import", "readers.csv")


@contextmanager
def _served(folder: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve the pages; yield their address and, filled at the end, the lines that the server wrote."""
    process, said = _started(folder, "serve", "--port", "0"), list[str]()
    line = process.stdout.readline() if process.stdout else ""
    found = re.search(r"http://\S+", line)
    if not found:
        process.kill()
        raise SurroundingsError(f"bench serve: the server does not start: {_last(line + process.communicate()[0])}")
    try:
        yield found[0], said
    finally:
        process.terminate()
        said += process.communicate()[0].splitlines()


def _started(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start a command of ours, with none of the settings of whoever measures."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("NEWSLETTER_")}
    return subprocess.Popen(  # noqa: S603 - ourselves
        [*COMMAND, *arguments], cwd=folder, env=clean, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def _ran(folder: Path, *arguments: str) -> None:
    process = _started(folder, *arguments)
    output = process.communicate()[0]
    if process.returncode:
        raise SurroundingsError(f"bench serve: {' '.join(arguments)} failed: {_last(output)}")


def _last(output: str) -> str:
    return (output.strip().splitlines() or ["it said nothing"])[-1]
