"""Any feed: three formats, their dates and markup, and the documents that are none."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import SourceError
from newsletter.fetch.feed import LONGEST, FeedSource, parse_feed, plain
from newsletter.fetch.http import Manners
from newsletter.fetch.memory import Answer as Document
from newsletter.models import Paper
from newsletter.periods import daily, weekly
from tests.fetch.feed_server import Site, web_site
from tests.fetch.loopback import Answer

DAY = date(2025, 12, 25)
NAME = "feed:https://example.org/feed"
URL = "https://example.org/feed"
AT = "Thu, 25 Dec 2025 10:00:00 +0000"

RDF = """<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"
 xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="https://example.org/"><title>Papers</title></channel>
<item rdf:about="https://example.org/1"><title>One</title><link>https://example.org/1</link>
<description>We see.</description><dc:creator>Ada Lovelace</dc:creator><dc:date>2025-12-25T23:30:00-02:00</dc:date>
</item></rdf:RDF>"""
ATOM = """<?xml version="1.0" encoding="utf-8"?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>Papers</title><id>urn:x</id><updated>2025-12-25T10:00:00Z</updated>
<entry><title type="text">a&lt;b&gt; R&amp;amp;D</title><id>urn:1</id><link href="papers/1"/>
<updated>2025-12-25T10:00:00Z</updated><published>2025-12-24T23:59:59Z</published>
<author><name>Ada Lovelace</name><email>ada@example.org</email></author><author><name>Alan Turing</name></author>
<category term="nlp" label="Language"/><category term="vision"/><category term="vision"/>
<summary type="html">&lt;p&gt;We &lt;em&gt;see&lt;/em&gt; R&amp;amp;D.&lt;/p&gt;&lt;p&gt;a &amp;lt; b</summary>
</entry><entry><title type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml">Two <b>more</b> &lt; &amp;</div></title>
<id>urn:2</id><updated>2025-12-23T10:00:00Z</updated><content type="html">&lt;p&gt;We look.</content></entry></feed>"""


def an_item(title: str = "One", more: str = "", at: str | None = AT, link: str = "https://example.org/1") -> str:
    dated = "" if at is None else f"<pubDate>{at}</pubDate>"
    return f"<item><title>{title}</title><link>{link}</link>{dated}{more}</item>"


def an_rss(*items: str) -> str:
    spaces = 'xmlns:slash="http://purl.org/rss/1.0/modules/slash/" xmlns:dc="http://purl.org/dc/elements/1.1/"'
    channel = f"<title>Papers</title><link>https://example.org/</link>{''.join(items)}"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" {spaces}><channel>{channel}</channel></rss>\n'


def read(text: str | bytes, kind: str = "application/rss+xml") -> tuple[Paper, ...]:
    content = text.encode() if isinstance(text, str) else text
    return parse_feed(
        Document("example.org", 200, httpx.Headers({"Content-Type": kind}), content), url=URL, source=NAME
    )


def refusal(text: str | bytes) -> str:
    """Return the one line that a document is refused with."""
    with pytest.raises(SourceError) as caught:
        read(text)
    assert str(caught.value).startswith(f"source {NAME}: ")
    assert str(caught.value).isprintable()
    return str(caught.value)


@pytest.fixture
def site() -> Iterator[Site]:
    with web_site(Site()) as site:
        yield site


@pytest.fixture
def source(client: httpx.Client, site: Site, manners: Manners) -> FeedSource:
    return FeedSource(client, site.url + "/feed", name=NAME, manners=manners)


def fault_of(source: FeedSource) -> str:
    """Return the one line that reading the feed ends with."""
    with pytest.raises(SourceError) as caught:
        source.days(DAY)
    assert str(caught.value).startswith(f"source {NAME}: ")
    assert str(caught.value).isprintable()
    return str(caught.value)


# What an entry tells.


def test_an_atom_feed_is_read() -> None:
    first, second = read(ATOM)
    assert first == Paper(
        title="a<b> R&amp;D",  # the title is no markup: it says so
        abstract="We see R&D. a < b",
        authors=("Ada Lovelace", "Alan Turing"),
        author_count=2,
        published_on=date(2025, 12, 24),
        listed_on=date(2025, 12, 24),
        keywords=("Language", "vision"),
        source=NAME,
        url="https://example.org/papers/1",
    )
    assert (second.title, second.abstract) == ("Two more < &", "We look.")
    assert (second.published_on, second.listed_on) == (None, date(2025, 12, 23))
    assert (second.authors, second.author_count, second.keywords, second.url) == (None, None, None, None)


def test_an_rdf_feed_is_read_and_its_day_is_in_utc() -> None:
    (paper,) = read(RDF)
    assert (paper.title, paper.abstract, paper.authors) == ("One", "We see.", ("Ada Lovelace",))
    assert paper.listed_on == date(2025, 12, 26)


def test_an_rss_feed_is_read() -> None:
    more = "<slash:comments>12</slash:comments><category>nlp</category><author>ada@example.org (Ada Lovelace)</author>"
    (paper,) = read(an_rss(an_item("R&amp;D of $\\Omega$", more)))
    assert (paper.title, paper.url) == ("R&D of Ω", "https://example.org/1")
    assert (paper.listed_on, paper.published_on) == (DAY, DAY)
    assert (paper.comment_count, paper.keywords, paper.upvotes) == (12, ("nlp",), None)
    assert (paper.authors, paper.author_count) == (("Ada Lovelace",), 1)


def test_the_recorded_announcement_is_a_feed_too(shared: Path) -> None:
    papers = read((shared / "arxiv/rss_cs.AI_2026-04-27_trimmed.xml").read_bytes())
    assert [paper.arxiv_id for paper in papers] == ["2604.21935", "2604.21936", "2604.21937"]
    assert {paper.listed_on for paper in papers} == {date(2026, 4, 27)}


@pytest.mark.parametrize("count", ["-1", "many", "1.5", "", "9" * 10, "٣"])
def test_a_number_of_comments_that_is_none_is_unknown(count: str) -> None:
    (paper,) = read(an_rss(an_item(more=f"<slash:comments>{count}</slash:comments>")))
    assert paper.comment_count is None


def test_a_mail_address_is_nobodys_name() -> None:
    (paper,) = read(an_rss(an_item(more="<author>ada@example.org</author><dc:creator>x@example.org</dc:creator>")))
    assert (paper.authors, paper.author_count) == (None, None)


@pytest.mark.parametrize(
    ("address", "arxiv_id"),
    [
        ("https://arxiv.org/abs/2512.00001v2", "2512.00001"),
        ("http://export.arxiv.org/abs/2512.00001", "2512.00001"),
        ("https://arxiv.org/pdf/2512.00001v2.pdf", "2512.00001"),
        ("https://arxiv.org/pdf/astro-ph/0601001v1", "astro-ph/0601001"),
        ("https://huggingface.co/papers/2512.00001?utm=1#top", "2512.00001"),
        ("https://www.alphaxiv.org/abs/2512.00001", "2512.00001"),
        ("oai:arXiv.org:2512.00001v7", "2512.00001"),
        ("https://arxiv.org/abs/2512.00001/other", None),
        ("https://notarxiv.org/abs/2512.00001", None),
        ("https://example.org/?https://arxiv.org/abs/2512.00001", None),
        ("https://doi.org/10.48550/arXiv.2512.00001", None),
    ],
)
def test_an_arxiv_id_is_found_in_a_link_or_a_guid(address: str, arxiv_id: str | None) -> None:
    (by_link,) = read(an_rss(an_item(link=address)))
    (by_guid,) = read(an_rss(an_item(more=f'<guid isPermaLink="false">{address}</guid>')))
    assert by_link.arxiv_id == by_guid.arxiv_id == arxiv_id
    if address.startswith("oai:"):
        assert by_link.url == "https://arxiv.org/abs/2512.00001"


def test_a_link_that_is_no_web_address_is_left_out() -> None:
    (paper,) = read(an_rss(an_item(link="javascript:alert(1)")))
    assert paper.url is None


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("p < 0.05 and q > 3", "p < 0.05 and q > 3"),
        ("if a<b and c>d", "if a<b and c>d"),
        ("a <b and c> d", "a <b and c> d"),
        ("List<Paper> x", "List<Paper> x"),
        ("a<b>c</b>d", "acd"),
        ('<a href="/x>y" class=z>here</a>!', "here!"),
        ("one<br/>two<BR>three", "one two three"),
        ("<p>One.</p><p>Two.</p>", " One.  Two. "),
        ("<math><mi>x</mi></math> is", "x is"),
        ("a<!-- <b> -->b<script>alert(1 < 2)</script>c", "a b c"),
        ("&lt;b&gt; &amp;amp; &#65;&#x42;&eacute; &nothing; R&D", "<b> &amp; ABé &nothing; R&D"),
        ("<", "<"),
    ],
)
def test_markup_becomes_words_and_eats_none(markup: str, text: str) -> None:
    assert plain(markup) == text


@given(st.text(alphabet="ab </='\"-!;#", max_size=40))
def test_text_without_a_whole_tag_or_entity_stays_as_it_is(text: str) -> None:
    assert plain(text) == text


@pytest.mark.parametrize("piece", ["<script>", "<!--", '<a b="', "<a   ", "</a>", "{", "$", "\\a{"])
@pytest.mark.timeout(30)  # milliseconds; where a pattern backtracks, hours
def test_an_article_made_to_be_slow_comes_to_its_end(piece: str) -> None:
    read(an_rss(an_item(more=f"<description><![CDATA[{piece * LONGEST}]]></description>")))


# Days, and entries that are left out.


def test_the_days_are_those_that_have_entries(source: FeedSource, site: Site) -> None:
    ats = ["Fri, 26 Dec 2025 01:00:00 +0000", "Thu, 25 Dec 2025 23:30:00 -0500", AT, "Mon, 22 Dec 2025 08:00:00 GMT"]
    items = [an_item(f"Number {number}", at=at) for number, at in enumerate([*ats, "soon"])]
    site.pages["/feed"] = Answer(body=an_rss(*items).encode())
    assert source.days(date(2025, 12, 27)) == [date(2025, 12, 26), DAY, date(2025, 12, 22)]
    assert source.days(DAY) == [DAY, date(2025, 12, 22)]
    assert source.days(date(2025, 12, 1)) == []
    assert [paper.title for paper in source.papers(weekly(DAY))] == ["Number 3", "Number 2", "Number 0", "Number 1"]
    assert source.papers(daily(DAY - timedelta(days=1))) == ()


def test_entries_without_title_or_date_are_left_out() -> None:
    items = [an_item("<![CDATA[<i></i>]]>"), an_item("Undated", at=None), an_item("Wrong", at="soon"), an_item("Kept")]
    assert [paper.title for paper in read(an_rss(*items))] == ["Kept"]


def test_a_feed_without_a_single_title_or_date_is_a_fault() -> None:
    assert "no entry of the feed has a title; check that" in refusal(an_rss(an_item("")))
    assert "no entry of the feed has a date; check that" in refusal(an_rss(an_item(at=None), an_item("Two", at="soon")))


def test_a_feed_without_entries_is_empty() -> None:
    assert read(an_rss()) == ()


def test_of_entries_of_one_paper_the_first_is_taken() -> None:
    versions = [an_item(f"Version {n}", link=f"https://arxiv.org/abs/2512.00001v{n}") for n in (2, 1)]
    assert [paper.title for paper in read(an_rss(*versions, an_item("Other")))] == ["Version 2", "Other"]


# Fetching.


def test_a_feed_is_not_sent_again_for_its_papers(source: FeedSource, site: Site) -> None:
    site.pages["/feed"] = Answer(body=an_rss(an_item()).encode(), headers={"ETag": '"1"'})
    assert source.days(DAY) == [DAY]
    assert len(source.papers(daily(DAY))) == 1
    assert site.told == [200, 304]


def test_papers_are_read_without_asking_for_days_first(source: FeedSource, site: Site) -> None:
    site.pages["/feed"] = Answer(body=an_rss(an_item()).encode())
    assert len(source.papers(daily(DAY))) == 1


def test_a_missing_feed_is_one_line(source: FeedSource) -> None:
    assert "answered 404; check the address" in fault_of(source)


def test_a_feed_of_more_bytes_than_wanted_is_one_line(client: httpx.Client, site: Site, manners: Manners) -> None:
    site.pages["/feed"] = Answer(body=an_rss(an_item()).encode())
    source = FeedSource(client, site.url + "/feed", name=NAME, manners=replace(manners, size=100))
    assert "answered with more than 100 bytes" in fault_of(source)


def test_a_feed_that_takes_too_long_is_one_line(client: httpx.Client, site: Site) -> None:
    site.pages["/feed"] = Answer(body=an_rss(an_item()).encode(), drip=0.01)
    source = FeedSource(client, site.url + "/feed", name=NAME, manners=Manners(private=True, seconds=0.1))
    assert "no answer in time" in fault_of(source)


def test_a_feed_of_this_machine_has_to_be_meant(client: httpx.Client, site: Site) -> None:
    source = FeedSource(client, site.url + "/feed", name=NAME)
    assert "leads to 127.0.0.1, which is no public address; set private_sources = true" in fault_of(source)


# Documents.


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "iso-8859-1"])
def test_a_document_is_read_in_the_encoding_it_declares(encoding: str) -> None:
    text = an_rss(an_item("Poincaré")).replace("UTF-8", encoding)
    for kind in ("application/rss+xml", "text/xml", "text/html", ""):
        assert [paper.title for paper in read(text.encode(encoding), kind)] == ["Poincaré"]


def test_the_encoding_of_the_content_type_comes_before_the_documents_own() -> None:
    content = an_rss(an_item("Poincaré")).encode("iso-8859-1")
    assert [paper.title for paper in read(content, 'text/xml; charset="ISO-8859-1"')] == ["Poincaré"]


def test_entities_that_only_html_has_are_understood() -> None:
    text = an_rss(an_item("Caf&eacute;&nbsp;&lt; R&amp;D", "<description>a &lt;b&gt;c&lt;/b&gt;&mdash;d</description>"))
    (paper,) = read(text)
    assert (paper.title, paper.abstract) == ("Café < R&D", "a c—d")
    for end in range(text.index("&mdash;"), len(text.rstrip())):
        refusal(text[:end])


NONE_OF_THEM = {
    "empty": b"",
    "HTML": b"<!DOCTYPE html><html><head><title>Papers</title></head><body>Sorry<br></body></html>",
    "XHTML": b"<html xmlns='http://www.w3.org/1999/xhtml'><body><p>Sorry</p></body></html>",
    "JSON": b'{"version": "https://jsonfeed.org/version/1", "items": []}',
    "other XML": b"<opml version='2.0'><body/></opml>",
    "binary": bytes(range(256)),
    "undeclared encoding": an_rss(an_item("Poincar\N{LATIN SMALL LETTER E WITH ACUTE}")).encode("iso-8859-1"),
    "bare ampersand": an_rss(an_item("R&D")).encode(),
    "twice": an_rss(an_item()).encode() * 2,
}


@pytest.mark.parametrize("content", NONE_OF_THEM.values(), ids=NONE_OF_THEM)
def test_what_is_no_feed_is_one_line(content: bytes) -> None:
    fault = f"example.org answered with {len(content):,} bytes (application/rss+xml) that are no whole feed; check the"
    assert fault in refusal(content)


def test_a_document_that_names_a_file_is_not_given_it(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    path.write_text(an_rss(an_item("secret")))
    for name in (str(path), path.as_uri()):
        refusal(name)
    bomb = f'<!DOCTYPE rss [<!ENTITY a SYSTEM "{path.as_uri()}">]><rss'
    (paper,) = read(an_rss(an_item("See &a;")).replace("\n<rss", bomb))
    assert paper.title == "See"


# Anything at all.

TITLES = ["Of &lt;two&gt; things", "Two &amp; three", "Three"]
RSS = an_rss(*(an_item(title, link=f"https://arxiv.org/abs/2512.0000{n}") for n, title in enumerate(TITLES))).encode()
ILLEGAL = st.sampled_from([b"\0", b"\xff", b"<", b"&", b"\x1b"])  # what no text of XML holds by itself


def is_true_or_refused(content: bytes, whole: bytes) -> bool:
    """Whether a damaged feed tells nothing but the truth, or one line that it is damaged."""
    try:
        papers = read(content)
    except SourceError as error:
        return error.source == NAME and str(error).isprintable()
    truth = {(paper.arxiv_id, paper.title) for paper in read(whole)}
    return {(paper.arxiv_id, paper.title) for paper in papers} <= truth


@pytest.mark.parametrize("whole", [RSS, ATOM.encode(), RDF.encode()], ids=["RSS", "Atom", "RDF"])
def test_no_cut_feed_is_taken_for_one(whole: bytes) -> None:
    for end in range(len(whole.rstrip())):
        refusal(whole[:end])


@pytest.mark.parametrize("whole", [RSS, ATOM.encode(), RDF.encode()], ids=["RSS", "Atom", "RDF"])
@given(place=st.floats(0, 1, exclude_max=True), junk=ILLEGAL)
def test_a_damaged_byte_tells_nothing_untrue(whole: bytes, place: float, junk: bytes) -> None:
    at = int(place * len(whole))
    assert is_true_or_refused(whole[:at] + junk + whole[at + 1 :], whole)


@given(st.lists(st.integers(0, 2), max_size=6), st.sampled_from([AT, "soon", "", "Thu, 99 Dec 99999 25:00:00 +9999"]))
def test_entries_left_out_repeated_or_of_another_date_tell_nothing_untrue(order: list[int], at: str) -> None:
    items = [an_item(title, link=f"https://arxiv.org/abs/2512.0000{n}") for n, title in enumerate(TITLES)]
    damaged = [items[number] for number in order]
    damaged[:1] = [item.replace(AT, at) for item in damaged[:1]]
    assert is_true_or_refused(an_rss(*damaged).encode(), RSS)


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(content: bytes) -> None:
    refusal(content)
