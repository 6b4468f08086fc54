"""DKIM keys, and the DNS records that let receivers believe the sender (RFC 7208, RFC 6376, RFC 7489)."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from newsletter.send.dkim import GOOD_BITS, DkimKey
from newsletter.setup.config import OWN_MAIL, Answers
from newsletter.setup.relays import is_loopback

LONGEST_STRING = 255  # bytes of one string of a TXT record (RFC 1035 section 3.3)
SELECTORS = {"rsa1": "dkim-rsa1.pem", "ed1": "dkim-ed1.pem"}  # both: not every receiver knows Ed25519 (RFC 8463)
BESIDE_THEIRS = {"rsa1": "dkim-rsa1.pem"}  # relays that sign by themselves take one signature of ours at most


class Record(NamedTuple):
    """A TXT record to publish, and what it is for."""

    name: str
    text: str
    what: str

    def __str__(self) -> str:
        """The record as a line of a zone file; a long text in several strings, which receivers join."""
        strings = (self.text[at : at + LONGEST_STRING] for at in range(0, len(self.text), LONGEST_STRING))
        return f"{self.name}. IN TXT " + " ".join(f'"{one}"' for one in strings)


def new_key(selector: str) -> bytes:
    """Return a new private key in PEM form, Ed25519 for a selector that begins with `ed`, else RSA of 2,048 bits."""
    made: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey
    if selector.startswith("ed"):
        made = ed25519.Ed25519PrivateKey.generate()
    else:
        made = rsa.generate_private_key(public_exponent=65537, key_size=GOOD_BITS)
    return made.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def records(answers: Answers, keys: Sequence[DkimKey]) -> Iterator[Record]:
    """Yield what is to be published for the sender's domain; nothing where that is a mail provider's."""
    relay = answers.relay
    if relay is None or answers.domain in OWN_MAIL:
        return
    domain = _in_ascii(answers.domain)
    if relay.spf:
        here = "" if is_loopback(answers.relay_host) or relay.signs else f" a:{_in_ascii(answers.relay_host)}"
        what = "who may send for this domain; if there is an SPF record already, add the middle to that one"
        yield Record(domain, f"v=spf1 {relay.spf}{here} ~all", what)
    for key in keys:
        name, text = key.dns_record()
        yield Record(name, text, f"the public half of the {key.algorithm} key")
    what = "what receivers do with forged mail, and where they report; after some quiet weeks p=quarantine"
    name, _, at = answers.address.rpartition("@")
    yield Record(f"_dmarc.{domain}", f"v=DMARC1; p=none; rua=mailto:{name}@{_in_ascii(at)}", what)


def _in_ascii(domain: str) -> str:
    """Return a domain as it stands in the DNS (RFC 5890 section 2.3.2.1)."""
    return domain.encode("idna").decode("ascii")
