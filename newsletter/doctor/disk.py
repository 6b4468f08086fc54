"""Where the program writes: whether it may, and whether there is room."""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from newsletter.doctor.check import FAIL, OK, WARN, Check, Installation, shown
from newsletter.store.opening import located

NAMES = ("folders", "disk space")
PROBE = bytes(4096)
MEGABYTE = 1_000_000
LEAST, ENOUGH = 20 * MEGABYTE, 200 * MEGABYTE  # a database of ten thousand readers for a year; and room to work


def checks(it: Installation) -> Iterator[Check]:
    """Yield whether the database, the outbox and the pages of issues have a place."""
    folders = [*_folders(it)]
    faults: dict[str, list[Path]] = {}
    for place in dict.fromkeys(map(_standing, folders)):
        faults.setdefault(_fault(place), []).append(place)
    faults.pop("", None)
    where = ", ".join(map(shown, folders))
    if faults:
        mend = "make room or make it writable for this user, or set database_url and transport to another place"
        told = (f"{', '.join(map(shown, places))}: {fault}" for fault, places in faults.items())
        yield Check("folders", FAIL, "; ".join(told), mend)
    else:
        yield Check("folders", OK, f"{where or 'none is needed'}: writable")
    yield _room(it, folders or [it.folder])


def _folders(it: Installation) -> Iterator[Path]:
    _url, database = located(it.settings.database_url, it.folder)
    if database:
        yield database.parent
    if not it.mails:
        outbox = it.folder / it.settings.transport.removeprefix("outbox:")
        yield outbox
        yield outbox.parent / "issues"


def _fault(place: Path) -> str:
    """Write a few bytes that vanish by themselves; return what went wrong, or nothing."""
    try:
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(PROBE)
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as fault:
        return fault.strerror or str(fault)
    return ""


def _standing(folder: Path) -> Path:
    """Return the folder, or the nearest above it that there is: one that is not there is not made."""
    return next(one for one in (folder, *folder.absolute().parents) if _exists(one))


def _exists(folder: Path) -> bool:
    try:
        return folder.exists()
    except OSError:  # one above it may not be looked into, and is told itself
        return False


def _room(it: Installation, folders: list[Path]) -> Check:
    place, free = min(((_standing(one), it.free(_standing(one))) for one in folders), key=lambda pair: pair[1])
    told = f"{free / MEGABYTE:,.0f} MB free at {shown(place)}"
    mend = "free some space; nothing is lost while the disk is full, and nothing goes out"
    return Check("disk space", FAIL if free < LEAST else WARN if free < ENOUGH else OK, told, _unless(free, mend))


def _unless(free: int, mend: str) -> str:
    return "" if free >= ENOUGH else mend
