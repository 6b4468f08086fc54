"""The reference of all settings, written out of their classes.

`python -m newsletter.settings.reference docs/settings.md` writes it between two marks there; a test compares.
"""

import re
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from newsletter.settings import Settings
from newsletter.settings.scheduling import UNITS

BEGIN, END = "<!-- settings -->\n", "<!-- end of settings -->\n"
HEAD = "| setting | default | what it is |\n| --- | --- | --- |\n"
UNSET = {  # what stands for a setting that has no default
    "sources": "the sample",
    "subscribers": "./subscribers.yaml, else the example",
}
MORE = {
    "bounces": "readers.md#what-comes-back",
    "dkim": "delivery.md",
    "limits": "delivery.md",
    "notify": "schedule.md#seeing-it-work",
    "only_matches": "interests.md",
    "ranking": "ranking.md",
    "relays": "delivery.md#several-relays",
    "schedule": "schedule.md",
    "signup": "readers.md",
}


def table() -> str:
    """Return the table of all settings in Markdown, in the order of their classes."""
    return HEAD + "".join(f"| {' | '.join(row)} |\n" for row in _rows(Settings, ""))


def rewritten(document: str) -> str:
    """Return a document with the table anew between its marks.

    Raises:
        ValueError: the marks are not in it.
    """
    before, begin, rest = document.partition(BEGIN)
    _old, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"lacks {BEGIN.strip()} or {END.strip()}; put them around its table")
    return f"{before}{begin}{table()}{end}{after}"


def _rows(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        inner, full = field.annotation, prefix + name
        if isinstance(inner, type) and issubclass(inner, BaseModel):
            said = (inner.__doc__ or "").partition("\n")[0].rstrip(".")
            yield f"**`{full}`**", "", f"**{said}:**{_more(full)}"
            yield from _rows(inner, f"{full}.")
        else:
            yield f"`{full}`", _default(full, field), _what(field) + _more(full)


def _default(name: str, field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    if name in UNSET:
        return UNSET[name]
    if value is PydanticUndefined or value is None or value in ([], {}):
        return ""
    return f"`{_written(value)}`"


def _written(value: Any) -> str:
    """Return a value as a person writes it in newsletter.toml."""
    if isinstance(value, timedelta):
        unit = next(unit for unit in reversed(UNITS) if value.total_seconds() % UNITS[unit] == 0)
        return f"{int(value.total_seconds() // UNITS[unit])}{unit}"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(_written, value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _what(field: FieldInfo) -> str:
    said = re.sub(r'"([^"]+)"', r"`\1`", field.description or "").replace("|", "\\|")
    words = [f"`{word}`" for kind in _kinds(field.annotation) for word in _choices(kind)]
    these = "Some of" if get_origin(field.annotation) is list else "One of"
    secret = any(kind is SecretStr for kind in _kinds(field.annotation))
    return said + (f" {these} {', '.join(words)}." if words else "") + (" Never shown." if secret else "")


def _kinds(annotation: Any) -> Iterator[Any]:
    """Yield the types that a value may have, of a list those of its items."""
    if get_origin(annotation) in {Union, type(int | None), list}:
        for kind in get_args(annotation):
            yield from _kinds(kind)
    else:
        yield annotation


def _choices(kind: Any) -> tuple[str, ...]:
    return get_args(kind) if get_origin(kind) is Literal else ()


def _more(name: str) -> str:
    return f" [More]({MORE[name]})" if name in MORE else ""


if __name__ == "__main__":
    path = Path(sys.argv[1])
    path.write_text(rewritten(path.read_text("utf-8")), "utf-8")
