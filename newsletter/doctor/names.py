"""Asking the DNS, through dnspython: this machine's name servers or the one that is named."""

import re
from collections.abc import Sequence

import dns.exception
import dns.name
import dns.rdatatype
import dns.resolver
import dns.reversename
from dns.rdtypes.ANY.MX import MX
from dns.rdtypes.ANY.TXT import TXT

from newsletter.doctor.check import reason_of
from newsletter.doctor.spf import NoAnswerError
from newsletter.errors import UsageError

SECONDS = 3.0  # for an answer, all tries together
PORT = 53


class Names:
    """A directory of names; see `spf.Directory`. Each answer is asked for once.

    Args:
        nameserver: `HOST` or `HOST:PORT`, an IP address; None asks those of this machine.

    Raises:
        UsageError: the name server is no IP address.
    """

    def __init__(self, nameserver: str | None = None) -> None:
        try:
            self._resolver = dns.resolver.Resolver(configure=nameserver is None)
        except dns.resolver.NoResolverConfiguration:
            self._resolver = dns.resolver.Resolver(configure=False)  # nobody to ask, which each question tells
        if nameserver:
            host, port = _place(nameserver)
            try:
                self._resolver.nameservers = [host]
            except ValueError:
                raise UsageError(f"{nameserver}: is no IP address; write it like 192.0.2.53 or 192.0.2.53:53") from None
            self._resolver.port = port
        self._resolver.lifetime = SECONDS
        self._resolver.cache = dns.resolver.LRUCache()

    def texts(self, name: str) -> list[str]:
        """Return the TXT records, the strings of each joined (RFC 7208 section 3.3, RFC 6376 section 3.6.2.2)."""
        found = self._ask(name, "TXT")
        return [b"".join(one.strings).decode("ascii", "replace") for one in found if isinstance(one, TXT)]

    def addresses(self, name: str, version: int) -> list[str]:
        """Return the A (4) or AAAA (6) records."""
        return [str(one) for one in self._ask(name, "A" if version == 4 else "AAAA")]  # noqa: PLR2004 - IP versions

    def exchanges(self, name: str) -> list[str]:
        """Return the hosts of the MX records, the most preferred first; a lone `.` takes no mail (RFC 7505)."""
        found = sorted((one.preference, str(one.exchange)) for one in self._ask(name, "MX") if isinstance(one, MX))
        return [host if host == "." else host.rstrip(".") for _preference, host in found]

    def pointers(self, address: str) -> list[str]:
        """Return the names of the PTR records of an address."""
        return [str(one).rstrip(".") for one in self._ask(str(dns.reversename.from_address(address)), "PTR")]

    def _ask(self, name: str, kind: str) -> Sequence[object]:
        try:
            question = dns.name.from_text(name)
        except (dns.exception.DNSException, UnicodeError):
            return ()  # what is no name is not there
        try:
            return [*self._resolver.resolve(question, kind, raise_on_no_answer=False)]
        except dns.resolver.NXDOMAIN:
            return ()
        except dns.resolver.NoNameservers as fault:
            said = sorted({_said(error) for error in fault.kwargs.get("errors", ())})
            raise NoAnswerError(f"{name} {kind}: {'; '.join(said) or 'no name server is known'}") from None
        except dns.exception.Timeout:
            raise NoAnswerError(f"{name} {kind}: no answer from the name server in time") from None
        except (dns.exception.DNSException, OSError) as fault:
            raise NoAnswerError(f"{name} {kind}: {reason_of(fault)}") from None


def _said(error: object) -> str:
    """Return what went wrong with one name server; dnspython keeps it as a tuple, its name first."""
    match error:
        case (server, _tcp, _port, fault, _response):
            return f"name server {re.sub('^Do53:|@[0-9]+$', '', str(server))}: {reason_of(fault)}"
    return reason_of(error)


def _place(nameserver: str) -> tuple[str, int]:
    """Return host and port; an IPv6 address with a port stands in brackets."""
    host, colon, port = nameserver.rpartition(":")
    if colon and port.isdigit() and (":" not in host or host.startswith("[")):
        return host.strip("[]"), int(port)
    return nameserver.strip("[]"), PORT
