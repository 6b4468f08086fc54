"""Where returned mail is read from, each a real one: a Maildir, an mbox file, an IMAP server that speaks TLS."""

import io
import mailbox
import re
import socketserver
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme

from newsletter.errors import MailboxError, SettingsError
from newsletter.send.mailbox import Imap, Mailbox, Maildir, Mbox, Stream, mailbox_at, open_mailbox
from newsletter.settings.serving import BounceSettings
from tests.conftest import Rights
from tests.send.returned import answer
from tests.send.servers import running
from tests.send.test_smtp import server_context

MAILS = [answer(f"Mail {n}", f"The body of {n}\n.\nFrom here on") for n in range(3)]
USER, PASSWORD = "bounces@example.org", 'quite "secret"'


class ImapServer(socketserver.ThreadingTCPServer):
    """One folder, `Returned mail`, of one user, as RFC 3501 has it, over TLS from the first byte."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, context: ssl.SSLContext, mails: list[bytes]) -> None:
        super().__init__(("127.0.0.1", 0), _Session)
        self.context, self.mails = context, mails
        self.seen: set[int] = set()
        self.drop_at = ""  # the command at which the line breaks

    @property
    def port(self) -> int:
        return int(self.server_address[1])


class _Session(socketserver.BaseRequestHandler):
    server: ImapServer

    def handle(self) -> None:
        try:
            with self.server.context.wrap_socket(self.request, server_side=True) as line, line.makefile("rwb") as wire:
                wire.write(b"* OK ready\r\n")
                wire.flush()
                while given := wire.readline().decode().strip():
                    tag, _, command = given.partition(" ")
                    if self.server.drop_at and self.server.drop_at in command:
                        return
                    wire.write(b"".join(self.reply(command)) + f"{tag} {self.last}\r\n".encode())
                    wire.flush()
        except OSError:
            return  # the client trusts nobody here, or has gone

    def reply(self, command: str) -> Iterator[bytes]:
        self.last = "OK done"
        verb = command.split(maxsplit=1)[0].upper()
        if verb == "CAPABILITY":
            yield b"* CAPABILITY IMAP4rev1\r\n"
        elif verb == "LOGIN":
            right = PASSWORD.replace('"', '\\"')
            if command != f'LOGIN {USER} "{right}"':
                self.last = "NO [AUTHENTICATIONFAILED] Authentication failed."
        elif verb == "SELECT" and command != 'SELECT "Returned mail"':
            self.last = "NO there is no such folder"
        elif verb == "SELECT":
            yield f"* {len(self.server.mails)} EXISTS\r\n".encode()
        elif command == "UID SEARCH UNSEEN":
            unseen = (str(n) for n in range(1, len(self.server.mails) + 1) if n not in self.server.seen)
            yield f"* SEARCH {' '.join(unseen)}".strip().encode() + b"\r\n"
        elif found := re.fullmatch(r"UID FETCH (\d+) \(BODY\.PEEK\[\]\)", command):
            content = self.server.mails[int(found[1]) - 1]
            yield f"* {found[1]} FETCH (UID {found[1]} BODY[] {{{len(content)}}}\r\n".encode() + content + b")\r\n"
        elif found := re.fullmatch(r"UID STORE (\d+) \+FLAGS (\(?\\Seen\)?)", command):
            self.server.seen.add(int(found[1]))
        elif verb != "LOGOUT":
            self.last = "BAD what?"


@contextmanager
def imap_server(authority: trustme.CA, mails: list[bytes]) -> Iterator[ImapServer]:
    """Run a server with these mails, none of them seen."""
    with running(ImapServer(server_context(authority), mails)) as server:
        yield server


def settings(port: int, **given: object) -> BounceSettings:
    named: dict[str, object] = {"mailbox": "imap", "imap_host": "127.0.0.1", "imap_port": port}
    named |= {"imap_username": USER, "imap_password": PASSWORD, "imap_folder": "Returned mail"}
    return BounceSettings.model_validate(named | given)


def read(box: Mailbox, *, done: bool = True) -> list[bytes]:
    found = []
    for mail in box.mails():
        found.append(mail.content)
        if done:
            mail.done()
    return found


def test_an_imap_folder_yields_each_mail_once_and_marks_it_as_seen(authority: trustme.CA) -> None:
    with imap_server(authority, MAILS) as server:
        box = Imap.of(settings(server.port))
        assert read(box, done=False) == MAILS
        assert server.seen == set(), "what was not worked off is read again"
        mails = box.mails()
        next(mails).done()
        del mails
        assert server.seen == {1}
        assert read(box) == MAILS[1:]
        assert read(box) == []


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"imap_password": "wrong"}, r"Authentication failed\.; check the bounces\.imap_ settings"),
        ({"imap_folder": "INBOX"}, r"there is no folder INBOX; check bounces\.imap_folder"),
    ],
)
def test_a_wrong_login_and_a_missing_folder_are_one_line(
    authority: trustme.CA, given: dict[str, object], words: str
) -> None:
    with imap_server(authority, MAILS) as server, pytest.raises(MailboxError, match=words):
        read(Imap.of(settings(server.port, **given)))


def test_a_server_nobody_knows_is_not_trusted_with_the_password(authority: trustme.CA) -> None:
    del authority
    with imap_server(trustme.CA(), MAILS) as server, pytest.raises(MailboxError, match="certificate verify failed"):
        read(Imap.of(settings(server.port)))


@pytest.mark.parametrize("command", ["LOGIN", "SEARCH", "FETCH", "STORE"])
def test_a_line_that_breaks_is_one_line_and_loses_nothing(authority: trustme.CA, command: str) -> None:
    with imap_server(authority, MAILS) as server:
        server.drop_at = command
        with pytest.raises(MailboxError, match=r"^IMAP 127\.0\.0\.1"):
            read(Imap.of(settings(server.port)))
        server.drop_at = ""
        assert read(Imap.of(settings(server.port))) == MAILS


def test_imap_without_its_login_says_which_settings_are_missing() -> None:
    with pytest.raises(SettingsError, match=r"needs bounces\.imap_host, bounces\.imap_username"):
        open_mailbox(BounceSettings(mailbox="imap"), Path())


def test_a_maildir_yields_what_is_new_or_not_seen_once(tmp_path: Path) -> None:
    folder = mailbox.Maildir(tmp_path / "box")
    for content in MAILS:
        folder.add(content)
    seen = mailbox.MaildirMessage(answer("read by somebody"))
    seen.set_subdir("cur")
    seen.set_flags("S")
    folder.add(seen)
    flagged = mailbox.MaildirMessage(MAILS[0])
    flagged.set_subdir("cur")
    flagged.set_flags("F")
    folder.add(flagged)
    box = open_mailbox(BounceSettings(mailbox="maildir:box"), tmp_path)
    plain = [content.replace(b"\r\n", b"\n") for content in [*MAILS, MAILS[0]]]
    assert sorted(each.replace(b"\r\n", b"\n") for each in read(box, done=False)) == sorted(plain)
    assert len(read(box)) == 4
    assert read(box) == []
    assert {message.get_flags() for message in mailbox.Maildir(tmp_path / "box")} == {"S", "FS"}


def test_an_mbox_is_only_read(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "box")
    for content in MAILS:
        box.add(content)
    box.close()
    before = (tmp_path / "box").read_bytes()
    assert len(read(mailbox_at(tmp_path / "box"))) == len(read(Mbox(tmp_path / "box"))) == 3
    assert (tmp_path / "box").read_bytes() == before
    (tmp_path / "empty").touch()
    assert read(mailbox_at(tmp_path / "empty")) == []


def test_a_stream_is_one_mail() -> None:
    assert read(Stream(io.BytesIO(MAILS[0]))) == [MAILS[0]]


def test_what_is_no_mailbox_is_said_so_with_the_mend(tmp_path: Path) -> None:
    (tmp_path / "one.eml").write_bytes(MAILS[0])
    for box, words in (
        (mailbox_at(tmp_path), "is no Maildir"),
        (mailbox_at(tmp_path / "nowhere"), "there is no such file"),
        (mailbox_at(tmp_path / "one.eml"), "is no mbox file .* a single mail goes to -"),
    ):
        with pytest.raises(MailboxError, match=words):
            read(box)
    with pytest.raises(SettingsError, match=r"bounces\.mailbox is not set"):
        open_mailbox(BounceSettings(), tmp_path)


def test_a_mailbox_that_may_not_be_read_is_one_line(closed_folder: Path, ordinary_user: Rights) -> None:
    (closed_folder / "new").mkdir()
    (closed_folder / "cur").mkdir()
    closed_folder.chmod(0o755)
    (closed_folder / "new").chmod(0)
    with ordinary_user(), pytest.raises(MailboxError, match="Permission denied; mend that and run again"):
        read(Maildir(closed_folder))
