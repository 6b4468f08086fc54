"""Pure: the mails that are no issue: please confirm, welcome, and something failed. One template, the same look."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from newsletter.models import Cadence, Message, Preferences
from newsletter.render import message
from newsletter.render.quoted import quoted_printable
from newsletter.render.text import clip, day_words, visible

MOST_LINES = 5  # of a fault that has many
SUBJECT_LIMIT = 60  # characters of what went wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeView:
    """One notice in words; `button_url` is empty where there is nothing to press."""

    title: str  # the list's name
    subject: str
    preheader: str
    heading: str
    paragraphs: tuple[str, ...]
    button: str = ""
    button_url: str = ""
    why: str
    postal_address: str = ""


@dataclass(frozen=True, slots=True)
class Imprint:
    """Who writes: the list's name, and the postal address for the footer."""

    title: str
    postal_address: str = ""


class NoticeTemplates(Protocol):
    """What renders the two parts of a notice."""

    def notice_html(self, notice: NoticeView) -> str:
        """Return the HTML part."""
        ...

    def notice_text(self, notice: NoticeView) -> str:
        """Return the plain-text part."""
        ...


def confirmation(imprint: Imprint, url: str, *, hours: int) -> NoticeView:
    """Return the mail that asks whether somebody really wants the list.

    Args:
        imprint: who writes.
        url: the page with the button that confirms.
        hours: how long that page works.
    """
    name = visible(imprint.title)
    days = hours // 24
    stay = f"{hours} hours" if hours % 24 or days == 1 else f"{days} days"
    return NoticeView(
        title=name,
        subject=f"Please confirm: {name}",
        preheader="One click and the next issue is yours. If this was not you, do nothing at all.",
        heading="One click, and you are on the list",
        paragraphs=(
            f"Somebody, most likely you, entered this address for {name}. Press the button to say that it was you.",
            f"The link works for {stay}. If it was not you, do nothing, and the address is forgotten.",
        ),
        button="Yes, send it to me",
        button_url=url,
        why="This one mail was sent because the address was entered on our sign-up page.",
        postal_address=visible(imprint.postal_address),
    )


def known(imprint: Imprint, url: str) -> NoticeView:
    """Return the mail to somebody whose address was entered though they are on the list already.

    Args:
        imprint: who writes.
        url: the page of their preferences.
    """
    name = visible(imprint.title)
    return NoticeView(
        title=name,
        subject=f"You are on the list: {name}",
        preheader="Somebody entered your address again. There is nothing you need to do.",
        heading="You are on the list already",
        paragraphs=(
            f"Somebody, perhaps you, entered this address for {name}. It is on the list, and nothing has changed.",
            "If issues do not reach you, look among the spam. How often they come, and when, you can choose:",
        ),
        button="My preferences",
        button_url=url,
        why="This one mail was sent because the address was entered on our sign-up page.",
        postal_address=visible(imprint.postal_address),
    )


def rhythm_of(preferences: Preferences) -> str:
    """Return when a reader hears from the list, as the middle of a sentence."""
    often = {
        Cadence.DAILY: "on each day that brings new papers",
        Cadence.WEEKLY: "once a week",
        Cadence.MONTHLY: "once a month",
    }[preferences.cadence]
    if preferences.hour is None:
        return often
    place = f", {preferences.timezone} time" if preferences.timezone else ""
    return f"{often}, around {preferences.hour}:00{place}"


def welcome(imprint: Imprint, sender: str, *, rhythm: str, papers: Sequence[str], url: str = "") -> NoticeView:
    """Return the mail that greets a new reader.

    Args:
        imprint: who writes.
        sender: the address that issues come from.
        rhythm: when the next one comes, such as `every weekday at 8 in the morning`.
        papers: titles of the newest issue, the lead first.
        url: the page of the newest issue, if the list has pages.
    """
    name = visible(imprint.title)
    told = [f"To begin with, this is what people read last: {'; '.join(map(visible, papers))}."] if papers else []
    return NoticeView(
        title=name,
        subject=f"Welcome to {name}",
        preheader=f"You are on the list. The next issue comes {visible(rhythm)}.",
        heading="Welcome, it is good to have you here",
        paragraphs=(
            f"{name} comes {visible(rhythm)}, from {visible(sender)}.",
            "Put that address into your contacts, and no issue ends up among the spam.",
            "An issue takes a minute: three papers with a sentence each, a few more in a line, the rest by name.",
            *told,
        ),
        button="Read the newest issue" if url else "",
        button_url=url,
        why="You get this because you confirmed that you want it. Each issue has a link to leave.",
        postal_address=visible(imprint.postal_address),
    )


def failure(imprint: Imprint, lines: Sequence[str], *, at: datetime) -> NoticeView:
    """Return the mail that tells an operator what went wrong.

    Args:
        imprint: who writes.
        lines: what went wrong and the mend, as the command prints it.
        at: when, aware.
    """
    name, more = visible(imprint.title), len(lines) - MOST_LINES
    what = visible(lines[0]).partition("; ")[0]
    return NoticeView(
        title=name,
        subject=f"{name} needs a look: {clip(what, SUBJECT_LIMIT)}",
        preheader="What went wrong, and what to do about it. Nothing is lost, and nobody was mailed twice.",
        heading="Something needs a look",
        paragraphs=(
            f"At {at:%H:%M} on {day_words(at.date())} ({at.tzname()}):",
            *map(visible, lines[:MOST_LINES]),
            *([f"There are {more} more such lines; the command prints them all."] if more > 0 else []),
            "Nothing is lost. It is tried again until it works, and who got an issue gets it no second time.",
            "If it lasts, you are told again tomorrow.",
        ),
        why="You get this because your address is set as notify.address.",
        postal_address=visible(imprint.postal_address),
    )


def samples(imprint: Imprint, letterhead: message.Letterhead, now: datetime) -> tuple[NoticeView, ...]:
    """Return one notice of each kind, for a look at them and for checks."""
    sender, url = letterhead.sender_address, "https://news.example.org/sample"
    return (
        confirmation(imprint, url, hours=72),
        known(imprint, url),
        welcome(imprint, sender, rhythm="every weekday at 8 in the morning", papers=("A paper", "Another"), url=url),
        failure(imprint, ["source huggingface: answered 503; nothing is lost, try again in an hour"], at=now),
    )


def notice_message(  # noqa: PLR0913 - what a mail is made of; half of it only by name
    notice: NoticeView,
    templates: NoticeTemplates,
    letterhead: message.Letterhead,
    *,
    to: tuple[str | None, str],
    message_id: str,
    date: datetime,
) -> Message:
    """Return a notice as a mail to one person, with no word of a list in its headers: nobody is on one yet.

    Raises:
        TemplateError: a template is wrong.
        ValueError: the address cannot be mailed.
    """
    name, address = to
    head = message.notice_head(letterhead, notice.subject)
    head += message.personal_head(message.address_header("To", name, address), date, message_id)
    text, html = quoted_printable(templates.notice_text(notice)), quoted_printable(templates.notice_html(notice))
    content = b"".join([head, message.BOTH, text, message.HTML, html, message.END])
    return Message(message_id, letterhead.sender_address, address, content)
