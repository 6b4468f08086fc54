"""DKIM signatures (RFC 6376, RFC 8463) on ready bytes, relaxed/relaxed, with RSA and Ed25519 keys.

Date, Message-ID and Return-Path are never signed: some relays (Amazon SES) write their own. What is signed is named
once more than it occurs, so that nobody can add a second one (RFC 6376 section 8.15).
"""

import base64
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from newsletter.errors import SettingsError
from newsletter.models import Message
from newsletter.settings.sending import DkimSettings

SIGNED = (
    "From",
    "Reply-To",
    "Subject",
    "To",
    "List-Id",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "Feedback-ID",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
)
KNOWN = frozenset(name.lower().encode() for name in SIGNED)
ADDED = "Feedback-ID"  # relays put their own beside ours
LEAST_BITS, GOOD_BITS = 1024, 2048
LINE = 72
FIELD = re.compile(rb"([!-9;-~]+)[ \t]*:((?:[^\r]|\r\n[ \t])*)\r\n")
WHITE = re.compile(rb"[ \t]+")
SPACES = re.compile(rb"  +")  # begins with plain bytes: a class there takes twenty times as long
FOLD = re.compile(rb"\r\n(?=[ \t])")


@dataclass(frozen=True, slots=True)
class DkimKey:
    """A private key and the name under which its public half stands in the DNS."""

    domain: str
    selector: str
    key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey

    @property
    def algorithm(self) -> str:
        """The algorithm, as the signature names it."""
        return "rsa-sha256" if isinstance(self.key, rsa.RSAPrivateKey) else "ed25519-sha256"

    def dns_record(self) -> tuple[str, str]:
        """Return the name and the text of the TXT record to publish (RFC 6376 section 3.6, RFC 8463 section 4)."""
        public, formats, encodings = self.key.public_key(), serialization.PublicFormat, serialization.Encoding
        if isinstance(public, rsa.RSAPublicKey):
            kind, raw = "rsa", public.public_bytes(encodings.DER, formats.SubjectPublicKeyInfo)
        else:
            kind, raw = "ed25519", public.public_bytes(encodings.Raw, formats.Raw)
        return f"{self.selector}._domainkey.{self.domain}", f"v=DKIM1; k={kind}; p={base64.b64encode(raw).decode()}"

    def sign(self, data: bytes) -> bytes:
        """Return the signature of canonical headers."""
        if isinstance(self.key, rsa.RSAPrivateKey):
            return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return self.key.sign(hashlib.sha256(data).digest())  # RFC 8463 section 3 signs the hash


def load_key(pem: bytes, *, domain: str, selector: str, name: str) -> DkimKey:
    """Return the key of a PEM file.

    Args:
        pem: what the file holds.
        domain: who signs.
        selector: the name of the key.
        name: the file, for the message of a fault.

    Raises:
        SettingsError: it is no private key that DKIM knows, or too short a one.
    """
    where = f"dkim.keys.{selector} {name}"
    mend = f"make one with: openssl genrsa -out {name} {GOOD_BITS}"
    try:
        key = serialization.load_pem_private_key(pem, password=None)
    except TypeError:
        raise SettingsError(f"{where}: has a passphrase; store it without one, readable by this user alone") from None
    except (ValueError, UnsupportedAlgorithm):
        raise SettingsError(f"{where}: is no private key in PEM form; {mend}") from None
    if not isinstance(key, (rsa.RSAPrivateKey, ed25519.Ed25519PrivateKey)):
        raise SettingsError(f"{where}: is neither an RSA nor an Ed25519 key; {mend}")
    if isinstance(key, rsa.RSAPrivateKey) and key.key_size < LEAST_BITS:
        raise SettingsError(f"{where}: has {key.key_size} bits, which receivers do not accept; {mend}")
    return DkimKey(domain, selector, key)


def read_keys(settings: DkimSettings, folder: Path, domain: str) -> tuple[DkimKey, ...]:
    """Return the keys that the settings name.

    Args:
        settings: which files.
        folder: what relative paths count from.
        domain: of the sender, which signs where the settings name no other.

    Raises:
        SettingsError: a file cannot be read, or holds no key that will do.
    """
    keys = []
    for selector, file in settings.keys.items():
        try:
            pem = (folder / file).read_bytes()
        except OSError as fault:
            mend = "name a file that this user can read"
            raise SettingsError(f"dkim.keys.{selector} {file}: {fault.strerror}; {mend}") from None
        keys.append(load_key(pem, domain=settings.domain or domain, selector=selector, name=str(file)))
    return tuple(keys)


def sign_message(keys: Sequence[DkimKey], message: Message, moment: datetime) -> Message:
    """Return a message signed by each key; of the moment when its copy was due, a retry has the same bytes."""
    return replace(message, content=sign(message.content, keys, moment)) if keys else message


def sign(content: bytes, keys: Sequence[DkimKey], now: datetime) -> bytes:
    """Return a mail with a DKIM-Signature per key in front.

    Args:
        content: the mail, CRLF line ends.
        keys: who signs; none leaves the mail as it is.
        now: the moment of the signature, aware.
    """
    head, _, body = content.partition(b"\r\n\r\n")
    body_hash = base64.b64encode(hashlib.sha256(relaxed_body(body)).digest()).decode()
    names, canonical = _signed_fields(head + b"\r\n")
    signatures = [_signature(key, names, canonical, body_hash, int(now.timestamp())) for key in keys]
    return b"".join([*signatures, content])


def relaxed_body(body: bytes) -> bytes:
    """Return a body in its relaxed form (RFC 6376 section 3.4.4).

    Quoted-printable has next to nothing to change, so each step first looks whether it is needed.
    """
    if b"\t" in body:
        body = body.replace(b"\t", b" ")
    body = SPACES.sub(b" ", body)
    if b" \r\n" in body or body.endswith(b" "):
        body = body.replace(b" \r\n", b"\r\n").removesuffix(b" ")
    end = len(body)
    while body.endswith(b"\r\n", 0, end):
        end -= 2
    return body[:end] + b"\r\n" if end else b""


def _signed_fields(head: bytes) -> tuple[list[str], bytes]:
    """Return the names to sign, and the fields of these names in relaxed form (RFC 6376 sections 3.4.2 and 5.4.2)."""
    fields: dict[bytes, list[bytes]] = {}
    for name, value in FIELD.findall(head):
        if name.lower() in KNOWN:
            fields.setdefault(name.lower(), []).append(value)
    names: list[str] = []
    canonical: list[bytes] = []
    for name in SIGNED:
        found = fields.get(name.lower().encode(), [])
        names += [name] * (len(found) + (name != ADDED))
        canonical += [_relaxed(name.encode(), value) for value in reversed(found)]  # counted from the bottom
    return names, b"".join(canonical)


def _relaxed(name: bytes, value: bytes) -> bytes:
    return name.lower() + b":" + WHITE.sub(b" ", FOLD.sub(b"", value)).strip(b" ") + b"\r\n"


def _signature(key: DkimKey, names: Sequence[str], canonical: bytes, body_hash: str, moment: int) -> bytes:
    tags = [
        f"v=1; a={key.algorithm}; c=relaxed/relaxed; d={key.domain}; s={key.selector};",
        f"t={moment}; bh={body_hash};",
        *_folded("h=" + ":".join(names) + ";", ":"),
        "b=",
    ]
    unsigned = "\r\n ".join(tags).encode("ascii")
    own = _relaxed(b"DKIM-Signature", unsigned).removesuffix(b"\r\n")  # RFC 6376 section 3.7
    signed = base64.b64encode(key.sign(canonical + own)).decode()
    lines = "\r\n ".join(signed[at : at + LINE] for at in range(0, len(signed), LINE))
    return b"DKIM-Signature: " + unsigned + lines.encode("ascii") + b"\r\n"


def _folded(text: str, after: str) -> list[str]:
    """Break a long tag into lines, each but the last ended by a separator."""
    lines = [""]
    for part in re.findall(f"[^{after}]*{after}?", text):
        if len(lines[-1]) + len(part) > LINE:
            lines.append("")
        lines[-1] += part
    return lines
