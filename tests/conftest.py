"""What every test may ask for."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples in every run, however busy the machine is.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.load_profile("steady")

ROOT = Path(__file__).parent.parent

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


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own configuration out of every test."""
    for name in [*os.environ]:
        if name == "HF_ENDPOINT" or (name.startswith("NEWSLETTER_") and not name.startswith("NEWSLETTER_TEST_")):
            monkeypatch.delenv(name)
