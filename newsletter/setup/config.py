"""The words of the first newsletter.toml and subscribers.yaml, with comments that say what each line is for."""

import json
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from email.utils import parseaddr

from newsletter.setup.relays import Relay, is_loopback

WIDTH = 110
COLUMN = 40  # where the comment behind a short line begins
OWN_MAIL = {"gmail.com", "googlemail.com"}  # domains whose DNS is none of the operator's


@dataclass(frozen=True, kw_only=True)
class Answers:
    """What the operator said, or what follows where they said nothing."""

    title: str
    sender: str
    timezone: str
    reader: str  # the operator's own address, the first reader
    sources: tuple[str, ...]
    secret_key: str = field(repr=False)
    base_url: str | None = None
    relay: Relay | None = None  # None writes into an outbox on disk
    host: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    dkim: Mapping[str, str] = field(default_factory=dict)  # the file of a key by its selector

    @property
    def address(self) -> str:
        """The sender's bare address."""
        return parseaddr(self.sender)[1]

    @property
    def domain(self) -> str:
        """The sender's domain."""
        return self.address.rpartition("@")[2].casefold()

    @property
    def relay_host(self) -> str:
        """The host that mail is handed to."""
        return self.host or (self.relay.host if self.relay else "")

    @property
    def login(self) -> str | None:
        """The user name, or None where there is none, or nobody said it."""
        return self.username or (self.address if self.relay and self.relay.by_sender else None)

    @property
    def wants_password(self) -> bool:
        """Whether the operator has to put a password into the settings yet, and perhaps a user name."""
        return bool(self.relay and not is_loopback(self.relay_host) and not (self.login and self.password))

    @property
    def bounce_address(self) -> str | None:
        """Where bounces go, with a mark of each reader's own; None where the relay or the domain does not let them."""
        return (
            f"bounces@{self.domain}" if self.relay and self.relay.return_path and self.domain not in OWN_MAIL else None
        )


def settings_text(answers: Answers) -> str:
    """Return a newsletter.toml; every key that it names, those in comments too, is a setting."""
    return "\n".join([*_of_list(answers), *_of_relay(answers), *_of_dkim(answers), *_of_operator(answers)]) + "\n"


def subscribers_text(answers: Answers) -> str:
    """Return a subscribers.yaml with the operator as the first reader."""
    return (
        "# Who gets the newsletter. Only an address is needed; subscribers.example.yaml shows what else a reader may\n"
        "# have: a name, a time zone, an hour, interests. `newsletter subscribers list` shows how this is read.\n"
        "\n"
        "subscribers:\n"
        f"  - {json.dumps(answers.reader, ensure_ascii=False)}\n"
    )


def _of_list(answers: Answers) -> Iterator[str]:
    yield "# The settings of this list. A line that begins with # is off; `newsletter doctor` checks what is on."
    yield "# A variable wins over a line: NEWSLETTER_TITLE over title, NEWSLETTER_SMTP__HOST over host in [smtp]."
    yield ""
    yield _line("title", answers.title)
    yield _line("sender", answers.sender)
    yield _off("reply_to", answers.address, "where answers go, if not to the sender")
    yield _off("postal_address", "1 Example Street, Example City", "in the footer; many countries ask for one")
    yield _line("timezone", answers.timezone, "of the list, and of readers who named none")
    yield _line("sources", list(answers.sources), "more: arxiv:cs.CL,cs.LG, feed:https://...")
    yield _line("subscribers", "subscribers.yaml", "or env:NAME, a variable that holds the list")
    says = "the public address of `newsletter serve`"
    yield (
        _line("base_url", answers.base_url, says)
        if answers.base_url
        else _off("base_url", "https://news.example.org", says)
    )
    yield "# Signs links and Message-IDs. Keep it to yourself, and keep it: links in mails that went out need it."
    yield _line("secret_key", answers.secret_key)
    yield ""


def _of_relay(answers: Answers) -> Iterator[str]:
    relay = answers.relay
    if relay is None:
        yield "# Mail goes into a folder, to look at; `newsletter init --relay` shows how to send it."
        yield _line("transport", "outbox:var/outbox")
        yield ""
        return
    yield f"# Mail goes out through {relay.title}."
    yield _line("transport", "smtp")
    if answers.bounce_address:
        yield "# Bounces come to this mailbox as bounces+MARK@..., so that each tells whose it is."
        yield _line("bounce_address", answers.bounce_address)
    elif relay.bounces:
        yield f"# Bounces come to {relay.bounces}."
    yield from textwrap.wrap(relay.sets_up, WIDTH, initial_indent="# ", subsequent_indent="# ")
    yield ""
    yield "[smtp]"
    yield from _of_connection(answers, relay)
    yield ""


def _of_connection(answers: Answers, relay: Relay) -> Iterator[str]:
    here = is_loopback(answers.relay_host)
    yield _line("host", answers.relay_host)
    yield _line("port", 25 if here else relay.port)
    yield _line("security", "none" if here else relay.security, "none only on this machine" if here else "")
    if answers.login or answers.wants_password:
        yield _line("username", answers.login, relay.login) if answers.login else _off("username", "...", relay.login)
        yield f"# The password is {relay.password}."
        says = "or NEWSLETTER_SMTP__PASSWORD, or password_file"
        yield _line("password", answers.password) if answers.password else _off("password", "...", says)
    if relay.pace:
        yield _line(*relay.pace, relay.pace_says)
    else:
        yield _off("per_minute", 600, "at most, evenly spread")
    yield _line("connections", 1 if relay.by_sender else 2, "at once")


def _of_dkim(answers: Answers) -> Iterator[str]:
    if answers.dkim:
        yield "[dkim.keys]"
        yield from (_line(selector, file) for selector, file in answers.dkim.items())
        yield ""


def _of_operator(answers: Answers) -> Iterator[str]:
    yield "# When issues go out by themselves: `newsletter run`, or `newsletter send --due` every five minutes."
    yield "[schedule]"
    yield _line("hour", 8, "of a reader's own clock, where they named none")
    yield _line("days", ["mon", "tue", "wed", "thu", "fri"])
    yield ""
    yield "# Who is told when something fails while nobody looks."
    yield "[notify]"
    yield _line("address", answers.reader)
    yield _off("ping_url", "https://ping.example.org/abc", "asked when all went well")


def _line(key: str, value: object, comment: str = "") -> str:
    """Return a line of TOML; its strings, numbers and lists of strings are written as in JSON, but for DEL."""
    text = f"{key} = {json.dumps(value, ensure_ascii=False)}".replace("\x7f", "\\u007f")
    return f"{text:{COLUMN}}  # {comment}" if comment else text


def _off(key: str, value: object, comment: str = "") -> str:
    return f"# {_line(key, value, comment)}"
