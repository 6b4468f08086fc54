"""Pure: one finished mail checked, from its bytes alone, for what readers and mail programs stumble over."""

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from urllib.parse import quote, urlsplit

from lxml import etree

from newsletter.render.compiled import HTML_BUDGET
from newsletter.render.contrast import worst_contrast
from newsletter.render.reading import Reading, texts, words_of
from newsletter.render.support import declarations, stylesheets, used
from newsletter.render.words import PREHEADER

OK, WARN, FAIL = "ok", "warn", "fail"
COLUMNS = 78  # RFC 5322 section 2.1.1
QUOTED_LINE, LONGEST_LINE = 76, 998  # RFC 2045 section 6.7, RFC 5322 section 2.1.1
LEFTOVER = re.compile(r"(?<![\w-])__\d*_?[A-Z][A-Z_]*__(?![\w-])")  # bounded: a signed token may hold the like
UNRENDERED = re.compile(r"\{\{|\{%|%7B%7B|%7B%25", re.IGNORECASE)
SUBJECT = re.compile(r"^subject:.*(?:\r\n[ \t].*)*", re.IGNORECASE | re.MULTILINE)  # a paper's own words
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
NOTHING = {"None", "nan", "undefined"}
NOTHING_IN_ADDRESS = re.compile(r"(?:^|[/=:])(?:None|nan|undefined)(?=$|[/?&#])")
TAG = re.compile(
    r"</?(?:a|b|body|br|div|em|h[1-6]|head|html|i|img|li|p|span|strong|style|t[dr]|table|ul)(?:[ /][^<>\n]*)?>"
)
ENTITY = re.compile(r"&(?:amp|apos|gt|hellip|lt|mdash|nbsp|ndash|quot|zwnj|#\d+|#x[0-9a-f]+);", re.IGNORECASE)
VAGUE = {"here", "click here", "read more", "more", "link", "read paper", "this", "learn more", "details"}
ONCE = ("From", "To", "Date", "Message-ID", "Subject", "MIME-Version")
AT_MOST_ONCE = ("List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID", "Reply-To", "Content-Type")
NEVER_ENCODED = ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Feedback-ID")
PADDING = "\u034f\u200c\u200b\u00a0\u2007\u00ad\ufeff \n"  # what keeps the mail's first words out of the inbox's line
REMOTE = re.compile(r"@import|url\(\s*['\"]?\s*(?:https?:)?//", re.IGNORECASE)
ACTIVE = ("script", "iframe", "frame", "object", "embed", "form", "link", "base")
LOADED = ("video", "audio", "source", "track", "input")
CONDITIONAL = re.compile(r"<!(?:--)?\[if\b|<!\[endif\]", re.IGNORECASE)
DARK = re.compile(r"@media[^{]*prefers-color-scheme\s*:\s*dark", re.IGNORECASE)
HAS_HTML = re.compile(rb"^content-type:\s*text/html", re.IGNORECASE | re.MULTILINE)
STRUCTURES = (["text/plain"], ["multipart/alternative", "text/plain", "text/html"])
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
    return tuple(rule(mail) for rule in (*MESSAGE_RULES, *(HTML_RULES if HAS_HTML.search(content) else ())))


def failed(findings: tuple[Finding, ...]) -> tuple[Finding, ...]:
    """Return the findings that fail."""
    return tuple(finding for finding in findings if finding.state == FAIL)


def _headers(mail: Reading) -> Faults:
    counts = {name: len(mail.header(name)) for name in ONCE + AT_MOST_ONCE}
    yield from (f"{name} stands {counts[name]} times" for name in ONCE if counts[name] != 1)
    yield from (f"{name} stands {counts[name]} times" for name in AT_MOST_ONCE if counts[name] > 1)
    yield from (f"{name} is empty" for name in ONCE if "" in mail.header(name))
    sender = "".join(mail.header("From")[:1]).rpartition("@")[2].strip("> ")
    if any(not ident.endswith(f"@{sender}>") for ident in mail.header("Message-ID")):
        yield f"the Message-ID is not at {sender}"
    for word in re.findall(rb"=\?[^\s?]*\?.\?[^\s?]*\?=", mail.head):
        if len(word) > 75:  # noqa: PLR2004 - RFC 2047 section 2
            yield f"an encoded-word has {len(word)} characters"
    if b"?==?" in mail.head:
        yield "two encoded-words stand without a space, and only white space ends one"
    for name, value in mail.message.items():
        yield from (f"{name}: {type(defect).__name__}" for defect in getattr(value, "defects", ()))


def _list_headers(mail: Reading) -> Faults:
    for name in NEVER_ENCODED:
        if any("=?" in value for value in mail.header(name)):
            yield f"{name} is encoded, so that nobody can read it"
    leave, post = mail.header("List-Unsubscribe"), mail.header("List-Unsubscribe-Post")
    if mail.header("List-Id") and not leave:
        yield "a mail of a list without List-Unsubscribe"
    for way in re.findall(r"<([^>]*)>", " ".join(leave)):
        if urlsplit(way).scheme not in {"https", "mailto"}:
            yield f"List-Unsubscribe takes https and mailto alone: {way[:60]}"
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
    kinds = [part.get_content_type() for part in mail.message.walk()]
    if kinds not in STRUCTURES:
        yield f"the parts are {', '.join(kinds)}"
    for part in (part for part in mail.message.walk() if not part.is_multipart()):
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
    if mail.html:
        # What the HTML shows as words too is a paper's own.
        shown = _joined(texts(mail.tree))
        marks = [found[0] for pattern in (TAG, ENTITY) for found in pattern.finditer(mail.text)]
        yield from (f"markup in plain text: {mark[:40]}" for mark in marks if _joined([mark]) not in shown)


def _leftovers(mail: Reading) -> Faults:
    head = mail.head.decode("ascii", "replace")
    for part in (head, mail.text, mail.html):
        yield from (f"{found} was not filled in" for found in LEFTOVER.findall(part))
        yield from (f"the character {found!a} was not filled in" for found in CONTROL.findall(part))
    if UNRENDERED.search(SUBJECT.sub("", head)):
        yield "a header holds template code"
    shown = mail.text.splitlines()
    if mail.html:
        shown += texts(mail.tree)
        given = [node.get(name, "") for node in mail.tree.iter("*") for name in ("href", "src", "style")]
        bad = [value for value in given if UNRENDERED.search(value) or NOTHING_IN_ADDRESS.search(value)]
        yield from (f"an address or a style was not filled in: {value[:60]}" for value in bad)
    for piece in (piece.strip() for line in shown for piece in line.split("·")):
        if piece in NOTHING:
            yield f"{piece} stands where words should"


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
    if mail.tree.get("lang") == "und":
        yield "the language is und: unknown"
    ends = ["endif" in found.lower() for found in CONDITIONAL.findall(mail.html)]
    if ends != [False, True] * (len(ends) // 2):
        yield "an Outlook conditional is not closed before the next one"


def _headings(mail: Reading) -> Faults:
    nodes = list(mail.tree.iter("h1", "h2", "h3", "h4", "h5", "h6"))
    levels = [int(str(node.tag)[1]) for node in nodes]
    if levels.count(1) != 1:
        yield f"{levels.count(1)} headings of the first level"
    elif levels[0] > 1:
        yield f"the first heading is of level {levels[0]}"
    if mail.header("List-Id") and levels.count(2) == 0:
        yield "an issue without a heading of the second level"
    # The h1 is the list's own title, a setting; and a paper may be called a space that is none of ASCII's.
    papers = [node for node, level in zip(nodes, levels, strict=True) if level > 1]
    if any(not "".join(texts(node)).strip(" \t\r\n") for node in papers):
        yield "a heading without words"
    for before, after in pairwise(levels):
        if after > before + 1:
            yield f"a heading of level {after} follows one of level {before}"


def _access(mail: Reading) -> Faults:
    for image in mail.tree.iter("img"):
        if image.get("alt") is None or not image.get("width"):
            yield f"a picture has no alt text or no width: {image.get('src', '')[:60]}"
    data = {next(cell.iterancestors("table"), None) for cell in mail.tree.iter("th")}
    if any(table.get("role") not in {"presentation", "none"} for table in mail.tree.iter("table") if table not in data):
        yield "a table for layout has no role=presentation"
    hidden = (tag for note in mail.tree.iter(etree.Comment) for tag in re.findall(r"<table\b[^>]*>", note.text or ""))
    if any("role=" not in tag for tag in hidden):
        yield "a table for Outlook has no role=presentation"


def _links(mail: Reading) -> Faults:
    targets: dict[str, set[str]] = defaultdict(set)
    for link in mail.tree.iterfind(".//a[@href]"):
        address, words = link.get("href", ""), _name(link)
        if urlsplit(address).scheme not in {"http", "https", "mailto"}:
            yield f"leads nowhere a mail may lead: {address[:60]!r}"
        if not words or words.casefold() in VAGUE:
            yield f"the words {words!r} do not say where the link leads"
        targets[words.casefold()].add(address)
    yield from (f"{words[:40]!r} leads to {len(to)} places" for words, to in targets.items() if len(to) > 1)


def _same_links(mail: Reading) -> Faults:
    told = {_escaped(address) for address in re.findall(r"(?:https?|mailto):\S+", mail.text, re.IGNORECASE)}
    in_html, in_text = {_escaped(address) for address, _ in mail.links if address}, told
    ends_in_words = {address.rstrip(".,;:!?)") for address in told}
    yield from (f"only in the HTML: {address[:60]}" for address in sorted(in_html - in_text - ends_in_words))
    # A title may hold an address, which nobody made a link of.
    own_lines = {_escaped(line.strip()) for line in mail.text.split("\n")}
    yield from (f"only in the text: {address[:60]}" for address in sorted((in_text & own_lines) - in_html))


def _preheader(mail: Reading) -> Faults:
    body = mail.tree.find("body")
    first = next((text for text in texts(body) if text.strip(PADDING)), "") if body is not None else ""
    words = first.strip(PADDING)
    if not any(first in texts(node) for node in mail.tree.iterfind(".//body//*[@style]") if _hidden(node)):
        yield f"the mail begins with words that show, not with a hidden preheader: {words[:50]!r}"
    if not PREHEADER[0] <= len(words) <= PREHEADER[1]:
        yield f"{len(words)} characters: {words[:50]!r}; inboxes show {PREHEADER[0]} to {PREHEADER[1]}"
    if len(first) - len(words) < PREHEADER[0]:
        yield "no padding behind it, so that the mail's first words are shown too"


def _active(mail: Reading) -> Faults:
    yield from (f"<{node.tag}>" for node in mail.tree.iter(*ACTIVE))
    yield from (f"<{node.tag}> loads {node.get('src')}" for node in mail.tree.iter(*LOADED) if node.get("src"))
    if any(node.get("http-equiv", "").casefold() == "refresh" for node in mail.tree.iter("meta")):
        yield "<meta> leads away by itself"
    for node in mail.tree.iter():
        yield from (f"the attribute {name}" for name in map(str, node.attrib) if name.casefold().startswith("on"))
    styles = (stylesheets(mail.tree), *(node.get("style", "") for node in mail.tree.iter("*")))
    yield from (f"a remote resource: {found}" for style in styles for found in REMOTE.findall(style))


def _dark(mail: Reading) -> Faults:
    if not DARK.search(stylesheets(mail.tree)):
        yield "no colours for dark mode"


def _contrast(mail: Reading) -> Faults:
    worst = worst_contrast(mail.tree)
    if worst and worst.ratio < worst.needed:
        yield f"{worst.ratio:.1f} to 1 where {worst.needed} are needed, {worst.ink} on {worst.ground}: {worst.words!r}"


def _support(mail: Reading) -> Faults:
    for feature in used(mail.tree):
        if feature.lacks_fallback(mail.html):
            yield f"{feature.name} is left out by {', '.join(feature.missing)}; it needs {feature.instead} beside it"


def _name(node: etree._Element) -> str:
    """What a screen reader says for an element: its label, else its words and its pictures' alt texts."""
    words = [words_of(node), *(image.get("alt", "") for image in node.iter("img"))]
    return " ".join((node.get("aria-label") or " ".join(words)).split())


def _hidden(node: etree._Element) -> bool:
    return ("display", "none") in declarations(node.get("style", ""))


def _joined(words: Iterable[str]) -> str:
    """Words without white space, so that they compare however they were wrapped."""
    return "".join("".join(words).split())


def _escaped(address: str) -> str:
    """An address as premailer and browsers write it: é as %C3%A9."""
    return quote(address, safe="%/:?#[]@!$&'()*+,;=~")


def _told_contrast(mail: Reading) -> str:
    worst = worst_contrast(mail.tree)
    return f"at least {worst.ratio:.1f} to 1, in light" if worst else "nothing to measure"


def _told_support(mail: Reading) -> str:
    found = used(mail.tree)
    decoration = sum(not feature.instead for feature in found)
    return f"{decoration} left out somewhere as decoration, {len(found) - decoration} with a fallback"


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
