"""Pure: one finished mail checked, from its bytes alone, for what readers and mail programs stumble over."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import urlsplit

from newsletter.render.compiled import HTML_BUDGET
from newsletter.render.contrast import worst_contrast
from newsletter.render.reading import Reading, texts, words_of
from newsletter.render.support import unsupported
from newsletter.render.words import PREHEADER

OK, WARN, FAIL = "ok", "warn", "fail"
COLUMNS = 78  # RFC 5322 section 2.1.1
QUOTED_LINE, LONGEST_LINE = 76, 998  # RFC 2045 section 6.7, RFC 5322 section 2.1.1
LEFTOVER = re.compile(r"__\d*_?[A-Z][A-Z_]*__")
UNRENDERED = re.compile(r"\{\{|\{%|%7B%7B")
VAGUE = {"here", "click here", "read more", "more", "link", "read paper"}
ONCE = ("From", "To", "Date", "Message-ID", "Subject")
NEVER_ENCODED = ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Feedback-ID")
PADDING = "\u034f\u200c\u00a0 "  # what keeps the mail's first words out of the inbox's line
REMOTE = re.compile(r"<link\b|@import|<iframe\b|url\(\s*['\"]?https?:", re.IGNORECASE)
Faults = Iterator[str]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a check found: `state` is ok, warn or fail; `mend` says what to do where it is not ok."""

    name: str
    state: str
    detail: str
    mend: str = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A check: what yields its faults, what is said where there are none, and the mend; a fault fails or warns."""

    name: str
    faults: Callable[[Reading], Faults]
    fine: Callable[[Reading], str]
    mend: str
    state: str = FAIL

    def __call__(self, mail: Reading) -> Finding:
        """Check a mail; whatever is wrong with it, that is a finding and no exception."""
        try:
            first, *others = [*self.faults(mail), ""]
            fine = self.fine(mail)
        except Exception as fault:  # noqa: BLE001 - what a broken mail raises has no common root
            return Finding(self.name, FAIL, f"cannot be read: {type(fault).__name__}: {fault}", self.mend)
        if not first:
            return Finding(self.name, OK, fine)
        more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
        return Finding(self.name, self.state, f"{first}{more}", self.mend)


def check(content: bytes) -> tuple[Finding, ...]:
    """Check a whole MIME message with CRLF line ends: one finding a check, in a fixed order; never raises.

    A mail without HTML is spared the checks of HTML.
    """
    mail = Reading(content)
    has_html = b"text/html" in content
    return tuple(rule(mail) for rule in (*MESSAGE_RULES, *(HTML_RULES if has_html else ())))


def failed(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings that fail."""
    return tuple(finding for finding in findings if finding.state == FAIL)


def _headers(mail: Reading) -> Faults:
    for name in ONCE:
        if (number := len(mail.header(name))) != 1:
            yield f"{name} stands {number} times"
    sender = mail.header("From")[0].rpartition("@")[2].strip("> ")
    if not mail.header("Message-ID")[0].endswith(f"@{sender}>"):
        yield f"the Message-ID is not at {sender}"
    for word in re.findall(rb"=\?[^\s?]*\?.\?[^\s?]*\?=", mail.head):
        if len(word) > 75:  # noqa: PLR2004 - RFC 2047 section 2
            yield f"an encoded-word has {len(word)} characters"


def _list_headers(mail: Reading) -> Faults:
    for name in NEVER_ENCODED:
        if any("=?" in value for value in mail.header(name)):
            yield f"{name} is encoded, so that nobody can read it"
    leave, post = mail.header("List-Unsubscribe"), mail.header("List-Unsubscribe-Post")
    if mail.header("List-Id") and not leave:
        yield "a mail of a list without List-Unsubscribe"
    secure = bool(leave) and "<https://" in leave[0]
    if secure != (post == ["List-Unsubscribe=One-Click"]):
        yield "List-Unsubscribe-Post and an https address come together or not at all"


def _one_click(mail: Reading) -> Faults:
    if mail.header("List-Unsubscribe") and not mail.header("List-Unsubscribe-Post"):
        yield "leaving takes a mail; Gmail and Yahoo ask bulk senders for one click"


def _encoding(mail: Reading) -> Faults:
    if re.search(rb"(?<!\r)\n|\r(?!\n)", mail.content):
        yield "a line does not end with CRLF"
    if any(len(line) > LONGEST_LINE for line in mail.content.split(b"\r\n")):
        yield f"a line is longer than {LONGEST_LINE} characters"
    parts = [part for part in mail.message.walk() if not part.is_multipart()]
    kinds = [part.get_content_type() for part in parts]
    if kinds not in (["text/plain"], ["text/plain", "text/html"]):
        yield f"the parts are {', '.join(kinds)}"
    for part in parts:
        if part.get("Content-Transfer-Encoding") != "quoted-printable" or part.get_content_charset() != "utf-8":
            yield f"{part.get_content_type()} is not UTF-8 in quoted-printable"
        if any(len(line) > QUOTED_LINE for line in str(part.get_payload()).splitlines()):
            yield f"{part.get_content_type()} has a line of more than {QUOTED_LINE} characters"
    yield from (f"{defect!r}" for part in mail.message.walk() for defect in part.defects)


def _text(mail: Reading) -> Faults:
    for line in mail.text.split("\n"):
        if len(line) > COLUMNS and " " in line.strip():
            yield f"a line of {len(line)} columns: {line[:30]!r}"
    if not mail.text.strip():
        yield "there is no plain text"


def _leftovers(mail: Reading) -> Faults:
    for part in filter(None, (mail.text, mail.html)):
        yield from (f"{found} was not filled in" for found in LEFTOVER.findall(part))
    if UNRENDERED.search(mail.head.decode("ascii", "replace")):
        yield "a header holds template code"
    if mail.html:
        for address, words in mail.links:
            if UNRENDERED.search(address) or words in {"None", "nan", "undefined"}:
                yield f"a link was not filled in: {words or address}"


def _size(mail: Reading) -> Faults:
    if (size := len(mail.html.encode())) > HTML_BUDGET:
        yield f"{size:,} bytes of HTML; Gmail clips near 102,000"


def _document(mail: Reading) -> Faults:
    if not mail.html.startswith("<!DOCTYPE html>"):
        yield "does not begin with <!DOCTYPE html>"
    for name in ("lang", "dir"):
        if not mail.tree.get(name):
            yield f"<html> has no {name}"
    if not (mail.tree.findtext("head/title") or "").strip():
        yield "there is no title"
    if mail.html.count("<!--[if") != mail.html.count("<![endif]"):
        yield "an Outlook conditional is never closed"


def _headings(mail: Reading) -> Faults:
    levels = [int(str(node.tag)[1]) for node in mail.tree.iter("h1", "h2", "h3", "h4")]
    if levels.count(1) != 1:
        yield f"{levels.count(1)} headings of the first level"
    for before, after in pairwise(levels):
        if after > before + 1:
            yield f"a heading of level {after} follows one of level {before}"


def _access(mail: Reading) -> Faults:
    for image in mail.tree.iter("img"):
        if image.get("alt") is None or not image.get("width"):
            yield f"a picture has no alt text or no width: {image.get('src', '')[:60]}"
    if any(table.get("role") != "presentation" for table in mail.tree.iter("table")):
        yield "a table for layout has no role=presentation"


def _links(mail: Reading) -> Faults:
    targets: dict[str, set[str]] = defaultdict(set)
    for address, words in mail.links:
        if urlsplit(address).scheme not in {"http", "https", "mailto"}:
            yield f"leads nowhere a mail may lead: {address[:60]!r}"
        if not words or words.casefold() in VAGUE:
            yield f"the words {words!r} do not say where the link leads"
        targets[words.casefold()].add(address)
    yield from (f"{words[:40]!r} leads to {len(to)} places" for words, to in targets.items() if len(to) > 1)


def _same_links(mail: Reading) -> Faults:
    told = re.findall(r"(?:https?|mailto):\S+", mail.text, re.IGNORECASE)
    in_html, in_text = {address for address, _ in mail.links}, set(told)
    yield from (f"only in the HTML: {address[:60]}" for address in sorted(in_html - in_text))
    # A title may hold an address, which nobody made a link of.
    own_lines = {line.strip() for line in mail.text.split("\n")}
    yield from (f"only in the text: {address[:60]}" for address in sorted((in_text & own_lines) - in_html))


def _preheader(mail: Reading) -> Faults:
    body = mail.tree.find("body")
    first = next((text for text in texts(body) if text.strip()), "") if body is not None else ""
    words = first.rstrip(PADDING)
    if not PREHEADER[0] <= len(words) <= PREHEADER[1]:
        yield f"{len(words)} characters: {words[:50]!r}; inboxes show {PREHEADER[0]} to {PREHEADER[1]}"
    if len(first) - len(words) < PREHEADER[0]:
        yield "no padding behind it, so that the mail's first words are shown too"


def _active(mail: Reading) -> Faults:
    yield from (f"<{node.tag}>" for node in mail.tree.iter("script", "iframe", "object", "embed", "form", "link"))
    for node in mail.tree.iter():
        yield from (f"the attribute {name}" for name in map(str, node.attrib) if name.casefold().startswith("on"))
    yield from (f"a remote resource: {found}" for found in REMOTE.findall(mail.html))


def _dark(mail: Reading) -> Faults:
    if "prefers-color-scheme" not in mail.html:
        yield "no colours for dark mode"


def _contrast(mail: Reading) -> Faults:
    worst = worst_contrast(mail.tree)
    if worst and worst.ratio < worst.needed:
        yield f"{worst.ratio:.1f} to 1 where {worst.needed} are needed: {worst.words!r}"


def _support(mail: Reading) -> Faults:
    for feature in unsupported(mail.html):
        if not feature.decoration:
            yield f"{feature.name} is left out by {', '.join(feature.missing)}"


def _told_contrast(mail: Reading) -> str:
    worst = worst_contrast(mail.tree)
    return f"at least {worst.ratio:.1f} to 1, in light" if worst else "nothing to measure"


def _told_support(mail: Reading) -> str:
    names = ", ".join(feature.name for feature in unsupported(mail.html))
    return f"as decoration only: {names}" if names else "nothing that the big mail programs leave out"


MESSAGE_RULES = (
    Rule("headers", _headers, lambda mail: f"{len(mail.message.keys())} headers", "report it: the program makes these"),
    Rule("leaving", _list_headers, lambda _: "List-Unsubscribe as it should be", "set base_url to an https address"),
    Rule("one click", _one_click, lambda _: "one click, or no list", "set base_url once the list has pages", WARN),
    Rule("encoding", _encoding, lambda mail: f"{len(mail.content):,} bytes, quoted-printable", "report it"),
    Rule("text", _text, lambda mail: f"{len(mail.text.splitlines())} lines", "wrap the lines of the .txt template"),
    Rule("gaps", _leftovers, lambda _: "all filled in", "check what the templates do with the named value"),
)
HTML_RULES = (
    Rule("size", _size, lambda mail: f"{len(mail.html.encode()):,} of {HTML_BUDGET:,} bytes", "make the mail smaller"),
    Rule(
        "document", _document, lambda _: "doctype, language, title", "compare mail/frame.mjml.j2 with the shipped one"
    ),
    Rule("headings", _headings, lambda mail: words_of(next(mail.tree.iter("h1"))), "one h1, then h2 for each paper"),
    Rule("access", _access, lambda _: "pictures and tables explain themselves", "add alt and width, or the role"),
    Rule("links", _links, lambda mail: f"{len(mail.links)} links", "let the words of a link name its target"),
    Rule("both parts", _same_links, lambda _: "the same links in both parts", "put the link into both templates"),
    Rule(
        "preheader", _preheader, lambda _: f"{PREHEADER[0]} to {PREHEADER[1]} characters, padded", "edit the preheader"
    ),
    Rule("inert", _active, lambda _: "nothing runs, nothing is loaded but pictures", "take it out of the template"),
    Rule("dark mode", _dark, lambda _: "has colours of its own", "keep the media rule of mail/frame.mjml.j2", WARN),
    Rule("contrast", _contrast, _told_contrast, "choose a darker or lighter colour in theme.toml"),
    Rule("support", _support, _told_support, "give it a fallback, or leave it out", WARN),
)
