"""What the documents show is there and runs."""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from newsletter.cli import cli
from tests.conftest import ROOT
from tests.flows.command import newsletter, start

if TYPE_CHECKING:
    from tests.postgres import Server

DOCUMENTS = [
    "README.md",
    *sorted(str(path.relative_to(ROOT)) for path in ROOT.glob("docs/*.md")),
    "templates/README.md",
]
COMMAND = re.compile(r"(?:^|[\s|=\"])(?:\.venv/bin/|/\S+/bin/)?newsletter ((?:-|[a-z]).*)")
SERVICES = {"run", "serve", "preview", "worker"}
PATIENCE = 60  # seconds


def blocks(document: str) -> Iterator[str]:
    """Yield the lines of a document's code blocks."""
    fenced = False
    for line in (ROOT / document).read_text().splitlines():
        if line.startswith("```"):
            fenced = not fenced
        elif fenced or line.startswith("    "):
            yield line.strip()


def spans(document: str) -> Iterator[str]:
    """Yield what stands between backticks in a document's text."""
    yield from re.findall(r"`([^`\n]+)`", (ROOT / document).read_text())


def words_of(line: str) -> list[str] | None:
    """Return the words after `newsletter` of a line that calls it, without what a shell takes for itself."""
    found = COMMAND.search(line)
    if not found or line.startswith(("#", "[", "From")):
        return None
    called = re.split(r"\s+(?:\||>|2>|&&|;)|\s#", found[1])[0]
    whole = called if called.count('"') % 2 == 0 else called.rstrip('"')  # an alias file's line ends with a quote
    return [word for word in shlex.split(whole, comments=True) if word != "..."]


def commands(kind: str) -> Iterator[tuple[str, str]]:
    """Yield each document with each command that its blocks or its text show."""
    for document in DOCUMENTS:
        lines = blocks(document) if kind == "blocks" else spans(document)
        calls = (shlex.join(words) for line in lines if (words := words_of(line)))
        yield from ((document, call) for call in dict.fromkeys(calls))


def named(words: list[str]) -> tuple[click.Command, list[str]]:
    """Return the command that these words call, and the words that it gets."""
    found: click.Command = cli
    while isinstance(found, click.Group) and words and not words[0].startswith("-"):
        inner = found.commands.get(words[0])
        assert inner, f"there is no command {words[0]}"
        found, words = inner, words[1:]
    return found, words


@pytest.mark.parametrize(("document", "call"), [*commands("blocks"), *commands("text")])
def test_every_command_and_option_that_a_document_names_is_there(document: str, call: str) -> None:
    command, rest = named(shlex.split(call))
    known = {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)} | {"--help"}
    options = [word.partition("=")[0] for word in rest if word.startswith("--")]
    assert [option for option in options if option not in known] == [], document


@pytest.mark.parametrize("document", sorted({document for document, _call in commands("blocks")}))
def test_what_a_document_shows_runs(tmp_path: Path, document: str, request: pytest.FixtureRequest) -> None:
    for name in ("new", "cur", "tmp"):
        (tmp_path / "back" / name).mkdir(parents=True)
    settings = {
        "NEWSLETTER_BOUNCES__MAILBOX": "maildir:back",
        "NEWSLETTER_WEB__PORT": "0",
        "NEWSLETTER_SOURCES": f"file:{ROOT / 'seeds'}",
    }
    assert newsletter(tmp_path, "send", **settings).code == 0  # the sample is what the documents speak of
    for call in (call for shower, call in commands("blocks") if shower == document):
        words = [str(tmp_path / "back") if word == "/var/mail/bounces" else word for word in shlex.split(call)]
        if words == ["init"]:
            words.append("--non-interactive")  # a person answers its questions; nobody is here
        if words[0] == "worker":
            server: Server = request.getfixturevalue("postgresql")
            shared = {"NEWSLETTER_DATABASE_URL": server.new_url(), "NEWSLETTER_WORKERS": "true"}
            serves(tmp_path, words, settings | shared)
        elif words[0] in SERVICES:
            serves(tmp_path, words, settings)
        else:
            ran = newsletter(tmp_path, *words, **settings)
            assert ran.code == 0, f"{call}: {ran.err}"


def serves(folder: Path, words: list[str], settings: dict[str, str]) -> None:
    """Start what runs until it is ended, see that it has begun, and end it."""
    process = start(folder, *words, **settings)
    assert process.stdout
    assert process.stderr
    said = (process.stderr if words[0] in {"run", "worker"} else process.stdout).readline()
    process.terminate()
    try:
        process.communicate(timeout=PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    assert said.strip(), "it said that it had begun"
    assert process.returncode in {0, 130}
