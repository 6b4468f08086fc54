"""The bytes of a mail: what goes in comes out again, and nothing a paper or reader holds makes a header."""

import email
import email.policy
import re
from dataclasses import dataclass, replace
from datetime import datetime
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import getaddresses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from newsletter.render import message as mime
from newsletter.render.message import Letterhead, header_text
from newsletter.render.quoted import quoted_printable
from tests.make import NOON


@dataclass(frozen=True)
class Letter:
    """One mail before it is bytes."""

    message_id: str
    date: datetime
    to_name: str | None
    to_address: str
    subject: str
    text: str
    html: str | None
    list_unsubscribe: tuple[str, ...]
    one_click: bool


def to_bytes(letter: Letter, head: Letterhead) -> bytes:
    to = mime.address_header("To", letter.to_name, letter.to_address)
    uris, one_click = letter.list_unsubscribe, letter.one_click
    own = mime.personal_head(to, letter.date, letter.message_id, uris, one_click=one_click)
    shared = mime.common_head(head, letter.subject, "daily-2025-12-25:daily:list-papers:exampleorg")
    text = quoted_printable(letter.text)
    if letter.html is None:
        return shared + own + mime.PLAIN + text
    return shared + own + mime.BOTH + text + mime.HTML + quoted_printable(letter.html) + mime.END


HEAD = Letterhead("Newsletter", "news@example.org", None, "Trending Papers", "papers.example.org")
TOKEN = "https://news.example.org/unsubscribe/" + "x" * 300
LETTER = Letter(
    message_id="abc@example.org",
    date=NOON,
    to_name="Ada",
    to_address="ada@example.org",
    subject="A paper · 9 more",
    text="Hello\n.\n..two\n" + "long " * 40,
    html="<!DOCTYPE html><p>Grüße</p>\n",
    list_unsubscribe=(TOKEN, "mailto:news@example.org?subject=unsubscribe%20" + "x" * 80),
    one_click=True,
)
NAMES = [
    "From",
    "Subject",
    "Auto-Submitted",
    "MIME-Version",
    "List-Id",
    "Feedback-ID",
    "To",
    "Date",
    "Message-ID",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Content-Type",
]
ATTACK = "x =?UTF-8?Q?=0A?=Bcc: eve@example.net"


def parsed(letter: Letter, head: Letterhead = HEAD) -> EmailMessage:
    content = to_bytes(letter, head)
    assert b"\r\n" in content
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", content)
    message = email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default)
    assert [defect for part in message.walk() for defect in part.defects] == []
    return message


def test_a_mail_has_each_header_once_and_its_text_before_its_html() -> None:
    message = parsed(LETTER)
    assert message.keys() == NAMES
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert message["Date"].datetime == NOON
    assert message["Message-ID"] == "<abc@example.org>"


def test_a_reader_of_plain_text_gets_one_part() -> None:
    message = parsed(replace(LETTER, html=None))
    assert message.get_content_type() == "text/plain"
    assert message.get_content().startswith("Hello")


def test_unsubscribe_headers_are_never_encoded_or_broken() -> None:
    raw = to_bytes(LETTER, HEAD).decode()
    assert f"<{TOKEN}>" in raw
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw
    assert "List-Unsubscribe-Post" not in to_bytes(replace(LETTER, one_click=False), HEAD).decode()


def test_lines_are_short_enough_for_every_relay() -> None:
    content = to_bytes(replace(LETTER, html="<p>" + "ü" * 5000, subject="ü" * 500), HEAD)
    body = content.split(b"\r\n\r\n", 1)[1]
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert max(map(len, body.split(b"\r\n"))) <= 76


@given(st.text())
@example(ATTACK)
@example("a\r\nBcc: eve@example.net")
@example("two  spaces " + "ü " * 60)
@example("\ud800")
def test_any_subject_survives_and_adds_no_header(text: str) -> None:
    message = parsed(replace(LETTER, subject=text))
    assert message.keys() == NAMES
    assert " ".join(str(message["Subject"]).split()) == header_text(text)
    for word in re.findall(r"=\?[^ ]+\?=", to_bytes(replace(LETTER, subject=text), HEAD).decode()):
        assert len(word) <= 75


@given(st.text())
@example('Doe, "John" ' + "x" * 90)
@example(ATTACK)
@example("a\\b")
@example("Ünï, <cöde>")
def test_any_name_leads_to_the_same_single_address(name: str) -> None:
    letter = replace(LETTER, to_name=name)
    assert parsed(letter).keys() == NAMES
    # The new parser keeps the space between two encoded-words of a phrase, which RFC 2047 6.2 drops; the old one reads.
    [(shown, address)] = getaddresses([email.message_from_bytes(to_bytes(letter, HEAD))["To"]])
    assert address == "ada@example.org"
    assert " ".join(str(make_header(decode_header(shown))).split()) == header_text(name)


@pytest.mark.parametrize("name", [None, "Ünï", "Uni"])
def test_an_address_outside_ascii_stands_in_its_header_as_it_is(name: str | None) -> None:
    header = mime.address_header("To", name, "ünï@example.org")
    read = email.message_from_string(f"{header}\r\n\r\n", policy=email.policy.SMTPUTF8)["To"]
    assert read.addresses[0].addr_spec == "ünï@example.org"
    assert read.addresses[0].display_name == (name or "")


@pytest.mark.parametrize("address", ["a b@example.org", "a@example.org>\r\nBcc: e@example.net", "a"])
def test_an_address_that_is_unsafe_in_an_envelope_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="address"):
        to_bytes(replace(LETTER, to_address=address), HEAD)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quoted_printable_decodes_to_the_text(text: str) -> None:
    import quopri

    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    encoded = quoted_printable(text)
    assert quopri.decodestring(encoded).decode() == lines.replace("\n", "\r\n")
    assert all(len(line) <= 76 for line in encoded.split(b"\r\n"))


def test_the_same_letter_is_the_same_bytes() -> None:
    assert to_bytes(LETTER, HEAD) == to_bytes(LETTER, HEAD)
