"""The Daily Papers page as a person copies it out of a browser.

Blocks stand apart by blank lines: a header that ends in the page's day (`Dec 25`), then for each paper its title, its
abstract, and a meta block of three lines: `• 7 authors` (or an organization), `·`, and `Jul 10, 2023 1`, the paper's
date and its comments. Meta blocks may be missing, whole or in part, and are known by what their lines say; titles and
abstracts are told apart by their order, and by their shape where the order is broken.
"""

import logging
import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import chain, groupby
from pathlib import Path
from typing import NamedTuple

from newsletter.errors import SourceError
from newsletter.fetch.clean import clean_text
from newsletter.models import Paper, Period

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
BULLETS = "[•·*]"
AUTHORS = re.compile(r"(?P<count>[0-9]{1,4}) authors?")
DATE = re.compile(
    rf"(?P<month>{'|'.join(MONTHS)}) (?P<day>[0-9]{{1,2}})(?:, (?P<year>(?:19|20|21)[0-9]{{2}}))?"
    r"(?: (?P<comments>[0-9]{1,6}))?"
)

# Characters, and lines that are not blank. On the recorded page titles end at 134 characters, abstracts begin at 1,417,
# and the header has six lines.
LONGEST_TITLE = 300
LONGEST_ORGANIZATION = 100
LONGEST_HEADER = 12
LEAP_YEARS_APART = 8  # at most, as from 1896 to 1904: a `Feb 29` is found within so many years

log = logging.getLogger("newsletter")


@dataclass(frozen=True, slots=True)
class Page:
    """A pasted page: its day, whether the day's year was inferred from its papers, and the papers in its order."""

    day: date
    year_inferred: bool
    papers: tuple[Paper, ...]


class PageSource:
    """A pasted page in a file, as a source of the one day that it shows.

    Args:
        path: the text file.
        as_of: a day on which the page was on show; it settles the year, which the page leaves out.
        name: the spec as the operator wrote it.
    """

    live = False
    voted = False

    def __init__(self, path: Path, as_of: date | None = None, name: str | None = None) -> None:
        self.name = name or f"page:{path}"
        self._path = path
        self._as_of = as_of
        self._last_read: tuple[str, Page] | None = None

    def days(self, today: date) -> Iterator[date]:  # noqa: ARG002 - a recording shows its day whatever today is
        """Yield the page's day.

        Raises:
            SourceError: the file cannot be read, or holds no pasted page.
        """
        yield self._page().day

    def papers(self, period: Period) -> tuple[Paper, ...]:
        """Return the page's papers in its order, or none if its day lies outside the period.

        Raises:
            SourceError: the file cannot be read, or holds no pasted page.
        """
        page = self._page()
        return page.papers if period.start <= page.day <= period.end else ()

    def _page(self) -> Page:
        """Read the file; parse it, and warn, only when it has changed."""
        text = self._text()
        if self._last_read is None or self._last_read[0] != text:
            page = parse_page(text, self._as_of, self.name)
            self._last_read = text, page
            self._warn(page)
        return self._last_read[1]

    def _text(self) -> str:
        try:
            return self._path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise SourceError(self.name, f"byte {error.start} is not UTF-8", "save the file as UTF-8 text") from error
        except (OSError, ValueError) as error:  # ValueError: a null character in the path
            reason = getattr(error, "strerror", None) or error
            raise SourceError(self.name, f"cannot be read ({reason})", "check the path") from error

    def _warn(self, page: Page) -> None:
        if page.year_inferred:
            text = "%s: the page prints no year of its own, read as %d, the first after those it prints; %s"
            log.warning(text, self.name, page.day.year, "--as-of DATE settles it")
        for paper in page.papers:
            if paper.published_on and paper.published_on > page.day:
                text = "%s: %r is dated %s, after the page's day %s; check the date, or give --as-of DATE"
                log.warning(text, self.name, paper.title, paper.published_on, page.day)


def parse_page(text: str, as_of: date | None, name: str = "page") -> Page:
    """Read a pasted page.

    The page prints a year only where it is not its own, so a date without one is in the page's year: the newest in
    which the page's day is not after `as_of`; without `as_of` the first after all years that are printed.

    Args:
        text: the page, with any kind of line ends.
        as_of: a day on which the page was on show, or None.
        name: the source's name, for its papers and for errors.

    Raises:
        SourceError: this is no pasted page, or its year cannot be known.
    """
    raw_lines = re.split(r"\r\n?|\n", text.removeprefix("\ufeff"))
    lines = [_Line(number, " ".join(raw.split())) for number, raw in enumerate(raw_lines, start=1)]
    header, shown = _page_date(lines, name)
    drafts = _drafts(lines[header.number :], name)
    if not drafts:
        raise SourceError(name, f"no papers below the page date on line {header.number}", "paste the whole page")
    years = _possible_years(shown, [draft.meta.shown for draft in drafts], as_of, name)
    days = (_day_of(shown, year) for year in years)
    day = next((day for day in days if day and (as_of is None or day <= as_of or shown["year"])), None)
    if day is None:
        raise SourceError(name, f"line {header.number}: {header.text} is no day of the calendar", "mend the page date")
    return Page(day, as_of is None and shown["year"] is None, tuple(_paper(draft, day, name) for draft in drafts))


class _Line(NamedTuple):
    number: int
    text: str


class _Meta(NamedTuple):
    """What meta lines said; `shown` is a match of DATE."""

    author_count: int | None = None
    organization: str | None = None
    shown: re.Match[str] | None = None


class _Draft(NamedTuple):
    title: str
    abstract: str | None = None
    meta: _Meta = _Meta()


def _page_date(lines: Sequence[_Line], name: str) -> tuple[_Line, re.Match[str]]:
    """Return the line that holds the page's day; it stands above everything that belongs to a paper."""
    seen = lines[0]
    for line in [line for line in lines if line.text][:LONGEST_HEADER]:
        seen, shown = line, DATE.fullmatch(line.text)
        if shown and shown["comments"] is None:
            return line, shown
        if _meta_on(line.text) or len(line.text) > LONGEST_TITLE:
            break
    fault = f"no page date such as `Dec 25` down to line {seen.number} ({seen.text[:40]!r})"
    raise SourceError(name, fault, "paste the page from its very top")


def _meta_on(text: str) -> _Meta | None:
    """Return what a meta line says, or None for any other line; a lone bullet is a meta line that says nothing."""
    authors, shown = None, None
    for part in filter(None, (part.strip() for part in re.split(BULLETS, text))):
        counted, dated = AUTHORS.fullmatch(part), DATE.fullmatch(part)
        if not counted and not dated:
            return None
        authors, shown = authors or counted, shown or dated
    return _Meta(int(authors["count"]) if authors else None, None, shown) if text else None


def _drafts(lines: Iterable[_Line], name: str) -> list[_Draft]:
    """Pair titles with abstracts, and give each meta block to the paper that stands above it."""
    drafts: list[_Draft] = []
    blocks = [[*block] for filled, block in groupby(lines, key=lambda line: bool(line.text)) if filled]
    for kind, run in groupby(chain.from_iterable(map(_items, blocks)), key=type):
        if kind is _Line:
            drafts += _pairs([item for item in run if isinstance(item, _Line)], name)
        elif drafts:
            said = [drafts[-1].meta, *(item for item in run if isinstance(item, _Meta))]
            drafts[-1] = drafts[-1]._replace(meta=_merged(said))
    return drafts


def _items(block: Sequence[_Line]) -> Iterator[_Line | _Meta]:
    """Yield what a block between blank lines holds: one paragraph, or meta lines and what was pasted close to them."""
    metas = [_meta_on(line.text) for line in block]
    if not any(metas):
        yield _Line(block[0].number, " ".join(line.text for line in block))
        return
    for line, meta, following in zip(block, metas, [*metas[1:], None], strict=True):
        if meta:
            yield meta
        elif following and following.author_count is None and len(line.text) <= LONGEST_ORGANIZATION:
            yield _Meta(organization=_organization(line.text))
        else:
            yield line


def _organization(text: str) -> str | None:
    """Return the full name on an organization line, which begins with its handle: `example-lab The Example Lab`."""
    return clean_text(text.partition(" ")[2] or text) or None


def _merged(metas: Iterable[_Meta]) -> _Meta:
    """Merge meta lines; the first word on each matter counts."""
    columns = zip(*metas, strict=True)
    return _Meta(*(next((value for value in column if value is not None), None) for column in columns))


def _pairs(paragraphs: Iterable[_Line], name: str) -> list[_Draft]:
    """Pair up the paragraphs between two meta blocks; among more than two, an abstract is known by its shape."""
    cleaned = (line._replace(text=clean_text(line.text)) for line in paragraphs)
    rest = deque(line for line in cleaned if line.text)
    drafts: list[_Draft] = []
    while rest:
        number, text = rest.popleft()
        if len(text) <= LONGEST_TITLE:
            has_abstract = rest and (len(rest) == 1 or _is_abstract(rest[0].text))
            drafts.append(_Draft(text, rest.popleft().text if has_abstract else None))
        elif drafts:  # an abstract of several paragraphs
            drafts[-1] = drafts[-1]._replace(abstract=f"{drafts[-1].abstract or ''} {text}".lstrip())
        else:
            raise SourceError(name, f"line {number} is an abstract without a title", "paste the whole page")
    return drafts


def _is_abstract(text: str) -> bool:
    return len(text) > LONGEST_TITLE or text.endswith(".")


def _possible_years(
    page: re.Match[str], papers: Iterable[re.Match[str] | None], as_of: date | None, name: str
) -> Iterable[int]:
    """Return the years the page's day may be in, likeliest first; `Feb 29` needs more than one to choose from."""
    if page["year"]:
        return (int(page["year"]),)
    if as_of:
        return range(as_of.year, as_of.year - LEAP_YEARS_APART - 1, -1)
    printed = [int(shown["year"]) for shown in papers if shown and shown["year"]]
    if not printed:
        raise SourceError(name, "no date on the page has a year", "give its day with --as-of DATE")
    return range(max(printed) + 1, max(printed) + LEAP_YEARS_APART + 1)


def _day_of(shown: re.Match[str], year: int) -> date | None:
    try:
        return date(int(shown["year"] or year), MONTHS.index(shown["month"]) + 1, int(shown["day"]))
    except ValueError:
        return None


def _paper(draft: _Draft, page_day: date, name: str) -> Paper:
    shown = draft.meta.shown
    return Paper(
        title=draft.title,
        abstract=draft.abstract,
        author_count=draft.meta.author_count,
        organization=draft.meta.organization,
        published_on=_day_of(shown, page_day.year) if shown else None,
        listed_on=page_day,
        comment_count=int(shown["comments"]) if shown and shown["comments"] else None,
        source=name,
    )
