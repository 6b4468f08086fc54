"""Pure: an issue made ready once for everybody; a reader's copy is a join of ready bytes.

    Jinja -> MJML -> premailer -> marked pages -> trees of pieces     once an issue
    choice of papers -> its pieces in order, the reader's gaps open   once a choice
    reader -> the gaps filled, the reader's headers before them       once a copy, some microseconds

`render.plain` makes one copy from end to end instead. It is what the fast way is measured and checked against.
"""

import html
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import lru_cache, partial
from typing import Protocol

from newsletter.errors import TemplateError
from newsletter.links import Links
from newsletter.models import Format, Issue, Message, Pick, Subscriber
from newsletter.render import message
from newsletter.render.fragments import GAP, Chunk, Marks, Plain, Scope, Slot, resolve
from newsletter.render.quoted import SOFT_BREAK, quoted_printable
from newsletter.render.view import CHOICE_SLOTS, Arrangement, IssueView, ReaderView, arrange, reader_view, view_of

HTML_BUDGET = 95_000  # bytes; Gmail clips near 102 KB of decoded HTML
GAP_ROOM = 3_000  # of them kept free for what the reader's gaps may hold
MOST_COPIES = 256  # choices of papers kept ready at once; each is some 50 KB
PAGES = "pages"  # the name under which a frozen issue keeps its marked pages


class MailTemplates(Protocol):
    """What renders the two parts of a mail."""

    def issue_html(self, issue: IssueView, reader: ReaderView, marks: Plain | Marks) -> str:
        """Return the HTML part."""
        ...

    def issue_text(self, issue: IssueView, reader: ReaderView, marks: Plain | Marks) -> str:
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
    """One choice of papers as both parts of a mail, for nobody in particular."""

    subject: str
    html: str
    text: str


@dataclass(frozen=True, slots=True)
class Body:
    """Ready bytes with gaps: the headers come first, then these parts, each gap filled."""

    parts: tuple[bytes, ...]
    gaps: tuple[tuple[int, str], ...]

    def filled(self, head: bytes, values: dict[str, bytes]) -> bytes:
        """Return a whole mail."""
        parts = [head, *self.parts]
        for at, name in self.gaps:
            parts[at] = values[name]
        return b"".join(parts)


@dataclass(frozen=True, slots=True)
class Copy:
    """One choice of papers, ready but for the reader."""

    subject: str
    arrangement: Arrangement
    common: bytes
    html: Body  # both parts
    text: Body  # the text alone, for readers who asked for that


class CompiledIssue:
    """An issue with its templates: rendered once, however many readers and choices of papers there are.

    Args:
        issue: the issue.
        templates: what renders it.
        letterhead: what stands on every mail of the list.
        links: the addresses of the list.
        postal_address: for the footer.
        pieces: where the rendered pages of a frozen issue are kept.

    Raises:
        TemplateError: a template is wrong.
    """

    def __init__(  # noqa: PLR0913 - what an issue is made of; two of them only by name
        self,
        issue: Issue,
        templates: MailTemplates,
        letterhead: message.Letterhead,
        links: Links,
        *,
        postal_address: str | None = None,
        pieces: Pieces | None = None,
    ) -> None:
        self.issue = issue
        self.letterhead = letterhead
        self.links = links
        self.view_of = partial(view_of, issue, postal_address=postal_address)
        kept = pieces.find(PAGES) if pieces else None
        made = json.loads(kept) if kept else _marked_pages(issue, self.view_of, templates)
        if pieces and not kept:
            made = json.loads(pieces.keep(PAGES, json.dumps(made, ensure_ascii=False)))
        in_html, in_text = _marks(made["token"])
        self._html, self._text = in_html.parse(made["html"]), in_text.parse(made["text"])
        # One choice of papers made ready; some hundred are kept, whichever thread asked for them.
        self.copy = lru_cache(maxsize=MOST_COPIES)(self._copy)

    def page(self, choice: tuple[Pick, ...]) -> Page:
        """Return the page of these papers for everybody: the mail without what is a reader's own.

        Raises:
            TemplateError: no smaller arrangement brings the HTML under the budget.
        """
        view = self.view_of(self.copy(choice).arrangement)
        scope = _scope(view, ReaderView("", "", "", ""))
        html = _words(resolve(self._html, replace(scope, escape=_escape)))
        return Page(view.subject, html, _words(resolve(self._text, scope)))

    def message_for(self, reader: Subscriber, choice: tuple[Pick, ...], *, date: datetime, mark: str = "") -> Message:
        """Return one reader's copy.

        Args:
            reader: who gets it; their format says whether there is HTML beside the text.
            choice: the papers of this copy, best first.
            date: the Date header: when the copy became due, not when it goes out.
            mark: words before the subject of a copy outside the ledger, which also get it a Message-ID of its own.

        Raises:
            TemplateError: no smaller arrangement brings the HTML under the budget.
            ValueError: the reader's address cannot be mailed.
        """
        copy, token = self.copy(choice), self.links.unsubscribe_token(reader.id or 0)
        message_id, head = self.head(reader, token, date, mark)
        common = copy.common if not mark else self.common(f"{mark}{copy.subject}")
        address, escaped = reader.address, _escape(reader.address)
        values = {"token": token.encode() + SOFT_BREAK, "text address": quoted_printable(address)}
        values["html address"] = values["text address"] if escaped == address else quoted_printable(escaped)
        body = copy.html if reader.preferences.format is Format.HTML else copy.text
        content = body.filled(common + head, values)
        sender = self.links.return_path(reader.id or 0) or self.letterhead.sender_address
        return Message(message_id, sender, reader.address, content, undotted=True)

    def common(self, subject: str) -> bytes:
        """Return the headers that all copies of a choice share."""
        return message.common_head(self.letterhead, subject, message.feedback_id(self.issue, self.letterhead))

    def head(self, reader: Subscriber, token: str, date: datetime, mark: str = "") -> tuple[str, bytes]:
        """Return a copy's Message-ID and the headers that are its reader's own."""
        links = self.links
        message_id = links.message_id(self.issue.key, f"{mark}{reader.key}" if mark else reader.id or 0)
        to = message.address_header("To", reader.name, reader.address)
        uris = links.list_unsubscribe(token)
        return message_id, message.personal_head(to, date, message_id, uris, one_click=links.one_click)

    def _copy(self, choice: tuple[Pick, ...]) -> Copy:
        by_rank = {entry.rank: entry for entry in self.issue.digest.entries}
        entries = [replace(by_rank[pick.rank], match=pick.match) for pick in choice]
        arrangement: Arrangement | None = arrange(self.issue, entries)
        while arrangement:
            view = self.view_of(arrangement)
            scope = _scope(view, reader_view("", GAP, self.links, self.issue.key))
            markup = list(resolve(self._html, replace(scope, escape=_escape)))
            if sum(piece.size for piece in markup if isinstance(piece, Chunk)) <= HTML_BUDGET - GAP_ROOM:
                text = list(resolve(self._text, scope))
                return self._copied(view, arrangement, markup, text)
            arrangement = arrangement.smaller()
        raise TemplateError(
            f"issue {self.issue.key}: its HTML stays over {HTML_BUDGET:,} bytes, where Gmail clips;"
            " make the templates smaller"
        )

    def _copied(
        self, view: IssueView, arrangement: Arrangement, markup: list[Chunk | Slot], text: list[Chunk | Slot]
    ) -> Copy:
        return Copy(
            subject=view.subject,
            arrangement=arrangement,
            common=self.common(view.subject),
            html=_body(message.BOTH, *_bytes(text, "text"), message.HTML, *_bytes(markup, "html"), message.END),
            text=_body(message.PLAIN, *_bytes(text, "text")),
        )


def _marks(token: str) -> tuple[Marks, Marks]:
    """Return the marks of the HTML and of the text; the token makes sure that no paper holds one."""
    return Marks(f"<!--~{token}", "-->", token), Marks(f"\x02{token}", "\x03", token)


def _marked_pages(issue: Issue, view: "partial[IssueView]", templates: MailTemplates) -> dict[str, str]:
    """Render an issue with every paper in every tier, marked."""
    everything = view(Arrangement(issue.digest.entries, issue.digest.entries, issue.digest.entries))
    told = repr(everything)
    number = 0
    while f"__{number}_" in told:  # so that no paper can pass for a mark or a gap
        number += 1
    in_html, in_text = _marks(f"__{number}_")
    marked = everything.marked(in_html.slot)
    reader = ReaderView(*(in_html.slot(name) for name in ReaderView.__dataclass_fields__))
    return {
        "token": in_html.token,
        "html": templates.issue_html(marked, reader, in_html),
        "text": templates.issue_text(marked, reader, in_text),
    }


def _scope(view: IssueView, reader: ReaderView) -> Scope:
    """Return what one choice of papers puts into the pages; of the reader, all but the address and the token."""
    tiers = {"told": view.told, "lead": view.lead, "full": view.full, "named": view.named}
    tiers |= {section.key: section.entries for section in view.sections}
    values = {name: getattr(view, name) for name in CHOICE_SLOTS}
    values |= {name: value for name, value in asdict(reader).items() if name != "address"}
    values |= {"pages": reader.view_url, "own": reader.unsubscribe_url}
    return Scope(values, {name: [Pick(one.rank, one.match) for one in tier] for name, tier in tiers.items()})


def _escape(value: str) -> str:
    """Escape as premailer writes words and addresses: it leaves quotes alone."""
    return html.escape(value, quote=False)


def _words(pieces: Iterable[Chunk | Slot]) -> str:
    return "".join(piece.text for piece in pieces if isinstance(piece, Chunk))


def _bytes(pieces: Iterable[Chunk | Slot], part: str) -> Iterable[bytes | str]:
    """Yield ready bytes, and the names of gaps."""
    for piece in pieces:
        yield (
            piece.encoded if isinstance(piece, Chunk) else "token" if piece.name == "token" else f"{part} {piece.name}"
        )


def _body(*pieces: bytes | str) -> Body:
    """Join what lies between two gaps."""
    parts: list[bytes] = [b""]
    gaps: list[tuple[int, str]] = []
    for piece in pieces:
        if isinstance(piece, bytes):
            parts[-1] += piece
        else:
            gaps.append((len(parts) + 1, piece))  # the head comes before the parts
            parts += [b"", b""]
    return Body(tuple(parts), tuple(gaps))
