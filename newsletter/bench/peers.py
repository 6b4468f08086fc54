"""What newsletters are sent with elsewhere, run as their authors mean them to be run.

| peer | composes | connections |
|---|---|---|
| smtp-source, Postfix's generator in C | nothing: one body of the same length | as many as we have, kept open |
| the usual script (see `usual`) | each copy from its templates | one, kept open |
| nodemailer in pool mode | each copy from HTML and text that are given | as many as we have, kept open |

Each runs in a process of its own. A slow one is stopped after some seconds; its rate is what counts.
"""

import json
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal, Self

from newsletter.bench.sink import find_program
from newsletter.errors import SurroundingsError, UsageError
from newsletter.models import Message
from newsletter.render.reading import Reading as Mail

Signing = Literal["none", "ed25519", "rsa"]
TRIAL = 10  # messages a connection, to see how fast smtp-source is here
NODE = "node_modules"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What a contender is asked to do.

    Args:
        host: where the server is, or the proxy before it.
        port: its port.
        recipients: how many copies at most, each to another reader.
        connections: how many at once, for those who can have more than one.
        seconds: after which a slow peer stops.
        dkim: how each copy is signed; smtp-source signs nothing.
        key: the file of the private key, PEM; None where nothing is signed.
    """

    host: str
    port: int
    recipients: int
    connections: int
    seconds: float = 5
    dkim: Signing = "none"
    key: str | None = None

    @classmethod
    def read(cls) -> Self:
        """Return the load that a contender's process was given on its standard input."""
        return cls(**json.load(sys.stdin))


@dataclass(frozen=True, slots=True)
class Reading:
    """One run of one contender: messages handed over, wall and CPU seconds (user and system) that took."""

    messages: int
    seconds: float
    cpu_seconds: float

    @property
    def rate(self) -> float:
        """Messages a second."""
        return self.messages / self.seconds

    @property
    def cpu_ms(self) -> float:
        """Milliseconds of CPU a message."""
        return self.cpu_seconds / self.messages * 1000


@dataclass(frozen=True, slots=True)
class Peer:
    """A contender that is installed."""

    key: str
    label: str
    run: Callable[[Load], Reading]


def installed(copy: Message, dkim: Signing, node_modules: Path | None) -> Iterator[Peer]:
    """Yield the peers that are here and can sign as asked.

    Args:
        copy: one of our copies, so that theirs are alike.
        dkim: how copies are signed.
        node_modules: a folder that holds nodemailer; the working folder's node_modules if None.

    Raises:
        UsageError: a folder was named and holds none.
    """
    if program := find_program("smtp-source"):
        yield Peer("smtp_source", "smtp-source", lambda load: smtp_source(program, load, copy))
    if dkim == "none" or _dkimpy_signs(dkim):
        yield Peer("usual_script", "the usual script", usual_script)
    node, folder = shutil.which("node"), _nodemailer(node_modules)
    if node and folder and dkim != "ed25519":  # nodemailer signs with RSA alone
        version = json.loads((folder / "package.json").read_text())["version"]
        yield Peer("nodemailer", f"nodemailer {version}", lambda load: nodemailer(node, folder, load, copy))


def smtp_source(program: str, load: Load, copy: Message) -> Reading:
    """Run smtp-source on a body of the same length; a short trial tells how many messages the seconds are for."""

    def run(messages: int) -> Reading:
        sessions = str(min(load.connections, messages))
        envelope = ["-f", copy.sender, "-t", copy.recipient]
        # -d keeps connections open. -c would write a counter with each message, which costs it some per cent.
        options = ["-d", "-s", sessions, "-m", str(messages), "-l", str(len(copy.content)), *envelope]
        _said, seconds, cpu_seconds = run_to_its_end("smtp-source", [program, *options, f"{load.host}:{load.port}"])
        return Reading(messages, seconds, cpu_seconds)

    trial = run(min(load.recipients, TRIAL * load.connections))
    return run(min(load.recipients, max(trial.messages, round(trial.rate * load.seconds))))


def usual_script(load: Load) -> Reading:
    """Run the script that renders, composes and sends one copy after the other."""
    return contender("the usual script", [sys.executable, "-m", "newsletter.bench.usual"], asdict(load))


def nodemailer(node: str, folder: Path, load: Load, copy: Message) -> Reading:
    """Run nodemailer on the two parts of our copy."""
    mail = Mail(copy.content)
    parts = {"text": mail.text, "html": mail.html, "subject": str(mail.message["Subject"])}
    envelope = {"sender": copy.sender, "recipient": copy.recipient, "folder": str(folder)}
    script = Path(__file__).with_name("nodemailer.js")
    return contender("nodemailer", [node, str(script)], asdict(load) | parts | envelope)


def contender(name: str, command: Sequence[str], load: dict[str, object]) -> Reading:
    """Run a program that reads its load as JSON and measures itself, without its own start.

    Raises:
        SurroundingsError: it failed.
    """
    said, _seconds, _cpu = run_to_its_end(name, command, json.dumps(load))
    return Reading(**json.loads(said))


def run_to_its_end(name: str, command: Sequence[str], given: str = "") -> tuple[str, float, float]:
    """Run a program; return what it said, and the wall and CPU seconds it took.

    Raises:
        SurroundingsError: it failed; the message is its last line.
    """
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    ran = subprocess.run(  # noqa: S603 - programs found on PATH, and our own modules
        command, input=given, capture_output=True, text=True, check=False, start_new_session=True
    )
    seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or [f"ended with {ran.returncode}"])[-1]
        raise SurroundingsError(f"bench: {name} failed: {last}")
    return ran.stdout, seconds, after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _dkimpy_signs(dkim: Signing) -> bool:
    return find_spec("dkim") is not None and (dkim == "rsa" or find_spec("nacl") is not None)


def _nodemailer(named: Path | None) -> Path | None:
    """Return the folder of the nodemailer package."""
    places = [named / "nodemailer", named / NODE / "nodemailer"] if named else [Path(NODE, "nodemailer")]
    found = next((place.absolute() for place in places if (place / "package.json").is_file()), None)
    if named and not found:
        raise UsageError(f"--node-modules {named}: holds no nodemailer; npm install --prefix {named} nodemailer")
    return found
