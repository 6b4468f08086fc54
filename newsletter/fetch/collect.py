"""Asking all sources: papers merged by identity, failures kept as values until someone decides."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import date, timedelta
from itertools import dropwhile, takewhile

from newsletter.errors import SourceError
from newsletter.fetch.base import PaperSource
from newsletter.models import Paper, Period
from newsletter.periods import daily

LOG = logging.getLogger("newsletter")


@dataclass(frozen=True, slots=True)
class Collected:
    """What the sources told of a period: merged papers, each source's own, and who failed."""

    papers: tuple[Paper, ...]
    read: tuple[Paper, ...]
    failures: tuple[SourceError, ...]
    newest: Mapping[str, date | None] = field(default_factory=dict)  # the newest list day of each that answered


def collect(sources: Sequence[PaperSource], period: Period) -> Collected:
    """Ask every source for a period. A failure is a value here: the others are asked all the same."""
    read: list[Paper] = []
    failures: list[SourceError] = []
    newest: dict[str, date | None] = {}
    for source in sources:
        try:
            papers = list(source.papers(period))
        except SourceError as fault:
            failures.append(fault)
        else:
            read += papers
            newest[source.name] = max((paper.listed_on for paper in papers if paper.listed_on), default=None)
    return Collected(tuple(merge(read)), tuple(read), tuple(failures), newest)


def accept(collected: Collected, *, go_on_without: bool) -> tuple[Paper, ...]:
    """Return the merged papers, or raise the first failure unless the list may go on with the other sources.

    Raises:
        SourceError: a source failed, and either all did or the settings say to stop.
    """
    if collected.failures and not (go_on_without and collected.papers):
        raise collected.failures[0]
    for failure in collected.failures:
        LOG.warning("%s; going on without it", failure)
    return collected.papers


def newest_day(
    sources: Sequence[PaperSource], today: date, max_age_days: int, *, go_on_without: bool = False
) -> date | None:
    """Return the newest list day that any source has papers for, or None.

    A live source is asked for no day older than `max_age_days` before today: a stale list must not go out as news.

    Raises:
        SourceError: a source cannot be read, and either none offers a day or the list may not go on without it.
    """
    found: list[date] = []
    failures: list[SourceError] = []
    for source in sources:
        try:
            newest = _newest_of(source, today, today - timedelta(days=max_age_days))
        except SourceError as fault:
            failures.append(fault)
        else:
            found += [newest] if newest else []
    if failures and not (go_on_without and found):
        raise failures[0]
    return max(found, default=None)


def list_days(sources: Sequence[PaperSource], after: date, until: date, *, go_on_without: bool = False) -> list[date]:
    """Return the days after one, up to another, for which any source has papers; oldest first.

    Raises:
        SourceError: as `newest_day`.
    """
    found: set[date] = set()
    failures: list[SourceError] = []
    for source in sources:
        days = takewhile(lambda day: day > after, dropwhile(lambda day: day > until, source.days(until)))
        try:
            found |= {day for day in days if any(True for _paper in source.papers(daily(day)))}
        except SourceError as fault:
            failures.append(fault)
    if failures and not (go_on_without and found):
        raise failures[0]
    return sorted(found)


def days_of_interest(source: PaperSource, today: date, max_age_days: int) -> list[date]:
    """Return every day of a recording, oldest first; of a live source the newest list's only.

    Raises:
        SourceError: the source cannot be read.
    """
    if not source.live:
        return sorted(source.days(today))
    newest = newest_day([source], today, max_age_days)
    return [newest] if newest else []


def merge(papers: Iterable[Paper]) -> list[Paper]:
    """Return each paper once, in order of first sight.

    Two are one if they share an arXiv id, or a title where one of them has no id. The first source counts, field by
    field; what it does not know is filled from the next, and of abstracts and lists of authors the longer one is taken.
    """
    read = list(papers)
    with_id = {paper.title_key: paper.key for paper in reversed(read) if paper.arxiv_id}
    merged: dict[str, Paper] = {}
    for paper in read:
        key = paper.key if paper.arxiv_id else with_id.get(paper.title_key, paper.key)
        first = merged.get(key)
        merged[key] = _informed(first, paper) if first else paper
    return list(merged.values())


def _informed(first: Paper, other: Paper) -> Paper:
    known = {field.name: getattr(first, field.name) for field in fields(Paper)}
    filled = {name: getattr(other, name) for name, value in known.items() if value is None}
    if len(other.abstract or "") > len(first.abstract or ""):
        filled["abstract"] = other.abstract
    if len(other.authors or ()) > len(first.authors or ()):
        filled |= {"authors": other.authors, "author_count": other.author_count or first.author_count}
    return replace(first, **filled)


def _newest_of(source: PaperSource, today: date, oldest: date) -> date | None:
    for day in source.days(today):
        if source.live and day < oldest:
            return None
        if any(True for _paper in source.papers(daily(day))):
            return day
    return None
