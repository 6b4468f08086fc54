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

from newsletter.errors import TemplateError
from newsletter.links import Links
from newsletter.models import Format, Issue, Pick, Preferences, Riser, Subscriber, Wording
from newsletter.periods import weekly
from newsletter.rank.interests import choose
from newsletter.render.compiled import HTML_BUDGET, CompiledIssue, Page
from newsletter.render.fragments import Marks
from newsletter.render.plain import plain_message_for
from newsletter.render.templates import Templates
from newsletter.settings import bundled
from tests.make import DAY, NOON, a_paper, a_reader, an_issue, picks
from tests.render.test_message import HEAD, NAMES

LINKS = Links("papers", "secret", "example.org", "news@example.org", "https://news.example.org")
WITHOUT_PAGES = replace(LINKS, base_url=None)
TEMPLATES = Templates([bundled("templates")])
EVERYTHING = Preferences()


def compiled(issue: Issue, links: Links = LINKS) -> CompiledIssue:
    return CompiledIssue(issue, TEMPLATES, HEAD, links, postal_address="1 Example Street")


def page(issue: Issue) -> Page:
    return compiled(issue).page(choose(issue, EVERYTHING))


def parts(content: bytes) -> tuple[list[str], list[str], list[tuple[str, str]]]:
    """Return the texts of a mail, its defects, and its headers but for the boundary, which each writer makes up."""
    message = email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default)
    texts = [part.get_content().replace("\r\n", "\n") for part in message.walk() if not part.is_multipart()]
    defects = [str(defect) for part in message.walk() for defect in part.defects]
    return texts, defects, [(name, str(value).split("boundary")[0]) for name, value in message.items()]


def test_both_parts_lead_to_the_same_papers() -> None:
    made = page(an_issue(12, size=5))
    links = set(re.findall(r'href="(https://huggingface[^"]+)"', made.html))
    assert links == set(re.findall(r"https://huggingface\S+", made.text))
    assert len(links) == 12


def test_the_html_is_what_mail_programs_need() -> None:
    made = page(an_issue(12, size=5))
    tree = parser.fromstring(made.html)
    assert made.html.startswith("<!DOCTYPE html>")
    assert (tree.get("lang"), tree.get("dir")) == ("en", "ltr")
    assert tree.findtext("head/title") == "Trending Papers, Thursday 25 December 2025"
    assert len(tree.findall(".//h1")) == 1
    assert len(tree.findall(".//h2")) == 3 + len(["In brief", "Also listed"])
    assert {table.get("role") for table in tree.iter("table")} == {"presentation"}
    assert "@media (prefers-color-scheme: dark)" in made.html
    assert made.html.count("<!--[if") == made.html.count("<![endif]")
    assert not re.search(r"<link|@import|<script|<iframe|url\(http", made.html)


def test_a_copy_has_three_tiers() -> None:
    made = page(an_issue(12, size=5))
    tree = parser.fromstring(made.html)
    assert ["".join(map(str, title.itertext())) for title in tree.findall(".//h2")] == [
        *(f"Paper number {number}" for number in (1, 2, 3)),
        "In brief",
        "Also listed",
    ]
    assert made.text.index("Paper number 3\n") < made.text.index("In brief") < made.text.index("- Paper number 4")
    assert made.text.index("- Paper number 5") < made.text.index("Also listed") < made.text.index("- Paper number 6")


def test_a_copy_has_its_own_links_and_address_in_both_parts() -> None:
    issue = an_issue()
    reader = replace(a_reader("o'hara+\"&b"), id=7)
    made = compiled(issue).message_for(reader, choose(issue, EVERYTHING), date=NOON)
    [text, html], _defects, _headers = parts(made.content)
    token = LINKS.unsubscribe_token(7)
    for address in (LINKS.unsubscribe_url(token), LINKS.preferences_url(token), LINKS.issue_url(issue.key)):
        assert f'href="{address}"' in html
        assert f"\n{address}\n" in text
    assert "o'hara+\"&amp;b@example.org" in html
    assert "__" not in text + html


def test_without_pages_nothing_leads_to_a_host_of_ours() -> None:
    issue = an_issue()
    made = compiled(issue, WITHOUT_PAGES).message_for(replace(a_reader(), id=7), picks(1, 2, 3), date=NOON)
    [text, html], _defects, _headers = parts(made.content)
    assert "news.example.org" not in text + html
    assert "View in browser" not in text + html
    assert "mailto:news@example.org?subject=unsubscribe%20" in text
    assert "mailto:news@example.org?subject=unsubscribe%20" in html


def test_a_page_for_everybody_holds_nothing_of_a_reader() -> None:
    made = page(an_issue())
    for part in (made.html, made.text):
        assert "You get this because" not in part
        assert "/unsubscribe/" not in part
        assert "View in browser" not in part
        assert "1 Example Street" in part


def test_an_issue_is_rendered_once_however_many_readers_and_choices_there_are() -> None:
    class Counting(Templates):
        rendered = 0

        def issue_text(self, *arguments: object) -> str:
            Counting.rendered += 1
            return super().issue_text(*arguments)  # type: ignore[arg-type]

    issue = an_issue(12)
    made = CompiledIssue(issue, Counting([bundled("templates")]), HEAD, LINKS)
    for number in range(50):
        made.message_for(replace(a_reader(f"r{number}"), id=number), picks(1 + number % 12, 2), date=NOON)
    assert Counting.rendered == 1


def test_the_papers_stand_in_the_order_of_the_choice() -> None:
    made = compiled(an_issue(5)).page((Pick(4, "Lenses"), Pick(2), Pick(5)))
    assert made.subject == "Paper number 4 · 2 more"
    places = [made.html.index(f">Paper number {number}<") for number in (4, 2, 5, 1, 3)]
    assert places == sorted(places)
    assert "matches “Lenses”" in made.html
    assert "Matches “Lenses”" in made.text
    assert made.html.count("matches “") == 1


def test_the_editor_has_the_last_word() -> None:
    words = Wording(subject="Read this one", preheader="We mean it", note="Five years of <this> letter & counting.")
    made = page(replace(an_issue(), wording=words))
    assert made.subject == "Read this one"
    assert ">We mean it" in made.html
    assert "Five years of &lt;this&gt; letter &amp; counting." in made.html
    assert "Five years of <this> letter & counting." in made.text


def test_papers_that_go_on_rising_have_their_own_place() -> None:
    made = page(replace(an_issue(), rising=(Riser(a_paper(77), 31, DAY),)))
    assert "Rising since Thursday" in made.text
    assert "Paper number 77 · +31 votes" in made.text
    assert "Rising since Thursday" in made.html


def test_the_same_issue_is_the_same_bytes() -> None:
    reader = replace(a_reader(), id=7)
    one, two = (compiled(an_issue(12)).message_for(reader, picks(*range(1, 11)), date=NOON) for _ in range(2))
    assert one == two


@pytest.mark.parametrize("number", [0, 1, 2, 100])
def test_any_number_of_papers_is_a_valid_mail(number: int) -> None:
    issue = an_issue(number, size=100)
    made = compiled(issue).message_for(replace(a_reader(), id=1), choose(issue, EVERYTHING), date=NOON)
    [text, html], defects, _headers = parts(made.content)
    assert defects == []
    assert len(html.encode()) <= HTML_BUDGET
    assert text.count("https://huggingface.co/") == number


def test_a_hundred_long_papers_stay_under_the_size_that_gmail_clips() -> None:
    long = [a_paper(n, title="A long title " * 12, abstract="A sentence of some length. " * 60) for n in range(100)]
    issue = replace(an_issue(long, size=100), full=100)
    made = page(issue)
    assert len(made.html.encode()) <= HTML_BUDGET
    assert len(made.html.encode()) > HTML_BUDGET / 2
    assert "more paper" not in made.html  # sentences go first, titles last


def test_what_does_not_even_fit_as_a_title_is_counted() -> None:
    issue = an_issue(900)
    made = page(issue)
    assert "and 830 more papers on the list" in made.html
    assert "and 830 more papers on the list" in made.text


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
    content = compiled(issue).message_for(reader, choose(issue, EVERYTHING), date=NOON).content
    assert (b"text/html" in content) is (kind is Format.HTML)


def test_lines_stay_short_whatever_fills_the_gaps() -> None:
    reader = replace(a_reader("x" * 60 + ".o'hara=" + "y" * 120), id=2**31)
    made = compiled(an_issue(30)).message_for(reader, picks(*range(1, 11)), date=NOON)
    body = made.content.split(b"\r\n\r\n", 1)[1]
    assert max(map(len, body.split(b"\r\n"))) <= 76
    assert not re.search(rb"(?m)^\.", made.content)


def test_a_template_that_cuts_what_it_marked_is_named() -> None:
    marks = Marks("<", ">", "__0_")
    with pytest.raises(TemplateError, match="never closed"):
        marks.parse("a<?more>b")


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
    content = compiled(issue).message_for(replace(a_reader(), name=name, id=1), choose(issue, EVERYTHING), date=NOON)
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


addresses = st.from_regex(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,60}@[a-z0-9]{1,20}\.example\.org", fullmatch=True)
readers = st.builds(
    Subscriber,
    address=addresses,
    name=st.one_of(st.none(), HOSTILE),
    preferences=st.builds(Preferences, format=st.sampled_from(Format)),
    id=st.integers(1, 2**31),
)
choices = st.lists(st.integers(1, 14), unique=True, max_size=14)
words = st.one_of(HOSTILE, st.just(""))
TOPICS = ("Agents", "", "Robots & <others>", "Agents", "Rose after their day")


def a_weekly_issue() -> Issue:
    issue = an_issue(14, size=9)
    entries = (replace(one, section=TOPICS[one.rank % 5], remark="rose by 9") for one in issue.digest.entries)
    return replace(issue, digest=replace(issue.digest, period=weekly(DAY), entries=tuple(entries)))


SPLICED = [compiled(an_issue(14, size=9)), compiled(an_issue(14), WITHOUT_PAGES), compiled(a_weekly_issue())]


@settings(max_examples=60)
@given(st.sampled_from(SPLICED), readers, choices, words)
def test_a_spliced_copy_says_what_the_plain_pipeline_says(
    made: CompiledIssue, reader: Subscriber, ranks: list[int], word: str
) -> None:
    choice = tuple(Pick(rank, word if rank % 3 == 0 else "") for rank in ranks)
    spliced = made.message_for(reader, choice, date=NOON)
    plain = plain_message_for(made, TEMPLATES, reader, choice, date=NOON)
    assert parts(spliced.content) == parts(plain.content)
    assert (spliced.id, spliced.sender, spliced.recipient) == (plain.id, plain.sender, plain.recipient)


@settings(max_examples=20)
@given(HOSTILE, HOSTILE)
def test_hostile_papers_are_spliced_as_they_are_rendered(title: str, abstract: str) -> None:
    issue = an_issue([a_paper(1, title=title, abstract=abstract), a_paper(2, title="__0_ADDRESS__ __TOKEN__ {{ x }}")])
    made = compiled(issue)
    reader = replace(a_reader(), id=1)
    plain = plain_message_for(made, TEMPLATES, reader, picks(1, 2), date=NOON)
    assert parts(made.message_for(reader, picks(1, 2), date=NOON).content) == parts(plain.content)
