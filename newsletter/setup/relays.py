"""What each kind of relay wants: where it is, how to log in, how fast it may go, who signs, and where bounces go."""

from dataclasses import dataclass
from typing import Literal

LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """A relay as newsletter.toml describes it; the limits are those that its owner publishes."""

    title: str
    host: str
    port: int = 587
    security: Literal["none", "starttls", "tls"] = "starttls"
    login: str = ""  # what the user name is; empty where there is no login
    password: str = ""  # what the password is
    by_sender: bool = False  # the user name is the sender's address
    pace: tuple[str, int] | None = None  # a key of [smtp], and its value
    pace_says: str = ""
    return_path: bool = False  # whether it lets each copy have a return path of its own
    bounces: str = ""  # where bounces go if not
    signs: bool = True  # DKIM, by itself
    spf: str | None = None  # what a domain that uses it puts into its SPF record
    sets_up: str = ""  # what is to be done at the relay's own pages


RELAYS = {
    "gmail": Relay(
        title="Gmail",
        host="smtp.gmail.com",
        login="the account's address",
        password="an app password (https://myaccount.google.com/apppasswords; two-step verification has to be on)",  # noqa: S106 - says what it is
        by_sender=True,
        pace=("per_hour", 20),
        pace_says="500 messages a day is all that Gmail takes, and this stays below",
        bounces="the account's inbox; to have them read, see bounces.mailbox",
        spf="include:_spf.google.com",
    ),
    "ses": Relay(
        title="Amazon SES",
        host="email-smtp.us-east-1.amazonaws.com",
        login="an SMTP user name made in the SES console, not an access key",
        password="the SMTP password that goes with it",  # noqa: S106 - says what it is
        pace=("per_second", 14),
        pace_says="as SES shows it under Account dashboard; 1, and 200 a day, in the sandbox",
        return_path=True,
        spf="include:amazonses.com",
        sets_up="Verify the domain in SES, in the region of smtp.host, publish the DKIM records that it shows, and ask"
        " for production access.",
    ),
    "postmark": Relay(
        title="Postmark",
        host="smtp-broadcasts.postmarkapp.com",
        login="the Access Key of an SMTP token of a broadcast stream",
        password="its Secret Key",  # noqa: S106 - says what it is
        pace=("per_second", 10),
        pace_says="Postmark names no limit; this is a polite pace",
        bounces="Postmark, which stops mailing those addresses by itself",
        spf=None,
        sets_up="Add the domain under Sender Signatures in Postmark, and publish the DKIM and Return-Path records that"
        " it shows; its return path has an SPF record of its own.",
    ),
    "own": Relay(
        title="your own mail server",
        host="localhost",
        login="a user of the mail server",
        password="its password",  # noqa: S106 - says what it is
        return_path=True,
        signs=False,
        spf="mx",
    ),
}


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, where neither TLS nor a login is needed."""
    return host.casefold() in LOOPBACK
