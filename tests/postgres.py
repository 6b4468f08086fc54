"""A PostgreSQL server of a test run's own, under another user where the tests run as root."""

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

ORDINARY = "nobody"
# No test of ours needs a disk that survives a power loss; sockets, not ports, so that no two servers meet.
OPTIONS = "-F -c listen_addresses= -c max_connections=200 -c shared_buffers=32MB -c log_min_messages=panic"


def find(program: str) -> str | None:
    """Return the path of one of PostgreSQL's programs; Debian keeps them out of PATH."""
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    return shutil.which(program, path=":".join([os.environ["PATH"], *map(str, debian)]))


class Server:
    """A running server; each test gets a schema of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._schemas = 0

    def new_url(self) -> str:
        """Return the URL of an empty schema."""
        self._schemas += 1
        schema = f"s{self._schemas}"
        with psycopg.connect(host=str(self.folder), user="tests", dbname="postgres", autocommit=True) as connection:
            connection.execute(f"CREATE SCHEMA {schema}".encode())
        return f"postgresql+psycopg://tests@/postgres?host={self.folder}&options=-csearch_path%3D{schema}"

    def restart(self) -> None:
        """Stop as if the power went, and start again."""
        data = str(self.folder / "data")
        _run("pg_ctl", "-D", data, "-s", "-m", "immediate", "stop")
        _run("pg_ctl", "-D", data, "-w", "-s", "-l", f"{data}/log", "-o", f"{OPTIONS} -k {self.folder}", "start")


@contextmanager
def postgresql_server() -> Iterator[Server]:
    """Make a cluster in a temporary folder, run it, and remove it."""
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        os.chown(folder, pwd.getpwnam(ORDINARY).pw_uid, -1)
    data = str(folder / "data")
    try:
        _run("initdb", "-D", data, "-A", "trust", "-U", "tests", "-E", "UTF8", "--locale=C", "--no-sync")
        _run("pg_ctl", "-D", data, "-w", "-s", "-l", f"{data}/log", "-o", f"{OPTIONS} -k {folder}", "start")
        try:
            yield Server(folder)
        finally:
            _run("pg_ctl", "-D", data, "-s", "-m", "immediate", "stop")
    finally:
        shutil.rmtree(folder)


def _run(program: str, *arguments: str) -> None:
    path = find(program)
    assert path
    as_other = ["runuser", "-u", ORDINARY, "--"] if os.geteuid() == 0 else []
    ran = subprocess.run([*as_other, path, *arguments], cwd="/", capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr + ran.stdout
