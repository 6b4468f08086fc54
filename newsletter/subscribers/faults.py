"""What can be wrong with a subscriber list, and how it is told: one line with the place and the mend."""

import difflib
from collections.abc import Collection, Iterator, Mapping
from functools import cache
from typing import Any, NamedTuple
from zoneinfo import available_timezones

from newsletter.errors import SubscribersError

MOST_FAULTS_TOLD = 20
LONGEST_QUOTE = 45  # characters of a wrong value that a fault repeats

# What is wrong and the mend, by kind: pydantic's error types and our own. `{near}` is "did you mean ...?".
SAYS = {
    "address": "{given} is no e-mail address ({reason}); write one such as ada@example.org",
    "bare_bool": "an unquoted yes, no, on, off, true or false is no text in YAML; put it in quotes",
    "bool_parsing": "{given} is neither true nor false; write one of the two",
    "bool_type": "{given} is neither true nor false; write one of the two",
    "control_character": "{given} holds a line break or control character; remove it",
    "day": "{given} is no day; write one such as 2026-03-01",
    "duplicate_column": "two columns of this name (email is another name for address); keep one",
    "duplicate_key": "is here twice, first on line {first}; keep one",
    "empty": "there is no value; write one",
    "enum": "{given} is no {field}; {near}",
    "extra_forbidden": "there is no such key; {near}",
    "hour": "{given} is no hour; write a whole number from 0 to 23",
    "papers": "{given} is no number of papers; write a whole number from 1 to 100",
    "key": "a key must be one word; write a line such as `name: Ada`",
    "list_type": "{given} stands where a list is due; write the words in brackets, such as [robotics, vision]",
    "long_cell": "a cell is too long; look for a quote that is never closed",
    "missing": "is missing; add it",
    "model_type": "{given} stands where a mapping is due; write include: [...] or exclude: [...] below it",
    "no_address_column": "the first line names no such column (nor email); begin with a line such as address,name",
    "no_list": "{given} stands where a list is due; write a line such as - ada@example.org below it, or []",
    "no_subscribers": "is missing; write `subscribers:` and below it a line such as - ada@example.org",
    "no_subscriber": "{given} stands where a subscriber is due; write a line such as - ada@example.org",
    "not_text": "{given} stands where one text is due; write a single value",
    "nul": "holds a NUL character; save it as plain text",
    "open_quote": 'a quote in this row is never closed; close it, or write "" for a quote inside a value',
    "stray_quote": 'text follows a closing quote; write "" for a quote inside a value',
    "string_too_long": "longer than {max_length} characters; shorten it",
    "string_unicode": "{given} holds half a character; write it as a whole",
    "surplus": "more values than the first line has columns; put quotes round a value that holds the separator",
}


class Fault(NamedTuple):
    """A fault not yet put into words: to guess what was meant is slow, and only the first few are told."""

    line: int
    field: str
    kind: str
    given: Any = None
    details: Mapping[str, object] = {}
    choices: Collection[str] = ()

    def hidden(self, known: Collection[str]) -> "Fault":
        """Return it without what the file's writer wrote, for logs that strangers read; `known` are names of fields."""
        details = dict(self.details) | ({"reason": "it is not shown"} if "reason" in self.details else {})
        field = self.field if self.field in known else ""
        return self._replace(field=field, given=None if self.given is None else HIDDEN, details=details)


class _Hidden:
    def __str__(self) -> str:
        return ""  # no word to guess from what was meant


HIDDEN = _Hidden()
zones = cache(available_timezones)


def told(faults: list[Fault], where: str) -> Iterator[str]:
    """Yield the faults of a file in the order of its lines, the first twenty."""
    for fault in sorted(faults, key=lambda fault: fault.line)[:MOST_FAULTS_TOLD]:
        field = f"{_short(fault.field)}: " if fault.field else ""
        near = _near(_short(str(fault.given)) if fault.kind == "enum" else _short(fault.field), fault.choices)
        says = SAYS[fault.kind].format(given=_quoted(fault.given), field=fault.field, near=near, **fault.details)
        yield one_line(f"{where}:{fault.line}: {field}{says}")
    if len(faults) > MOST_FAULTS_TOLD:
        yield f"and {len(faults) - MOST_FAULTS_TOLD} more"


def _near(word: str, choices: Collection[str]) -> str:
    # By the city alone, `Berlin`, too. Zones without one are no guess to make: Etc/GMT+2 is two hours west of UTC.
    cities = choices is zones()
    likely = sorted(choice for choice in choices if not cities or ("/" in choice and not choice.startswith("Etc/")))
    spelled = {it.rpartition("/")[2].casefold(): it for it in likely} | {it.casefold(): it for it in likely}
    for close in difflib.get_close_matches(word.casefold().replace(" ", "_"), spelled, n=1, cutoff=0.8):
        return f"did you mean {spelled[close]}?"
    return "write one such as Europe/Berlin or UTC" if cities else f"write {_listed(list(choices))}"


def _listed(choices: list[str]) -> str:
    """Return `one, another or a third`."""
    most = ", ".join(choices[:-1])
    return " or ".join(filter(None, [most, *choices[-1:]]))


def _quoted(value: object) -> str:
    kinds = {
        _Hidden: "the value",
        dict: "a mapping",
        list: "a list",
        bool: "an unquoted true or false",
        type(None): "nothing",
    }
    return kinds.get(type(value)) or repr(_short(str(value)))


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else text[: LONGEST_QUOTE - 3] + "..."


def one_line(text: str) -> str:
    """Return text that stays one line and sends nothing to the terminal but itself."""
    # A line separator in a value or a path must not break the line, nor an escape sequence reach the terminal.
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def refusal(place: str, fault: str) -> SubscribersError:
    """Return the error for a file that cannot be read any further."""
    return SubscribersError(one_line(f"{place}: {fault}"))
