"""The first files of a list, made and written together."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from newsletter.errors import SurroundingsError
from newsletter.send.dkim import DkimKey, load_key
from newsletter.settings import CONFIG_NAME
from newsletter.setup.config import Answers, settings_text, subscribers_text
from newsletter.setup.files import Planned, write
from newsletter.setup.place import loaded
from newsletter.setup.records import Record, new_key, records

ROSTER = "subscribers.yaml"


@dataclass(frozen=True)
class Made:
    """What was written: files, each with the name under which an older one is kept; older keys; records to publish."""

    files: Sequence[tuple[Path, Path | None]]
    kept_keys: Sequence[Path]
    records: Sequence[Record]


def existing(folder: Path) -> list[Path]:
    """Return the files that setting up would replace."""
    return [path for path in (folder / CONFIG_NAME, folder / ROSTER) if path.exists()]


def make(folder: Path, answers: Answers, now: datetime) -> Made:
    """Write the files of a list into a folder, all of them or none; DKIM keys that are there stay, as the DNS has them.

    Raises:
        SettingsError: the answers do not go together, or an older key is none.
        SurroundingsError: the folder cannot be written.
    """
    text = settings_text(answers)
    loaded(tomllib.loads(text), folder / CONFIG_NAME)
    planned = [
        Planned(folder / CONFIG_NAME, text.encode()),
        Planned(folder / ROSTER, subscribers_text(answers).encode()),
    ]
    keys: list[DkimKey] = []
    kept = []
    for selector, file in answers.dkim.items():
        path = folder / file
        pem = path.read_bytes() if path.exists() else new_key(selector)
        keys.append(load_key(pem, domain=answers.domain, selector=selector, name=file))
        if path.exists():
            kept.append(path)
        else:
            planned.insert(0, Planned(path, pem))  # before the settings that name it
    _make_private(folder / "var")
    return Made(list(write(planned, now)), kept, list(records(answers, keys)))


def _make_private(folder: Path) -> None:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as fault:
        said = f"{fault.filename or folder}: {fault.strerror}"
        raise SurroundingsError(f"{said}; make the folder writable for this user, or name another") from None
