"""Every setting: flag > NEWSLETTER_ variable > newsletter.toml > default.

Relative paths count from the folder of newsletter.toml, or from the working directory where there is none. A wrong
setting is a SettingsError: one line that names the key, what is wrong with its value, and the mend.
"""

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from email.utils import parseaddr
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from pydantic import BaseModel, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from newsletter.errors import SettingsError, UsageError
from newsletter.settings.notifying import NotifySettings
from newsletter.settings.scheduling import ScheduleSettings
from newsletter.settings.sending import DkimSettings, LimitSettings, RelaySettings, SmtpSettings
from newsletter.settings.serving import BounceSettings, SignupSettings, WebSettings

PREFIX = "NEWSLETTER_"
CONFIG_NAME = "newsletter.toml"
OUTSIDE_SETTINGS = ("NEWSLETTER_CONFIG", "NEWSLETTER_TEST_")  # variables that are no settings
SOURCE_KINDS = {
    "huggingface": r"huggingface",
    "arxiv:CATEGORY,CATEGORY": r"arxiv:[a-z-]+(\.[A-Za-z-]{2,})?(,[a-z-]+(\.[A-Za-z-]{2,})?)*",
    "feed:https://HOST/PATH": r"feed:https?://\S+",
    "file:PATH": r"file:.+",
    "page:PATH": r"page:.+",
}
Policy = Literal["hold", "resend"]
WORKERS_NEED = 'workers share a PostgreSQL server; set database_url = "postgresql+psycopg://...", or do without'
SHORTEST_SECRET = 16  # characters
FEWEST_SIGNS = 6  # different ones among them
OWN_HOSTS = {"localhost", "127.0.0.1", "::1"}


def bundled(name: str) -> Path:
    """Return the path of a shipped file or folder: inside the wheel, or at the top of a checkout."""
    package = Path(__file__).parent.parent
    inside = package / "bundled" / name
    return inside if inside.exists() else package.parent / name


class Settings(BaseSettings):
    """All settings of one list. Build it with `load`, which finds the file and explains faults."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_nested_delimiter="__",
        env_ignore_empty=True,
        extra="forbid",
        hide_input_in_errors=True,  # a wrong URL may hold a password
        validate_default=False,
    )

    sources: Annotated[list[str], NoDecode] = Field(
        default_factory=list, description="Where papers come from, the best informed first; none means the sample."
    )
    on_source_failure: Literal["stop", "continue"] = Field(
        "stop", description="When one of several sources fails: send nothing, or go on with the others."
    )
    private_sources: bool = Field(
        default=False,
        description="Feeds may lie on this machine or its network; without it only public hosts are asked.",
    )
    database_url: str = Field("sqlite:///var/newsletter.sqlite3", description="SQLAlchemy URL of the database.")
    subscribers: str | None = Field(
        None,
        description='The subscriber list (.yaml or .csv), or "env:NAME", a variable that holds it;'
        " ./subscribers.yaml if present, else the example.",
    )
    timezone: str = Field("UTC", description="The list's own IANA time zone; mails are dated in it.")
    base_url: str | None = Field(None, description="Public https address of the list's pages, if it has any.")
    sender: str = Field("Newsletter <newsletter@example.org>", description="The From address.")
    reply_to: str | None = Field(None, description="Where answers go; the sender if unset.")
    list_id: str = Field("papers", description="Short stable name of the list; part of every key, so never change it.")
    title: str = Field(
        "Trending Papers", min_length=1, max_length=80, description="The list's name, as readers see it."
    )
    postal_address: str | None = Field(None, description="Shown in the footer; many countries ask for one.")
    workers: bool = Field(
        default=False,
        description="`newsletter worker` processes send, on any number of machines; needs PostgreSQL.",
    )
    transport: str = Field("outbox:var/outbox", description='"outbox:PATH" (a Maildir) or "smtp".')
    smtp: SmtpSettings = SmtpSettings()
    relays: list[RelaySettings] = Field(
        default_factory=list,
        description='Several relays, each a "[[relays]]" table: a "weight", and the keys of "smtp" (its fallback).',
    )
    limits: LimitSettings = LimitSettings()
    dkim: DkimSettings = DkimSettings()
    bounce_address: str | None = Field(
        None, description="Where bounces go; the reader's token is put before its @. The sender if unset."
    )
    entries: int = Field(10, ge=1, le=100, description="Papers a mail tells of; the rest of the list is only named.")
    full: int = Field(3, ge=1, le=100, description="How many of them are told with a sentence, the others in a line.")
    min_votes: int = Field(0, ge=0, description="Papers with fewer votes are only named; unknown votes always pass.")
    ranking: Literal["votes", "settled", "trending", "discussed", "newest"] | None = Field(
        None, description="How papers are ordered; votes within a list day, settled across several if unset."
    )
    diversity: float = Field(
        0.1,
        ge=0,
        le=1,
        description="Share of a paper's votes that may be passed over so that no topic fills the top; 0 is never.",
    )
    only_matches: bool = Field(
        default=False,
        description="Who has interests gets matching papers alone, and no mail where none matches.",
    )
    max_age_days: int = Field(
        3, ge=0, description="A live source's newest list may be this old, else nothing goes out."
    )
    in_doubt: Policy | None = Field(None, description="When nobody knows whether a copy arrived, whatever the cause.")
    in_doubt_process: Policy = Field(
        "hold", description="... because our process was killed: it almost always arrived."
    )
    in_doubt_network: Policy = Field("resend", description="... because the connection broke after the message.")
    in_doubt_power: Policy = Field("hold", description="... because the machine went down.")
    templates: Path | None = Field(None, description="Your own templates; a file here replaces the shipped one.")
    schedule: ScheduleSettings = ScheduleSettings()
    keep_days: int = Field(
        365, ge=0, description="Who got an issue is forgotten after so many days, its sums are kept; 0 forgets nobody."
    )
    secret_key: SecretStr | None = Field(None, description="Signs links and Message-IDs; made once and kept if unset.")
    earlier_secret_keys: list[SecretStr] = Field(
        default_factory=list, description="Keys of before, oldest first: links that they signed still work."
    )
    web: WebSettings = WebSettings()
    signup: SignupSettings = SignupSettings()
    bounces: BounceSettings = BounceSettings()
    notify: NotifySettings = NotifySettings()

    @field_validator("sources", mode="before")
    @classmethod
    def _split_sources(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        if value.lstrip().startswith("["):
            try:
                return json.loads(value)
            except ValueError:
                raise ValueError("starts with [ but is no JSON list of specs") from None
        return [spec.strip() for spec in re.split(r"[;\n]", value) if spec.strip()]

    @field_validator("sources")
    @classmethod
    def _known_sources(cls, value: list[str]) -> list[str]:
        try:
            return [check_source(spec) for spec in value]
        except UsageError as fault:
            raise ValueError(str(fault)) from None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        if value not in available_timezones():
            raise ValueError(f"{value!r} is no IANA time zone{_meant(value, available_timezones())}")
        return value

    @field_validator("base_url")
    @classmethod
    def _web_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            raise ValueError("is no web address; write it like https://news.example.org")
        return value.rstrip("/")

    @field_validator("sender", "reply_to", "bounce_address")
    @classmethod
    def _one_address(cls, value: str | None) -> str | None:
        if value is None:
            return None
        mailbox(value)
        if any(ord(character) < ord(" ") for character in value):
            raise ValueError("holds a control character")
        return value

    @field_validator("list_id")
    @classmethod
    def _plain_list_id(cls, value: str) -> str:
        if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]{0,60}[a-z0-9])?", value):
            raise ValueError("may hold small letters, digits, dots and hyphens only, like papers or papers.example.org")
        return value

    @field_validator("subscribers")
    @classmethod
    def _file_or_variable(cls, value: str | None) -> str | None:
        name = value.removeprefix("env:") if value and value.startswith("env:") else None
        if name is not None and (not re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) or name.upper().startswith(PREFIX)):
            raise ValueError(f"{value!r} names no variable that may hold the list; write one such as env:SUBSCRIBERS")
        return value

    @field_validator("transport")
    @classmethod
    def _known_transport(cls, value: str) -> str:
        if value != "smtp" and not re.fullmatch(r"outbox:.+", value):
            raise ValueError(f'{value!r} is no transport; write "smtp" or "outbox:PATH"')
        return value

    @model_validator(mode="after")
    def _public_links_are_hard_to_forge(self) -> "Settings":
        secret = self.secret_key.get_secret_value() if self.secret_key else None
        weak = secret is not None and (len(secret) < SHORTEST_SECRET or len(set(secret)) < FEWEST_SIGNS)
        if weak and self.base_url and urlsplit(self.base_url).hostname not in OWN_HOSTS:
            raise ValueError(
                "secret_key is easy to guess, and links to base_url are signed with it; leave it out, or use what this"
                " prints: python -c 'import secrets; print(secrets.token_urlsafe(32))'"
            )
        return self

    @model_validator(mode="after")
    def _relay_is_named(self) -> "Settings":
        if self.transport == "smtp" and not all(relay.host for relay in self.all_relays):
            raise ValueError('transport = "smtp" needs smtp.host (or NEWSLETTER_SMTP__HOST), or a host for each relay')
        return self

    @model_validator(mode="after")
    def _workers_share_a_server(self) -> "Settings":
        if self.workers and self.database_url.startswith("sqlite"):
            raise ValueError(WORKERS_NEED)
        return self

    @property
    def all_relays(self) -> list[RelaySettings]:
        """Every relay, each with what it leaves to `smtp` filled in; the one of `smtp` where none is listed."""
        if not self.relays:
            return [RelaySettings(**self.smtp.model_dump())]
        given = self.smtp.model_dump(exclude_unset=True)
        return [RelaySettings(**given | relay.model_dump(exclude_unset=True)) for relay in self.relays]

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags are given to the constructor as TOML values are; only variables are read by pydantic-settings."""
        del settings_cls, dotenv_settings, file_secret_settings
        return env_settings, init_settings


def mailbox(text: str) -> tuple[str, str]:
    """Return the name and the address of `Name <name@example.org>`, the domain in ASCII as envelopes want it.

    Raises:
        ValueError: there is no address, or one whose local part is not ASCII.
    """
    from email_validator import EmailNotValidError, validate_email

    name, address = parseaddr(text)
    try:
        valid = validate_email(address, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError as fault:
        raise ValueError(f"is no address ({fault}); write it like Name <name@example.org>") from None
    return name, valid.ascii_email or address


def check_source(spec: str) -> str:
    """Return a source spec that is well formed.

    Raises:
        UsageError: it names no kind of source.
    """
    if not any(re.fullmatch(pattern, spec) for pattern in SOURCE_KINDS.values()):
        raise UsageError(f"{spec!r} is no source; write one of {', '.join(SOURCE_KINDS)}")
    return spec


def load(config: Path | None = None, environ: Mapping[str, str] = os.environ) -> tuple[Settings, Path]:
    """Read the settings and the folder that relative paths count from.

    Args:
        config: newsletter.toml as named on the command line; else NEWSLETTER_CONFIG; else the working directory's.
        environ: the variables to check for names that are no setting.

    Raises:
        SettingsError: the file is missing or broken, or a setting is unknown or wrong.
    """
    named = config_path(config, environ)
    path = named or Path(CONFIG_NAME)
    if named and not named.is_file():
        raise SettingsError(f"{named}: there is no such file; check --config and NEWSLETTER_CONFIG")
    if path.is_dir():
        raise SettingsError(f"{path}: is a folder; move it away, the settings are a file of that name")
    _check_variables(environ)
    values = read_toml(path) if path.is_file() else {}
    folder = path.absolute().parent if path.is_file() else Path.cwd()
    return checked(values, path, environ), folder


def checked(values: Mapping[str, Any], path: Path, environ: Mapping[str, str] = os.environ) -> Settings:
    """Return the settings that a file's values and the variables make.

    Args:
        values: what the file holds.
        path: the file, for the message of a fault.
        environ: the variables that a fault may name instead of the file.

    Raises:
        SettingsError: a setting is unknown or wrong.
    """
    try:
        return Settings(**values)
    except ValidationError as fault:
        raise SettingsError("\n".join(_explain(fault, path, environ))) from None


def config_path(config: Path | None = None, environ: Mapping[str, str] = os.environ) -> Path | None:
    """Return the file that the command line or NEWSLETTER_CONFIG names, if they do."""
    return config or (Path(environ["NEWSLETTER_CONFIG"]) if environ.get("NEWSLETTER_CONFIG") else None)


def names() -> Iterator[str]:
    """Yield every setting's TOML name, the nested ones with a dot."""
    for name, field in Settings.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from (f"{name}.{inner}" for inner in field.annotation.model_fields)
        yield name


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a settings file holds, unchecked.

    Raises:
        SettingsError: it cannot be read, or is no TOML.
    """
    try:
        return tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as fault:
        raise SettingsError(f"{path}: cannot be read ({fault.strerror})") from None
    except UnicodeDecodeError as fault:
        raise SettingsError(f"{path}: is not UTF-8 (byte {fault.start}); save it as UTF-8") from None
    except tomllib.TOMLDecodeError as fault:
        raise SettingsError(f"{path}: is no valid TOML: {fault}") from None


def _variable(name: str) -> str:
    return PREFIX + name.replace(".", "__").upper()


def _meant(word: str, known: "Iterator[str] | set[str]") -> str:
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean {close[0]}?" if close else ""


def _check_variables(environ: Mapping[str, str]) -> None:
    """Refuse variables that look like settings and are none: pydantic-settings would pass over them in silence."""
    known = {_variable(name) for name in names()}
    for name in environ:
        if name.upper().startswith(PREFIX) and not name.startswith(OUTSIDE_SETTINGS) and name.upper() not in known:
            raise SettingsError(f"{name}: there is no such setting{_meant(name.upper(), known) or '; unset it'}")


def _explain(fault: ValidationError, path: Path, environ: Mapping[str, str]) -> Iterator[str]:
    given = {name.upper() for name in environ}
    for error in fault.errors(include_input=False, include_url=False):
        key = ".".join(str(part) for part in error["loc"] if not isinstance(part, int))
        where = _variable(key) if _variable(key) in given else f"{path}: {key}" if key else str(path)
        if error["type"] == "extra_forbidden":
            yield f"{where}: there is no such setting{_meant(key, names()) or '; remove it'}"
        else:
            message = error["msg"].removeprefix("Value error, ")
            yield f"{where}: {message[0].lower() + message[1:]}"
