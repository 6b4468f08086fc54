"""Pure: what the templates get to see. Every word and number is decided here, so that both parts of a mail agree."""

from collections.abc import Sequence
from dataclasses import dataclass

from newsletter.models import Entry, Issue, Paper
from newsletter.render.text import count, cut_at_word, day_words, shorten, visible

SUBJECT_LIMIT = 60
PREHEADER_LIMIT = 110


@dataclass(frozen=True, slots=True)
class EntryView:
    """One paper told in full. Empty strings are left out by the templates."""

    number: int
    title: str
    url: str
    teaser: str
    byline: str  # who and when
    comments: str
    code_url: str
    code: str  # the words of that link
    project_url: str
    reason: str


@dataclass(frozen=True, slots=True)
class NamedView:
    """One paper that is only named, under "also listed"."""

    title: str
    url: str
    votes: str


@dataclass(frozen=True, slots=True)
class IssueView:
    """One choice of an issue's papers, as words."""

    title: str
    subject: str
    preheader: str
    day: str
    lead: EntryView
    entries: tuple[EntryView, ...]
    also: tuple[NamedView, ...]
    summary: str  # how many of how many
    postal_address: str


def view_of(issue: Issue, entries: Sequence[Entry], *, teaser: int, postal_address: str | None) -> IssueView:
    """Turn the chosen entries of an issue into words.

    Args:
        issue: the issue; what it ranks and `entries` lacks is named under "also listed".
        entries: the papers to tell in full, best first; at least one.
        teaser: most characters of a paper's text.
        postal_address: for the footer.
    """
    told = {entry.paper.key for entry in entries}
    views = tuple(_entry(entry, number, teaser) for number, entry in enumerate(entries, start=1))
    also = tuple(_named(entry.paper) for entry in issue.digest.entries if entry.paper.key not in told)
    listed = len(issue.digest.entries)
    return IssueView(
        title=visible(issue.title),
        subject=subject_of(entries),
        preheader=_preheader(entries, listed),
        day=day_words(issue.digest.period.end),
        lead=views[0],
        entries=views,
        also=also,
        summary=f"{len(views)} of {count(listed, 'paper')}" if also else count(listed, "paper"),
        postal_address=visible(postal_address or ""),
    )


def subject_of(entries: Sequence[Entry]) -> str:
    """Return the subject: the lead paper's title, cut at a word, and how many more there are."""
    title = visible(entries[0].paper.title) or "Untitled"
    lead = cut_at_word(title, SUBJECT_LIMIT) or title[: SUBJECT_LIMIT - 1] + "…"
    return f"{lead} · {len(entries) - 1} more" if len(entries) > 1 else lead


def paper_url(paper: Paper) -> str:
    """Return where a paper's title leads: its page at the source, else its arXiv abstract, else nowhere."""
    if paper.url:
        return paper.url
    return f"https://arxiv.org/abs/{paper.arxiv_id}" if paper.arxiv_id else ""


def _preheader(entries: Sequence[Entry], listed: int) -> str:
    also = [visible(entry.paper.title) for entry in entries[1:3]]
    words = f"Also: {'; '.join(also)}" if also else f"The paper of the day, from a list of {listed}"
    return cut_at_word(words, PREHEADER_LIMIT)


def _entry(entry: Entry, number: int, teaser: int) -> EntryView:
    paper = entry.paper
    return EntryView(
        number=number,
        title=visible(paper.title) or "Untitled",
        url=paper_url(paper),
        teaser=shorten(visible(paper.summary or paper.abstract or ""), teaser),
        byline=_byline(paper),
        comments=count(paper.comment_count, "comment") if paper.comment_count else "",
        code_url=paper.repository_url or "",
        code=f"code, {count(paper.repository_stars, 'star')}" if paper.repository_stars else "code",
        project_url=paper.project_url if paper.project_url and paper.project_url != paper.repository_url else "",
        reason=entry.reason,
    )


def _named(paper: Paper) -> NamedView:
    votes = "" if paper.upvotes is None else count(paper.upvotes, "vote")
    return NamedView(visible(paper.title) or "Untitled", paper_url(paper), votes)


def _byline(paper: Paper) -> str:
    parts = [_authors(paper), paper.organization or ""]
    if paper.published_on:
        parts.append(f"{paper.published_on:%-d %b %Y}")
    return " · ".join(part for part in map(visible, parts) if part)


def _authors(paper: Paper) -> str:
    number = paper.author_count or (len(paper.authors) if paper.authors else None)
    if not paper.authors:
        return count(number, "author") if number else ""
    return paper.authors[0] + (f" +{number - 1}" if number and number > 1 else "")
