"""The settings and the subscriber file: what the operator wrote."""

import stat
import tomllib
from collections.abc import Iterator
from email.utils import parseaddr
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from newsletter.doctor.check import FAIL, OK, SKIP, UNMAILED, WARN, WRONG, Check, Installation, guarded, of_fault, shown
from newsletter.doctor.database import Look
from newsletter.errors import DatabaseError, SubscribersError
from newsletter.parts import roster_of
from newsletter.settings import bundled
from newsletter.store.subscribers import SubscriberStore
from newsletter.subscribers import Roster, read_roster
from newsletter.subscribers.held import Held

NAMES = ("settings", "secrets", "secret key", "sender", "postal address", "subscribers", "time zones")
SECRETS = {"secret_key", "earlier_secret_keys", "password", "imap_password", "ping_url"}
EXAMPLES = ("example.org", "example.com", "example.net", "example", "invalid", "test")  # RFC 2606
STALE_YEARS = 2  # of time zone data; a zone or two change in each


def checks(it: Installation, look: Look) -> Iterator[Check]:
    """Yield what the settings and the subscriber file are like; `look` is at the database."""
    yield Check("settings", OK, f"{shown(it.config)} is read" if it.config else "no newsletter.toml: the defaults hold")
    yield from guarded("secrets", lambda: [_secrets(it, look)])
    yield _secret_key(it, look)
    yield _sender(it)
    yield _postal_address(it)
    yield from guarded("subscribers", lambda: [_subscribers(it, look)])
    yield from guarded("time zones", lambda: [_time_zones(it, look)])


def _secrets(it: Installation, look: Look) -> Check:
    """Nobody but their owner, and perhaps a group, may read files that hold secrets."""
    files = [path for path in dict.fromkeys(_secret_files(it, look)) if path.exists()]
    open_ones = [shown(path) for path in files if path.stat().st_mode & stat.S_IRWXO]
    if open_ones:
        told = f"everybody on this machine may read {', '.join(open_ones)}"
        return Check("secrets", WARN, told, f"chmod o= {' '.join(open_ones)}")
    if not files:
        return Check("secrets", OK, "no file of the settings holds a secret")
    return Check("secrets", OK, f"only this user and group may read {', '.join(map(shown, files))}")


def _secret_files(it: Installation, look: Look) -> Iterator[Path]:
    if look.database.path:
        yield look.database.path
    if it.config and _holds_secret(tomllib.loads(it.config.read_text("utf-8-sig"))):
        yield it.config
    relays = it.settings.all_relays if it.mails else []
    yield from (it.folder / relay.password_file for relay in relays if relay.password_file)
    yield from (it.folder / file for file in it.settings.dkim.keys.values())


def _holds_secret(values: Any) -> bool:
    match values:
        case dict():
            return any((name in SECRETS and value) or _holds_secret(value) for name, value in values.items())
        case list():
            return any(map(_holds_secret, values))
        case str():
            return "://" in values and ":" in values.partition("://")[2].partition("@")[0] and "@" in values
    return False


def _secret_key(it: Installation, look: Look) -> Check:
    if it.settings.secret_key:
        return Check("secret key", OK, "set; links and Message-IDs are signed with it")
    if look.secret_kept:
        return Check("secret key", OK, "kept in the database; save it with the database, or old links end")
    return Check("secret key", OK, "not set: the first run makes one and keeps it in the database")


def _sender(it: Installation) -> Check:
    domain = parseaddr(it.settings.sender)[1].rpartition("@")[2].lower()
    if not any(f".{domain}".endswith(f".{example}") for example in EXAMPLES):
        return Check("sender", OK, it.settings.sender)
    if not it.mails:
        return Check("sender", SKIP, f"{it.settings.sender}; {UNMAILED}")
    return Check("sender", WARN, f"{it.settings.sender} is of a domain for examples", "set sender to your own address")


def _postal_address(it: Installation) -> Check:
    if it.settings.postal_address:
        return Check("postal address", OK, " ".join(it.settings.postal_address.split()))
    if not it.mails:
        return Check("postal address", SKIP, f"not set; {UNMAILED}")
    mend = "set postal_address; it stands in the footer"
    return Check("postal address", WARN, "not set; many countries ask for one in mail to a list", mend)


def _subscribers(it: Installation, look: Look) -> Check:
    try:
        path = roster_of(it.settings, it.folder, SubscriberStore(look.database, it.settings.list_id))
        roster = read_roster(path) if path else None
        imported = sum(1 for _one in _stored(it, look))
    except SubscribersError as fault:
        return Check("subscribers", FAIL, "; ".join(str(fault).splitlines()), "mend these lines of the file", WRONG)
    except DatabaseError as fault:
        return of_fault("subscribers", fault)
    if path is None or roster is None:
        return Check("subscribers", OK, f"{imported:,} imported, no file")
    return _listed(path, roster, imported, mails=it.mails)


def _listed(path: Path | Held, roster: Roster, imported: int, *, mails: bool) -> Check:
    number = len(roster.subscribers)
    told = f"{number:,} in {shown(path)}" + (f", {imported:,} imported" if imported else "")
    if path == bundled("subscribers.example.yaml"):
        told = f"no subscribers.yaml: {number} invented ones of the example"
        mend = f"cp {path} subscribers.yaml, and put yours in" if mails else ""
        return Check("subscribers", WARN if mails else OK, told, mend)
    if roster.duplicates:
        return Check("subscribers", WARN, f"{told}; {'; '.join(roster.duplicates)}", "keep one line of each")
    if not number and not imported:
        return Check("subscribers", WARN, f"nobody in {shown(path)}", "put your readers in")
    return Check("subscribers", OK, told)


def _stored(it: Installation, look: Look) -> Iterator[str | None]:
    """Yield the zones of who is on the list without standing in the file."""
    for one in SubscriberStore(look.database, it.settings.list_id).all(of_file=False):
        yield one.preferences.timezone


def _time_zones(it: Installation, look: Look) -> Check:
    """Every zone that a reader has is known to this machine, by data that is not years old."""
    wanted, unknown = {it.settings.timezone, *_readers_zones(it, look)}, []
    for name in sorted(wanted):
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            unknown.append(name)
    data = _tzdata()
    if unknown:
        return Check("time zones", FAIL, f"not known: {', '.join(unknown)} (tzdata {data})", "pip install -U tzdata")
    told = f"{len(wanted)} in use, all known; tzdata {data}"
    year = data.partition(".")[0]
    if year.isdigit() and it.clock().year - int(year) >= STALE_YEARS:
        return Check("time zones", WARN, f"{told} is years old", "pip install -U tzdata")
    return Check("time zones", OK, told)


def _readers_zones(it: Installation, look: Look) -> set[str]:
    try:
        store = SubscriberStore(look.database, it.settings.list_id)
        path = roster_of(it.settings, it.folder, store)
        listed = read_roster(path).subscribers if path else ()
        zones = {one.preferences.timezone for one in listed} | set(_stored(it, look))
    except (SubscribersError, DatabaseError):
        return set()  # told where subscribers are
    return {zone for zone in zones if zone}


def _tzdata() -> str:
    try:
        return version("tzdata")
    except PackageNotFoundError:
        return "of the system"
