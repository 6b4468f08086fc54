"""Confirmation, welcome and failure: the same look, both parts, nothing left open."""

import email
import email.policy
import re
from email.message import EmailMessage

import pytest
from lxml import html as parser

from newsletter.render.notices import Imprint, NoticeView, confirmation, failure, notice_message, welcome
from newsletter.render.templates import Templates
from newsletter.settings import bundled
from tests.make import NOON
from tests.render.test_message import HEAD

TEMPLATES = Templates([bundled("templates")])
CONFIRM = "https://news.example.org/confirm/abc.def"
IMPRINT = Imprint("Trending <Papers>", "1 Example Street")
NOTICES = [
    confirmation(IMPRINT, CONFIRM, hours=24 * 3),
    welcome(IMPRINT, "news@example.org", rhythm="every weekday at 8", papers=("Lenses & <mirrors>",)),
    failure(IMPRINT, ["source huggingface: answered 503; try again in an hour"], at=NOON),
]


def parsed(notice: NoticeView) -> EmailMessage:
    to = ("Ada", "ada@example.org")
    content = notice_message(notice, TEMPLATES, HEAD, to=to, message_id="n1@example.org", date=NOON).content
    return email.message_from_bytes(content, _class=EmailMessage, policy=email.policy.default)


@pytest.mark.parametrize("notice", NOTICES, ids=lambda notice: notice.subject)
def test_a_notice_is_a_whole_mail_in_both_parts(notice: NoticeView) -> None:
    message = parsed(notice)
    assert [defect for part in message.walk() for defect in part.defects] == []
    assert message["Subject"] == notice.subject
    text, html = (message.get_body((kind,)) for kind in ("plain", "html"))
    assert text
    assert html
    tree = parser.fromstring(html.get_content())
    assert [title.text for title in tree.iter("h1")] == [notice.heading]
    assert all(len(line) <= 78 for line in text.get_content().splitlines() if "https://" not in line)
    said = re.sub(r"\s+", " ", text.get_content())
    assert all(paragraph in said for paragraph in notice.paragraphs)
    assert 40 <= len(notice.preheader) <= 110


def test_a_confirmation_has_its_link_once_in_each_part() -> None:
    message = parsed(NOTICES[0])
    assert [message.get_body((kind,)).get_content().count(CONFIRM) for kind in ("plain", "html")] == [1, 1]  # type: ignore[union-attr]


def test_a_notice_speaks_of_no_list_in_its_headers() -> None:
    assert not [name for name in parsed(NOTICES[0]) if name.startswith("List-")]
