"""Pure: what the templates get to see. Every word and number is decided here, so that both parts of a mail agree."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from urllib.parse import quote, urlsplit

from newsletter.links import Links
from newsletter.models import Cadence, Entry, Issue, Paper, Period, Riser
from newsletter.render import words
from newsletter.render.teaser import why_care
from newsletter.render.text import MONTHS, WEEKDAYS, clip, count, visible

TITLE_LIMIT = 200  # characters; the longest of 9,881 recorded titles has 151
NAME_LIMIT = 60
NOTE_LIMIT = 600
NAMED_LIMIT = 60  # titles under "also listed"; what is left is counted
LONGEST_URL = 1000
IN_ADDRESSES = "@/:=?;#%&,+!~*()"  # beside letters and digits, what HTML writers leave alone in an address
OLD = timedelta(days=60)  # a paper listed this long after it was published says so
CHOICE_SLOTS = ("preheader", "summary", "filled", "more")
SUFFIXES = {"jr", "jr.", "sr", "sr.", "ii", "iii", "iv"}


@dataclass(frozen=True, slots=True)
class EntryView:
    """One paper in words. Empty strings are left out by the templates."""

    rank: int
    title: str
    url: str
    sentence: str
    summarized: bool  # the sentence is the source's summary, not the authors' own
    byline: str  # first author, how many more, organisation, and when, where that is long ago
    votes: str
    code_url: str
    code: str  # the words of that link
    stars: str
    project_url: str
    project: str
    remark: str
    note: str  # the editor's
    match: str


@dataclass(frozen=True, slots=True)
class SectionView:
    """Papers told in one line each, under a heading."""

    key: str
    heading: str
    entries: tuple[EntryView, ...]


@dataclass(frozen=True, slots=True)
class RiserView:
    """A paper of an earlier day that goes on gaining votes."""

    title: str
    url: str
    gained: str


@dataclass(frozen=True, slots=True)
class Arrangement:
    """Which papers of an issue a copy tells in full, which in a line, and which it only names."""

    full: tuple[Entry, ...]
    brief: tuple[Entry, ...]
    named: tuple[Entry, ...]

    @property
    def told(self) -> tuple[Entry, ...]:
        """The papers that are told at all, best first."""
        return self.full + self.brief

    def smaller(self) -> "Arrangement | None":
        """Return the next smaller arrangement, or None: the last full entry goes to a line, then titles go."""
        if len(self.full) > 1:
            return replace(self, full=self.full[:-1], brief=(self.full[-1], *self.brief))
        if self.named:
            return replace(self, named=self.named[: len(self.named) * 3 // 4])
        return replace(self, brief=self.brief[: len(self.brief) * 3 // 4]) if self.brief else None


@dataclass(frozen=True, slots=True)
class IssueView:
    """One choice of an issue's papers, as words."""

    title: str
    day: str
    summary: str  # how many of how many
    filled: str  # that the reader's words found fewer papers than there are in this copy
    subject: str
    preheader: str
    note: str
    voice: str  # what is said on thin and empty days
    heading: str
    told: tuple[EntryView, ...]  # in full: the lead, then the others
    lead: tuple[EntryView, ...]  # one paper, or none on an empty day
    full: tuple[EntryView, ...]
    sections: tuple[SectionView, ...]
    rising: tuple[RiserView, ...]
    rising_since: str
    named: tuple[EntryView, ...]
    more: str  # how many papers are not even named
    why: str
    postal_address: str

    def marked(self, slot: Callable[[str], str]) -> "IssueView":
        """Return this view of all papers for all tiers at once, with slots for what differs from choice to choice."""

        def own(entries: Iterable[EntryView]) -> tuple[EntryView, ...]:
            return tuple(replace(entry, match=slot("match")) for entry in entries)

        everybody = own(self.told)
        return replace(
            self,
            told=everybody,
            lead=everybody,
            full=everybody,
            sections=tuple(replace(section, entries=own(section.entries)) for section in self.sections),
            named=own(self.named),
            preheader=slot("preheader"),
            summary=slot("summary"),
            filled=slot("filled"),
            more=slot("more"),
        )


@dataclass(frozen=True, slots=True)
class ReaderView:
    """What differs from reader to reader; empty strings where the list has no pages of its own."""

    address: str
    unsubscribe_url: str
    preferences_url: str
    view_url: str


def arrange(issue: Issue, entries: Sequence[Entry]) -> Arrangement:
    """Return the three tiers of a copy: `entries` in full and in a line, the rest of the issue named."""
    told = {entry.rank for entry in entries}
    named = tuple(entry for entry in issue.digest.entries if entry.rank not in told)
    return Arrangement(tuple(entries[: issue.full]), tuple(entries[issue.full :]), named[:NAMED_LIMIT])


def view_of(issue: Issue, arrangement: Arrangement, *, postal_address: str | None) -> IssueView:
    """Turn an arrangement of an issue's papers into words.

    Args:
        issue: the issue.
        arrangement: which of its papers stand where.
        postal_address: for the footer.
    """
    period, told = issue.digest.period, arrangement.told
    every = {entry.rank: entry for entry in (*told, *arrangement.named)}
    views = {rank: entry_view(entry, period) for rank, entry in every.items()}
    full = tuple(views[entry.rank] for entry in arrangement.full)
    left = len(issue.digest.entries) - len(told) - len(arrangement.named)
    return IssueView(
        title=visible(issue.title),
        day=words.day_line(period),
        summary=words.summary_of(issue, told),
        filled=words.filled_of(told),
        subject=words.subject_of(issue, told),
        preheader=words.preheader_of(issue, told),
        note=clip(visible(issue.wording.note or ""), NOTE_LIMIT),
        voice=words.voice_of(issue),
        heading=words.lead_heading(period) if issue.digest.entries else "",
        told=full,
        lead=full[:1],
        full=full[1:],
        sections=tuple(sections(issue, arrangement.brief, views)),
        rising=tuple(map(_riser, issue.rising)),
        rising_since=WEEKDAYS[issue.rising[0].since.weekday()] if issue.rising else "",
        named=tuple(views[entry.rank] for entry in arrangement.named),
        more=count(left, "more paper") if left > 0 else "",
        why=f"is on the list {visible(issue.title)}",
        postal_address=visible(postal_address or ""),
    )


def reader_view(address: str, token: str, links: Links, issue: str) -> ReaderView:
    """Return what is a reader's own in a copy of the issue with the key `issue`."""
    urls = links.unsubscribe_url(token), links.preferences_url(token), links.issue_url(issue)
    return ReaderView(address, *urls)


def sections(issue: Issue, brief: Iterable[Entry], views: Mapping[int, EntryView]) -> Iterable[SectionView]:
    """Yield the one-line entries under their headings, in the order of the issue, whatever the order of the copy."""
    rest = "In brief" if issue.digest.period.cadence is Cadence.DAILY else "And also"
    headings = dict.fromkeys(entry.section for entry in issue.digest.entries)
    entries = list(brief)
    for heading in sorted(headings, key=lambda heading: not heading):  # those without a topic come last
        told = tuple(views[entry.rank] for entry in entries if entry.section == heading)
        if told:
            yield SectionView(section_key(heading), visible(heading) or rest, told)


def section_key(heading: str) -> str:
    """Return the name of a section inside the templates, from any heading."""
    return "brief" + "".join(f"-{ord(character):x}" for character in heading)


def entry_view(entry: Entry, period: Period) -> EntryView:
    """Return one paper in words."""
    paper = entry.paper
    sentence, summarized = why_care(paper)
    code_url, project_url = _url(paper.repository_url), _url(paper.project_url)
    return EntryView(
        rank=entry.rank,
        title=clip(words.title_of(entry), TITLE_LIMIT),
        url=paper_url(paper),
        sentence=sentence,
        summarized=summarized,
        byline=" · ".join(filter(None, [authors(paper), _organization(paper), _long_ago(paper, period)])),
        votes=_votes(paper),
        code_url=code_url,
        code=f"{clip(code_url.rstrip('/').rsplit('/', 1)[-1], 30)} code" if code_url else "",
        stars=count(paper.repository_stars, "star") if code_url and paper.repository_stars else "",
        project_url=project_url if not code_url else "",
        project=clip(urlsplit(project_url).hostname or "project", 40),
        remark=clip(visible(entry.remark), NAME_LIMIT),
        note=clip(visible(entry.note), NOTE_LIMIT),
        match=clip(visible(entry.match or ""), NAME_LIMIT),
    )


def paper_url(paper: Paper) -> str:
    """Return where a paper's title leads: its page at the source, else its arXiv abstract, else nowhere."""
    return _url(paper.url) or _url(f"https://arxiv.org/abs/{paper.arxiv_id}" if paper.arxiv_id else None)


def authors(paper: Paper) -> str:
    """Return the first author with initials and how many more there are: `A. Lovelace +5`."""
    number = paper.author_count or (len(paper.authors) if paper.authors else None)
    if not paper.authors:
        return count(number, "author") if number else ""
    first = clip(short_name(visible(paper.authors[0])), NAME_LIMIT)
    return first + (f" +{number - 1}" if number and number > 1 else "")


def short_name(name: str) -> str:
    """Shorten `Ada King Lovelace` to `A. Lovelace`; a surname keeps its small particles and its suffix."""
    parts = name.split()
    suffix = [parts.pop()] if len(parts) > 2 and parts[-1].casefold() in SUFFIXES else []  # noqa: PLR2004 - first, last, suffix
    if len(parts) < 2 or not parts[0][0].isupper():  # noqa: PLR2004 - one word has nothing to shorten
        return name
    particles = len(parts) - 1
    while particles > 1 and parts[particles - 1].islower():
        particles -= 1
    return " ".join([f"{parts[0][0]}.", *parts[particles:], *suffix])


def _organization(paper: Paper) -> str:
    return clip(visible(paper.organization or ""), NAME_LIMIT)


def _votes(paper: Paper) -> str:
    """Return the votes; where they are unknown, the comments; unknown is never shown as 0."""
    if paper.upvotes is not None:
        return count(paper.upvotes, "vote")
    return count(paper.comment_count, "comment") if paper.comment_count else ""


def _long_ago(paper: Paper, period: Period) -> str:
    published: date | None = paper.published_on
    if not published or period.start - published < OLD:
        return ""
    return f"{MONTHS[published.month - 1]} {published.year}"


def _url(url: str | None) -> str:
    """Return a web address that may stand in a mail, else nothing: only http and https, of a bounded length."""
    if not url or len(url) > LONGEST_URL or not url.casefold().startswith(("https://", "http://")):
        return ""
    if visible(url) != url or any(character in url for character in " \"'<>\\`"):
        return ""
    return quote(url, safe=IN_ADDRESSES)


def _riser(riser: Riser) -> RiserView:
    title = clip(visible(riser.paper.title), TITLE_LIMIT)
    return RiserView(title, paper_url(riser.paper), f"+{count(riser.gained, 'vote')}")
