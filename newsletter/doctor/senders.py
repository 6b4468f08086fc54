"""Who hands our mail to receivers: which addresses, and whose they are."""

import ipaddress
import re
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NamedTuple

from newsletter.doctor.check import Installation
from newsletter.doctor.spf import Directory, NoAnswerError
from newsletter.settings import mailbox

SECOND_LEVEL = {"ac", "co", "com", "edu", "gov", "net", "org"}  # under a country: example.co.uk
TEST_NET = "192.0.2.1"  # RFC 5737; nothing is sent there


class Provider(NamedTuple):
    """A relay of many senders: its hosts, what an SPF record includes for it, and whose return path its mails have."""

    name: str
    hosts: str
    spf: str
    own_return_path: bool = False


PROVIDERS = (
    Provider("Gmail", r"smtp(-relay)?\.(gmail|googlemail)\.com", "_spf.google.com"),
    Provider("Amazon SES", r"email-smtp[.-].*\.amazonaws\.com(\.cn)?", "amazonses.com", own_return_path=True),
    Provider("Postmark", r"smtp(-broadcasts)?\.postmarkapp\.com", "spf.mtasv.net", own_return_path=True),
    Provider("SendGrid", r"smtp\.sendgrid\.net", "sendgrid.net", own_return_path=True),
    Provider("Brevo", r"smtp-relay\.(brevo|sendinblue)\.com", "spf.brevo.com", own_return_path=True),
    Provider("Mailgun", r"smtp(\.eu)?\.mailgun\.org", "mailgun.org"),
    Provider("Microsoft 365", r"smtp\.office365\.com|.*\.mail\.protection\.outlook\.com", "spf.protection.outlook.com"),
    Provider("Fastmail", r"smtp\.fastmail\.com", "spf.messagingengine.com"),
)


@dataclass(frozen=True, kw_only=True)
class Domains:
    """The domains that receivers look at: of From, of the envelope, and of our own signatures."""

    sender: str
    envelope: str
    signing: str | None

    @classmethod
    def of(cls, it: Installation) -> "Domains":
        """Read them from the settings."""
        sender = _domain(it.settings.sender)
        envelope = _domain(it.settings.bounce_address) if it.settings.bounce_address else sender
        signing = (it.settings.dkim.domain or sender).lower() if it.settings.dkim.keys else None
        return cls(sender=sender, envelope=envelope, signing=signing)


@dataclass(frozen=True, kw_only=True)
class Station:
    """A relay as receivers see it.

    `own` is one that the operator runs; then `addresses` are those that mail leaves from, none if they are not known.
    """

    host: str
    own: bool
    addresses: tuple[str, ...] = ()
    near: tuple[str, ...] = ()  # its addresses within this machine or its network, which no receiver sees
    provider: Provider | None = None


def stations(it: Installation, names: Directory, domain: str) -> list[Station]:
    """Return every relay of the settings; `domain` is the list's own."""
    hosts = dict.fromkeys(relay.host or "" for relay in it.settings.all_relays)
    return [_station(it, names, host.lower().rstrip("."), domain) for host in hosts]


def organisation(domain: str) -> str:
    """Return the domain that somebody registered, done simply: its last two labels, three under such as co.uk."""
    labels = domain.lower().rstrip(".").split(".")
    three = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in SECOND_LEVEL  # noqa: PLR2004 - a country
    return ".".join(labels[-3 if three else -2 :])


def own_address() -> str | None:
    """Return the public address that this machine sends from, if it has one; nothing is sent to find out."""
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((TEST_NET, 9))
        address = str(probe.getsockname()[0])
        return address if ipaddress.ip_address(address).is_global else None
    return None


def _station(it: Installation, names: Directory, host: str, domain: str) -> Station:
    provider = next((one for one in PROVIDERS if re.fullmatch(one.hosts, host)), None)
    if provider:
        return Station(host=host, own=False, provider=provider)
    found = _addresses(host, names)
    public = tuple(one for one in found if ipaddress.ip_address(one).is_global)
    near = tuple(one for one in found if one not in public)
    own = bool(near and not public) or organisation(host) == organisation(domain)
    if own and it.address:
        return Station(host=host, own=True, addresses=(it.address,))
    if own and not public:
        address = own_address()
        public = (address,) if address else ()
    return Station(host=host, own=own, addresses=public, near=near)


def _addresses(host: str, names: Directory) -> Sequence[str]:
    """Return a host's addresses: by the DNS, else as this machine knows it."""
    with suppress(ValueError):
        return [str(ipaddress.ip_address(host.strip("[]")))]
    with suppress(NoAnswerError):
        found = [*names.addresses(host, 4), *names.addresses(host, 6)]
        if found:
            return found
    with suppress(OSError, UnicodeError):
        return [str(one[4][0]).partition("%")[0] for one in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]
    return []


def _domain(sender: str) -> str:
    return mailbox(sender)[1].rpartition("@")[2].lower()
