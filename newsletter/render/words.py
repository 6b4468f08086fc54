"""Pure: the words around an issue: subject, preheader, its days, and the voice of thin and empty ones."""

import re
from collections.abc import Sequence
from datetime import date
from urllib.parse import urlsplit

from newsletter.models import Cadence, Entry, Issue, Period
from newsletter.render.teaser import content_words
from newsletter.render.text import MONTHS, clip, count, cut_at_word, day_words, visible

SUBJECT_LIMIT = 60  # characters of the lead's title; phones show the first 35
PREHEADER = (40, 110)  # characters: shorter shows the mail's own first words, longer is cut by every client
THIN = 3  # papers up to which a day is called quiet
ALSO, BETWEEN = "Also: ", "; "
SHORTEST = 4  # characters of a part of a title that tells anything
ROOMY = 30  # characters that make a title worth cutting
THE_END, THE_OTHERS = "That is all there was on the list.", "The others are on the same subject."
NUMBERS = ("no", "one", "two", "three")


def subject_of(issue: Issue, entries: Sequence[Entry]) -> str:
    """Return the subject: the editor's, else the lead paper's title cut at a word, and how many more there are."""
    if issue.wording.subject:
        return visible(issue.wording.subject)
    opening = _opening(issue.digest.period)
    if not entries:
        return f"{opening}no new papers" if opening else "No new papers"
    lead = clip(title_of(entries[0]), SUBJECT_LIMIT - len(opening))
    return f"{opening}{lead} · {len(entries) - 1} more" if len(entries) > 1 else f"{opening}{lead}"


def preheader_of(issue: Issue, entries: Sequence[Entry]) -> str:
    """Return what an inbox shows beside the subject: the editor's words, else papers two and three.

    40 to 110 characters, none of the content words of the subject: a paper that shares one gives way to the part of its
    title that does not, or to the next paper.
    """
    if issue.wording.preheader:
        return visible(issue.wording.preheader)
    if len(entries) < 2:  # noqa: PLR2004 - there is no second paper to speak of
        return "A quiet day on the list, so this one is short. Back as soon as there is more." if entries else EMPTY
    taken = content_words(subject_of(issue, entries))
    line = _joined(entries[1:], taken)
    return line if len(line) >= PREHEADER[0] else _filled(line, [title_of(entry) for entry in entries[1:]], taken)


EMPTY = "Nothing new on the list today. The next issue comes when there is something to read."


def day_line(period: Period) -> str:
    """Return the days of a period as a person writes them; English whatever the locale."""
    if period.start == period.end:
        return day_words(period.start)
    if period.cadence is Cadence.MONTHLY:
        return f"{MONTHS[period.start.month - 1]} {period.start.year}"
    return (
        f"{_day_and_month(period.start, period.end)}{period.end.day} {MONTHS[period.end.month - 1]} {period.end.year}"
    )


def summary_of(issue: Issue, entries: Sequence[Entry]) -> str:
    """Return how many of how many papers a copy tells of."""
    listed = len(issue.digest.entries)
    if len(entries) < listed:
        return f"{len(entries)} of {count(listed, 'paper')}"
    return count(listed, "paper") if listed else "no papers"


def filled_of(entries: Sequence[Entry]) -> str:
    """Return the line that says how many of a copy's papers hold the reader's words; else nothing."""
    hits = sum(bool(entry.match) for entry in entries)
    if hits == len(entries) or all(entry.match is None for entry in entries):
        return ""
    if not hits:
        return "No paper here has one of your words, so these are the top of the list."
    return f"{hits} of these {'has one' if hits == 1 else 'have one'} of your words; the rest are the top of the list."


def voice_of(issue: Issue) -> str:
    """Return the sentence under the masthead of an empty or a thin issue; empty for the usual ones."""
    listed = len(issue.digest.entries)
    span = {Cadence.DAILY: "day", Cadence.WEEKLY: "week", Cadence.MONTHLY: "month"}[issue.digest.period.cadence]
    if not listed:
        return "Nothing new this time, so there is nothing to read. We write again when there is."
    papers = "paper" if listed == 1 else "papers"
    quiet = f"A quiet {span}: {NUMBERS[listed]} {papers} made the list. Enjoy the time." if listed <= THIN else ""
    return " ".join(filter(None, [quiet, _missing(issue)]))


def _missing(issue: Issue) -> str:
    """Return the sentence that owns up to sources that could not be read."""
    names = " and ".join(dict.fromkeys(map(source_name, issue.missing)))
    return f"We could not read {names} this time, so something may be missing." if names else ""


def source_name(spec: str) -> str:
    """Return what readers call a source; no more of an address than its host, which is all that may be public."""
    kind, _, rest = spec.partition(":")
    if kind == "feed":
        return urlsplit(rest).hostname or "a feed"
    return {"huggingface": "Hugging Face", "arxiv": "arXiv"}.get(kind, "one of our sources")


def lead_heading(period: Period) -> str:
    """Return what stands above the full entries of an issue of more than a day."""
    if period.cadence is Cadence.WEEKLY:
        return "The papers of the week"
    if period.cadence is Cadence.MONTHLY:
        return "The papers of the month"
    return "What you missed" if period.start != period.end else ""


def title_of(entry: Entry) -> str:
    """Return an entry's title as one visible line."""
    return visible(entry.paper.title) or "Untitled"


def _opening(period: Period) -> str:
    if period.cadence is Cadence.WEEKLY:
        return "The week: "
    if period.cadence is Cadence.MONTHLY:
        return f"{MONTHS[period.start.month - 1]}: "
    return "Catching up: " if period.start != period.end else ""


def _joined(entries: Sequence[Entry], taken: set[str]) -> str:
    """Join two papers that share no word with the subject, the second as long as there is room for it."""
    line = ""
    for entry in entries:
        room = PREHEADER[1] - len(line or ALSO) - len(BETWEEN) * bool(line)
        piece = _fresh_piece(title_of(entry), taken, room)
        if not piece:
            continue
        if line:
            return f"{line}{BETWEEN}{piece}"
        line = f"{ALSO}{piece}"
    return line


def _fresh_piece(title: str, taken: set[str], room: int) -> str:
    """Return as much of a title as fits and shares no word with the subject: all of it, or a part between colons."""
    parts = [title, *sorted(re.split(r"(?<=\w)[:?!–—]\s", title), key=len, reverse=True)]
    fresh = [part for part in parts if not content_words(part) & taken and len(part) >= SHORTEST]
    fits = next((part for part in fresh if len(part) <= room), "")
    return fits or (cut_at_word(fresh[0], room) if fresh and room >= ROOMY else "")


def _filled(line: str, titles: Sequence[str], taken: set[str]) -> str:
    """Lengthen a short line: with titles that repeat no word (all titles where each does), and then with words."""
    fresh = [title for title in titles if not content_words(title) & taken]
    told = [title for title in fresh or titles if title not in line]
    line = clip(BETWEEN.join([line, *told] if line else [f"{ALSO}{told[0]}", *told[1:]]), PREHEADER[1])
    if len(line) >= PREHEADER[0]:
        return line
    return f"{line}. {THE_OTHERS if fresh and len(fresh) < len(titles) else THE_END}"


def _day_and_month(start: date, end: date) -> str:
    if start.year != end.year:
        return f"{start.day} {MONTHS[start.month - 1]} {start.year} – "
    return f"{start.day} {MONTHS[start.month - 1]} – " if start.month != end.month else f"{start.day}–"
