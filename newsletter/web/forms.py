"""Pure: the forms of the pages, what was typed into them, and what is wrong with it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from newsletter.models import Cadence, Format, Preferences

LONGEST_FIELD = 4000  # characters
MOST_WORDS = 30
LONGEST_WORD = 80  # characters
MOST_PAPERS = 100
HOURS = 24
# What somebody agrees to who signs up; kept with their consent.
CONSENT = (
    "We send the issues you ask for, and nothing else. You can leave with one click. First comes a mail in which you"
    " confirm that the address is yours."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SignupForm:
    """The form to sign up."""

    token: str
    address: str = ""
    period: str = Cadence.DAILY
    fault: str = ""
    words: str = CONSENT


@dataclass(frozen=True, slots=True, kw_only=True)
class PreferencesForm:
    """The form of a reader's preferences as text, and what is wrong by field."""

    period: str = ""
    format: str = ""
    hour: str = ""
    timezone: str = ""
    papers: str = ""
    paused_until: str = ""
    include: str = ""
    exclude: str = ""
    only_matches: str = ""
    faults: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, preferences: Preferences) -> "PreferencesForm":
        """Write preferences as the form shows them."""
        hour, papers, until = preferences.hour, preferences.papers, preferences.paused_until
        return cls(
            period=preferences.cadence,
            format=preferences.format,
            hour="" if hour is None else str(hour),
            timezone=preferences.timezone or "",
            papers="" if papers is None else str(papers),
            paused_until=until.isoformat() if until else "",
            include="\n".join(preferences.include),
            exclude="\n".join(preferences.exclude),
            only_matches="yes" if preferences.only_matches else "",
        )


def typed(given: Mapping[str, str]) -> PreferencesForm:
    """Return the form as it was sent; what is too long to have been typed is cut."""
    names = [name for name in PreferencesForm.__dataclass_fields__ if name != "faults"]
    values: dict[str, Any] = {name: given.get(name, "").strip()[:LONGEST_FIELD] for name in names}
    return PreferencesForm(**values)


def read(form: PreferencesForm) -> tuple[Preferences, dict[str, str]]:
    """Return what a form asks for, and what is wrong with it by field; where something is, the default stands."""
    faults: dict[str, str] = {}
    if form.period not in set(Cadence):
        faults["period"] = "Please choose one."
    if form.format not in set(Format):
        faults["format"] = "Please choose one."
    preferences = Preferences(
        cadence=Cadence.DAILY if "period" in faults else Cadence(form.period),
        format=Format.HTML if "format" in faults else Format(form.format),
        hour=_number("hour", form.hour, 0, HOURS - 1, faults),
        timezone=_zone(form.timezone, faults),
        papers=_number("papers", form.papers, 1, MOST_PAPERS, faults),
        paused_until=_day(form.paused_until, faults),
        include=_words("include", form.include, faults),
        exclude=_words("exclude", form.exclude, faults),
        only_matches=True if form.only_matches == "yes" else None,
    )
    return preferences, faults


zones = cache(available_timezones)


def _number(name: str, text: str, least: int, most: int, faults: dict[str, str]) -> int | None:
    if not text:
        return None
    if re.fullmatch(r"[0-9]{1,3}", text, re.ASCII) and least <= int(text) <= most:
        return int(text)
    faults[name] = f"Please give a number from {least} to {most}, or nothing."
    return None


def _zone(text: str, faults: dict[str, str]) -> str | None:
    if not text:
        return None
    if text not in zones():
        faults["timezone"] = "Please choose one of the list, such as Europe/Berlin, or nothing."
        return None
    return text


def _day(text: str, faults: dict[str, str]) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        faults["paused_until"] = "Please give a day such as 2026-03-01, or nothing."
        return None


def _words(name: str, text: str, faults: dict[str, str]) -> tuple[str, ...]:
    words = tuple(dict.fromkeys(filter(None, (" ".join(line.split()) for line in re.split(r"[\n,;]", text)))))
    if len(words) > MOST_WORDS or any(len(word) > LONGEST_WORD for word in words):
        faults[name] = f"Please give at most {MOST_WORDS} words or phrases, each of at most {LONGEST_WORD} letters."
    elif not all(character.isprintable() for word in words for character in word):
        faults[name] = "One of these holds a character that cannot be printed."
    else:
        return words
    return ()
