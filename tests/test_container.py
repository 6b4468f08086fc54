"""The container file: its steps, run in a clean virtual environment, make a service that is well."""

import json
import os
import shlex
import shutil
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import ROOT

PLACE, HOME = "/opt/newsletter", "/srv/papers"
LEFT_OUT = shutil.ignore_patterns(".*", "var", "node_modules", "__pycache__")


def steps() -> Iterator[tuple[str, str]]:
    """Yield each instruction of the container file, and what it is given."""
    for line in (ROOT / "docs/Containerfile").read_text().splitlines():
        if line and not line.startswith("#"):
            word, _, rest = line.partition(" ")
            yield word, rest


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_its_steps_make_a_service_that_is_well_and_ends_when_asked(tmp_path: Path) -> None:
    source, home, programs = tmp_path / "source", tmp_path / "home", tmp_path / "venv/bin"
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "NEWSLETTER_WEB__PORT": "0"}
    venv.create(tmp_path / "venv", with_pip=True)
    home.mkdir()
    for word, rest in steps():
        match word:
            case "COPY":
                assert rest == f". {PLACE}"
                shutil.copytree(ROOT, source, ignore=LEFT_OUT)
            case "RUN" if "pip" in rest:
                subprocess.run(shlex.split(rest.replace(PLACE, str(source))), check=True, env=environment)
            case "WORKDIR":
                assert rest == HOME
            case "ENV":
                name, _, value = rest.partition("=")
                environment[name] = value.replace("0.0.0.0", "127.0.0.1")
    given = dict(steps())
    service = subprocess.Popen(json.loads(given["CMD"]), cwd=home, env=environment, stderr=subprocess.PIPE, text=True)
    try:
        assert service.stderr
        assert any("running; next:" in line for line in service.stderr)
        check = json.loads(given["HEALTHCHECK"].removeprefix("CMD "))
        assert subprocess.run(check, cwd=home, env=environment, check=False, capture_output=True).returncode == 0
    finally:
        service.terminate()
        service.communicate(timeout=60)
    assert service.returncode == 0
    assert given["STOPSIGNAL"] == "SIGTERM"
