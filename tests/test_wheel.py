"""The wheel carries everything: installed anew, it does the main job in an empty folder."""

import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.flows.command import outbox

ROOT = Path(__file__).parent.parent


@pytest.mark.timeout(300)
def test_the_wheel_sends_the_sample_from_an_empty_folder(tmp_path: Path) -> None:
    built = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path / "dist"), str(ROOT)]
    subprocess.run(built, check=True, capture_output=True)
    [wheel] = (tmp_path / "dist").iterdir()
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv/bin/python"
    constraints = ["--constraint", str(ROOT / "constraints.txt")]
    subprocess.run([python, "-m", "pip", "install", "--quiet", *constraints, wheel], check=True, capture_output=True)
    empty = tmp_path / "empty"
    empty.mkdir()
    ran = subprocess.run(
        [tmp_path / "venv/bin/newsletter", "send"], cwd=empty, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert len(outbox(empty)) == 5
