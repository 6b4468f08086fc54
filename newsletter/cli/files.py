"""Issues as files: what `build` writes, and the page that `send` points to."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from newsletter import copies
from newsletter.models import Issue, Message, Preferences, Subscriber
from newsletter.parts import Parts
from newsletter.rank.interests import choose
from newsletter.render.reading import Reading
from newsletter.send.outbox import OutboxTransport
from newsletter.store.papers import to_json


def write_issue(folder: Path, issue: Issue, message: Message) -> Iterator[Path]:
    """Write one copy of an issue as issue.html, .txt, .eml and .json, and yield the paths.

    A reader of plain text gets no issue.html; one of an earlier build is removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    mail = Reading(message.content)
    if mail.html:
        yield _write(folder / "issue.html", mail.html.encode())
    else:
        (folder / "issue.html").unlink(missing_ok=True)
    yield _write(folder / "issue.txt", mail.text.encode())
    yield _write(folder / "issue.eml", message.content)
    yield _write(folder / "issue.json", json.dumps(_issue(issue), ensure_ascii=False, indent=2).encode() + b"\n")


def write_page(parts: Parts, issue: Issue) -> Path | None:
    """Write the page of an issue beside the outbox, for a look in a browser; None where mail really goes out."""
    if not isinstance(parts.transport, OutboxTransport):
        return None
    reader = Subscriber(address="reader@example.org", id=0, preferences=Preferences())
    if not choose(issue, reader.preferences):
        return None  # every paper is under the threshold; only readers who asked for one got a copy
    mail = Reading(copies.copy_for(parts, issue, reader).content)
    folder = parts.transport.folder.parent / "issues"
    folder.mkdir(parents=True, exist_ok=True)
    return _write(folder / f"{issue.key.replace('/', '-')}.html", mail.html.encode())


def _write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def _issue(issue: Issue) -> dict[str, Any]:
    entries = [
        {"rank": entry.rank, "reason": entry.reason, "remark": entry.remark, "paper": to_json(entry.paper)}
        for entry in issue.digest.entries
    ]
    return {"issue": issue.key, "title": issue.title, "list_id": issue.list_id, "size": issue.size, "entries": entries}
