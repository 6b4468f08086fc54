"""The list as a file that `read_roster` reads back: YAML for people, CSV for spreadsheets and other systems."""

import csv
import io
import json
from collections.abc import Iterable, Iterator
from typing import Any

from newsletter.models import Cadence, Format, Standing, Subscriber
from newsletter.subscribers.columns import write_cell, write_words

COLUMNS = (
    "address",
    "name",
    "status",
    "period",
    "timezone",
    "hour",
    "papers",
    "include",
    "exclude",
    "format",
    "only_matches",
    "paused_until",
    "active",
)


def to_yaml(subscribers: Iterable[Subscriber]) -> Iterator[str]:
    """Yield the lines of a subscriber file; what is as everybody has it is left out."""
    yield "subscribers:\n"
    empty = True
    for one in subscribers:
        empty = False
        for number, (name, value) in enumerate(_fields(one).items()):
            yield f"  {'- ' if number == 0 else '  '}{name}: {_written(value)}\n"
    if empty:
        yield "  []\n"


def to_csv(subscribers: Iterable[Subscriber]) -> Iterator[str]:
    """Yield the rows of a CSV file, its header first."""
    yield _row(COLUMNS)
    for one in subscribers:
        fields = _fields(one)
        words = {name: write_words(list(found)) for name, found in fields.pop("interests", {}).items()}
        yield _row(str(_cell((fields | words).get(name))) for name in COLUMNS)


def _fields(one: Subscriber) -> dict[str, Any]:
    wants = one.preferences
    given: dict[str, Any] = {
        "address": one.address,
        "name": one.name,
        "status": None if one.standing is Standing.ACTIVE else one.standing.value,
        "period": None if wants.cadence is Cadence.DAILY else wants.cadence.value,
        "timezone": wants.timezone,
        "hour": wants.hour,
        "papers": wants.papers,
        "interests": {k: v for k, v in (("include", wants.include), ("exclude", wants.exclude)) if v} or None,
        "format": None if wants.format is Format.HTML else wants.format.value,
        "only_matches": wants.only_matches,
        "paused_until": wants.paused_until.isoformat() if wants.paused_until else None,
        "active": None if one.active else False,
    }
    return {name: value for name, value in given.items() if value is not None}


def _written(value: Any) -> str:
    """Return a value in YAML's flow style, of which JSON is a part."""
    return json.dumps(value, ensure_ascii=False)


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _row(cells: Iterable[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([write_cell(cell) for cell in cells])
    return line.getvalue()
