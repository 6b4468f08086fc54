"""Any RSS, RDF or Atom feed: its entries by the day they were published."""

import html
import io
import re
import time
from collections.abc import Mapping
from datetime import date
from html.entities import html5
from typing import Any
from xml.sax import SAXParseException

import feedparser
import httpx
from lxml.html import defs

from newsletter.errors import SourceError
from newsletter.fetch.arxiv import ARXIV_ID
from newsletter.fetch.clean import clean_text, clean_url
from newsletter.fetch.http import POLITE, Manners, get, unreadable
from newsletter.fetch.memory import Answer
from newsletter.models import Paper, Period

MEND = "check that the address is a feed of papers"
LONGEST = 20_000  # characters of a text; a feed may bring whole articles
MARKUP = frozenset({"text/html", "application/xhtml+xml"})

# Where an arXiv id stands in an entry's link or id.
ADDRESS = re.compile(
    r"(?:oai:arxiv\.org:|https?://(?:[\w-]+\.)*"
    r"(?:arxiv\.org/(?:abs|pdf|html)|alphaxiv\.org/(?:abs|pdf|overview)|huggingface\.co/papers)/)"
    rf"{ARXIV_ID}(?:\.pdf)?/?(?:[?#].*)?",
    re.IGNORECASE,
)

# An attribute has a value, so that `a <b and c> d` stays.
ATTRIBUTE = r"""\s+[\w:.-]+\s*=\s*(?:"[^"]*"|'[^']*'|[^\s"'<>]+)"""
TAG = re.compile(rf"</?(?P<name>[a-z][\w:-]*)(?:{ATTRIBUTE})*\s*/?>", re.IGNORECASE)
UNSEEN = re.compile(r"<!--.*?-->|<(script|style)\b.*?</\1\s*>", re.IGNORECASE | re.DOTALL)
ENTITY = re.compile(r"&(?:#[0-9]+|#x[0-9a-f]+|[a-z][a-z0-9]*);", re.IGNORECASE)
APART = defs.block_tags - {"del", "ins"} | {"article", "br", "figcaption", "figure", "img", "section"}  # words end here


class FeedSource:
    """The entries of a feed, by the UTC days they were published, or else updated.

    Args:
        client: from `build_client`.
        url: the feed's address.
        name: the spec as the operator wrote it.
        manners: how often and how long the feed is asked.
    """

    live = True
    voted = False

    def __init__(self, client: httpx.Client, url: str, *, name: str, manners: Manners = POLITE) -> None:
        self.name = name
        self._client = client
        self._url = url
        self._manners = manners

    def days(self, today: date) -> list[date]:
        """Return the days that have entries, newest first, none after today.

        Raises:
            SourceError: no answer in time, or an answer that is no feed with dated titles.
        """
        days = {paper.listed_on for paper in self._read() if paper.listed_on}
        return sorted((day for day in days if day <= today), reverse=True)

    def papers(self, period: Period) -> tuple[Paper, ...]:
        """Return the entries within the period, oldest day first, each day in the feed's order.

        Raises:
            SourceError: no answer in time, or an answer that is no feed with dated titles.
        """
        dated = [(paper.listed_on, paper) for paper in self._read() if paper.listed_on]
        within = [(day, paper) for day, paper in dated if period.start <= day <= period.end]
        return tuple(paper for _, paper in sorted(within, key=lambda pair: pair[0]))

    def _read(self) -> tuple[Paper, ...]:
        answer = get(self._client, self._url, {}, source=self.name, manners=self._manners)
        return parse_feed(answer, url=self._url, source=self.name)


def parse_feed(answer: Answer, *, url: str, source: str) -> tuple[Paper, ...]:
    """Return the entries of a feed that have a title and a date, in its order; of those that are one paper, the first.

    Args:
        answer: the document, and the encoding its Content-Type may tell.
        url: where it came from; relative links are read from there.
        source: the spec that errors and papers carry.

    Raises:
        SourceError: the document is no whole feed, or none of its entries has a title, or none a date.
    """
    entries = _entries(answer, url, source)
    papers = [paper for paper in (_paper(entry, source) for entry in entries) if paper.title]
    if entries and not papers:
        raise SourceError(source, "no entry of the feed has a title", MEND)
    dated: dict[str, Paper] = {}
    for paper in papers:
        if paper.listed_on:
            dated.setdefault(paper.key, paper)
    if papers and not dated:
        raise SourceError(source, "no entry of the feed has a date", MEND)
    return tuple(dated.values())


def plain(markup: str) -> str:
    """Return the words of HTML: tags are taken out, entities decoded once, a `<` that opens no tag stays.

    A tag is one of HTML's, or any that is closed somewhere in the text, such as those of MathML.
    """
    text = UNSEEN.sub(" ", markup)
    closed = {name.lower() for name in re.findall(r"</([A-Za-z][\w:-]*)\s*>", text)}

    def without(tag: re.Match[str]) -> str:
        name = tag["name"].lower()
        if name in APART:
            return " "
        return "" if name in closed or name in defs.tags else tag[0]

    return ENTITY.sub(_character, TAG.sub(without, text))


def _character(entity: re.Match[str]) -> str:
    """Return what an entity stands for; `html.unescape` would see a `&not;` in `&nothing;`."""
    name = entity[0][1:]
    return html.unescape(entity[0]) if name.startswith("#") else html5.get(name, entity[0])


def _entries(answer: Answer, url: str, source: str) -> list[dict[str, Any]]:
    charset = re.search(r'charset="?[\w.:-]+', answer.headers.get("Content-Type", ""), re.IGNORECASE)
    # As application/xml the document's own encoding counts (RFC 7303); text/xml would make it ASCII.
    headers = {"content-type": f"application/xml; {charset[0] if charset else ''}", "content-location": url}
    try:
        parsed = feedparser.parse(
            io.BytesIO(answer.content), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
        )
    except Exception as error:  # anyone's feed comes through here, and feedparser raises what its parts raise
        raise unreadable(answer, "feed", source) from error
    if not parsed.get("version") or not _is_whole(parsed.get("bozo_exception"), answer.content):
        raise unreadable(answer, "feed", source)
    return list(parsed.entries)


def _is_whole(fault: Exception | None, content: bytes) -> bool:
    """Tell whether feedparser read the document as it was written.

    Where XML is broken it guesses on, and what it guesses of half a document looks like a feed. Only of entities that
    HTML has and XML has not, the commonest fault, it makes no guesses.
    """
    if isinstance(fault, SAXParseException) and fault.getMessage() == "undefined entity":
        return content.rstrip().endswith((b"</rss>", b"</feed>", b"</rdf:RDF>"))
    return fault is None


def _paper(entry: dict[str, Any], source: str) -> Paper:
    # dict's own `get`: feedparser's takes `published` for a missing `updated`, with a warning.
    published, updated = (_day(dict.get(entry, key)) for key in ("published_parsed", "updated_parsed"))
    names = [clean_text(author.get("name", "")) for author in entry.get("authors", [])]
    authors = tuple(dict.fromkeys(name for name in names if name and "@" not in name))
    tags = [clean_text(tag.get("label") or tag.get("term") or "") for tag in entry.get("tags", [])]
    found = next(filter(None, (ADDRESS.fullmatch(entry.get(key, "")) for key in ("link", "id"))), None)
    arxiv_id = found["id"] if found else None
    return Paper(
        title=_words(entry.get("title_detail")),
        arxiv_id=arxiv_id,
        abstract=_words(entry.get("summary_detail")) or _words(next(iter(entry.get("content", [])), None)) or None,
        authors=authors or None,
        author_count=len(authors) or None,
        published_on=published,
        listed_on=published or updated,
        comment_count=_count(entry.get("slash_comments", "")),
        keywords=tuple(dict.fromkeys(filter(None, tags))) or None,
        source=source,
        url=clean_url(entry.get("link")) or (f"https://arxiv.org/abs/{arxiv_id}" if arxiv_id else None),
    )


def _words(detail: Mapping[str, Any] | None) -> str:
    """Return a text as one plain line; feedparser tells by its type whether it is markup."""
    value = str((detail or {}).get("value") or "")[:LONGEST]
    return clean_text(plain(value) if (detail or {}).get("type") in MARKUP else value)


def _day(moment: time.struct_time | None) -> date | None:
    try:
        return date(*moment[:3]) if moment else None
    except ValueError:  # a year before 1
        return None


def _count(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None
