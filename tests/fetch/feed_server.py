"""A stand-in for any web site, arXiv too: a real HTTP server on loopback that answers as told and keeps a record."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from email.message import Message
from html import escape
from urllib.parse import parse_qsl, urlsplit

from tests.fetch.loopback import Answer, loopback

NOTHING = Answer(404, b"")


@dataclass(frozen=True)
class Request:
    """What was asked for."""

    path: str
    query: Mapping[str, str]
    headers: Message


@dataclass
class Site:
    """What the server knows: an answer for each path, and what was answered to whom."""

    pages: dict[str, Answer] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)
    told: list[int] = field(default_factory=list)  # the statuses
    url: str = ""

    def page(self, request: Request) -> Answer:
        """Return the answer to a request, were it the first."""
        return self.pages.get(request.path, NOTHING)

    def answer(self, target: str, headers: Message) -> Answer:
        """Return the answer to a request; 304 where the asker has it already (RFC 9110, section 13.2.2)."""
        address = urlsplit(target)
        self.asked.append(Request(address.path, dict(parse_qsl(address.query)), headers))
        answer = self.page(self.asked[-1])
        kept = headers["If-None-Match"] or headers["If-Modified-Since"]
        if kept and kept in {answer.headers.get("ETag"), answer.headers.get("Last-Modified")}:
            answer = Answer(304, b"", {"ETag": answer.headers.get("ETag", "")})
        self.told.append(answer.status)
        return answer


def an_entry(
    number: int = 1, *, at: datetime = datetime(2025, 12, 24, 12, tzinfo=UTC), title: str = "", version: int = 1
) -> str:
    """Return an Atom entry as arXiv's search writes it; `at` is when the first version was submitted."""
    return f"""
  <entry>
    <id>http://arxiv.org/abs/2512.{number:05}v{version}</id>
    <title>{escape(title or f"Paper number {number}")}</title>
    <updated>2025-12-25T09:00:00Z</updated>
    <link href="https://arxiv.org/abs/2512.{number:05}v{version}" rel="alternate" type="text/html"/>
    <summary>We show that p&lt;0.05
for the number {number}.</summary>
    <category term="cs.CL" scheme="http://arxiv.org/schemas/atom"/>
    <published>{at:%Y-%m-%dT%H:%M:%SZ}</published>
    <author><name>Ada Lovelace</name></author>
    <author><name>Alan Turing</name></author>
  </entry>"""


def an_atom(entries: Sequence[str] = (), total: int | None = None) -> bytes:
    """Return an Atom document as arXiv's search writes it."""
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<feed xmlns:opensearch="http://a9.com/-/spec/opensearch/1.1/" xmlns="http://www.w3.org/2005/Atom">
  <id>https://arxiv.org/api/x</id>
  <title>arXiv Query</title>
  <opensearch:totalResults>{len(entries) if total is None else total}</opensearch:totalResults>{"".join(entries)}
</feed>
""".encode()


def an_item(number: int = 1, *, kind: str = "new", title: str = "", version: int = 1, abstract: str = "") -> str:
    """Return an RSS item as arXiv writes it."""
    return f"""
<item>
<title>{escape(title or f"Paper number {number}")}</title>
<link>https://arxiv.org/abs/2512.{number:05}</link>
<description>arXiv:2512.{number:05}v{version} Announce Type: {kind} \nAbstract: {abstract or "We show."}</description>
<guid isPermaLink="false">oai:arXiv.org:2512.{number:05}v{version}</guid>
<category>cs.CL</category>
<pubDate>Thu, 25 Dec 2025 00:00:00 -0500</pubDate>
<arxiv:announce_type>{kind}</arxiv:announce_type>
<dc:creator>Ada Lovelace, Alan Turing</dc:creator>
</item>"""


def an_rss(items: Sequence[str] = (), day: date = date(2025, 12, 25)) -> bytes:
    """Return an RSS document as arXiv writes it."""
    return f"""<?xml version='1.0' encoding='UTF-8'?>
<rss xmlns:arxiv="http://arxiv.org/schemas/atom" xmlns:dc="http://purl.org/dc/elements/1.1/" version="2.0">
<channel>
<title>cs.CL updates on arXiv.org</title>
<pubDate>{day:%a, %d %b %Y} 00:00:00 -0500</pubDate>{"".join(items)}
</channel>
</rss>
""".encode()


@dataclass
class Arxiv(Site):
    """arXiv: an RSS document, and a search that finds entries by the moment their window ends."""

    rss: bytes = field(default_factory=an_rss)
    found: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def page(self, request: Request) -> Answer:
        """Return the RSS for any categories, or a page of what the search finds."""
        if request.path.startswith("/rss/"):
            return Answer(body=self.rss)
        if request.path != "/api/query":
            return NOTHING
        window = request.query["search_query"].partition(" TO ")[2].rstrip("]")
        entries, start = self.found.get(window, ()), int(request.query["start"])
        return Answer(body=an_atom(entries[start : start + int(request.query["max_results"])], len(entries)))


@contextmanager
def web_site(site: Site) -> Iterator[Site]:
    """Run the server; `site.url` is its address."""
    with loopback(site.answer, "application/xml") as site.url:
        yield site
