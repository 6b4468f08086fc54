"""What has to be known before a list can be set up: given as options, asked for, or left to a default."""

import secrets
import tomllib
from collections.abc import Sequence
from email.utils import formataddr
from pathlib import Path
from typing import NamedTuple, Protocol

from newsletter.errors import UsageError
from newsletter.settings import CONFIG_NAME, Settings, checked, mailbox
from newsletter.setup.config import OWN_MAIL, Answers
from newsletter.setup.records import BESIDE_THEIRS, SELECTORS
from newsletter.setup.relays import RELAYS, Relay, is_loopback


class Given(NamedTuple):
    """What the command line gave; None is what it left open."""

    title: str | None = None
    sender: str | None = None
    reader: str | None = None
    timezone: str | None = None
    sources: Sequence[str] = ()
    base_url: str | None = None
    relay: str | None = None
    host: str | None = None
    username: str | None = None


class Check(Protocol):
    """Returns an answer that will do, or raises UsageError."""

    def __call__(self, value: str, /) -> str: ...  # noqa: D102 - the class says it


class Ask(Protocol):
    """Asks a person until the answer will do."""

    def __call__(self, question: str, default: str | None, check: Check, *, hidden: bool = False) -> str: ...  # noqa: D102 - the class says it


def answered(given: Given, folder: Path, ask: Ask | None, *, dkim: bool) -> Answers:
    """Return the answers to all questions.

    Args:
        given: what needs no question.
        folder: where an older newsletter.toml may hold a secret key, which is kept: links that it signed still work.
        ask: asks a person; None takes the defaults.
        dkim: whether keys are to be made.

    Raises:
        UsageError: an answer will not do, or a relay is given and nobody says who the sender is.
    """
    usual = Settings.model_fields
    title = _one("title", given.title, ask, "Title of the newsletter", usual["title"].default)
    sender = _sender(given, ask, title)
    address = mailbox(sender)[1]
    reader = _one("notify.address", given.reader, ask, "Your own address, the first reader", address)
    timezone = _one("timezone", given.timezone, ask, "Time zone of the list", usual["timezone"].default)
    relay = RELAYS.get(given.relay or _relay(ask))
    host = username = password = None
    if relay:
        host = _one("smtp.host", given.host, None if relay.by_sender else ask, "Host of the relay", relay.host)
        login = "" if is_loopback(host) else relay.login
        default = address if relay.by_sender else None
        username = _text(given.username, ask if login else None, f"User name there ({login})", default)
        password = ask(f"Password ({relay.password}); Enter leaves it", "", str, hidden=True) if ask and login else None
    base_url = given.base_url
    if base_url is None and ask:
        base_url = ask("Public address of its pages; Enter for none", "", _base_url)
    return Answers(
        title=title,
        sender=sender,
        timezone=timezone,
        reader=reader,
        sources=tuple(given.sources) or ("huggingface",),
        secret_key=_kept_secret(folder) or secrets.token_urlsafe(32),
        base_url=base_url or None,
        relay=relay,
        host=host,
        username=username,
        password=password or None,
        dkim=_selectors(address, relay) if dkim else {},
    )


def _selectors(address: str, relay: Relay | None) -> dict[str, str]:
    domain = address.rpartition("@")[2].casefold()
    if domain in OWN_MAIL:
        raise UsageError(f"--dkim: the DNS of {domain} is not yours, and its owner signs by itself; leave it out")
    return BESIDE_THEIRS if relay and relay.signs else SELECTORS


def _sender(given: Given, ask: Ask | None, title: str) -> str:
    if given.sender is None and ask is None and given.relay not in {None, "none"}:
        raise UsageError("--sender is missing: a relay hands on no mail without an address of yours")
    default = None if ask else Settings.model_fields["sender"].default
    written = _one("sender", given.sender, ask, "Sender, like papers@example.org", default)
    name, address = mailbox(written)
    return written if name else formataddr((title, address))


def _relay(ask: Ask | None) -> str:
    def known(value: str) -> str:
        if value not in {"none", *RELAYS}:
            raise UsageError(f"{value!r} is no relay; write one of none, {', '.join(RELAYS)}")
        return value

    return ask(f"Relay: none (a folder to look at), {', '.join(RELAYS)}", "none", known) if ask else "none"


def _one(key: str, given: str | None, ask: Ask | None, question: str, default: str | None) -> str:
    """Return a setting's value that the settings accept."""

    def accepted(value: str) -> str:
        table, _, name = key.rpartition(".")
        if not value.strip():
            raise UsageError(f"{key}: is empty")
        checked({table: {name: value}} if table else {name: value}, Path(CONFIG_NAME), {})
        return value

    if given is not None:
        return accepted(given)
    return ask(question, default, accepted) if ask else accepted(default or "")


def _text(given: str | None, ask: Ask | None, question: str, default: str | None) -> str | None:
    if given is not None or ask is None:
        return given
    return ask(question, default, str)


def _base_url(value: str) -> str:
    if value:
        checked({"base_url": value}, Path(CONFIG_NAME), {})
    return value


def _kept_secret(folder: Path) -> str | None:
    try:
        kept = tomllib.loads((folder / CONFIG_NAME).read_text("utf-8-sig")).get("secret_key")
    except (OSError, ValueError):  # not there, or not to be read: whatever it held, it signs nothing any more
        return None
    return kept if isinstance(kept, str) and kept else None
