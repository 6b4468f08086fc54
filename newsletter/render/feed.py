"""Pure: the newest issues as Atom (RFC 4287) and JSON Feed (version 1.1)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from lxml import etree
from lxml.builder import E as MARKUP
from lxml.builder import ElementMaker

from newsletter.models import Issue
from newsletter.render.text import visible
from newsletter.render.view import entry_view
from newsletter.render.words import title_of

ATOM = "http://www.w3.org/2005/Atom"
JSON_FEED = "https://jsonfeed.org/version/1.1"


@dataclass(frozen=True, slots=True)
class Item:
    """One issue in a feed: its page, when it went out, its subject, and its papers as HTML."""

    url: str
    at: datetime
    title: str
    summary: str
    content: str


@dataclass(frozen=True, slots=True)
class Feed:
    """A list's feed: `url` is its home page."""

    title: str
    url: str
    author: str
    items: Sequence[Item]


def content_of(issue: Issue, told: Sequence[int]) -> str:
    """Return an issue's papers as an HTML list; `told` are the ranks of those that have a sentence."""
    rows = []
    for entry in issue.digest.entries:
        if entry.rank in told:
            view = entry_view(entry, issue.digest.period)
            title = MARKUP.a(title_of(entry), href=view.url) if view.url else title_of(entry)
            rows.append(MARKUP.li(title, f" {view.sentence}"))
    return etree.tostring(MARKUP.ol(*rows), encoding="unicode", method="html")


def atom(feed: Feed) -> bytes:
    """Return a feed as Atom; an empty one is dated 1970, for want of anything that happened."""
    make: Any = ElementMaker(namespace=ATOM, nsmap={None: ATOM})
    newest = max((item.at for item in feed.items), default=datetime.fromtimestamp(0, UTC))
    entries = [
        make.entry(
            make.id(item.url),
            make.title(visible(item.title)),
            make.link(href=item.url),
            make.published(_moment(item.at)),
            make.updated(_moment(item.at)),
            make.summary(visible(item.summary)),
            make.content(item.content, type="html"),
        )
        for item in feed.items
    ]
    root = make.feed(
        make.id(f"{feed.url}/"),
        make.title(visible(feed.title)),
        make.author(make.name(visible(feed.author))),
        make.link(href=f"{feed.url}/"),
        make.link(rel="self", type="application/atom+xml", href=f"{feed.url}/feed.atom"),
        make.updated(_moment(newest)),
        *entries,
    )
    return bytes(etree.tostring(root, encoding="utf-8", xml_declaration=True))


def json_feed(feed: Feed) -> str:
    """Return a feed as JSON Feed."""
    content = {
        "version": JSON_FEED,
        "title": visible(feed.title),
        "home_page_url": f"{feed.url}/",
        "feed_url": f"{feed.url}/feed.json",
        "authors": [{"name": visible(feed.author)}],
        "items": [
            {
                "id": item.url,
                "url": item.url,
                "title": visible(item.title),
                "summary": visible(item.summary),
                "content_html": item.content,
                "date_published": _moment(item.at),
            }
            for item in feed.items
        ],
    }
    return json.dumps(content, ensure_ascii=False, indent=1)


def _moment(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")  # RFC 3339
