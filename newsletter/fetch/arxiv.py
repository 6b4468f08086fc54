"""arXiv's own lists of new papers: the newest announcement by RSS, those before it by its search.

A list day is the day an announcement carries. arXiv announces from Sunday to Thursday at 20:00 in New York, dated the
day after, what was submitted until 14:00 of the same day (its help page "Availability of submissions").
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

import httpx
from lxml import etree

from newsletter.errors import SourceError
from newsletter.fetch.clean import clean_text
from newsletter.fetch.http import Manners, StatusError, get
from newsletter.fetch.listing import QUOTED
from newsletter.models import Paper, Period
from newsletter.periods import days_of

PACED = Manners(pause=3.0)  # arXiv's terms of use: a request every three seconds, of all sources together
OPENED = date(1991, 8, 14)
PAGE_SIZE = 100  # papers asked for at once
MOST_PAGES = 20
RSS_REACH = timedelta(days=7)  # an announcement older than this is not the newest one, whatever holidays there were
DEADLINE = time(14, tzinfo=ZoneInfo("America/New_York"))
FRIDAY = 5  # date.isoweekday
KINDS = "(?P<fresh>new|cross)|replace|replace-cross"
MEND = "try again later; if it stays so, its format has changed"

ATOM = "{http://www.w3.org/2005/Atom}"
ARXIV = "{http://arxiv.org/schemas/atom}"
CREATOR = "{http://purl.org/dc/elements/1.1/}creator"
TOTAL = "{http://a9.com/-/spec/opensearch/1.1/}totalResults"
ARXIV_ID = r"(?P<id>[0-9]{4}\.[0-9]{4,5}|[a-z-]+(?:\.[A-Z]{2})?/[0-9]{7})(?:v[0-9]+)?"  # since 2007, and before


class AtomPage(NamedTuple):
    """One page of a search: the papers, when each was submitted, and how many there are on all pages."""

    papers: tuple[Paper, ...]
    submitted: tuple[datetime, ...]
    total: int


class Announcement(NamedTuple):
    """The day that an RSS feed tells of, and its papers."""

    day: date
    papers: tuple[Paper, ...]


class ArxivSource:
    """The new papers of some categories, by the days they were announced.

    Of earlier days the search knows when papers were submitted, not when they were announced: one that a moderator held
    back is listed on the day it would have been announced, and so are those of a day without announcement.

    Args:
        client: from `build_client`.
        categories: such as `cs.CL`; at least one.
        today: returns the present day in UTC.
        name: the spec as the operator wrote it.
        endpoint: where `/api/query` is.
        rss: where `/rss/cs.CL+cs.LG` is.
        manners: how often and how long arXiv is asked.
    """

    live = True
    voted = False

    def __init__(  # noqa: PLR0913 - two services and the way of asking; all but two by name
        self,
        client: httpx.Client,
        categories: Sequence[str],
        *,
        today: Callable[[], date],
        name: str,
        endpoint: str = "https://export.arxiv.org",
        rss: str = "https://rss.arxiv.org",
        manners: Manners = PACED,
    ) -> None:
        self.name = name
        self._client = client
        self._categories = categories
        self._today = today
        self._search_url = endpoint.rstrip("/") + "/api/query"
        self._rss_url = rss.rstrip("/") + "/rss/" + "+".join(categories)
        self._manners = manners

    def days(self, today: date) -> Iterator[date]:
        """Yield the weekdays from today back to arXiv's first; holidays turn out empty."""
        days = (today - timedelta(days=back) for back in range((today - OPENED).days + 1))
        return filter(_is_weekday, days)

    def papers(self, period: Period) -> tuple[Paper, ...]:
        """Return the papers announced within the period, oldest day first, each day in arXiv's order.

        Raises:
            SourceError: no answer in time, an answer that is no list of papers, or one that lacks some.
        """
        today = self._today()
        days = [day for day in days_of(period) if _is_weekday(day) and OPENED <= day <= today]
        newest = self._announcement() if days and days[-1] >= today - RSS_REACH else None
        lists = (newest.papers if newest and newest.day == day else self._search(day) for day in days)
        return tuple(paper for papers in lists for paper in papers)

    def _announcement(self) -> Announcement:
        return parse_rss(self._get(self._rss_url, {}), source=self.name)

    def _search(self, day: date) -> Iterable[Paper]:
        found: dict[str, Paper] = {}
        for number in range(MOST_PAGES):
            page = self._page(day, number)
            for paper in _submitted_within(page, *window(day)):
                found.setdefault(paper.key, paper)
            if page.total <= (number + 1) * PAGE_SIZE:
                break
        return found.values()

    def _page(self, day: date, number: int) -> AtomPage:
        """Return one page of a day's papers; arXiv is known to answer now and then with fewer than there are."""
        offset = number * PAGE_SIZE
        page = parse_atom(self._get(self._search_url, self._query(day, offset)), day=day, source=self.name)
        if page.total > MOST_PAGES * PAGE_SIZE:
            fault = f"{page.total:,} papers for {day} are more than {MOST_PAGES * PAGE_SIZE:,}"
            raise SourceError(self.name, fault, "name fewer categories")
        wanted = min(PAGE_SIZE, max(page.total - offset, 0))
        if len(page.papers) < wanted:
            fault = f"arXiv answered for {day} with {len(page.papers)} papers of {wanted}"
            raise SourceError(self.name, fault, "try again later")
        return page

    def _query(self, day: date, offset: int) -> dict[str, str | int]:
        start, end = (f"{moment:%Y%m%d%H%M}" for moment in window(day))
        anywhere = " OR ".join(f"cat:{category}" for category in self._categories)
        return {
            "search_query": f"({anywhere}) AND submittedDate:[{start} TO {end}]",
            "start": offset,
            "max_results": PAGE_SIZE,
            "sortBy": "submittedDate",
            "sortOrder": "ascending",
        }

    def _get(self, url: str, params: Mapping[str, str | int]) -> bytes:
        try:
            return get(self._client, url, params, source=self.name, manners=self._manners).content
        except StatusError as error:
            told = _told(_tree(error.content))
            if told is None:
                raise
            raise SourceError(self.name, f"arXiv answered {error.status} ({told})", "check the categories") from error


def window(day: date) -> tuple[datetime, datetime]:
    """Return since when and until when the papers of a weekday's announcement were submitted, in UTC.

    For a Wednesday that is from Monday 14:00 to Tuesday 14:00 in New York, for a Monday from Thursday to Friday, for a
    Tuesday from Friday to Monday.
    """
    last = _weekday_before(day)
    start, end = (datetime.combine(one, DEADLINE).astimezone(UTC) for one in (_weekday_before(last), last))
    return start, end


def parse_atom(content: bytes, *, day: date | None, source: str) -> AtomPage:
    """Return the papers of an Atom answer of arXiv's search, listed on `day`.

    Raises:
        SourceError: the answer is no whole Atom, tells an error, or has an entry that is no paper.
    """
    feed = _whole(content, f"{ATOM}feed", "Atom", source)
    told = _told(feed)
    if told is not None:
        raise SourceError(source, f"arXiv answered with an error ({told})", "check the categories")
    total = int(_field(_Place(feed, "the list", source), TOTAL, "[0-9]{1,9}")[0])
    submitted, papers = [], []
    for number, entry in enumerate(feed.iterfind(f"{ATOM}entry"), start=1):
        paper, moment = _entry(_Place(entry, f"entry {number}", source), day)
        papers.append(paper)
        submitted.append(moment)
    return AtomPage(tuple(papers), tuple(submitted), total)


def parse_rss(content: bytes, *, source: str) -> Announcement:
    """Return the day of an RSS feed of arXiv and its new and cross-listed papers; replaced ones are left out.

    Raises:
        SourceError: the answer is no whole RSS, tells no day, or has an item that is no paper.
    """
    rss = _whole(content, "rss", "RSS", source)
    day = _moment(_Place(rss, "the list", source), "channel/pubDate", parsedate_to_datetime).date()
    papers: dict[str, Paper] = {}
    for number, item in enumerate(rss.iterfind("channel/item"), start=1):
        place = _Place(item, f"item {number}", source)
        if _field(place, f"{ARXIV}announce_type", KINDS)["fresh"]:
            paper = _item(place, day)
            papers.setdefault(paper.key, paper)
    return Announcement(day, tuple(papers.values()))


class _Place(NamedTuple):
    """An element, and what its faults are told with."""

    element: etree._Element
    name: str
    source: str


def _entry(place: _Place, day: date | None) -> tuple[Paper, datetime]:
    """Return a paper of the search, and when its first version was submitted."""
    submitted = _moment(place, f"{ATOM}published", _instant)
    paper = Paper(
        title=_field(place, f"{ATOM}title")[0],
        arxiv_id=_field(place, f"{ATOM}id", rf"https?://arxiv\.org/abs/{ARXIV_ID}")["id"],
        abstract=clean_text(_text(place.element, f"{ATOM}summary")) or None,
        published_on=submitted.date(),
    )
    names = [_text(author, f"{ATOM}name") for author in place.element.iterfind(f"{ATOM}author")]
    return _listed(paper, names, day, place.source), submitted


def _item(place: _Place, day: date) -> Paper:
    """Return a paper of the RSS feed, which does not tell when it was submitted."""
    paper = Paper(
        title=_field(place, "title")[0],
        arxiv_id=_field(place, "guid", f"oai:arXiv\\.org:{ARXIV_ID}")["id"],
        abstract=clean_text(_text(place.element, "description").partition("Abstract:")[2]) or None,
    )
    return _listed(paper, _text(place.element, CREATOR).split(", "), day, place.source)


def _listed(paper: Paper, names: Iterable[str], day: date | None, source: str) -> Paper:
    authors = tuple(name for name in map(clean_text, names) if name)
    return replace(
        paper,
        authors=authors or None,
        author_count=len(authors) or None,
        listed_on=day,
        source=source,
        url=f"https://arxiv.org/abs/{paper.arxiv_id}",
    )


def _field(place: _Place, path: str, pattern: str = ".+") -> re.Match[str]:
    found = re.fullmatch(pattern, clean_text(_text(place.element, path)))
    if not found:
        raise _lacking(place, path)
    return found


def _moment(place: _Place, path: str, parse: Callable[[str], datetime]) -> datetime:
    try:
        return parse(_text(place.element, path).strip())
    except (ValueError, TypeError, OverflowError) as error:
        raise _lacking(place, path) from error


def _instant(text: str) -> datetime:
    """Return an Atom moment (RFC 4287, section 3.3), which always has a zone, in UTC."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%S%z").astimezone(UTC)


def _lacking(place: _Place, path: str) -> SourceError:
    field = re.sub(r".*[/}]", "", path)
    return SourceError(place.source, f"{place.name} that arXiv answered with has no {field} of the known form", MEND)


def _text(element: etree._Element, path: str) -> str:
    found = element.find(path)
    return "" if found is None else "".join(map(str, found.itertext()))


def _tree(content: bytes) -> etree._Element | None:
    """Return the root of an XML document, or None for what is none to its end."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, remove_comments=True, remove_pis=True)
    try:
        return etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def _whole(content: bytes, tag: str, what: str, source: str) -> etree._Element:
    root = _tree(content)
    if root is None or root.tag != tag:
        fault = f"arXiv answered with {len(content):,} bytes that are no whole {what}"
        raise SourceError(source, fault, "check the address, or try again later")
    return root


def _told(feed: etree._Element | None) -> str | None:
    """Return what an error feed says: Atom too, with a single entry that is no paper."""
    for entry in [] if feed is None else feed.iterfind(f"{ATOM}entry"):
        if _text(entry, f"{ATOM}title") == "Error" and "/abs/" not in _text(entry, f"{ATOM}id"):
            return clean_text(_text(entry, f"{ATOM}summary")[:QUOTED]) or "without a reason"
    return None


def _submitted_within(page: AtomPage, start: datetime, end: datetime) -> Iterator[Paper]:
    """Leave out what the search adds: its last moment is included, and new versions of older papers may be."""
    return (paper for paper, moment in zip(page.papers, page.submitted, strict=True) if start <= moment < end)


def _is_weekday(day: date) -> bool:
    return day.isoweekday() <= FRIDAY


def _weekday_before(day: date) -> date:
    return next(filter(_is_weekday, (day - timedelta(days=back) for back in (1, 2, 3))))
