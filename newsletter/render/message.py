"""Pure: one MIME message as bytes, made by hand because three of the standard library's header faults matter here.

It encodes a long List-Unsubscribe as an encoded-word (which kills one-click), loses spaces between folded Subject
words, and lets `=?UTF-8?Q?=0A?=` in a title become a new header (CVE-2024-6923). So: control characters go, `=?` is
broken up, each header has its own fold, and what is left over-long or unsafe is refused.
"""

import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.utils import format_datetime

from newsletter.render.text import visible

LINE = 76
ZERO_WIDTH_SPACE = "\u200b"
PLAIN_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+")  # RFC 5322 atoms and spaces: no quotes needed
ENVELOPE_SAFE = re.compile(r"[^\s<>\x00-\x1f\x7f]+@[^\s<>\x00-\x1f\x7f]+")


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What stands on every mail of a list: who sends, who is answered, and which list it is."""

    sender_name: str
    sender_address: str
    reply_to: str | None
    list_name: str
    list_id: str  # RFC 2919: stable for ever, with a dot in it


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One reader's mail before it is bytes."""

    message_id: str
    date: datetime
    to_name: str | None
    to_address: str
    subject: str
    text: str
    html: str | None
    list_unsubscribe: tuple[str, ...]
    one_click: bool


def to_bytes(letter: Letter, letterhead: Letterhead) -> bytes:
    """Return the mail with CRLF line ends: multipart/alternative with the text first, or plain text alone.

    Raises:
        ValueError: an address that cannot stand in a header or an envelope.
    """
    lines = [
        address_header("From", letterhead.sender_name, letterhead.sender_address),
        address_header("To", letter.to_name, letter.to_address),
        *([address_header("Reply-To", None, letterhead.reply_to)] if letterhead.reply_to else []),
        text_header("Subject", letter.subject),
        f"Date: {format_datetime(letter.date)}",
        f"Message-ID: <{letter.message_id}>",
        text_header("List-Id", letterhead.list_name, f"<{letterhead.list_id}>"),
        uris_header("List-Unsubscribe", letter.list_unsubscribe),
        *(["List-Unsubscribe-Post: List-Unsubscribe=One-Click"] if letter.one_click else []),
        "Auto-Submitted: auto-generated",  # RFC 3834: no vacation notices, please
        "MIME-Version: 1.0",
    ]
    head = "\r\n".join(lines).encode("ascii") + b"\r\n"
    if letter.html is None:
        return head + _part("text/plain", letter.text)
    boundary = "=_" + re.sub(r"\W", "", letter.message_id)[:40]
    parts = [_part("text/plain", letter.text), _part("text/html", letter.html)]
    body = b"".join(b"--" + boundary.encode() + b"\r\n" + part + b"\r\n" for part in parts)
    kind = f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n\r\n'
    return head + kind.encode() + body + b"--" + boundary.encode() + b"--\r\n"


def text_header(name: str, text: str, tail: str = "") -> str:
    """Return a header of words, folded by RFC 2047 where it is not ASCII, with an ASCII tail kept whole."""
    clean = header_text(text)
    charset = "us-ascii" if clean.isascii() else "utf-8"
    folded = Header(clean, charset, maxlinelen=LINE, header_name=name).encode(linesep="\r\n")
    if not tail:
        return f"{name}: {folded}"
    last = f"{name}: {folded}".rsplit("\r\n", 1)[-1]
    space = " " if len(last) + len(tail) < LINE else "\r\n "
    return f"{name}: {folded}{space}{tail}"


def address_header(name: str, display: str | None, address: str) -> str:
    """Return a header of one mailbox (RFC 5322 section 3.4).

    Raises:
        ValueError: the address is not ASCII or holds characters that an envelope must not.
    """
    if not address.isascii():
        raise ValueError("an address outside ASCII needs SMTPUTF8, which this sender does not speak yet")
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
    return f"{name}: " + ",\r\n ".join(f"<{uri}>" for uri in uris)


def header_text(text: str) -> str:
    """Return text that cannot end a header or pass for an encoded-word, with white space collapsed."""
    return visible(text).replace("=?", f"={ZERO_WIDTH_SPACE}?")


def quoted_printable(text: str) -> bytes:
    """Return text as quoted-printable with CRLF line ends and lines of at most 76 characters (RFC 2045 6.7)."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    # b2a_qp breaks lines as the first line ends, so there must be a line end to look at.
    return binascii.b2a_qp(lines.replace("\n", "\r\n").encode() + b"\r\n", istext=True)[:-2]


def _part(kind: str, text: str) -> bytes:
    head = f"Content-Type: {kind}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
    return head.encode() + quoted_printable(text.rstrip("\n") + "\n")
