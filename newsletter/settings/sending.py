"""The settings of what lies between the queue and the readers: relays, limits, signatures."""

import re
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator


class RateSettings(BaseModel):
    """How many messages at most; where several are set, the slowest counts."""

    model_config = ConfigDict(extra="forbid")

    per_second: float | None = Field(None, gt=0, description="Messages a second at most, evenly spread.")
    per_minute: float | None = Field(None, gt=0, description="Messages a minute at most, evenly spread.")
    per_hour: float | None = Field(None, gt=0, description="Messages an hour at most, evenly spread.")


class SmtpSettings(RateSettings):
    """The relay that messages are handed to."""

    host: str | None = Field(None, description="Host name of the relay.")
    port: int | None = Field(None, ge=1, le=65535, description="Port; 587, 465 or 25 by the kind of security.")
    username: str | None = Field(None, description="Log in as this user; without one, no AUTH.")
    password: SecretStr | None = Field(None, description="Its password; better as NEWSLETTER_SMTP__PASSWORD.")
    security: Literal["none", "starttls", "tls"] = Field(
        "starttls", description="starttls and tls verify the certificate and never fall back; none is for loopback."
    )
    password_file: Path | None = Field(None, description="A file that holds the password, instead of it.")
    connections: int = Field(1, ge=1, le=1000, description="Connections to the relay at once.")
    messages: int = Field(1000, ge=1, description="Messages a connection carries before another is opened.")
    dsn: bool = Field(default=False, description="Ask the relay to report failures and delays (RFC 3461).")
    timeout: float = Field(600, gt=0, description="Seconds to wait for a reply (RFC 5321 4.5.3.2.6 asks for 600).")

    @property
    def effective_port(self) -> int:
        """The port, or the usual one for the kind of security."""
        return self.port or {"none": 25, "starttls": 587, "tls": 465}[self.security]

    @model_validator(mode="after")
    def _no_password_in_clear(self) -> "SmtpSettings":
        loopback = self.host in {"localhost", "127.0.0.1", "::1", None}
        if self.username and self.security == "none" and not loopback:
            raise ValueError('security = "none" would send the password in clear; use "starttls" or "tls"')
        if self.password and self.password_file:
            raise ValueError("password and password_file are both set; keep one")
        if self.username and not (self.password or self.password_file):
            raise ValueError(
                "username is set and password is not; set NEWSLETTER_SMTP__PASSWORD, password or password_file"
            )
        return self


class RelaySettings(SmtpSettings):
    """One of several relays; what it leaves out is as in `smtp`."""

    weight: float = Field(1, gt=0, description="Its share of the messages beside the other relays.")


class DomainLimit(RateSettings):
    """How fast messages go to the readers of one domain."""

    connections: int | None = Field(None, ge=1, description="Connections that carry messages there at once.")


class LimitSettings(RateSettings):
    """How fast messages go, all together and by the readers' domain."""

    domains: dict[str, DomainLimit] = Field(
        default_factory=dict,
        description="The same by the readers' domain, and how many connections there: a table for each domain.",
    )

    @field_validator("domains")
    @classmethod
    def _domain_names(cls, value: dict[str, DomainLimit]) -> dict[str, DomainLimit]:
        for name in value:
            if not re.fullmatch(r"[^@\s]+\.[^@\s.]+", name):
                raise ValueError(f"{name!r} is no domain; write the part of an address after its @")
        return {name.casefold(): limit for name, limit in value.items()}


class DkimSettings(BaseModel):
    """Signatures of our own; most relays sign by themselves."""

    model_config = ConfigDict(extra="forbid")

    domain: str | None = Field(None, description="The signing domain; the sender's if unset.")
    keys: dict[str, Path] = Field(
        default_factory=dict, description="By selector: the private key as a PEM file, RSA or Ed25519; off if empty."
    )
