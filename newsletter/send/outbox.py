"""The outbox: a Maildir that stands in for a relay, readable by mutt, Thunderbird or Python's mailbox."""

import os
from collections.abc import Iterator
from pathlib import Path

from newsletter.errors import OutboxError
from newsletter.models import Message, Outcome, Verdict
from newsletter.send.base import BeforeDot

ALREADY_THERE = "was already in the outbox"


class OutboxTransport:
    """Writes each message as one file of a Maildir.

    The file's name is the Message-ID, so the same delivery never stands there twice: unlike an SMTP server, the outbox
    can be asked what it has. Line ends are the local ones, as a mail server delivers into a Maildir: mutt would show
    those of the wire.
    """

    connections = 1

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = f"outbox {folder}"

    def deliver(self, messages: Iterator[Message | None], before_dot: BeforeDot) -> Iterator[Outcome]:
        """Write the messages; see `Transport.deliver`.

        Raises:
            OutboxError: the folder cannot be written; the message in hand is not there.
        """
        self._make_folders()
        for message in messages:
            if message is not None:
                yield self._write(message, before_dot)

    def _write(self, message: Message, before_dot: BeforeDot) -> Outcome:
        name = message.id.replace("/", "_").replace(":", "_")
        draft, final = self.folder / "tmp" / name, self.folder / "new" / name
        try:
            if final.exists() or any((self.folder / "cur").glob(f"{name}:*")):
                before_dot(message)
                return Outcome(Verdict.ACCEPTED, text=ALREADY_THERE)
            with draft.open("wb") as file:
                file.write(message.content.replace(b"\r\n", b"\n"))
                file.flush()
                os.fsync(file.fileno())
            if not before_dot(message):
                draft.unlink()
                return Outcome(Verdict.UNTRIED)
            draft.rename(final)
        except OSError as fault:
            raise OutboxError(
                f"outbox {draft}: {fault.strerror}; make room or make it writable, and run again"
            ) from None
        return Outcome(Verdict.ACCEPTED)

    def _make_folders(self) -> None:
        try:
            for part in ("tmp", "new", "cur"):
                (self.folder / part).mkdir(parents=True, exist_ok=True)
        except OSError as fault:
            raise OutboxError(f"outbox {self.folder}: {fault.strerror}; make it writable or set transport") from None
