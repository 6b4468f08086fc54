"""A service or a crontab line in simulated time: `newsletter run` with another clock and a quicker bell.

The folder holds `now`, the moment that it is, and `seen`, the last moment at which somebody had done all that was due.
Settings are variables, as for the command.
"""

import sys
import time
from datetime import datetime
from pathlib import Path

from newsletter.schedule import tick
from newsletter.settings import load
from newsletter.wiring import build

LOOK_EVERY = 0.01  # seconds


def main(folder: Path, *, once: bool) -> None:
    """Tick again and again, or once as a crontab line does."""
    settings, _folder = load()

    def clock() -> datetime:
        return datetime.fromisoformat((folder / "now").read_text())

    parts = build(settings, folder, clock=clock)
    while True:
        moment = clock()
        done = tick(parts)
        for fault in done.faults:
            print(fault, file=sys.stderr)  # noqa: T201 - for whoever looks why a test failed
        if not done.busy and not done.faults:
            write(folder / "seen", moment)
        if once:
            return
        time.sleep(LOOK_EVERY)


def write(path: Path, moment: datetime) -> None:
    """Write a moment so that nobody ever reads half of it."""
    whole = path.with_suffix(f".{time.monotonic_ns()}")
    whole.write_text(moment.isoformat())
    whole.rename(path)


if __name__ == "__main__":
    main(Path.cwd(), once="--once" in sys.argv)
