"""Pure: whether a domain lets an address send for it (RFC 7208). Whoever asks brings the directory of names."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import NamedTuple, Protocol
from urllib.parse import quote

PASS, FAIL, SOFTFAIL, NEUTRAL, NONE = "pass", "fail", "softfail", "neutral", "none"
TEMPERROR, PERMERROR = "temperror", "permerror"
RESULTS = {"+": PASS, "-": FAIL, "~": SOFTFAIL, "?": NEUTRAL}
MOST_LOOKUPS, MOST_VOIDS, MOST_NAMES = 10, 2, 10  # section 4.6.4
LONGEST_NAME = 253  # section 7.3
MACRO = r"%\{[^}]*\}|%[%_-]"
DOMAIN = rf"(?P<domain>(?:{MACRO}|[!-$&-.0-~])+)"
CIDR = r"(?:/(?P<four>0|[1-9]\d?))?(?://(?P<six>0|[1-9]\d{0,2}))?"
VALUES = {  # section 5: what may follow the name of a mechanism
    "all": "",
    "include": f":{DOMAIN}",
    "exists": f":{DOMAIN}",
    "a": f"(?::{DOMAIN})?{CIDR}",
    "mx": f"(?::{DOMAIN})?{CIDR}",
    "ptr": f"(?::{DOMAIN})?",
    "ip4": r":(?P<network>[0-9.]+)(?:/(?P<four>0|[1-9]\d?))?",
    "ip6": r":(?P<network>[0-9A-Fa-f:.]+)(?:/(?P<six>0|[1-9]\d{0,2}))?",
}
MECHANISM = re.compile(r"(?P<sign>[-+?~]?)(?P<name>[a-z][a-z0-9]*)(?P<value>(?:[:/].*)?)", re.IGNORECASE)
MODIFIER = re.compile(rf"(?P<name>[a-z][a-z0-9._-]*)=(?P<value>(?:{MACRO}|[!-$&-~])*)", re.IGNORECASE)
EXPANSION = re.compile(r"%(?:\{([slodipvh])(\d*)(r?)([.+,/_=-]*)\}|([%_-]))", re.IGNORECASE)
LITERAL = {"%": "%", "_": " ", "-": "%20"}


class NoAnswerError(Exception):
    """The directory did not answer; whether there is such a name is not known."""


class Directory(Protocol):
    """Where names are looked up; a name that is not there has no answers.

    Each raises NoAnswerError where nobody can tell.
    """

    def texts(self, name: str) -> Sequence[str]:
        """Return the TXT records, the strings of each joined."""
        ...

    def addresses(self, name: str, version: int) -> Sequence[str]:
        """Return the A (4) or AAAA (6) records."""
        ...

    def exchanges(self, name: str) -> Sequence[str]:
        """Return the hosts of the MX records, the most preferred first."""
        ...

    def pointers(self, address: str) -> Sequence[str]:
        """Return the names of the PTR records of an address."""
        ...


class Ruling(NamedTuple):
    """The result (section 2.6), the term or the fault that decided, and whose records were read on the way."""

    result: str
    why: str
    read: tuple[str, ...] = ()


class _PermanentError(Exception):
    """The record is wrong, and its owner has to mend it: permerror."""


@dataclass(frozen=True, slots=True)
class Term:
    """One mechanism."""

    text: str
    result: str
    name: str
    domain: str | None = None
    network: str | None = None
    four: int = 32
    six: int = 128


def check_host(address: str, domain: str, directory: Directory, *, sender: str = "", voids: int = MOST_VOIDS) -> Ruling:
    """Return whether a domain lets an address send for it; whatever its record says, that is a ruling.

    Args:
        address: the IP address that mail comes from.
        domain: of the envelope's sender.
        directory: where names are looked up.
        sender: the envelope's sender, postmaster of the domain if empty.
        voids: names that may lead nowhere, until that is a fault.
    """
    case = _Case(ip_address(address), sender or f"postmaster@{domain}", directory, voids)
    try:
        result, why = case.judge(domain)
    except NoAnswerError as fault:
        result, why = TEMPERROR, str(fault)
    except _PermanentError as fault:
        result, why = PERMERROR, str(fault)
    return Ruling(result, why, tuple(case.read))


def records_of(domain: str, directory: Directory) -> list[str]:
    """Return the SPF records of a domain; there should be one (section 4.5)."""
    return [text for text in directory.texts(domain) if re.match(r"v=spf1(?: |$)", text, re.IGNORECASE)]


@dataclass(slots=True)
class _Case:
    """One question and what it has cost so far."""

    address: IPv4Address | IPv6Address
    sender: str
    directory: Directory
    most_voids: int
    lookups: int = 0
    voids: int = 0
    read: list[str] = field(default_factory=list)

    def judge(self, domain: str) -> tuple[str, str]:
        """Return the result of a domain's record and what decided (section 4.6)."""
        records = records_of(domain, self.directory)
        if not records:
            return NONE, f"{domain} has no SPF record"
        if len(records) > 1:
            raise _PermanentError(f"{domain} has {len(records)} SPF records")
        self.read.append(domain.lower().rstrip("."))
        terms, redirect = _parsed(records[0])
        for term in terms:
            if self.matches(term, domain):
                return term.result, f"{term.text} of {domain}"
        if redirect is None or any(term.name == "all" for term in terms):
            return NEUTRAL, f"no term of {domain} matches"
        return self.redirected(redirect, domain)

    def redirected(self, target: str, domain: str) -> tuple[str, str]:
        """Return what the record says that stands in place of this one (section 6.1)."""
        self.count_lookup()
        result, why = self.judge(self.expanded(target, domain))
        if result == NONE:
            raise _PermanentError(f"redirect={target} of {domain} leads to no SPF record")
        return result, why

    def matches(self, term: Term, domain: str) -> bool:
        """Return whether a mechanism is about the address (section 5)."""
        if term.name == "all":
            return True
        if term.name in {"ip4", "ip6"}:
            return self.within(term.network or "", term)
        self.count_lookup()
        target = self.expanded(term.domain, domain) if term.domain else domain
        looks = {
            "include": lambda: self.included(target),
            "exists": lambda: bool(self.heard(self.directory.addresses(target, 4))),
            "a": lambda: self.at_host(target, term),
            "mx": lambda: self.at_exchange(target, term),
            "ptr": lambda: self.named_within(target),
        }
        return looks[term.name]()

    def included(self, target: str) -> bool:
        """Return whether another domain's record passes the address (section 5.2)."""
        result, why = self.judge(target)
        if result == NONE:
            raise _PermanentError(f"include:{target} leads to no SPF record ({why})")
        return result == PASS

    def at_host(self, host: str, term: Term) -> bool:
        """Return whether a host has the address, or its network has (section 5.3)."""
        found = self.heard(self.directory.addresses(host, self.address.version))
        return any(self.within(address, term) for address in found)

    def at_exchange(self, domain: str, term: Term) -> bool:
        """Return whether a mail exchanger has the address (section 5.4)."""
        hosts = self.heard(self.directory.exchanges(domain))
        if len(hosts) > MOST_NAMES:
            raise _PermanentError(f"{domain} has more than {MOST_NAMES} mail exchangers")
        version = self.address.version
        return any(self.within(one, term) for host in hosts for one in self.directory.addresses(host, version))

    def named_within(self, domain: str) -> bool:
        """Return whether the address has a name in a domain that leads back to it (section 5.5)."""
        try:
            names = self.heard(self.directory.pointers(str(self.address)))[:MOST_NAMES]
            return any(self.is_named(name.rstrip("."), domain) for name in names)
        except NoAnswerError:
            return False  # section 5.5: then it does not match

    def is_named(self, name: str, domain: str) -> bool:
        inside = f".{name}".lower().endswith(f".{domain.rstrip('.')}".lower())
        return inside and str(self.address) in self.directory.addresses(name, self.address.version)

    def within(self, network: str, term: Term) -> bool:
        try:
            found = ip_address(network)
        except ValueError:
            raise _PermanentError(f"{term.text}: {network} is no address") from None
        if term.name in {"ip4", "ip6"} and found.version != int(term.name[-1]):
            raise _PermanentError(f"{term.text}: {network} is no address of that kind")
        length = term.four if found.version == 4 else term.six  # noqa: PLR2004 - IP versions
        return found.version == self.address.version and self.address in ip_network((found, length), strict=False)

    def heard(self, answers: Sequence[str]) -> Sequence[str]:
        """Count the lookups that found nothing: more than a few are a fault."""
        self.voids += not answers
        if self.voids > self.most_voids:
            raise _PermanentError(f"more than {self.most_voids} of its names lead nowhere")
        return answers

    def count_lookup(self) -> None:
        self.lookups += 1
        if self.lookups > MOST_LOOKUPS:
            raise _PermanentError(f"needs more than {MOST_LOOKUPS} lookups")

    def expanded(self, text: str, domain: str) -> str:
        """Return a domain-spec with its macros filled in (section 7)."""
        name = EXPANSION.sub(lambda found: self.value_of(found, domain), text).rstrip(".")
        while len(name) > LONGEST_NAME and "." in name:
            name = name.partition(".")[2]
        return name

    def value_of(self, macro: "re.Match[str]", domain: str) -> str:
        letter, number, reverse, delimiters, literal = macro.groups()
        if literal:
            return LITERAL[literal]
        local, _, host = self.sender.rpartition("@")
        nibbles = ".".join(f"{int(self.address):032x}") if self.address.version == 6 else str(self.address)  # noqa: PLR2004
        values = {"s": self.sender, "l": local, "o": host, "d": domain, "i": nibbles, "h": host, "p": "unknown"}
        values["v"] = "in-addr" if self.address.version == 4 else "ip6"  # noqa: PLR2004 - IP versions
        value = values[letter.lower()]
        if number or reverse or delimiters:
            labels = re.split(f"[{re.escape(delimiters or '.')}]", value)
            labels = labels[::-1] if reverse else labels
            value = ".".join(labels[-int(number or len(labels)) :])
        return quote(value, safe="") if letter.isupper() else value


def _parsed(record: str) -> tuple[list[Term], str | None]:
    """Return the mechanisms in their order and the redirect; the whole record is read before any of it counts."""
    modifiers: dict[str, str] = {}
    terms = []
    for text in record.split(" ")[1:]:
        if not text:
            continue
        found = MODIFIER.fullmatch(text)
        name = found["name"].lower() if found else ""
        if found and name in {"redirect", "exp"} and (name in modifiers or not found["value"]):
            raise _PermanentError(f"{text}: stands there twice, or without a domain")
        if found:
            _check_macros(found["value"], text)
            modifiers.setdefault(name, found["value"])
        else:
            terms.append(_term(text))
    return terms, modifiers.get("redirect")


def _term(text: str) -> Term:
    found = MECHANISM.fullmatch(text)
    name = found["name"].lower() if found else ""
    value = re.fullmatch(VALUES[name], found["value"]) if found and name in VALUES else None
    if found is None or value is None:
        raise _PermanentError(f"{text!r} is no term of SPF")
    parts = value.groupdict()
    lengths = {key: int(parts[key]) for key in ("four", "six") if parts.get(key)}
    if lengths.get("four", 0) > 32 or lengths.get("six", 0) > 128:  # noqa: PLR2004 - bits of an address
        raise _PermanentError(f"{text!r} has a prefix that is too long")
    _check_macros(parts.get("domain") or "", text)
    result = RESULTS[found["sign"] or "+"]
    return Term(text, result, name, parts.get("domain"), parts.get("network"), **lengths)


def _check_macros(text: str, term: str) -> None:
    if "%" in EXPANSION.sub("", text) or any(number == "0" * len(number) for number in _numbers(text)):
        raise _PermanentError(f"{term!r} has a macro that is none")


def _numbers(text: str) -> Iterator[str]:
    return (found[2] for found in EXPANSION.finditer(text) if found[2])
