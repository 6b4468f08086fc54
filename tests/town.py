"""A list at work in simulated time: readers all over the world, lists day by day, and a clock."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, Self

from newsletter.parts import Parts
from newsletter.periods import DAY
from newsletter.schedule import Ticked, tick
from newsletter.settings import Settings
from newsletter.wiring import build
from tests.flows.command import outbox

SATURDAY = 5
PAPERS = 3  # on each list


@dataclass(frozen=True)
class Arrived:
    """A mail that arrived: at whom, which list day it tells of (by its papers), and how it is dated."""

    reader: str
    days: tuple[date, ...]
    dated: datetime

    @classmethod
    def by(cls, mail: EmailMessage) -> Self:
        """Read it from the mail."""
        body = mail.get_body(("plain",))
        assert body
        text = str(body.get_content())
        days = {word.rstrip(".") for line in text.splitlines() if " of 20" in line for word in line.split()[-1:]}
        told = tuple(sorted(date.fromisoformat(day) for day in days if len(day) == len("2026-01-05")))
        return cls(str(mail["To"]), told, parsedate_to_datetime(str(mail["Date"])))


class Town:
    """Readers with their zones, a folder of lists for each weekday, and a clock."""

    def __init__(self, folder: Path, now: datetime, readers: Iterable[str], **settings: Any) -> None:
        self.folder, self.now = folder, now
        self.settings = {"sources": [f"file:{folder}/lists"], "secret_key": "a secret of this town"} | settings
        self.write_readers(readers)
        (folder / "lists").mkdir()
        self.parts = self.open()

    def open(self) -> Parts:
        """Return the parts of one more process."""
        return build(Settings(**self.settings), self.folder, clock=lambda: self.now)

    def write_readers(self, lines: Iterable[str]) -> None:
        """Write the subscriber file, a line of YAML for each."""
        (self.folder / "subscribers.yaml").write_text("subscribers:\n" + "".join(f"  - {line}\n" for line in lines))

    def write_lists(self, start: date, end: date) -> None:
        """Write a list for each weekday."""
        day = start
        while day <= end:
            if day.weekday() < SATURDAY:
                self.write_list(day)
            day += DAY

    def write_list(self, day: date) -> None:
        """Write a list of papers whose titles tell their day."""
        rows = [
            {
                "paper": {
                    "id": f"{day:%y%m}.{day.day:02}{number:03}",
                    "title": f"Paper {number} of {day}",
                    "summary": f"What was found on {day}. It is number {number}.",
                    "authors": [{"name": "Ada Lovelace"}],
                    "publishedAt": f"{day}T00:00:00.000Z",
                    "submittedOnDailyAt": f"{day}T01:00:00.000Z",
                    "upvotes": 10 - number,
                }
            }
            for number in range(1, PAPERS + 1)
        ]
        (self.folder / "lists" / f"{day}.json").write_text(json.dumps(rows))

    def tick(self, *, set_back: bool = False) -> Ticked:
        """Do what is due, and expect that nothing goes wrong, but for a clock that was set back."""
        done = tick(self.parts)
        faults = [str(fault) for fault in done.faults]
        assert [line for line in faults if not (set_back and line.startswith("the clock was set back"))] == []
        return done

    def live(self, until: datetime, step: timedelta = timedelta(hours=1), *, set_back: bool = False) -> list[str]:
        """Turn the clock to a moment, with a tick at each step; return the lines that were said."""
        lines = []
        while self.now < until:
            self.now += step
            lines += self.tick(set_back=set_back).lines
        return lines

    def arrived(self) -> list[Arrived]:
        """Return what arrived so far, by time."""
        mails = outbox(self.folder) if (self.folder / "var/outbox").exists() else []
        return sorted(map(Arrived.by, mails), key=lambda one: (one.dated, one.reader))
