"""What every test may ask for."""

import os
import pwd
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, however busy the machine is.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

ROOT = Path(__file__).parent.parent

# Gives up root's rights for as long as the block runs.
Rights = Callable[[], AbstractContextManager[None]]

# What to type when a program that a test needs is missing.
INSTALL = {"chromium": "apt-get install chromium"}


@pytest.fixture(scope="session")
def shared() -> Path:
    """Return the folder of recorded data; tests that need it skip in a checkout without it."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the recorded data (../shared/data) is not here")
    return folder


@pytest.fixture(scope="session")
def require() -> Callable[[str], str]:
    """Return a function that finds a system program, or skips with the line that installs it."""

    def find(program: str) -> str:
        found = shutil.which(program)
        if found is None:
            missing = f"{program} is not installed: {INSTALL[program]}"
            if os.environ.get("NEWSLETTER_TEST_REQUIRE") == "all":
                pytest.fail(missing)
            pytest.skip(missing)
        return found

    return find


@pytest.fixture
def ordinary_user() -> Rights:
    """Return a context in which this process has no more rights than anybody: root may write everywhere."""

    @contextmanager
    def nobody() -> Iterator[None]:
        if os.geteuid() != 0:
            yield
            return
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


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own configuration out of every test."""
    for name in [*os.environ]:
        if name == "HF_ENDPOINT" or (name.startswith("NEWSLETTER_") and not name.startswith("NEWSLETTER_TEST_")):
            monkeypatch.delenv(name)
