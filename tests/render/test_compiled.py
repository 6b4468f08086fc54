"""An issue as mail: complete in both parts, safe whatever a paper holds, small enough for Gmail."""

import email
import email.policy
import re
from dataclasses import replace
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import html as parser

from newsletter.links import Links
from newsletter.models import Format, Issue, Preferences
from newsletter.rank.interests import choose
from newsletter.render.compiled import HTML_BUDGET, CompiledIssue, Page
from newsletter.render.templates import Templates
from newsletter.settings import bundled
from tests.make import NOON, a_paper, a_reader, an_issue
from tests.render.test_message import HEAD, NAMES

LINKS = Links("papers", "secret", "example.org", "news@example.org", "https://news.example.org")
TEMPLATES = Templates([bundled("templates")])
EVERYTHING = Preferences()


def compiled(issue: Issue) -> CompiledIssue:
    return CompiledIssue(issue, TEMPLATES, HEAD)


def page(issue: Issue) -> Page:
    return compiled(issue).page(choose(issue, EVERYTHING))


def test_both_parts_lead_to_the_same_papers() -> None:
    made = page(an_issue(12, size=5))
    links = set(re.findall(r'href="(https[^"]+)"', made.html))
    assert links == set(re.findall(r"https://\S+", made.text))
    assert len(links) == 12


def test_the_html_is_what_mail_programs_need() -> None:
    made = page(an_issue(12, size=5))
    tree = parser.fromstring(made.html)
    assert made.html.startswith("<!DOCTYPE html>")
    assert (tree.get("lang"), tree.get("dir")) == ("en", "ltr")
    assert tree.findtext("head/title") == made.subject
    assert len(tree.findall(".//h1")) == 1
    assert len(tree.findall(".//h2")) == 5 + 1
    assert {table.get("role") for table in tree.iter("table")} == {"presentation"}
    assert "@media (prefers-color-scheme: dark)" in made.html
    assert made.html.count("<!--[if") == made.html.count("<![endif]")
    assert not re.search(r"<link|@import|<script|<iframe|url\(http", made.html)


def test_a_copy_has_its_own_links_and_address_in_both_parts() -> None:
    issue = an_issue()
    reader = replace(a_reader("o'hara+\"&b"), id=7)
    made = compiled(issue).message_for(reader, choose(issue, EVERYTHING), LINKS, date=NOON)
    message = email.message_from_bytes(made.content, _class=EmailMessage, policy=email.policy.default)
    html, text = message.get_body(("html",)), message.get_body(("plain",))
    assert html
    assert text
    assert LINKS.unsubscribe_url(7) in html.get_content()
    assert LINKS.unsubscribe_url(7) in text.get_content()
    assert "o&#x27;hara+&quot;&amp;b@example.org" in html.get_content()
    assert "__" not in re.sub(r"https://\S+", "", text.get_content())


def test_each_choice_is_rendered_once_however_many_readers_share_it() -> None:
    class Counting(Templates):
        rendered = 0

        def mail_text(self, view: object) -> str:
            Counting.rendered += 1
            return super().mail_text(view)  # type: ignore[arg-type]

    issue = an_issue()
    made = CompiledIssue(issue, Counting([bundled("templates")]), HEAD)
    for number in range(50):
        made.message_for(replace(a_reader(f"r{number}"), id=number), choose(issue, EVERYTHING), LINKS, date=NOON)
    assert Counting.rendered == 1


def test_the_same_issue_is_the_same_bytes() -> None:
    assert page(an_issue(12)) == page(an_issue(12))


def test_a_hundred_long_papers_stay_under_the_size_that_gmail_clips() -> None:
    long = [a_paper(n, title="A long title " * 12, abstract="A sentence of some length. " * 60) for n in range(100)]
    made = page(an_issue(long, size=100))
    assert len(made.html.encode()) <= HTML_BUDGET
    assert len(made.html.encode()) > HTML_BUDGET / 2


def test_unknown_fields_are_left_out_and_never_shown_as_zero_or_none() -> None:
    bare = a_paper(
        upvotes=None, comment_count=None, authors=None, author_count=None, published_on=None, abstract=None, url=None,
        arxiv_id=None,
    )  # fmt: skip
    made = page(an_issue([bare]))
    assert not re.search(r"\bNone\b|\b0 (?!none)\w|undefined|nan\b", made.text)
    assert "None" not in re.sub(r"<[^>]*>", "", made.html)


@pytest.mark.parametrize("kind", list(Format))
def test_a_reader_gets_the_format_they_asked_for(kind: Format) -> None:
    issue = an_issue()
    reader = replace(a_reader("ada", format=kind), id=1)
    content = compiled(issue).message_for(reader, choose(issue, EVERYTHING), LINKS, date=NOON).content
    assert (b"text/html" in content) is (kind is Format.HTML)


HOSTILE = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><img src=x onerror=alert(1)>',
            "]]>",
            "x =?UTF-8?Q?=0A?=Bcc: eve@example.net",
            "a\x00\x0bb",
            "\u202egnp.exe",
            "{{ 7 * 7 }}{% include 'x' %}",
            "<mj-raw><script></mj-raw>",
            "&lt;b&gt; &amp; <!-- ",
            "a" * 5000,
        ]
    ),
)


@settings(max_examples=60)
@given(HOSTILE, HOSTILE, HOSTILE)
def test_hostile_papers_stay_inert(title: str, abstract: str, name: str) -> None:
    paper = a_paper(title=title or "x", abstract=abstract, authors=(name,), organization=name)
    issue = an_issue([paper, a_paper(2)])
    content = compiled(issue).message_for(
        replace(a_reader(), name=name, id=1), choose(issue, EVERYTHING), LINKS, date=NOON
    )
    message = email.message_from_bytes(content.content, _class=EmailMessage, policy=email.policy.default)
    assert message.keys() == NAMES
    html = message.get_body(("html",))
    assert html
    tree = parser.fromstring(html.get_content())
    assert tree.findall(".//script") == []
    assert [
        one for one in tree.iter() if isinstance(one.tag, str) and any(str(key).startswith("on") for key in one.attrib)
    ] == []
    assert {link.get("href", "")[:8] for link in tree.iter("a")} == {"https://"}
