"""What a check says, and what it is about: one line a person can act on."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from newsletter.errors import NewsletterError, RelayError, SettingsError, SourceError, SurroundingsError
from newsletter.fetch.base import PaperSource
from newsletter.parts import Parts
from newsletter.settings import Settings
from newsletter.store.engine import Database
from newsletter.store.waiting import Jobs
from newsletter.subscribers.held import Held

OK, WARN, FAIL, SKIP = "ok", "warn", "fail", "skip"
OFFLINE = "--offline"
UNMAILED = "nothing is mailed: transport is an outbox"
WRONG, SURROUNDINGS = SettingsError.exit_code, SurroundingsError.exit_code
QUOTING = (RelayError, SourceError)  # their messages quote a stranger, who may write semicolons


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at: `state` is ok, warn, fail or skip; `mend` is empty where there is nothing to do.

    `code` is what the command ends with if this failed: 2 for a setting or a file of the operator's, 5 for the
    surroundings.
    """

    name: str
    state: str
    detail: str
    mend: str = ""
    code: int = SURROUNDINGS


class Heard(NamedTuple):
    """A moment as another clock told it, and as ours had it then."""

    who: str
    theirs: datetime
    ours: datetime


@dataclass(frozen=True, kw_only=True)
class Installation:
    """What is examined.

    Args:
        settings: the settings of the list.
        folder: what relative paths count from.
        config: newsletter.toml, if there is one.
        sources: where papers come from, asked once and briefly.
        rehearse: makes the parts of a run over the sample, in memory; raises what a real run would.
        clock: the present moment.
        offline: leave out whatever needs a network.
        nameserver: `HOST` or `HOST:PORT` to ask in place of the machine's own.
        address: the public IP address that mail leaves from, where this machine cannot know it.
        free: bytes that are free where a path is.
        heard: what others said the time was, noted on the way.
        jobs: what the workers of a database have to do; None where none send.
    """

    settings: Settings
    folder: Path
    config: Path | None
    sources: Sequence[PaperSource]
    rehearse: Callable[[], Parts]
    clock: Callable[[], datetime]
    free: Callable[[Path], int]
    offline: bool = False
    nameserver: str | None = None
    address: str | None = None
    heard: list[Heard] = field(default_factory=list)
    jobs: Callable[[Database], Jobs] | None = None

    @property
    def mails(self) -> bool:
        """Whether mail really leaves; else it stays in an outbox."""
        return self.settings.transport == "smtp"


def of_fault(name: str, fault: NewsletterError, mend: str = "") -> Check:
    """Return a fault as a failed check: its message names the thing, and after a semicolon the mend."""
    said = " ".join(str(fault).split())
    what, semicolon, advice = said.rpartition("; ") if isinstance(fault, QUOTING) else said.partition("; ")
    what = what.removeprefix(f"{name}: ")  # a source's fault begins with its name
    code = WRONG if fault.exit_code == WRONG else SURROUNDINGS
    return Check(name, FAIL, what, advice, code) if semicolon else Check(name, FAIL, said, mend, code)


def guarded(name: str, look: Callable[[], Iterable[Check]]) -> Iterator[Check]:
    """Yield what a look finds; one that breaks is a failed check, and takes no other with it."""
    try:
        yield from look()
    except NewsletterError as fault:
        yield of_fault(name, fault, "mend that, and look again")
    except OSError as fault:
        where = f"{shown(Path(fault.filename))}: " if isinstance(fault.filename, str) else ""
        yield Check(name, FAIL, f"{where}{reason_of(fault.strerror or fault)}", "mend that, and look again")
    except Exception as fault:  # noqa: BLE001 - what a fault of ours raises has no common root
        yield Check(name, FAIL, f"{type(fault).__name__}: {reason_of(fault)}", "please report this")


def reason_of(fault: object) -> str:
    """Return what went wrong on one line, without the number of the error, which means nothing to a person."""
    said = re.sub(r"\[Errno -?\d+\] ", "", " ".join(str(fault).split()))
    return said or type(fault).__name__


def shown(path: Path | Held) -> str:
    """Return a path as it is best typed: from the working directory, if it is within; a variable by its name."""
    if isinstance(path, Held):
        return str(path)
    return str(path.relative_to(Path.cwd()) if path.is_absolute() and path.is_relative_to(Path.cwd()) else path)


def skipped(names: Iterable[str], reason: str) -> list[Check]:
    """Return checks that were left out, and why."""
    return [Check(name, SKIP, reason) for name in names]


def exit_code(checks: Iterable[Check]) -> int:
    """Return what the command ends with: 0, 2 if a setting or a file is wrong, else 5."""
    return min((check.code for check in checks if check.state == FAIL), default=0)
