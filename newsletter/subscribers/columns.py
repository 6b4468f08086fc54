"""What the columns of other systems' CSV files mean: Mailchimp's three exports, listmonk's, and what is alike."""

import re
from collections.abc import Sequence

FORMULAS = "=+-@"  # a cell that begins so is a formula to a spreadsheet
NAMES = {
    "email": "address",
    "emailaddress": "address",
    "subscriberstatus": "status",
    "firstname": "first name",
    "lastname": "last name",
}
STATUSES = {
    "subscribed": "active",
    "enabled": "active",
    "confirmed": "active",
    "unconfirmed": "pending",
    "cleaned": "bounced",
    "disabled": "unsubscribed",
    "blocklisted": "unsubscribed",
    "blacklisted": "unsubscribed",
    "spam": "complained",
}
# Mailchimp says by the file who its people are; each kind has a time of its own.
STATUS_BY_COLUMN = {"unsubtime": "unsubscribed", "cleantime": "bounced"}


def field_of(title: str, known: Sequence[str]) -> str:
    """Return the field that a column fills, or nothing for a column of no concern here."""
    plain = re.sub(r"[\s_-]", "", title.casefold())
    spelled = {re.sub("_", "", name): name for name in known}
    return NAMES.get(plain) or spelled.get(plain, "")


def status_of(titles: Sequence[str]) -> str:
    """Return how everybody in a file stands whose columns have these titles; nothing if the rows say it."""
    plain = {re.sub(r"[\s_-]", "", title.casefold()) for title in titles}
    return next((status for name, status in STATUS_BY_COLUMN.items() if name in plain), "")


def read_cell(cell: str) -> str:
    """Return what a cell says: without the apostrophe that keeps a spreadsheet from computing it."""
    stripped = cell.strip()
    return stripped[1:] if stripped[:1] == "'" and stripped[1:2] in {*FORMULAS, "'"} else stripped


def write_cell(text: str) -> str:
    """Return a text as a cell; `read_cell` reads it back."""
    return f"'{text}" if text.startswith((*FORMULAS, "'")) else text


def read_words(cell: str) -> list[str]:
    r"""Return the words of a cell, which stand between semicolons; `\;` and `\\` are those signs themselves."""
    parts = re.findall(r"(?:\\.|[^;\\]|\\$)+", cell)
    return [re.sub(r"\\([;\\])", r"\1", part).strip() for part in parts]


def write_words(words: Sequence[str]) -> str:
    """Return words as a cell; `read_words` reads them back."""
    return "; ".join(re.sub(r"([;\\])", r"\\\1", word) for word in words)


def cleaned(values: dict[str, str], status: str) -> dict[str, str]:
    """Return a row's values by our fields: names joined, other systems' words for a status turned into ours."""
    first, last = values.pop("first name", ""), values.pop("last name", "")
    if first or last:
        values.setdefault("name", " ".join(filter(None, (first, last))))
    said = values.get("status", status)
    if said:
        values["status"] = STATUSES.get(said.casefold(), said.casefold())
    return values
