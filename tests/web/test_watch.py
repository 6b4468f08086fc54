"""Watching files for the preview: what becomes of the thread that does it."""

import subprocess
import sys
from pathlib import Path

# The thread is in the midst of compiled code (a setting is being checked) when Python takes its threads away.
ENDS_WITHOUT_CLOSING = """
import builtins
import time
from pathlib import Path
from typing import Annotated
from pydantic import AfterValidator, TypeAdapter
from newsletter.web.watch import Changes

class Slow:
    def __del__(self, sleep=time.sleep):
        sleep(2)

def check(value):
    time.sleep(1)
    return value

settings = TypeAdapter(Annotated[int, AfterValidator(check)])
builtins.slow = Slow()
changes = Changes(lambda: settings.validate_python(1) and [Path(".")], lambda: None)
time.sleep(0.2)
"""


def test_a_program_that_ends_without_closing_it_ends_all_the_same(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", ENDS_WITHOUT_CLOSING],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
