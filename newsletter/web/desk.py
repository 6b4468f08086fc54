"""The editor's desk: which copy is looked at, made anew after each change, and the last good one while one fails."""

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any

from newsletter import copies, dispatch, pipeline
from newsletter.errors import NewsletterError, SettingsError, SourceError, SubscribersError, TemplateError, UsageError
from newsletter.models import Cadence, Issue, Period, Skipped, Subscriber
from newsletter.parts import Parts
from newsletter.periods import parse_key, period_of
from newsletter.rank.interests import choose
from newsletter.web.proof import Proof, proof_of
from newsletter.web.watch import Changes

SAMPLE = Subscriber(address="reader@example.org", id=0)  # no interests: gets what everybody gets
MOST_DAYS = 60  # of a source; a live one goes back for ever
MOST_READERS = 200
MOST_PROOFS = 64  # kept for frames that still load
TITLES = {
    TemplateError: "A template has a fault",
    SettingsError: "A setting has a fault",
    SubscribersError: "The subscriber file has a fault",
    SourceError: "A source of papers failed",
}
AROUND = 2  # lines shown before and after a faulty one
ENDING = r"\.(?:j2|toml|ya?ml|csv):"
PLACE = re.compile(  # FILE:LINE, or FILE: ... at line LINE with no other file between
    rf"(?:template )?(?P<file>[^\s:][^:]*?{ENDING})(?:(?P<line>\d+)|(?:(?!{ENDING}).)*?\bat line (?P<toml>\d+))"
)


@dataclass(frozen=True, slots=True)
class Choice:
    """What the editor wants to look at: an issue by its key, None for the newest; a reader, empty for the sample."""

    issue: str | None = None
    reader: str = ""


@dataclass(frozen=True, slots=True)
class Excerpt:
    """The lines around a fault in a file that the editor can mend."""

    path: Path
    line: int
    lines: tuple[tuple[int, str], ...]


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no present copy to show: lines for a person, and the place if one is known."""

    lines: tuple[str, ...]
    excerpt: Excerpt | None = None
    title: str = ""  # without one there is nothing to mend


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What the page shows of a choice: the copy, or the trouble and the last good copy if there was one."""

    choice: Choice
    version: str
    proof: Proof | None
    trouble: Trouble | None = None

    @property
    def stale(self) -> bool:
        """Whether the copy is an earlier one, from before the trouble."""
        return self.trouble is not None and self.proof is not None


class NothingToShow(Exception):  # noqa: N818 - no error: the day has no papers, or none for this reader
    """There is no such copy, and none is due."""


class Desk:
    """The state behind the pages; safe to share between threads.

    Args:
        rebuild: makes the parts from the settings as they are now; raises NewsletterError if they are wrong.
        watch_paths: the files and folders whose change makes everything anew.
    """

    def __init__(self, rebuild: Callable[[], Parts], watch_paths: Callable[[], Sequence[Path]]) -> None:
        self._rebuild = rebuild
        self._lock = threading.RLock()
        self._changed = threading.Event()
        self._changed.set()
        self._parts: Parts | None = None
        self._fault: NewsletterError | None = None
        self._issues: dict[object, Issue | Skipped] = {}
        self._newest: str | None = None
        self._made: dict[tuple[str, str], Proof] = {}
        self._good: OrderedDict[tuple[str, str], Proof] = OrderedDict()
        self._proofs: OrderedDict[str, Proof] = OrderedDict()
        self.changes = Changes(watch_paths, self._changed.set)

    def close(self) -> None:
        """End the watching thread."""
        self.changes.close()

    def reread(self) -> None:
        """Forget what live sources said; a recording is read each time anyway."""
        with self._lock:
            self._issues.clear()
            self._made.clear()
            self._newest = None

    def look(self, choice: Choice) -> View:
        """Return the copy of a choice as it would go out now; never raises for a fault that the editor can mend."""
        with self._lock:
            version = self.changes.version
            try:
                parts = self._current()
                choice = replace(choice, issue=self._key(parts, choice.issue))
                return View(choice=choice, version=version, proof=self._proof(parts, choice))
            except NothingToShow as reason:
                return View(choice=choice, version=version, proof=None, trouble=Trouble((str(reason),)))
            except (NewsletterError, ValueError) as fault:  # ValueError: an address that cannot be mailed
                trouble = self._trouble(fault)
            choice = replace(choice, issue=choice.issue or self._newest)
            last = self._good.get(_name(choice))
            return View(choice=choice, version=version, proof=last, trouble=trouble)

    def proof(self, name: str) -> Proof | None:
        """Return a copy that was shown lately, by its name."""
        with self._lock:
            return self._proofs.get(name)

    def periods(self) -> list[tuple[Period, bool]]:
        """Return what there is to choose from, newest first, each with whether its issue is frozen."""
        with self._lock:
            parts = self._best()
            if parts is None:
                return []
            frozen = parts.issues.keys()
            periods = {period_of(cadence, day) for day in _offered(parts) for cadence in Cadence}
            periods |= {found for key in frozen if (found := parse_key(key))}
            newest_first = sorted(periods, key=lambda one: one.end, reverse=True)
            newest_first.sort(key=lambda one: [*Cadence].index(one.cadence))
            return [(period, period.key in frozen) for period in newest_first]

    def readers(self, words: str = "") -> list[Subscriber]:
        """Return the first readers on the list whose address or name holds the words."""
        wanted = words.strip().casefold()
        with self._lock:
            try:
                parts = self._current()
                listed = (
                    one for one in pipeline.readers(parts) if wanted in f"{one.key} {(one.name or '').casefold()}"
                )
                return list(islice(listed, MOST_READERS))
            except NewsletterError:
                return []  # the page tells of it

    def send_test(self, choice: Choice, address: str) -> str:
        """Send a test copy of what is looked at, and return the line that tells where it went.

        Raises:
            NewsletterError: it was not sent.
        """
        with self._lock:
            parts = self._current()
            try:
                key = self._key(parts, choice.issue)
                issue = self._issue(parts, key)
                reader = self._reader(parts, choice.reader)
            except NothingToShow as reason:
                raise UsageError(str(reason)) from None
        return dispatch.send_test_to(parts, issue, address, reader.preferences)

    def _current(self) -> Parts:
        """Return parts made from the settings as they are now, or raise what is wrong with them."""
        if self._changed.is_set():
            self._changed.clear()
            self._made.clear()
            try:
                self._parts, self._fault = self._rebuild(), None
            except NewsletterError as fault:
                self._fault = fault
        if self._fault or self._parts is None:
            raise self._fault or UsageError("the settings were never right")
        return self._parts

    def _best(self) -> Parts | None:
        try:
            return self._current()
        except NewsletterError:
            return self._parts

    def _key(self, parts: Parts, wanted: str | None) -> str:
        if wanted is None and self._newest is None:
            period = pipeline.find_period(parts)
            self._newest = period.key if period else None
        key = wanted or self._newest
        if key is None:
            raise NothingToShow(f"No new papers in the last {parts.mailing.max_age_days} days: no issue.")
        return key

    def _issue(self, parts: Parts, key: str) -> Issue:
        """Return an issue; what live sources said is kept, so that saving a template asks no server."""
        frozen = parts.issues.find(key)
        if frozen:
            return frozen
        period = parse_key(key)
        if period is None:
            raise UsageError(f"{key}: is no issue to preview; choose one of the list")
        if not any(source.live for source in parts.sources):
            issue = pipeline.prepare(parts, period, remember=False)
        else:
            names = tuple(source.name for source in parts.sources)
            known = (key, parts.mailing, parts.go_on_without, names, repr(parts.curation.all()))
            if known not in self._issues:
                self._issues[known] = pipeline.prepare(parts, period, remember=False)
            issue = self._issues[known]
        if isinstance(issue, Skipped):
            raise NothingToShow(f"No issue {key}: {issue.reason}.")
        return issue

    def _reader(self, parts: Parts, address: str) -> Subscriber:
        """Return a reader as listed now, with the id of the store if it has met them: links are signed with it."""
        listed = pipeline.readers(parts)
        if not address.strip():
            next(listed, None)  # a fault in the list shows, whoever is looked at
            return SAMPLE
        key = address.strip().casefold()
        stored = parts.subscribers.find(key)
        reader = next((one for one in listed if one.key == key), None)
        if reader is None:
            raise UsageError(f"{address}: is not on the list; `newsletter subscribers list` shows who is")
        return replace(reader, id=stored.id if stored else reader.id)

    def _proof(self, parts: Parts, choice: Choice) -> Proof:
        name = _name(choice)
        if name not in self._made:
            issue = self._issue(parts, choice.issue or "")
            reader = self._reader(parts, choice.reader)
            if not choose(issue, reader.preferences):
                raise NothingToShow(f"No paper of {issue.key} matches the interests of {reader.address}: no copy.")
            self._made[name] = proof_of(issue, reader, copies.copy_for(parts, issue, reader))
        proof = self._made[name]
        _keep(self._good, name, proof)
        _keep(self._proofs, proof.name, proof)
        return proof

    def _trouble(self, fault: Exception) -> Trouble:
        lines = tuple(str(fault).splitlines()) or (type(fault).__name__,)
        title = next((words for kind, words in TITLES.items() if isinstance(fault, kind)), "This cannot be made")
        return Trouble(lines, _excerpt(lines[0], self.changes.paths()), title)


def _keep(kept: "OrderedDict[Any, Proof]", name: object, proof: Proof) -> None:
    kept[name] = proof
    kept.move_to_end(name)
    while len(kept) > MOST_PROOFS:
        kept.popitem(last=False)


def _name(choice: Choice) -> tuple[str, str]:
    return choice.issue or "", choice.reader.strip().casefold()


def _offered(parts: Parts) -> Iterator[date]:
    """Yield the days that the sources offer; a source that cannot be read offers none, and the page tells of it."""
    today = parts.clock().date()
    for source in parts.sources:
        try:
            yield from islice(source.days(today), MOST_DAYS)
        except NewsletterError:
            continue


def _excerpt(message: str, watched: Sequence[Path]) -> Excerpt | None:
    """Return the lines that a message points at, where they are in a file that is watched."""
    place = PLACE.search(message)
    if place is None:
        return None
    path, line = Path(place["file"][:-1]).absolute(), int(place["line"] or place["toml"])
    if not any(path == one or one in path.parents for one in watched):
        return None
    try:
        lines = path.read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    first = max(line - AROUND, 1)
    shown = tuple(enumerate(lines[first - 1 : line + AROUND], start=first))
    return Excerpt(path, line, shown)
