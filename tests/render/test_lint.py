"""What is wrong with a mail is found, and what is right is left alone."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml.html import document_fromstring

from newsletter.models import Format
from newsletter.render import message as mime
from newsletter.render.contrast import colour_of, ratio, worst_contrast
from newsletter.render.lint import FAIL, OK, WARN, check, failed
from newsletter.render.quoted import quoted_printable
from newsletter.render.reading import Reading
from newsletter.render.support import FEATURES, used
from tests.make import NOON, a_reader, an_issue, picks
from tests.render.test_compiled import WITHOUT_PAGES, compiled

READER = replace(a_reader(), id=7)
GOOD = compiled(an_issue(12)).message_for(READER, picks(*range(1, 11)), date=NOON).content
HEAD, HTML, TEXT = GOOD.split(b"Content-Type:")[0], Reading(GOOD).html, Reading(GOOD).text
LINK = '<a href="https://example.org/x">The whole story</a>'


def states(content: bytes) -> dict[str, str]:
    return {finding.name: finding.state for finding in check(content)}


def mail(html: str = HTML, text: str = TEXT, head: bytes = HEAD) -> bytes:
    return head + mime.BOTH + quoted_printable(text) + mime.HTML + quoted_printable(html) + mime.END


def test_a_good_mail_passes_every_check() -> None:
    assert set(states(GOOD).values()) == {OK}
    assert states(mail()) == states(GOOD)


def test_a_mail_of_plain_text_is_spared_the_checks_of_html() -> None:
    reader = replace(a_reader(format=Format.TEXT), id=7)
    found = states(compiled(an_issue(3)).message_for(reader, picks(1, 2, 3), date=NOON).content)
    assert set(found.values()) == {OK}
    assert "headings" not in found


def test_leaving_by_mail_alone_is_a_warning() -> None:
    content = compiled(an_issue(3), WITHOUT_PAGES).message_for(READER, picks(1, 2, 3), date=NOON).content
    assert states(content)["one click"] == WARN
    assert not failed(check(content))


@pytest.mark.parametrize(
    ("name", "state", "old", "new"),
    [
        ("size", FAIL, "</body>", "<p>" + "Long. " * 15000 + "</p></body>"),
        ("document", FAIL, "<!DOCTYPE html>", ""),
        ("document", FAIL, ' lang="en"', ""),
        ("document", FAIL, "<![endif]-->", "-->"),
        ("headings", FAIL, "</h1>", "</h1><h1>Again</h1>"),
        ("headings", FAIL, "</h1>", "</h1><h4>Deep</h4>"),
        ("access", FAIL, "</body>", '<img src="https://example.org/a.png" width="10"></body>'),
        ("access", FAIL, "</body>", "<table><tr><td></td></tr></table></body>"),
        ("links", FAIL, "</body>", '<a href="javascript:alert(1)">A very good story</a></body>'),
        ("links", FAIL, "</body>", '<a href="https://example.org/x">here</a></body>'),
        ("links", FAIL, "</body>", f'{LINK}<a href="https://example.org/y">The whole story</a></body>'),
        ("both parts", FAIL, "</body>", f"{LINK}</body>"),
        ("preheader", FAIL, "Also: ", "Also: " + "and much more " * 20),
        ("preheader", FAIL, "\u034f\u200c\u00a0", ""),
        ("inert", FAIL, "</body>", "<script>1</script></body>"),
        ("inert", FAIL, "<h1", '<h1 onclick="x()"'),
        ("inert", FAIL, "</head>", "<style>@import 'https://example.org/a.css';</style></head>"),
        ("dark mode", WARN, "prefers-color-scheme", "prefers-nothing"),
        ("contrast", FAIL, "</body>", '<p style="color:#999999;background-color:#ffffff">pale</p></body>'),
        ("support", WARN, "</body>", '<div style="display:flex">wide</div></body>'),
        ("gaps", FAIL, "</body>", "<p>Hello __ADDRESS__</p></body>"),
        ("gaps", FAIL, "</body>", '<a href="https://example.org/{{ x }}">The whole story</a></body>'),
        ("gaps", FAIL, "</body>", '<a href="https://example.org/%7b%25 x %7d">The whole story</a></body>'),
        ("gaps", FAIL, "</body>", '<a href="https://example.org/papers/None">The whole story</a></body>'),
        ("gaps", FAIL, "</body>", "<p>19 votes · None · Berkeley</p></body>"),
        ("gaps", FAIL, "</body>", "<p>\x1a</p></body>"),
        ("document", FAIL, ' lang="en"', ' lang="und"'),
        ("document", FAIL, "</body>", "<!--[if mso]><!--[if mso]><![endif]--><![endif]--></body>"),
        ("headings", FAIL, "<h1", "<h2>Before</h2><h1"),
        ("headings", FAIL, "</h1>", "</h1><h2> </h2>"),
        ("headings", FAIL, "h2", "p"),
        ("access", FAIL, "</body>", "<table><tr><td><table><tr><th>x</th></tr></table></td></tr></table></body>"),
        ("access", FAIL, "</body>", "<!--[if mso]><table><tr><td><![endif]--></body>"),
        ("links", FAIL, "</body>", '<a href="https://example.org/x"><img src="a.png" alt="" width="9"></a></body>'),
        ("preheader", FAIL, "display:none", "display:block"),
        ("inert", FAIL, "</body>", '<p style="background:url(//example.org/a.png)">x</p></body>'),
        ("inert", FAIL, "</body>", '<video src="https://example.org/a.mp4"></video></body>'),
        ("inert", FAIL, "</head>", '<meta http-equiv="refresh" content="1"></head>'),
        ("inert", FAIL, "</head>", '<base href="https://example.org"></head>'),
    ],
)  # fmt: skip
def test_a_fault_in_the_html_is_found(name: str, state: str, old: str, new: str) -> None:
    assert old in HTML
    assert states(mail(HTML.replace(old, new)))[name] == state


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("text", TEXT + "word " * 30 + "\n"),
        ("both parts", TEXT + "\nhttps://example.org/x\n"),
        ("gaps", TEXT + "\n__0_TOKEN__\n"),
        ("gaps", TEXT + "\nundefined\n"),
        ("text", TEXT + "\nFish &amp; chips\n"),
        ("text", TEXT + "\nA line<br>\n"),
        ("text", ""),
    ],
)
def test_a_fault_in_the_text_is_found(name: str, text: str) -> None:
    assert states(mail(text=text))[name] == FAIL


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("headers", rb"(?m)^To: .*\r\n", b""),
        ("headers", rb"(?m)^(Subject: .*\r\n)", rb"\1\1"),
        ("headers", rb"@example.org>\r\nList-Unsub", b"@example.net>\r\nList-Unsub"),
        ("headers", rb"(?m)^From: .*\r\n", b""),
        ("headers", rb"(?m)^(Message-ID): .*\r\n", rb"\1:\r\n"),
        ("headers", rb"(?m)^(List-Unsubscribe-Post: .*\r\n)", rb"\1\1"),
        ("headers", rb"(?m)^Date: .*\r\n", b"Date: yesterday\r\n"),
        ("headers", rb"(?m)^Subject: .*\r\n", b"Subject: =?utf-8?q?a?==?utf-8?q?b?=\r\n"),
        ("gaps", rb"(?m)^To: .*<", b"To: {{ name }} <"),
        ("gaps", rb"(?m)^To: .*<", b"To: __NAME__ <"),
        ("leaving", rb"<https://news", b"<http://news"),
        ("leaving", rb"(?m)^List-Unsubscribe-Post: .*\r\n", b""),
        ("leaving", rb"<https://news", b"=?utf-8?q?=3Chttps=3A//news"),
        ("leaving", rb"(?m)^List-Unsubscribe: .*\r\n .*\r\n", b""),
    ],
)
def test_a_fault_in_the_headers_is_found(name: str, old: bytes, new: bytes) -> None:
    head = re.sub(old, new, HEAD)
    assert head != HEAD
    assert states(mail(head=head))[name] == FAIL


def test_bare_line_feeds_and_long_lines_are_found() -> None:
    assert states(GOOD.replace(b"\r\n", b"\n", 1))["encoding"] == FAIL
    assert states(GOOD.replace(b"quoted-printable", b"8bit"))["encoding"] == FAIL
    assert states(GOOD.replace(b"multipart/alternative", b"multipart/mixed"))["encoding"] == FAIL


def test_a_missing_header_is_named() -> None:
    head = re.sub(rb"(?m)^(From|Message-ID): .*\r\n", b"", HEAD)
    found = {finding.name: finding.detail for finding in check(mail(head=head))}
    assert found["headers"] == "From stands 0 times (and 1 more)"


def test_a_plain_mail_may_speak_of_html() -> None:
    head, text = GOOD.split(b"Content-Type:")[0], "Content-Type and text/html\n"
    plain = head + b"Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    assert not failed(check(plain + quoted_printable(text)))


@pytest.mark.parametrize(
    "html",
    [
        '<a href="https://example.org/x"><img src="a.png" alt="The whole story" width="9"></a>',
        '<a href="https://example.org/x" aria-label="The whole story">→</a>',
        '<a name="top"></a><a href="https://example.org/x">The whole story</a>',
        "<p>https://example.org/x, @import and {{ braces }}, &lt;br&gt;, __init__, None of it</p>",
        "<table><tr><th>Votes</th></tr></table>",
        '<p style="background:url(cid:a)">x</p>',
    ],
)
def test_what_is_right_is_left_alone(html: str) -> None:
    text = f"{TEXT}\n(https://example.org/x).\nx<br>x\n"
    told = html if "example.org/x" in html else f"{LINK}{html}"
    assert not failed(check(mail(HTML.replace("</body>", f"<p>&lt;br&gt;</p>{told}</body>"), text)))


def test_a_paper_may_be_called_an_ideographic_space() -> None:
    assert not failed(check(mail(HTML.replace("</body>", "<h2>\u3000</h2></body>"))))


def test_a_subject_may_hold_braces() -> None:
    head = re.sub(rb"(?m)^Subject: .*\r\n", b"Subject: On {{ mustache }} and {% the rest\r\n", HEAD)
    assert not failed(check(mail(head=head)))


def test_a_finding_says_what_to_do() -> None:
    [finding] = failed(check(mail(HTML.replace("<!DOCTYPE html>", ""))))
    assert (finding.name, finding.detail) == ("document", "does not begin with <!DOCTYPE html>")
    assert "mail/frame.mjml.j2" in finding.mend


def test_a_paper_may_be_called_what_templates_are_made_of() -> None:
    issue = an_issue(1)
    entry = issue.digest.entries[0]
    told = replace(
        entry, paper=replace(entry.paper, title="None of {{ these }}: __init__ and nan in https://x.example.org")
    )
    issue = replace(issue, digest=replace(issue.digest, entries=(told,)))
    assert not failed(check(compiled(issue).message_for(READER, picks(1), date=NOON).content))


@given(st.one_of(st.binary(max_size=400), st.integers(0, len(GOOD)).map(lambda end: GOOD[:end])))
def test_no_bytes_break_the_checks(content: bytes) -> None:
    assert check(content)


@pytest.mark.parametrize(
    ("value", "colour"),
    [
        ("#fff", (255, 255, 255)),
        ("#A2381C", (162, 56, 28)),
        (" rgb(1, 2, 300) ", (1, 2, 255)),
        ("white", (255, 255, 255)),
        ("inherit", None),
    ],
)
def test_colours_are_read(value: str, colour: tuple[int, int, int] | None) -> None:
    assert colour_of(value) == colour


def test_contrast_is_what_wcag_says() -> None:
    assert ratio((0, 0, 0), (255, 255, 255)) == 21
    assert round(ratio((119, 119, 119), (255, 255, 255)), 2) == 4.48


@pytest.mark.parametrize(
    ("html", "words", "figure", "needed"),
    [
        ('<p style="color:#aaa">pale on the page', "pale on the page", 2.32, 4.5),
        ('<p style="color:#aaa"><b style="color:#000">x</b> what follows', "what follows", 2.32, 4.5),
        ('<p style="COLOR: #AAA !important">pale', "pale", 2.32, 4.5),
        ('<p style="color:silver">pale', "pale", 1.82, 4.5),
        ('<table bgcolor="#222222"><tr><td>dark', "dark", 1.32, 4.5),
        ('<div style="background:#222 url(a.png)"><p>dark', "dark", 1.32, 4.5),
        ('<p style="background-color:#fff;background:#222">dark', "dark", 1.32, 4.5),
        ('<p style="background:linear-gradient(#000,#111);color:#fff">no ground', "no ground", 1, 4.5),
        ('<div style="background-color:#222;color:#fff">x <a href="x">a link', "a link", 1.69, 4.5),
        ('<p style="color:#888;font-size:18pt">large', "large", 3.54, 3.0),
        ('<b style="font-size:20px"><i style="color:#888">large and bold', "large and bold", 3.54, 3.0),
        ('<h1><i style="color:#888">a heading', "a heading", 3.54, 3.0),
        ('<p style="border-color:#eee">black', "black", 21, 4.5),
    ],
)  # fmt: skip
def test_the_words_that_stand_out_least_are_found(html: str, words: str, figure: float, needed: float) -> None:
    worst = worst_contrast(document_fromstring(f"<html><body>{html}"))
    assert worst
    assert (worst.words, round(worst.ratio, 2), worst.needed) == (words, figure, needed)


@pytest.mark.parametrize(
    "style", ["display:none", "color:hsl(0 0% 0%)", "color:rgba(0,0,0,0.2)", "font-size:0", "opacity:.5"]
)
def test_words_that_hide_or_have_an_unknown_colour_are_not_measured(style: str) -> None:
    html = f'<html><body style="color:#ccc"><p style="{style}">x <i>y</i> z</p></body></html>'
    assert worst_contrast(document_fromstring(html)) is None


def test_what_stands_for_outlook_alone_is_not_held_against_a_mail() -> None:
    assert names_used('<!--[if mso]><div style="position:absolute">x</div><![endif]--><p style="cursor:help">x') == {
        "cursor"
    }


@pytest.mark.parametrize(
    ("html", "name"),
    [
        ('<p style="DISPLAY : inline-flex">', "display:flex"),
        ('<p style="margin:0 auto">', "margin:auto"),
        ('<p style="margin:0 0 -4px 0">', "negative margin"),
        ('<p style="margin:0 4px;max-width:calc(100% - 4px)">', "calc()"),
        ('<p style="font-size:1.2rem">', "rem"),
        ('<p style="background:#fff url(cid:a)">', "background-image"),
        ('<p style="font:12px x;background:linear-gradient(#fff,#000)">', "gradient"),
        ("<style>a:hover { color: red }</style>", ":hover"),
        ("<style>@media (prefers-color-scheme: dark) { p { color: red } }</style>", "prefers-color-scheme"),
        ("<style>p { color: red } li:nth-child(2n) { color: red }</style>", ":nth-child"),
        ("<style>:root { --ink: #000 }</style>", "var()"),
        ("<style>/* x */ @import 'a.css';</style>", "@import"),
        ("<body><style>p { color: red }</style>", "<style> in <body>"),
        ("<p hidden>", "hidden"),
        ('<img srcset="a.png 2x">', "srcset"),
        ("<section>", "<article>, <section> and their like"),
    ],
)
def test_what_some_mail_program_leaves_out_is_found(html: str, name: str) -> None:
    assert name in names_used(f"<html>{html}")


@pytest.mark.parametrize(
    "html",
    [
        '<p style="margin:0 4px;padding:8px;color:#fff;letter-spacing:-0.2px;text-align:left;font:700 14px x">',
        '<p style="position:static;float:none;display:block;transform:none" title="display:flex">calc(1px)</p>',
        "<style>p { margin: 0; border: 1px solid #ccc }</style>",
    ],
)
def test_what_all_mail_programs_show_is_left_alone(html: str) -> None:
    assert names_used(f"<html><head>{html}") == set()


def test_a_table_that_outlook_alone_sees_stands_in_for_a_width() -> None:
    wide = '<div style="max-width:600px">wide</div>'
    table = '<!--[if mso]><table role="presentation" width="600"><tr><td><![endif]-->'
    [feature] = [feature for feature in FEATURES if feature.name == "max-width"]
    assert feature.lacks_fallback(wide)
    assert not feature.lacks_fallback(table + wide)


def names_used(html: str) -> set[str]:
    return {feature.name for feature in used(document_fromstring(html))}
