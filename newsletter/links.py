"""Pure: every address we mint and accept, and the names that must be hard to forge or to guess."""

import base64
import hashlib
import hmac
from dataclasses import dataclass
from urllib.parse import quote

from itsdangerous import BadSignature, URLSafeSerializer

UNSUBSCRIBE = "unsubscribe-v1"  # a salt per purpose: a token for one door never opens another


@dataclass(frozen=True, slots=True)
class Links:
    """The addresses of one list.

    Args:
        list_id: the list; part of every token.
        secret: the key that signs.
        domain: the domain of the sender, right of the @ in Message-IDs.
        leave_address: who gets the mail of a reader who leaves by mail.
        base_url: public address of the list's pages, without a final slash; None where it has none.
    """

    list_id: str
    secret: str
    domain: str
    leave_address: str
    base_url: str | None = None

    def message_id(self, issue: str, subscriber_id: int | str) -> str:
        """Return a Message-ID (without angle brackets) that is the same for every attempt and tells nobody's address.

        130 bits of an HMAC in base32: stable over restarts, machines and retries (RFC 5322 section 3.6.4).
        """
        return f"{self._digest('message-id', issue, subscriber_id)}@{self.domain}"

    def unsubscribe_token(self, subscriber_id: int) -> str:
        """Return a signed token that says who leaves which list; it never expires (RFC 8058 needs it for months)."""
        return str(self._serializer(UNSUBSCRIBE).dumps([self.list_id, subscriber_id]))

    def subscriber_of(self, token: str) -> int | None:
        """Return who an unsubscribe token speaks for, or None if it is forged or for another list."""
        try:
            list_id, subscriber_id = self._serializer(UNSUBSCRIBE).loads(token)
        except (BadSignature, ValueError, TypeError):
            return None
        return subscriber_id if list_id == self.list_id and isinstance(subscriber_id, int) else None

    def unsubscribe_url(self, subscriber_id: int) -> str:
        """Return the address in the footer: the list's page, or a mail to the operator where it has no pages."""
        token = self.unsubscribe_token(subscriber_id)
        if self.base_url:
            return f"{self.base_url}/unsubscribe/{token}"
        return self._leave_by_mail(token)

    def list_unsubscribe(self, subscriber_id: int) -> tuple[str, ...]:
        """Return the items of List-Unsubscribe, most preferred first (RFC 2369 section 3.2)."""
        token = self.unsubscribe_token(subscriber_id)
        mail = self._leave_by_mail(token)
        return (f"{self.base_url}/unsubscribe/{token}", mail) if self.base_url else (mail,)

    @property
    def one_click(self) -> bool:
        """Whether List-Unsubscribe-Post may stand: RFC 8058 asks for an https address."""
        return bool(self.base_url and self.base_url.startswith("https://"))

    def _leave_by_mail(self, token: str) -> str:
        return f"mailto:{quote(self.leave_address, safe='@')}?subject=unsubscribe%20{token}"

    def _digest(self, purpose: str, *parts: int | str) -> str:
        text = "\0".join([purpose, self.list_id, *map(str, parts)])
        mac = hmac.new(self.secret.encode(), text.encode(), hashlib.sha256).digest()
        return base64.b32encode(mac).decode().lower()[:26]

    def _serializer(self, salt: str) -> URLSafeSerializer:
        options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
        return URLSafeSerializer(self.secret, salt=salt, signer_kwargs=options)
