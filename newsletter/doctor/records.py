"""What the DNS says of this sender: SPF, DKIM, DMARC, where answers go, and the name of the sending address."""

import re
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

from newsletter.doctor import spf
from newsletter.doctor.check import FAIL, OFFLINE, OK, SKIP, UNMAILED, WARN, Check, Installation, of_fault, skipped
from newsletter.doctor.names import Names
from newsletter.doctor.senders import Domains, Station, organisation, stations
from newsletter.doctor.spf import MOST_LOOKUPS, Directory, NoAnswerError, check_host
from newsletter.errors import NewsletterError
from newsletter.send.dkim import DkimKey, read_keys
from newsletter.settings import Settings

NAMES = ("SPF", "DKIM", "DMARC", "MX", "PTR")
NOBODY = "0.0.0.0"  # noqa: S104 - no sender: asked for, a record is read to its end
ADDRESS = "name it: newsletter doctor --address IP"
TRY_AGAIN = "check the network, or name another with --nameserver"


def checks(it: Installation) -> Iterator[Check]:
    """Yield what receivers will find about this sender."""
    if it.offline or not it.mails:
        yield from skipped(NAMES, OFFLINE if it.mails else UNMAILED)
        return
    if it.settings.sender == Settings.model_fields["sender"].default:
        yield from skipped(NAMES, "the sender is still the example")
        return
    names, domains = Names(it.nameserver), Domains.of(it)
    relays = stations(it, names, domains.sender)
    looks: dict[str, Callable[[], Iterator[Check]]] = {
        "SPF": lambda: _spf(names, domains, relays),
        "DKIM": lambda: _dkim(it, names, domains, relays),
        "DMARC": lambda: _dmarc(names, domains, relays),
        "MX": lambda: _mx(names, domains),
        "PTR": lambda: _ptr(names, relays),
    }
    with ThreadPoolExecutor(len(looks)) as pool:  # a name server that is silent is waited for once
        for found in pool.map(_answered, looks, looks.values()):
            yield from found


def _answered(name: str, look: Callable[[], Iterator[Check]]) -> list[Check]:
    try:
        return [*look()]
    except NoAnswerError as fault:
        return [Check(name, FAIL, str(fault), TRY_AGAIN)]


def _spf(names: Directory, domains: Domains, relays: Sequence[Station]) -> Iterator[Check]:
    domain = domains.envelope
    whole = check_host(NOBODY, domain, names, voids=MOST_LOOKUPS)  # reads every term, as nobody is meant
    if whole.result == spf.TEMPERROR:
        raise NoAnswerError(whole.why)
    decided = [one.provider for one in relays if one.provider and one.provider.own_return_path]
    if len(decided) == len(relays) and whole.result == spf.NONE:
        whose = ", ".join(one.name for one in decided)
        yield Check("SPF", SKIP, f"{whose} decides it: its mails carry its own return path, unless you set one there")
    elif whole.result == spf.NONE:
        terms = " ".join(filter(None, map(_term, relays)))
        wanted = f'publish a TXT record at {domain}: "v=spf1 {terms or "a mx"} ~all"'
        yield Check("SPF", FAIL, f"{domain} has no SPF record", wanted)
    elif whole.result == spf.PERMERROR:
        yield Check("SPF", FAIL, f"the record is wrong: {whole.why}", f"mend the TXT record of {domain}")
    else:
        yield from (_passes(names, domain, one, whole.read) for one in relays)


def _passes(names: Directory, domain: str, relay: Station, read: Sequence[str]) -> Check:
    """Return whether the record lets this relay send."""
    if relay.provider:
        return _includes(domain, relay, read)
    asked = relay.addresses or relay.near
    rulings = {address: check_host(address, domain, names) for address in asked}
    if asked and all(ruling.result == spf.PASS for ruling in rulings.values()):
        return Check("SPF", OK, f"{', '.join(asked)} may send for {domain} ({rulings[asked[0]].why})")
    if not relay.addresses:
        why = f"{domain} has a record; which address {relay.host} sends from is not known here"
        return Check("SPF", SKIP, why, ADDRESS if relay.own else "")
    address, ruling = next((one, said) for one, said in rulings.items() if said.result != spf.PASS)
    told = f"{ruling.result} for {address} ({relay.host}): {ruling.why}"
    mend = f"add {_term(relay)} to the TXT record of {domain}, before its all"
    if relay.own or ruling.result == spf.FAIL:
        return Check("SPF", FAIL, told, mend)
    return Check("SPF", WARN, told, f"if it sends from there, {mend}; else include what its owner names")


def _includes(domain: str, relay: Station, read: Sequence[str]) -> Check:
    provider = relay.provider
    if provider is None or provider.spf in read:
        return Check("SPF", OK, f"{domain} includes {_spf_name(relay)}; its addresses are decided there")
    if provider.own_return_path:
        return Check("SPF", SKIP, f"{provider.name} decides it: its mails carry its own return path")
    mend = f"add include:{provider.spf} to the TXT record of {domain}, before its all"
    return Check("SPF", FAIL, f"{domain} does not include {provider.name} ({provider.spf})", mend)


def _spf_name(relay: Station) -> str:
    return f"{relay.provider.name} ({relay.provider.spf})" if relay.provider else relay.host


def _term(relay: Station) -> str:
    """Return what lets a relay send, as a record has it."""
    if relay.provider:
        return f"include:{relay.provider.spf}"
    return " ".join(f"ip{6 if ':' in address else 4}:{address}" for address in relay.addresses)


def _dkim(it: Installation, names: Directory, domains: Domains, relays: Sequence[Station]) -> Iterator[Check]:
    if not it.settings.dkim.keys:
        if any(one.own for one in relays):
            mend = "set dkim.keys, unless the relay signs; large receivers want every mail of a list signed"
            yield Check("DKIM", WARN, "dkim.keys is empty, and the relay is your own", mend)
        else:
            yield Check("DKIM", SKIP, "dkim.keys is empty: the relay signs, by what is set up there")
        return
    try:
        keys = read_keys(it.settings.dkim, it.folder, domains.sender)
    except NewsletterError as fault:
        yield of_fault("DKIM", fault)
        return
    for key in keys:
        yield _published(names, key)


def _published(names: Directory, key: DkimKey) -> Check:
    """Compare the published key with the private one (RFC 6376 section 3.6.1)."""
    place, wanted = key.dns_record()
    publish = f'publish a TXT record at {place}: "{wanted}"'
    found = [text for text in names.texts(place) if "p" in _tags(text)]
    if not found:
        return Check("DKIM", FAIL, f"there is no key at {place}", publish)
    if len(found) > 1:
        return Check("DKIM", FAIL, f"there are {len(found)} keys at {place}", f"keep one; {publish}")
    tags = _tags(found[0])
    fault = _unlike(tags, _tags(wanted))
    if fault:
        return Check("DKIM", FAIL, f"the key at {place} {fault}", publish)
    if "y" in tags.get("t", "").split(":"):
        return Check("DKIM", WARN, f"the record at {place} says that it is only a test (t=y)", "take t=y out of it")
    return Check("DKIM", OK, f"the key at {place} matches dkim.keys.{key.selector}")


def _unlike(tags: dict[str, str], ours: dict[str, str]) -> str:
    """Return what keeps a published key from verifying our signatures; empty if nothing does."""
    if not tags["p"]:
        return "is revoked (p= is empty)"
    if (tags["p"], tags.get("k", "rsa")) != (ours["p"], ours["k"]):
        return "is not that of the private key in dkim.keys"
    hashes, services = tags.get("h", "sha256").split(":"), tags.get("s", "*").split(":")
    return "" if "sha256" in hashes and {"*", "email"} & {*services} else "is for other signatures (h=, s=)"


def _dmarc(names: Directory, domains: Domains, relays: Sequence[Station]) -> Iterator[Check]:
    """Find the policy (RFC 7489 section 6.6.3), and see whether what we send passes it."""
    place, found = _policy_of(names, domains.sender)
    if not found:
        wanted = f'"v=DMARC1; p=none; rua=mailto:postmaster@{domains.sender}"'
        mend = f"publish a TXT record at _dmarc.{organisation(domains.sender)}: {wanted}"
        yield Check("DMARC", WARN, f"{domains.sender} has no policy; large receivers want one of a list", mend)
        return
    tags = _tags(found[0])
    policy = tags.get("p", "").lower()
    if len(found) > 1 or policy not in {"none", "quarantine", "reject"}:
        mend = f'keep one record like "v=DMARC1; p=none" at {place}'
        yield Check("DMARC", FAIL, f"{place} has {len(found)} records, the first with p={policy or 'nothing'}", mend)
        return
    if place != f"_dmarc.{domains.sender}":
        policy = tags.get("sp", policy).lower()
    yield _aligned(f"p={policy} at {place}", policy, tags, domains, relays)


def _policy_of(names: Directory, domain: str) -> tuple[str, list[str]]:
    for place in dict.fromkeys([f"_dmarc.{domain}", f"_dmarc.{organisation(domain)}"]):
        found = [text for text in names.texts(place) if re.match(r"v\s*=\s*DMARC1\s*(?:;|$)", text)]
        if found:
            return place, found
    return "", []


def _aligned(told: str, policy: str, tags: dict[str, str], domains: Domains, relays: Sequence[Station]) -> Check:
    """Return whether From agrees with the domain of the signature or of the envelope (RFC 7489 section 3.1)."""
    by = []
    if domains.signing and _agree(domains.sender, domains.signing, tags.get("adkim", "r")):
        by.append(f"DKIM ({domains.signing})")
    rewritten = all(one.provider and one.provider.own_return_path for one in relays)
    if not rewritten and _agree(domains.sender, domains.envelope, tags.get("aspf", "r")):
        by.append(f"SPF ({domains.envelope})")
    if by:
        return Check("DMARC", OK, f"{told}; From agrees by {' and '.join(by)}")
    others = [one.host for one in relays if not one.own]
    if others and not domains.signing:
        return Check("DMARC", OK, f"{told}; it is met if {', '.join(others)} signs as {domains.sender}")
    mend = f"set dkim.domain or bounce_address to one under {domains.sender}"
    state = WARN if policy == "none" else FAIL
    return Check("DMARC", state, f"{told}; neither signature nor envelope is of {domains.sender}", mend)


def _agree(one: str, other: str, mode: str) -> bool:
    return one == other if mode.strip().lower() == "s" else organisation(one) == organisation(other)


def _mx(names: Directory, domains: Domains) -> Iterator[Check]:
    for domain in dict.fromkeys([domains.sender, domains.envelope]):
        yield _takes_mail(names, domain)


def _takes_mail(names: Directory, domain: str) -> Check:
    """Return whether answers and bounces find a way (RFC 5321 section 5.1, RFC 7505)."""
    found = names.exchanges(domain)
    mend = f"publish an MX record at {domain}, for answers and for mail that comes back"
    if "." in found:
        return Check("MX", FAIL, f"{domain} says that it takes no mail (null MX)", mend)
    if found:
        lost = [host for host in found if not (names.addresses(host, 4) or names.addresses(host, 6))]
        if lost:
            return Check("MX", FAIL, f"{lost[0]}, which takes mail for {domain}, has no address", mend)
        return Check("MX", OK, f"{', '.join(found)} for {domain}")
    if names.addresses(domain, 4) or names.addresses(domain, 6):
        return Check("MX", WARN, f"{domain} has none; mail goes to its own address", mend)
    return Check("MX", FAIL, f"{domain} has none: answers and bounces find no way", mend)


def _ptr(names: Directory, relays: Sequence[Station]) -> Iterator[Check]:
    own = [one for one in relays if one.own]
    if not own:
        yield Check("PTR", SKIP, f"{', '.join(one.host for one in relays)}: the owner of the relay sees to it")
    for relay in own:
        if not relay.addresses:
            why = f"which address {relay.host} sends from is not known here"
            yield Check("PTR", SKIP, why, ADDRESS)
        yield from (_named(names, address) for address in relay.addresses)


def _named(names: Directory, address: str) -> Check:
    """Return whether an address has a name that leads back to it, which large receivers ask for."""
    found = names.pointers(address)
    version = 6 if ":" in address else 4
    back = [name for name in found if address in names.addresses(name, version)]
    if back:
        return Check("PTR", OK, f"{address} is {back[0]}, and that is {address}")
    mend = "have whoever gave you the address set its reverse name, to a name with this address"
    if found:
        return Check("PTR", FAIL, f"{address} is {found[0]}, which does not lead back", mend)
    return Check("PTR", FAIL, f"{address} has no name", mend)


def _tags(record: str) -> dict[str, str]:
    """Return the tags of a record, white space taken out of their values (RFC 6376 section 3.2)."""
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip(): re.sub(r"\s+", "", value) for name, equals, value in pairs if equals}
