"""Where returned mail comes to: a Maildir, an mbox file, an IMAP folder, or one mail on standard input."""

import imaplib
import mailbox
import ssl
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import BinaryIO, NoReturn, Protocol

from newsletter.errors import MailboxError, SettingsError
from newsletter.settings.serving import BounceSettings

TIMEOUT = 60  # seconds for an answer of an IMAP server
LARGEST = 10_000_000  # bytes of a mail on standard input; a longer one is cut


@dataclass(frozen=True, slots=True)
class Returned:
    """One mail. `done` is called once its consequences are drawn, so that it is not read again."""

    content: bytes
    done: Callable[[], object] = lambda: None


class Mailbox(Protocol):
    """Yields the mails that nobody has seen yet."""

    def mails(self) -> Iterator[Returned]:
        """Yield each mail.

        Raises:
            MailboxError: it cannot be read.
        """
        ...


@dataclass(frozen=True)
class Maildir:
    """A folder with `new` and `cur` in it; what was read goes to `cur` and is marked as seen."""

    path: Path

    def mails(self) -> Iterator[Returned]:
        """Yield what is in `new`, and what is in `cur` and not seen."""
        if not (self.path / "new").is_dir() or not (self.path / "cur").is_dir():
            raise MailboxError(f"{self.path}: is no Maildir (it has no new and cur); name the folder above these two")
        try:
            for path in sorted((self.path / "new").iterdir()):
                yield Returned(path.read_bytes(), partial(self._seen, path))
            for path in sorted((self.path / "cur").iterdir()):
                if "S" not in path.name.partition(":2,")[2]:
                    yield Returned(path.read_bytes(), partial(self._seen, path))
        except OSError as fault:
            _refuse(self.path, fault)

    def _seen(self, path: Path) -> None:
        name, _, flags = path.name.partition(":2,")
        try:
            path.rename(self.path / "cur" / f"{name}:2,{''.join(sorted({*flags, 'S'}))}")
        except OSError as fault:
            _refuse(path, fault)


@dataclass(frozen=True)
class Mbox:
    """One file with many mails; it is only read, so each is met again the next time and counts no second time."""

    path: Path

    def mails(self) -> Iterator[Returned]:
        """Yield every mail."""
        if not self.path.is_file():
            raise MailboxError(f"{self.path}: there is no such file; name an mbox file")
        try:
            with self.path.open("rb") as file:
                if file.read(5).strip() not in {b"", b"From"}:
                    raise MailboxError(
                        f"{self.path}: is no mbox file (those begin with From ); a single mail goes to -"
                    )
            with closing(mailbox.mbox(self.path, create=False)) as box:
                for key in box.iterkeys():
                    yield Returned(box.get_bytes(key))
        except OSError as fault:
            _refuse(self.path, fault)


@dataclass(frozen=True)
class Stream:
    """One mail, as a mail server pipes it to a command."""

    stream: BinaryIO

    def mails(self) -> Iterator[Returned]:
        """Yield the mail."""
        yield Returned(self.stream.read(LARGEST))


@dataclass(frozen=True, kw_only=True)
class Imap:
    """A folder on an IMAP server, read over TLS; what was read is marked as seen."""

    host: str
    port: int
    username: str
    password: str
    folder: str
    context: ssl.SSLContext

    @classmethod
    def of(cls, settings: BounceSettings) -> "Imap":
        """Read it from the settings.

        Raises:
            SettingsError: the host or the login is not set.
        """
        if not (settings.imap_host and settings.imap_username and settings.imap_password):
            raise SettingsError(
                "bounces: imap needs bounces.imap_host, bounces.imap_username and bounces.imap_password"
            )
        return cls(
            host=settings.imap_host,
            port=settings.imap_port,
            username=settings.imap_username,
            password=settings.imap_password.get_secret_value(),
            folder=settings.imap_folder,
            context=ssl.create_default_context(),
        )

    def mails(self) -> Iterator[Returned]:
        """Yield what is not seen yet."""
        with self._session() as server:
            with self._explained():
                server.login(self.username, self.password)
                status, _answer = server.select(_quoted(self.folder))
                if status != "OK":
                    raise MailboxError(f"IMAP {self.host}: there is no folder {self.folder}; check bounces.imap_folder")
                _status, found = server.uid("SEARCH", "UNSEEN")
            for number in (found[0] or b"").decode().split():
                with self._explained():
                    _status, parts = server.uid("FETCH", number, "(BODY.PEEK[])")
                for part in parts:
                    if isinstance(part, tuple):
                        yield Returned(part[1], partial(self._seen, server, number))

    def _seen(self, server: imaplib.IMAP4_SSL, number: str) -> None:
        with self._explained():
            server.uid("STORE", number, "+FLAGS", r"(\Seen)")

    @contextmanager
    def _session(self) -> Iterator[imaplib.IMAP4_SSL]:
        with self._explained():
            server = imaplib.IMAP4_SSL(self.host, self.port, ssl_context=self.context, timeout=TIMEOUT)
        try:
            yield server
        finally:
            try:
                server.logout()
            except (imaplib.IMAP4.error, OSError):  # it has gone already; nothing was to be said any more
                server.shutdown()

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except imaplib.IMAP4.error as fault:
            said = str(fault).removeprefix("b'").removesuffix("'")
            raise MailboxError(f"IMAP {self.host}: {said}; check the bounces.imap_ settings") from None
        except OSError as fault:
            _refuse(f"IMAP {self.host}:{self.port}", fault)


def open_mailbox(settings: BounceSettings, folder: Path) -> Mailbox:
    """Return the mailbox that the settings name; a relative path counts from `folder`.

    Raises:
        SettingsError: none is named, or its login is missing.
    """
    kind, _, path = (settings.mailbox or "").partition(":")
    match kind:
        case "maildir":
            return Maildir(folder / path)
        case "mbox":
            return Mbox(folder / path)
        case "imap":
            return Imap.of(settings)
    raise SettingsError("bounces.mailbox is not set; set it, or name a Maildir, an mbox file or - on the command line")


def mailbox_at(path: Path) -> Mailbox:
    """Return the mailbox at a path: a Maildir if it is a folder, else an mbox file."""
    return Maildir(path) if path.is_dir() else Mbox(path)


def _quoted(folder: str) -> str:
    return '"' + folder.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _refuse(where: object, fault: OSError) -> NoReturn:
    said = fault.strerror or str(fault)
    raise MailboxError(f"{where}: {said}; mend that and run again, nothing is lost") from None
