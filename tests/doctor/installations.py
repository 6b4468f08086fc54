"""Installations to be examined: settings of a test, and the surroundings they name."""

import ssl
from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import trustme

from newsletter.doctor.check import Check, Heard, Installation
from newsletter.doctor.sources import briefly
from newsletter.settings import Settings
from newsletter.settings.sending import DkimSettings
from newsletter.settings.serving import BounceSettings
from newsletter.wiring import build, now, sources

PLENTY = 10**12  # bytes
Clock = Callable[[], datetime]


def installation(folder: Path, *, clock: Clock = now, free: int = PLENTY, **given: Any) -> Installation:
    """Return an installation in a folder; `nameserver`, `address` and `offline` are its own, the rest are settings."""
    options = {name: given.pop(name) for name in ("nameserver", "address", "offline") if name in given}
    settings, heard = Settings(**given), list[Heard]()
    quiet: dict[str, Any] = {"database_url": "sqlite://", "sources": [], "transport": "outbox:."}
    quiet |= {"dkim": DkimSettings(), "bounces": BounceSettings()}
    made = Installation(
        settings=settings,
        folder=folder,
        config=None,
        sources=sources(settings, folder, briefly(heard, clock)),
        rehearse=partial(build, settings.model_copy(update=quiet), folder, remember=False),
        clock=clock,
        free=lambda _path: free,
        heard=heard,
    )
    return replace(made, **options)


def mailing(port: int, **smtp: Any) -> dict[str, Any]:
    """Return the settings that mail through a relay on loopback."""
    relay = {"host": "127.0.0.1", "port": port, "security": "none"} | smtp
    return {"transport": "smtp", "sender": "Papers <papers@example.com>", "smtp": relay}


def only(checks: Iterable[Check], name: str) -> Check:
    """Return the one check of a name."""
    [found] = [check for check in checks if check.name == name]
    return found


def server_context(authority: trustme.CA, name: str = "127.0.0.1", *, days: int = 365) -> ssl.SSLContext:
    """Return what a server with a certificate of this authority needs; it ends in so many days, or has ended."""
    ends = now() + timedelta(days=days, minutes=1)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name, not_after=ends).configure_cert(context)
    return context
