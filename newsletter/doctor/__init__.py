"""What is wrong with an installation before a reader notices: every check, and none that changes anything."""

import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import partial

from newsletter.doctor import clock, configuration, database, disk, mails, pages, records, relay, returned, sources
from newsletter.doctor.check import FAIL, Check, Installation, guarded, of_fault, skipped
from newsletter.errors import SettingsError

PATIENCE = 20.0  # seconds for all that needs a network, asked at once
HOME = (*configuration.NAMES, *database.NAMES, *disk.NAMES, *mails.NAMES)
VALUES = "mend that; docs/settings.md tells what may stand there"
ABROAD = (*relay.NAMES, *returned.NAMES, *records.NAMES, *pages.NAMES)


def examine(it: Installation) -> list[Check]:
    """Return every check, in the order in which they are best mended; takes some seconds."""
    seen = database.look(it)
    proofs = mails.prove(it)
    found = [
        *configuration.checks(it, seen),
        *seen.checks,
        *guarded("folders", partial(disk.checks, it)),
        *proofs.checks,
    ]
    seen.database.close()
    return [*found, *_abroad(it, proofs.largest), *clock.checks(it)]


def examine_settings(fault: SettingsError) -> list[Check]:
    """Return what is wrong with settings that cannot be read, and everything else as skipped."""
    wrong = [of_fault("settings", SettingsError(line), VALUES) for line in str(fault).splitlines()]
    rest = [name for name in (*HOME, *sources.NAMES, *ABROAD, *clock.NAMES) if name != "settings"]
    return [*wrong, *skipped(rest, "the settings are wrong")]


def _abroad(it: Installation, copy: int | None) -> list[Check]:
    """Ask everybody at once, so that all of them together take as long as the slowest."""
    visits = [
        *(_Visit(f"source {one.name}", partial(sources.checks, it, one)) for one in it.sources),
        *(_Visit(name, partial(relay.checks, it, one, name, copy)) for name, one in relay.named(it)),
        _Visit("bounces", partial(returned.checks, it)),
        _Visit("DNS", partial(records.checks, it)),
        _Visit("pages", partial(pages.checks, it)),
    ]
    for visit in visits:
        visit.begin()
    until = time.monotonic() + PATIENCE
    return [check for visit in visits for check in visit.found(until)]


@dataclass
class _Visit:
    """A family of checks in a thread of its own, which is left behind if it does not come back."""

    name: str
    checks: Callable[[], Iterable[Check]]
    seen: list[Check] = field(default_factory=list)
    thread: threading.Thread | None = None

    def begin(self) -> None:
        self.thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self.thread.start()

    def found(self, until: float) -> list[Check]:
        """Return what was seen by a moment of the monotonic clock."""
        if self.thread:
            self.thread.join(max(0.0, until - time.monotonic()))
        if self.thread and self.thread.is_alive():
            return [*self.seen, Check(self.name, FAIL, f"no end within {PATIENCE:.0f} seconds", "check the network")]
        return self.seen

    def _run(self) -> None:
        for check in guarded(self.name, self.checks):
            self.seen.append(check)  # one by one: what was seen counts, though the end be never reached
