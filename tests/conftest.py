"""What every test may ask for."""

import codecs
import json
import os
import pwd
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    import trustme
    from playwright.sync_api import Browser

    from tests.postgres import Server

# The same examples in every run, however busy the machine is.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

ROOT = Path(__file__).parent.parent
BROWSER_TOOLS = Path(__file__).parent / "browser"

# Gives up root's rights for as long as the block runs.
Rights = Callable[[], AbstractContextManager[None]]

# What to type when a program that a test needs is missing.
INSTALL = {
    "chromium": "apt-get install chromium fonts-liberation",
    "miltertest": "apt-get install miltertest",
    "node": "apt-get install nodejs npm",
    "opendkim": "apt-get install opendkim",
    "postfix": "apt-get install postfix",
    "spamassassin": "apt-get install spamassassin",
}


SWITCHES = [
    "--no-sandbox",  # root, as in most containers, may not start the sandbox
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no name leads anywhere
]


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of recorded data; tests that need it skip in a checkout without it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the recorded data (../shared/data) is not here")
    return folder


@pytest.fixture(scope="session")
def missing() -> Callable[[str], NoReturn]:
    """Return a function that skips a test for want of a tool, or fails it where all tools have to be there."""

    def stop(message: str) -> NoReturn:
        if os.environ.get("NEWSLETTER_TEST_REQUIRE") == "all":
            pytest.fail(message)
        pytest.skip(message)

    return stop


@pytest.fixture(scope="session")
def require(missing: Callable[[str], NoReturn]) -> Callable[[str], str]:
    """Return a function that finds a system program, or skips with the line that installs it."""

    def find(program: str) -> str:
        return shutil.which(program) or missing(f"{program} is not installed: {INSTALL[program]}")

    return find


@pytest.fixture(scope="session")
def browser(require: Callable[[str], str]) -> "Iterator[Browser]":
    """Yield a Chromium that reaches this machine only, one for all tests of a worker."""
    from playwright.sync_api import sync_playwright

    chromium = require("chromium")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=SWITCHES)
        yield started
        started.close()


@pytest.fixture(scope="session")
def node_tools(require: Callable[[str], str], missing: Callable[[str], NoReturn]) -> None:
    """Skip where node or one of the tools in package.json, in its very version, is not installed."""
    require("node")
    wanted: dict[str, str] = json.loads((BROWSER_TOOLS / "package.json").read_text("utf-8"))["devDependencies"]
    for name, version in wanted.items():
        manifest = BROWSER_TOOLS / "node_modules" / name / "package.json"
        if not manifest.is_file() or json.loads(manifest.read_text("utf-8"))["version"] != version:
            missing(f"{name} {version} is not installed: make browser-tools")


@pytest.fixture(scope="session")
def postgresql(missing: Callable[[str], NoReturn]) -> "Iterator[Server]":
    """Yield a PostgreSQL server, one for all tests of a worker."""
    from tests.postgres import find, postgresql_server

    if find("initdb") is None:
        missing("initdb is not installed: apt-get install postgresql")
    with postgresql_server() as server:
        yield server


@pytest.fixture
def ordinary_user() -> Rights:
    """Return a context in which this process has no more rights than anybody: root may write everywhere."""

    @contextmanager
    def nobody() -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
        codecs.lookup("utf-8-sig")  # looked for where nobody may look it would not be found ever after
        os.seteuid(pwd.getpwnam("nobody").pw_uid)
        try:
            yield
        finally:
            os.seteuid(0)

    return nobody


@pytest.fixture
def closed_folder() -> Iterator[Path]:
    """Yield a folder that nobody but root may look into, all folders above it open to everybody."""
    folder = Path(tempfile.mkdtemp(prefix="closed-"))
    folder.chmod(0)
    yield folder
    folder.chmod(0o700)
    shutil.rmtree(folder)


@pytest.fixture
def authority(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> "trustme.CA":
    """Return a certificate authority that this process and those it starts trust."""
    from trustme import CA

    made = CA()
    made.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    return made


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own configuration out of every test."""
    for name in [*os.environ]:
        if name == "HF_ENDPOINT" or (name.startswith("NEWSLETTER_") and not name.startswith("NEWSLETTER_TEST_")):
            monkeypatch.delenv(name)
