"""Writing the first files: each whole or not at all, for their owner alone, and nothing lost that was there."""

import os
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path

from newsletter.errors import SurroundingsError

PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class Planned:
    """A file that is to be written, readable by its owner alone."""

    path: Path
    content: bytes


def write(planned: Iterable[Planned], now: datetime) -> Iterator[tuple[Path, Path | None]]:
    """Write files that belong together; yield each path, and where the file that was there before is kept.

    All are on the disk under other names before the first gets its own: a full disk leaves everything as it was. Killed
    while they get their names, each file is whole, old or new, and the old ones are kept.

    Raises:
        SurroundingsError: a file or folder cannot be written.
    """
    ready: list[tuple[Path, Path]] = []
    try:
        for one in planned:
            ready.append((_beside(one), one.path))  # noqa: PERF401 - each is known at once, to be removed after a fault
        for temporary, path in ready:
            kept = _keep(path, now)
            os.replace(temporary, path)  # noqa: PTH105 - of two Paths, in one step
            yield path, kept
    except OSError as fault:
        said = f"{fault.filename or 'a file'}: {fault.strerror}"
        raise SurroundingsError(f"{said}; make the folder writable for this user, or name another") from None
    finally:
        for temporary, _path in ready:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)


def _beside(one: Planned) -> Path:
    """Return a temporary file beside the wanted one, with its content on the disk."""
    one.path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=f".{one.path.name}.", dir=one.path.parent)  # of mode 0600
    with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor
        file.write(one.content)
        file.flush()
        os.fsync(descriptor)
    return Path(name)


def _keep(path: Path, now: datetime) -> Path | None:
    """Copy a file that is to be replaced beside itself, and return the copy."""
    if not path.exists():
        return None
    for number in count():  # replaced twice within a second: each is kept
        kept = path.with_name(f"{path.name}.{now:%Y%m%dT%H%M%S}{f'-{number}' if number else ''}.old")
        with suppress(FileExistsError), kept.open("xb") as copy:
            kept.chmod(PRIVATE)
            copy.write(path.read_bytes())
            return kept
    return None
