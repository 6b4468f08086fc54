"""Pure: words for people, cut and wrapped so that nothing breaks in the middle."""

import re
import textwrap
import unicodedata
from datetime import date

SENTENCE_END = re.compile(r"(?<=[.!?])[\"”’)]*\s+(?=[A-Z0-9“\"(\[])")
NO_SENTENCE = re.compile(r"(?:\b(?:e\.g|i\.e|et al|cf|vs|resp|Fig|Eq|Sec|approx|Dr|St)|\b[A-Z])\.$")
DANGLING = re.compile(
    r"[ ,;:–—(-]+$|\s(?:an?|and|as|at|by|for|from|in|into|is|of|on|or|that|the|to|via|with|which)$", re.IGNORECASE
)
COLUMNS = 72
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905 - one line reads better than twelve
)


def sentences(text: str) -> list[str]:
    """Split text into sentences; abbreviations such as `et al.` and initials end none."""
    parts: list[str] = []
    for part in SENTENCE_END.split(text.strip()):
        if parts and NO_SENTENCE.search(parts[-1]):
            parts[-1] += " " + part
        elif part:
            parts.append(part)
    return parts


def visible(text: str) -> str:
    """Return text as one line without control characters and lone surrogates, which no mail and no MJML may hold."""
    if text.isprintable():  # nearly always, and far quicker to tell
        return " ".join(text.split())
    shown = "".join(" " if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"} else char for char in text)
    return " ".join(shown.split())


def cut_at_word(text: str, limit: int) -> str:
    """Cut text after a word so that it has at most `limit` characters, the ellipsis included.

    A word that promises more (`of`, `via`, `the`) does not stand last.
    """
    if len(text) <= limit:
        return text
    head = text[:limit]
    whole = head[: head.rfind(" ")] if " " in head else ""
    while whole and (found := DANGLING.search(whole)):
        whole = whole[: found.start()]
    return whole + "…" if whole else ""


def clip(text: str, limit: int) -> str:
    """Cut text to at most `limit` characters: after a word, or inside one that alone is longer than that."""
    if len(text) <= limit:
        return text
    return cut_at_word(text, limit) or text[: limit - 1] + "…"


def wrap(text: str, indent: int = 0, first: str = "") -> str:
    """Wrap text for a plain mail at 72 columns; addresses longer than a line stay whole, other words are broken.

    Args:
        text: the words.
        indent: spaces before each line.
        first: what stands before the first line instead, such as `1. `.
    """
    pad = " " * indent
    room = COLUMNS - max(len(pad), len(first))
    if any(len(word) > room for word in text.split()):
        text = " ".join(word if "://" in word else " ".join(textwrap.wrap(word, room)) for word in text.split())
    return textwrap.fill(
        text,
        COLUMNS,
        initial_indent=first or pad,
        subsequent_indent=pad,
        break_long_words=False,
        break_on_hyphens=False,
    )


def day_words(day: date) -> str:
    """Return a day as a person writes it, such as `Thursday 25 December 2025`; English whatever the locale."""
    return f"{WEEKDAYS[day.weekday()]} {day.day} {MONTHS[day.month - 1]} {day.year}"


def count(number: int, noun: str, plural: str | None = None) -> str:
    """Return a number with its noun: `1 vote`, `1,204 votes`."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"
