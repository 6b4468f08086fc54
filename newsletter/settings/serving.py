"""The settings of what readers meet: the pages, the sign-up, and what becomes of mail that comes back."""

import re
from datetime import timedelta

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator


class WebSettings(BaseModel):
    """Where `newsletter serve` listens."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field("127.0.0.1", description="The address that the pages are served on; a proxy stands before it.")
    port: int = Field(8000, ge=0, le=65535, description="Its port; 0 takes a free one.")
    threads: int = Field(8, ge=1, le=256, description="Requests that are worked on at once.")
    connections: int = Field(1000, ge=1, description="Connections that may be open at once.")
    proxies: int = Field(
        0, ge=0, le=5, description="Proxies of yours before it, whose X-Forwarded headers count; 0 believes none."
    )
    metrics_port: int | None = Field(
        None, ge=0, le=65535, description="Port for Prometheus on 127.0.0.1; off if unset."
    )


class SignupSettings(BaseModel):
    """How people come onto the list by themselves."""

    model_config = ConfigDict(extra="forbid")

    open: bool = Field(default=True, description="Whether the pages have a form to sign up.")
    allow_domains: list[str] = Field(default_factory=list, description="Only addresses of these domains; empty is all.")
    deny_domains: list[str] = Field(default_factory=list, description="No addresses of these domains.")
    per_client: str = Field(
        "5 per minute; 20 per hour", description="Sign-ups from one network address, as Flask-Limiter writes them."
    )
    per_hour: int = Field(200, ge=1, description="Mails that answer sign-ups, an hour, from all clients together.")
    confirm_hours: int = Field(72, ge=1, description="How long the link in that mail works.")
    forget_days: int = Field(7, ge=1, description="Who never confirmed is forgotten after so many days.")
    least_seconds: float = Field(2, ge=0, description="Who fills in the form quicker is asked to press once more.")

    @field_validator("allow_domains", "deny_domains")
    @classmethod
    def _domain_names(cls, value: list[str]) -> list[str]:
        for name in value:
            if not re.fullmatch(r"[^@\s]+\.[^@\s.]+", name):
                raise ValueError(f"{name!r} is no domain; write the part of an address after its @")
        return [name.casefold() for name in value]

    @field_validator("per_client")
    @classmethod
    def _readable_limits(cls, value: str) -> str:
        from limits import parse_many

        try:
            parse_many(value)
        except ValueError:
            raise ValueError(f"{value!r} is no limit; write it like 5 per minute; 20 per hour") from None
        return value

    def refuses(self, address: str) -> bool:
        """Whether the domain of an address is one that may not sign up; subdomains count with their domain."""
        domain = address.rpartition("@")[2].casefold()
        within = [".".join(domain.split(".")[at:]) for at in range(domain.count("."))]
        return any(name in self.deny_domains for name in within) or (
            bool(self.allow_domains) and not any(name in self.allow_domains for name in within)
        )


class BounceSettings(BaseModel):
    """What becomes of mail that comes back."""

    model_config = ConfigDict(extra="forbid")

    mailbox: str | None = Field(None, description='Where it comes to: "maildir:PATH", "mbox:PATH" or "imap".')
    imap_host: str | None = Field(None, description="Host name of the IMAP server.")
    imap_port: int = Field(993, ge=1, le=65535, description="Its port, for TLS.")
    imap_username: str | None = Field(None, description="Log in as this user.")
    imap_password: SecretStr | None = Field(
        None, description="Its password; better as NEWSLETTER_BOUNCES__IMAP_PASSWORD."
    )
    imap_folder: str = Field("INBOX", description="The folder that bounces come to.")
    hard: int = Field(2, ge=1, description="Final failures of an address after which it is mailed no more.")
    soft: int = Field(8, ge=1, description="Passing failures (full, unreachable) after which it is mailed no more.")
    decay_days: int = Field(30, ge=1, description="Failures older than this are forgiven.")

    @field_validator("mailbox")
    @classmethod
    def _known_mailbox(cls, value: str | None) -> str | None:
        if value is not None and not re.fullmatch(r"(maildir|mbox):.+|imap", value):
            raise ValueError(f'{value!r} is no mailbox; write "maildir:PATH", "mbox:PATH" or "imap"')
        return value

    @property
    def decay(self) -> timedelta:
        """After which time failures are forgiven."""
        return timedelta(days=self.decay_days)
