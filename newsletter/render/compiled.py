"""Pure: an issue made ready once for each choice of papers; a reader's copy fills the slots and becomes bytes."""

import html
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Protocol

from newsletter.errors import TemplateError
from newsletter.links import Links
from newsletter.models import Entry, Format, Issue, Message, Subscriber
from newsletter.render.message import Letter, Letterhead, to_bytes
from newsletter.render.view import IssueView, view_of

# What stands in a page where each reader's own words go: safe inside a URL, so that premailer leaves it alone.
UNSUBSCRIBE_SLOT = "__UNSUBSCRIBE_URL__"
ADDRESS_SLOT = "__ADDRESS__"
HTML_BUDGET = 95_000  # bytes; Gmail clips near 102 KB of decoded HTML
TEASERS = (320, 200, 120, 60, 0)  # characters of text per paper, tried in turn until the budget holds
TOLD = (0.75, 0.5, 0.25, 0)  # then the share of the entries that are still told in full; the others are only named


class MailTemplates(Protocol):
    """What renders the two parts of a mail, with slots where the reader's own words go."""

    def mail_html(self, view: IssueView) -> str:
        """Return the HTML part."""
        ...

    def mail_text(self, view: IssueView) -> str:
        """Return the plain-text part."""
        ...


class Pieces(Protocol):
    """Where rendered pages are kept, so that a retry tomorrow sends the same bytes."""

    def find(self, name: str) -> str | None:
        """Return a kept piece, or None."""
        ...

    def keep(self, name: str, body: str) -> str:
        """Keep a piece unless one is there already; return the one that is kept."""
        ...


@dataclass(frozen=True, slots=True)
class Page:
    """One choice of papers as both parts of a mail, slots still open."""

    subject: str
    html: str
    text: str


class CompiledIssue:
    """An issue with its templates: each choice of papers is rendered once, however many readers share it."""

    def __init__(
        self,
        issue: Issue,
        templates: MailTemplates,
        letterhead: Letterhead,
        *,
        postal_address: str | None = None,
        pieces: Pieces | None = None,
    ) -> None:
        self.issue = issue
        self._templates = templates
        self._letterhead = letterhead
        self._postal_address = postal_address
        self._pieces = pieces
        self._pages: dict[tuple[int, ...], Page] = {}

    def page(self, entries: Sequence[Entry]) -> Page:
        """Return the page of these entries, at least one.

        Raises:
            TemplateError: a template is wrong, or no shortening brings the HTML under the budget.
        """
        choice = tuple(entry.rank for entry in entries)
        if choice not in self._pages:
            self._pages[choice] = self._kept(",".join(map(str, choice)), entries)
        return self._pages[choice]

    def message_for(
        self,
        reader: Subscriber,
        entries: Sequence[Entry],
        links: Links,
        *,
        date: datetime,
        mark: str = "",
    ) -> Message:
        """Return one reader's copy.

        Args:
            reader: who gets it; their format says whether there is HTML beside the text.
            entries: the entries of this copy, best first.
            links: the addresses of the list.
            date: the Date header: when the copy became due, not when it goes out.
            mark: words before the subject of a copy outside the ledger, which also get it a Message-ID of its own.

        Raises:
            TemplateError: a template is wrong.
            ValueError: the reader's address cannot be mailed.
        """
        page, who = self.page(entries), reader.id or 0
        slots = {UNSUBSCRIBE_SLOT: links.unsubscribe_url(who), ADDRESS_SLOT: reader.address}
        letter = Letter(
            message_id=links.message_id(self.issue.key, f"{mark}{reader.key}" if mark else who),
            date=date,
            to_name=reader.name,
            to_address=reader.address,
            subject=f"{mark}{page.subject}",
            text=_fill(page.text, slots),
            html=_fill(page.html, {slot: html.escape(value) for slot, value in slots.items()})
            if reader.preferences.format is Format.HTML
            else None,
            list_unsubscribe=links.list_unsubscribe(who),
            one_click=links.one_click,
        )
        content = to_bytes(letter, self._letterhead)
        return Message(letter.message_id, self._letterhead.sender_address, reader.address, content)

    def _kept(self, name: str, entries: Sequence[Entry]) -> Page:
        body = self._pieces.find(name) if self._pieces else None
        if body is None:
            body = json.dumps(asdict(self._render(entries)), ensure_ascii=False)
            body = self._pieces.keep(name, body) if self._pieces else body
        return Page(**json.loads(body))

    def _render(self, entries: Sequence[Entry]) -> Page:
        shapes = [(teaser, len(entries)) for teaser in TEASERS]
        shapes += [(0, max(1, int(share * len(entries)))) for share in TOLD]
        for teaser, told in shapes:
            view = view_of(self.issue, entries[:told], teaser=teaser, postal_address=self._postal_address)
            markup = self._templates.mail_html(view)
            if len(markup.encode()) <= HTML_BUDGET:
                return Page(view.subject, markup, self._templates.mail_text(view))
        raise TemplateError(
            f"issue {self.issue.key}: its HTML stays over {HTML_BUDGET:,} bytes, where Gmail clips; lower `entries`"
        )


def _fill(page: str, slots: dict[str, str]) -> str:
    for slot, value in slots.items():
        page = page.replace(slot, value)
    return page
