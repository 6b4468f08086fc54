"""The tools from npm."""

import json
from collections.abc import Callable
from typing import NoReturn

import pytest

from tests.browser.tools import HERE, MODULES


@pytest.fixture(scope="session")
def node_tools(require: Callable[[str], str], missing: Callable[[str], NoReturn]) -> None:
    """Skip where node or one of the tools in package.json, in its very version, is not installed."""
    require("node")
    wanted: dict[str, str] = json.loads((HERE / "package.json").read_text("utf-8"))["devDependencies"]
    for name, version in wanted.items():
        manifest = MODULES / name / "package.json"
        if not manifest.is_file() or json.loads(manifest.read_text("utf-8"))["version"] != version:
            missing(f"{name} {version} is not installed: make browser-tools")
