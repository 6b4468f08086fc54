"""Files that change, as a counter that pages can wait for."""

import atexit
import secrets
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from watchfiles import watch

from newsletter.errors import NewsletterError

SETTLED = 50  # milliseconds without another change: editors write a file in several steps
HEARTBEAT = 1000  # milliseconds between two looks at which files are watched


class Changes:
    """Counts changes of files in a thread of its own, and lets others wait for the next.

    Folders are watched with all that is in them; a file is watched by its name in its folder, since editors replace
    files rather than write into them, and a file that is not there yet may come.

    Args:
        paths: the files and folders to watch, asked again after each change. While it raises a NewsletterError (the
            settings that name them are wrong) those known before are watched.
        changed: called in the watching thread before anybody who waits is told.
    """

    def __init__(self, paths: Callable[[], Sequence[Path]], changed: Callable[[], None]) -> None:
        self._paths = paths
        self._changed = changed
        self._known: tuple[Path, ...] = ()
        self._count = 0
        self._run = secrets.token_hex(4)  # a page that outlived its server must not take the next one's count for its
        self._news = threading.Condition()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watch", daemon=True)
        # However the program ends: a thread inside of compiled code that Python's end takes away aborts the process.
        atexit.register(self.close)
        self._thread.start()

    @property
    def version(self) -> str:
        """Names the present state of the files; another one after each change."""
        return f"{self._run}-{self._count}"

    def wait(self, after: str, seconds: float) -> str:
        """Return the version as soon as it is another than `after`, at the latest when the time is over."""
        with self._news:
            self._news.wait_for(lambda: self.version != after or self._stop.is_set(), seconds)
        return self.version

    def close(self) -> None:
        """End the thread, and whoever waits."""
        self._stop.set()
        with self._news:
            self._news.notify_all()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        atexit.unregister(self.close)

    def paths(self) -> tuple[Path, ...]:
        """Return what is watched, as absolute paths."""
        with suppress(NewsletterError):  # whoever shows the pages tells of it
            self._known = tuple(path.absolute() for path in self._paths())
        return self._known

    def _watch(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch_until_others(self.paths())
            except OSError:  # a folder went away while we turned to it
                self._stop.wait(HEARTBEAT / 1000)

    def _watch_until_others(self, paths: Sequence[Path]) -> None:
        folders = _folders(paths)
        for found in watch(
            *folders,
            watch_filter=lambda _change, path: _concerns(Path(path), paths),
            recursive=False,
            step=SETTLED,
            stop_event=self._stop,
            rust_timeout=HEARTBEAT,
            yield_on_timeout=True,
        ):
            if found:
                self._tell()
            now = self.paths()
            if tuple(now) != tuple(paths) or _folders(now) != folders:
                return

    def _tell(self) -> None:
        self._changed()
        with self._news:
            self._count += 1
            self._news.notify_all()


def _folders(paths: Iterable[Path]) -> frozenset[Path]:
    """Return every folder that must be watched: the given ones and theirs, and those in which the files lie."""
    found: set[Path] = set()
    for path in paths:
        if path.is_dir():
            found |= {path, *(inner for inner in path.rglob("*") if inner.is_dir())}
        elif path.parent.is_dir():
            found.add(path.parent)
    return frozenset(found)


def _concerns(changed: Path, paths: Iterable[Path]) -> bool:
    return any(changed == path or path in changed.parents for path in paths)
