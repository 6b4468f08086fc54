"""The ways in which an issue goes out: `send` does it itself, or leaves it to workers. What is promised is the same."""

import subprocess
import time
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import text

from newsletter.store.engine import Database
from newsletter.store.ledger import Ledger
from newsletter.store.limits import LimitStore
from tests.flows.command import newsletter, start

PATIENCE = 90  # seconds
IN_HAND = text("SELECT count(*) FROM delivery WHERE state IN ('claimed', 'sending')")


@dataclass
class Way:
    """One of them.

    Args:
        settings: which database, and whether workers send.
    """

    settings: dict[str, str] = field(default_factory=dict)
    queued: bool = False  # workers need to be told but once

    @property
    def by_workers(self) -> bool:
        return "NEWSLETTER_WORKERS" in self.settings

    def start(self, folder: Path, **settings: str) -> "subprocess.Popen[str]":
        """Start a process that sends, to be disturbed."""
        if not self.by_workers:
            return start(folder, "send", **settings)
        if not self.queued:
            assert newsletter(folder, "send", **settings).code == 0
            self.queued = True
        return start(folder, "worker", **settings)

    def end(self, process: "subprocess.Popen[str]") -> str:
        """Wait until a process that was started has sent what it may; return what it says."""
        if self.by_workers:
            self._rest(process)
            process.terminate()
        out, err = process.communicate(timeout=PATIENCE)
        assert "Traceback" not in err, err
        if self.by_workers:
            assert process.returncode == 0, err
        return out + err

    def send(self, folder: Path, **settings: str) -> str:
        """Send what may go out now; return what is said of it."""
        return self.end(self.start(folder, **settings))

    def _rest(self, process: "subprocess.Popen[str]") -> None:
        """Wait until a worker is at work, nothing may go out now and nothing is in hand."""
        deadline = time.monotonic() + PATIENCE
        with closing(Database(self.settings["NEWSLETTER_DATABASE_URL"])) as database:
            ledger = Ledger(database, "papers")
            while process.poll() is None:
                now = datetime.now(UTC)
                at_work = any(f":{process.pid}:" in one.owner for one in LimitStore(database).working(now.timestamp()))
                with database.reading() as connection:
                    if at_work and not ledger.due(now) and not connection.scalar(IN_HAND):
                        return
                assert time.monotonic() < deadline, "it takes too long"
                time.sleep(0.05)
