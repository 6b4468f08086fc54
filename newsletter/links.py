"""Pure: every address we mint and accept, and the names that must be hard to forge or to guess."""

import base64
import hashlib
import hmac
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any
from urllib.parse import quote

from itsdangerous import BadSignature, URLSafeSerializer

# A salt per purpose: a token for one door never opens another.
UNSUBSCRIBE = "unsubscribe-v1"  # the reader's own, in each mail: to leave, and to change what they get
CONFIRM = "confirm-v1"
FORM = "form-v1"


@dataclass(frozen=True)
class Links:
    """The addresses of one list.

    Args:
        list_id: the list; part of every token.
        secret: the key that signs.
        domain: the domain of the sender, right of the @ in Message-IDs.
        leave_address: who gets the mail of a reader who leaves by mail.
        base_url: public address of the list's pages, without a final slash; None where it has none.
        bounce_address: where bounces go; None leaves them to the sender.
        earlier_secrets: keys that signed before, oldest first; what they signed is still read.
    """

    list_id: str
    secret: str
    domain: str
    leave_address: str
    base_url: str | None = None
    bounce_address: str | None = None
    earlier_secrets: tuple[str, ...] = ()

    def message_id(self, issue: str, subscriber_id: int | str) -> str:
        """Return a Message-ID (without angle brackets) that is the same for every attempt and tells nobody's address.

        128 bits of a keyed BLAKE2b (RFC 7693), four times as quick as an HMAC of SHA-256: stable over restarts,
        machines and retries (RFC 5322 section 3.6.4).
        """
        keyed = self._message_ids.copy()
        keyed.update(f"{issue}\0{subscriber_id}".encode())
        return f"{keyed.hexdigest()}@{self.domain}"

    def unsubscribe_token(self, subscriber_id: int) -> str:
        """Return a signed token that says who leaves which list; it never expires (RFC 8058 needs it for months).

        The form that itsdangerous reads, written out here: a copy costs some microseconds, and its way costs twenty.
        """
        payload = base64.urlsafe_b64encode(f'["{self.list_id}",{subscriber_id}]'.encode()).rstrip(b"=")
        signing = self._signing.copy()
        signing.update(payload)
        return (payload + b"." + base64.urlsafe_b64encode(signing.digest()).rstrip(b"=")).decode()

    def subscriber_of(self, token: str) -> int | None:
        """Return who an unsubscribe token speaks for, or None if it is forged or for another list."""
        match self._read(UNSUBSCRIBE, token):
            case [int(subscriber_id)]:
                return subscriber_id
        return None

    def return_path(self, subscriber_id: int) -> str | None:
        """Return a reader's own address for bounces, or None: `bounces+7-0f3a@`, so that a bounce tells who it is of.

        Variable envelope return paths: a bounce need not quote the message, but it always comes to this address. The
        case of its letters does not matter, and it keeps well under the 64 octets of RFC 5321 section 4.5.3.1.1.
        """
        if self.bounce_address is None:
            return None
        name, _, domain = self.bounce_address.rpartition("@")
        return f"{name}+{subscriber_id}-{next(self._bounce_marks(subscriber_id))}@{domain}"

    def subscriber_of_bounce(self, address: str) -> int | None:
        """Return whose a bounce is that came to this address, or None if it is forged or no such address."""
        found = re.fullmatch(r"[^@]+\+(\d{1,18})-([0-9a-f]+)@[^@]+", address.casefold(), re.ASCII)
        if found and any(hmac.compare_digest(found[2], mark) for mark in self._bounce_marks(int(found[1]))):
            return int(found[1])
        return None

    def confirm_token(self, subscriber_id: int, stamp: int, now: datetime) -> str:
        """Return a signed token that says who confirms, issued now.

        `stamp` is the state of the person's row that it confirms: once that has changed, the token is used up.
        """
        return self._signed(CONFIRM, [subscriber_id, stamp, int(now.timestamp())])

    def confirmation(self, token: str, now: datetime) -> "Confirmation | None":
        """Return what a confirmation token says, or None if it is forged or for another list."""
        match self._read(CONFIRM, token):
            case [int(number), int(stamp), int(issued)]:
                return Confirmation(number, stamp, now - datetime.fromtimestamp(issued, UTC))
        return None

    def form_token(self, now: datetime) -> str:
        """Return a signed token that stands in a form: it was asked for here, and when."""
        return self._signed(FORM, [int(now.timestamp() * 1000)])

    def form_age(self, token: str, now: datetime) -> timedelta | None:
        """Return how long ago a form was asked for, or None if it was not."""
        match self._read(FORM, token):
            case [int(issued)]:
                return now - datetime.fromtimestamp(issued / 1000, UTC)
        return None

    def client_mark(self, address: str) -> str:
        """Return what is kept of a network address: the same for the same client, of no use without the key."""
        keyed = self._message_ids.copy()
        keyed.update(f"client\0{address}".encode())
        return keyed.hexdigest()

    def _signed(self, salt: str, content: list[int]) -> str:
        return str(self._serializer_for(salt).dumps([self.list_id, *content]))

    def _read(self, salt: str, token: str) -> list[Any]:
        try:
            list_id, *content = self._serializer_for(salt).loads(token)
        except (BadSignature, ValueError, TypeError):
            return []
        return content if list_id == self.list_id else []

    def _bounce_marks(self, subscriber_id: int) -> Iterator[str]:
        """Yield the mark of a reader's bounce address, the present key's first."""
        for keyed in self._keyed:
            mark = keyed.copy()
            mark.update(f"bounce\0{subscriber_id}".encode())
            yield mark.hexdigest()[:16]

    def unsubscribe_url(self, token: str) -> str:
        """Return the address in the footer: the list's page, or a mail to the operator where it has no pages."""
        return f"{self.base_url}/unsubscribe/{token}" if self.base_url else f"{self._leave_by_mail}{token}"

    def preferences_url(self, token: str) -> str:
        """Return where a reader changes what they get; empty for a list without pages."""
        return f"{self.base_url}/preferences/{token}" if self.base_url else ""

    def confirm_url(self, token: str) -> str:
        """Return the page with the button that confirms."""
        return f"{self.base_url}/confirm/{token}"

    def issue_url(self, issue: str) -> str:
        """Return where an issue can be read in a browser; empty for a list without pages."""
        return f"{self.base_url}/issues/{issue}" if self.base_url else ""

    def list_unsubscribe(self, token: str) -> tuple[str, ...]:
        """Return the items of List-Unsubscribe, most preferred first (RFC 2369 section 3.2)."""
        mail = f"{self._leave_by_mail}{token}"
        return (f"{self.base_url}/unsubscribe/{token}", mail) if self.base_url else (mail,)

    @cached_property
    def one_click(self) -> bool:
        """Whether List-Unsubscribe-Post may stand: RFC 8058 asks for an https address."""
        return bool(self.base_url and self.base_url.startswith("https://"))

    @cached_property
    def _leave_by_mail(self) -> str:
        return f"mailto:{quote(self.leave_address, safe='@')}?subject=unsubscribe%20"

    @cached_property
    def _message_ids(self) -> hashlib.blake2b:
        return self._keyed[0]

    @cached_property
    def _keyed(self) -> "list[hashlib.blake2b]":
        """A hash under each key, the present one first."""
        return [self._hash_under(secret) for secret in (self.secret, *reversed(self.earlier_secrets))]

    def _hash_under(self, secret: str) -> hashlib.blake2b:
        key = hashlib.sha256(secret.encode()).digest()  # BLAKE2b takes keys of at most 64 bytes
        keyed = hashlib.blake2b(key=key, digest_size=16, person=b"message-id")
        keyed.update(f"{self.list_id}\0".encode())
        return keyed

    def _serializer_for(self, salt: str) -> URLSafeSerializer:
        options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        return URLSafeSerializer([*self.earlier_secrets, self.secret], salt=salt, signer_kwargs=options)

    @cached_property
    def _signing(self) -> hmac.HMAC:
        key = self._serializer_for(UNSUBSCRIBE).make_signer(UNSUBSCRIBE).derive_key()
        return hmac.new(key, digestmod=hashlib.sha256)


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What a confirmation token says: who, of which state of theirs, and how long ago it was issued."""

    subscriber_id: int
    stamp: int
    age: timedelta
