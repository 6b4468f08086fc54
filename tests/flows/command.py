"""The `newsletter` command as a person runs it: its own process, in its own folder."""

import mailbox
import os
import subprocess
import sys
from dataclasses import dataclass
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import default
from pathlib import Path

COMMAND = [sys.executable, "-m", "newsletter"]


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def fault(self) -> str:
        """The one line a person reads when it failed."""
        assert "Traceback" not in self.err
        [line] = self.err.strip().splitlines()
        return line


def start(folder: Path, *arguments: str, **variables: str) -> "subprocess.Popen[str]":
    """Start a command in a folder; nothing of the outside configuration reaches it."""
    environment = os.environ | variables
    return subprocess.Popen(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def newsletter(folder: Path, *arguments: str, **variables: str) -> Ran:
    """Run a command to its end."""
    process = start(folder, *arguments, **variables)
    out, err = process.communicate(timeout=100)
    return Ran(process.returncode, out, err)


def outbox(folder: Path) -> list[EmailMessage]:
    """Return the messages of var/outbox as Python's own mailbox reads them, by recipient."""
    files = mailbox.Maildir(folder / "var/outbox", create=False)
    messages = [
        BytesParser(EmailMessage, policy=default).parsebytes(files.get_bytes(key)) for key in list(files.iterkeys())
    ]
    return sorted(messages, key=lambda message: str(message["To"]))


def smtp(port: int, **options: str) -> dict[str, str]:
    """Return the variables that point the command at a relay on loopback."""
    named = {
        "NEWSLETTER_TRANSPORT": "smtp",
        "NEWSLETTER_SENDER": "Papers <papers@example.org>",
        "NEWSLETTER_SMTP__HOST": "127.0.0.1",
        "NEWSLETTER_SMTP__PORT": str(port),
        "NEWSLETTER_SMTP__SECURITY": "none",
    }
    return named | {f"NEWSLETTER_SMTP__{name.upper()}": value for name, value in options.items()}


def readers(folder: Path, number: int) -> None:
    """Write a subscriber file of so many daily readers."""
    lines = [f"  - address: reader{n}@example.org\n" for n in range(number)]
    (folder / "subscribers.yaml").write_text("subscribers:\n" + "".join(lines))
