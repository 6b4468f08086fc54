"""Pure: a finished mail read back from its bytes, for checks and for looking at it."""

import email
import email.policy
import re
from email.message import EmailMessage
from functools import cached_property

from lxml import etree
from lxml import html as markup


class Reading:
    """One mail as a mail program reads it; `content` is a whole MIME message, CRLF line ends.

    Whatever the bytes are, making one never raises; its properties may, where the mail is broken.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.head = content.split(b"\r\n\r\n", 1)[0]

    @cached_property
    def message(self) -> EmailMessage:
        """The message as the standard library parses it."""
        return email.message_from_bytes(self.content, _class=EmailMessage, policy=email.policy.default)

    @cached_property
    def text(self) -> str:
        """The plain-text part, or the empty string."""
        return self._part("plain")

    @cached_property
    def html(self) -> str:
        """The HTML part; the empty string for a reader of plain text."""
        return self._part("html")

    @cached_property
    def tree(self) -> "etree._Element":
        """The HTML part as a tree."""
        return markup.document_fromstring(self.html.encode(), parser=markup.HTMLParser(encoding="utf-8"))

    @cached_property
    def links(self) -> tuple[tuple[str, str], ...]:
        """Address and words of each link of the HTML part, in order."""
        return tuple((link.get("href", ""), words_of(link)) for link in self.tree.iter("a"))

    def header(self, name: str) -> list[str]:
        """Return the values of a header, unfolded but not decoded."""
        lines = re.sub(rb"\r\n[ \t]", b" ", self.head).decode("ascii", "replace").split("\r\n")
        return [value.strip() for field, _, value in (line.partition(":") for line in lines) if same(field, name)]

    def _part(self, kind: str) -> str:
        part = self.message.get_body((kind,))
        content = part.get_content() if part else ""
        return content.replace("\r\n", "\n") if isinstance(content, str) else ""


def same(one: str, other: str) -> bool:
    """Whether two header names are the same."""
    return one.strip().casefold() == other.casefold()


def words_of(element: "etree._Element") -> str:
    """Return the words inside an element on one line, without comments and style sheets."""
    return " ".join(" ".join(texts(element)).split())


def texts(element: "etree._Element") -> list[str]:
    """Return the texts inside an element, in order."""
    found = element.xpath(".//text()[not(parent::style) and not(parent::script)]")
    return [str(text) for text in found] if isinstance(found, list) else []
