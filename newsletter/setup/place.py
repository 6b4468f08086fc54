"""Where this installation is: its command, its user, and the folders that a run of a list writes to."""

import os
import pwd
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from newsletter.settings import CONFIG_NAME, Settings, checked, read_toml
from newsletter.setup.units import Installation


def installation(folder: Path) -> Installation:
    """Return what a crontab or a unit has to know to run the list of a folder as this process was run.

    Raises:
        SettingsError: the folder's newsletter.toml is wrong.
    """
    place = folder.absolute().resolve()
    settings = _settings(place)
    return Installation(command=_command(), folder=place, user=_user(), written=_outermost(_written(settings, place)))


def loaded(values: dict[str, Any], path: Path) -> Settings:
    """Return the settings of a file; a password that the operator has still to write is stood in for.

    Raises:
        SettingsError: a setting is unknown or wrong.
    """
    smtp = values.get("smtp")
    if isinstance(smtp, dict) and "username" in smtp and not {"password", "password_file"} & smtp.keys():
        values = values | {"smtp": smtp | {"password": "stands in"}}
    return checked(values, path, {})


def _settings(folder: Path) -> Settings | None:
    path = folder / CONFIG_NAME
    return loaded(read_toml(path), path) if path.is_file() else None


def _command() -> list[str]:
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return [sys.executable, "-m", "newsletter"]
    found = shutil.which(sys.argv[0]) or sys.argv[0]
    return [str(Path(found).absolute())]


def _user() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:  # a user without a name, as containers have
        return str(os.geteuid())


def _written(settings: Settings | None, folder: Path) -> Iterator[Path]:
    """Yield the folders of the database, the outbox and the mailbox of bounces."""
    if settings is None:
        yield folder / "var"
        return
    if found := re.fullmatch(r"sqlite(?:\+\w+)?:///([^?]+).*", settings.database_url):
        yield (folder / found[1]).parent
    for place in (settings.transport, settings.bounces.mailbox or ""):
        kind, _, path = place.partition(":")
        if kind in {"outbox", "maildir", "mbox"}:
            yield (folder / path).parent


def _outermost(folders: Iterator[Path]) -> list[Path]:
    every = sorted({Path(os.path.normpath(one)) for one in folders})
    return [one for one in every if not any(other in one.parents for other in every)]
