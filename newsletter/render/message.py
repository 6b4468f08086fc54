"""Pure: one MIME message as bytes, made by hand because three of the standard library's header faults matter here.

It encodes a long List-Unsubscribe as an encoded-word (which kills one-click), loses spaces between folded Subject
words, and lets `=?UTF-8?Q?=0A?=` in a title become a new header (CVE-2024-6923). So: control characters go, `=?` is
broken up, each header has its own fold, and what is left over-long or unsafe is refused.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime
from functools import lru_cache

from newsletter.models import Issue
from newsletter.render.text import visible

LINE = 76
ZERO_WIDTH_SPACE = "\u200b"
PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")  # RFC 5322 atoms and spaces: no quotes needed
# The bodies are quoted-printable, which never holds `=_`.
BOUNDARY = b"=_newsletter"
_ENCODED = b"; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
PLAIN = b"Content-Type: text/plain" + _ENCODED  # ends the head of a mail without HTML; the text follows
BOTH = b'Content-Type: multipart/alternative;\r\n boundary="%b"\r\n\r\n--%b\r\n' % (BOUNDARY, BOUNDARY) + PLAIN
HTML = b"\r\n--%b\r\nContent-Type: text/html" % BOUNDARY + _ENCODED
END = b"\r\n--%b--\r\n" % BOUNDARY
PLAIN_WORDS = re.compile(r"[A-Za-z0-9 ,.:;!?'()/+-]+")  # what needs neither encoding nor folding
PLAIN_MAILBOX = re.compile(r"(?=.{1,75}$)\w+: [A-Za-z0-9]+(?: [A-Za-z0-9]+)* <[A-Za-z0-9._+-]+@[A-Za-z0-9.-]+>")
ENVELOPE_SAFE = re.compile(r"[^\s<>\x00-\x1f\x7f]+@[^\s<>\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What stands on every mail of a list: who sends, who is answered, and which list it is."""

    sender_name: str
    sender_address: str
    reply_to: str | None
    list_name: str
    list_id: str  # RFC 2919: stable for ever, with a dot in it


def common_head(letterhead: Letterhead, subject: str, feedback: str) -> bytes:
    """Return the headers that all copies with one subject share, each line ended."""
    return notice_head(letterhead, subject) + _lines(
        text_header("List-Id", letterhead.list_name, f"<{letterhead.list_id}>"), f"Feedback-ID: {feedback}"
    )


def notice_head(letterhead: Letterhead, subject: str) -> bytes:
    """Return the headers of every mail, of an issue or not, each line ended."""
    return _lines(
        address_header("From", letterhead.sender_name, letterhead.sender_address),
        *([address_header("Reply-To", None, letterhead.reply_to)] if letterhead.reply_to else []),
        text_header("Subject", subject),
        "Auto-Submitted: auto-generated",  # RFC 3834: no vacation notices, please
        "MIME-Version: 1.0",
    )


def personal_head(
    to: str, date: datetime, message_id: str, list_unsubscribe: tuple[str, ...] = (), *, one_click: bool = False
) -> bytes:
    """Return the headers that are one copy's own, each line ended.

    Args:
        to: the To header.
        date: an aware moment.
        message_id: without its angle brackets.
        list_unsubscribe: the URIs, most preferred first.
        one_click: whether the first is an https address that takes RFC 8058's POST.
    """
    post = "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" if one_click else ""
    uris = uris_header("List-Unsubscribe", list_unsubscribe) + "\r\n" if list_unsubscribe else ""
    return f"{to}\r\nDate: {_date(date)}\r\nMessage-ID: <{message_id}>\r\n{uris}{post}".encode()


def feedback_id(issue: Issue, letterhead: Letterhead) -> str:
    """Return Gmail's Feedback-ID: the issue, its cadence, the list, and who sends, most special first.

    No value is a reader's, none comes twice, and the last has 5 to 15 characters that never change (Gmail's help on
    the Feedback Loop).
    """
    sender = re.sub(r"[^a-z0-9]", "", letterhead.sender_address.rpartition("@")[2].casefold())[:15].ljust(5, "0")
    cadence = issue.digest.period.cadence
    return f"{issue.key.replace('/', '-')}:{cadence}:list-{re.sub(r'[^a-z0-9-]', '-', issue.list_id)}:{sender}"


@lru_cache(maxsize=64)
def _date(moment: datetime) -> str:
    return format_datetime(moment)


def _lines(*headers: str) -> bytes:
    return ("\r\n".join(headers) + "\r\n").encode("ascii")


def text_header(name: str, text: str, tail: str = "") -> str:
    """Return a header of words, folded by RFC 2047 where it is not ASCII, with an ASCII tail kept whole."""
    clean = header_text(text)
    if PLAIN_WORDS.fullmatch(clean) and len(name) + len(clean) + len(tail) + 3 < LINE:
        return f"{name}: {clean} {tail}" if tail else f"{name}: {clean}"
    charset = "us-ascii" if clean.isascii() else "utf-8"
    folded = Header(clean, charset, maxlinelen=LINE, header_name=name).encode(linesep="\r\n")
    if not tail:
        return f"{name}: {folded}"
    last = f"{name}: {folded}".rsplit("\r\n", 1)[-1]
    space = " " if len(last) + len(tail) < LINE else "\r\n "
    return f"{name}: {folded}{space}{tail}"


def address_header(name: str, display: str | None, address: str) -> str:
    """Return a header of one mailbox (RFC 5322 section 3.4); an address outside ASCII stands as it is (RFC 6532).

    Raises:
        ValueError: the address holds characters that an envelope must not.
    """
    if display and PLAIN_MAILBOX.fullmatch(whole := f"{name}: {display} <{address}>"):
        return whole  # nearly always; what follows takes three times as long
    if not ENVELOPE_SAFE.fullmatch(address):
        raise ValueError("an address with spaces, angle brackets or control characters cannot be mailed")
    clean = header_text(display or "")
    if not clean:
        return f"{name}: {address}"
    if clean.isascii() and not PLAIN_NAME.fullmatch(clean):
        quoted = clean.replace("\\", "\\\\").replace('"', '\\"')
        return f'{name}: "{quoted}"\r\n <{address}>'
    return text_header(name, clean, f"<{address}>")


def uris_header(name: str, uris: Iterable[str]) -> str:
    """Return a header of `<URI>` items, one a line and never encoded (RFC 2369 section 2)."""
    items = ">,\r\n <".join(uris)
    return f"{name}: <{items}>"


def header_text(text: str) -> str:
    """Return text that cannot end a header or pass for an encoded-word, with white space collapsed."""
    return visible(text).replace("=?", f"={ZERO_WIDTH_SPACE}?")
