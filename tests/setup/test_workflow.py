"""The GitHub workflow, step by step in bash: fresh checkouts that share nothing but what it saves itself."""

import os
import re
import shutil
import subprocess
import sysconfig
import venv
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from newsletter.setup.workflow import WORKFLOW
from tests.flows.command import newsletter
from tests.send.servers import Mailbox, mail_server

ROOT = Path(__file__).parents[2]
PARTS = ("newsletter", "templates", "seeds", "pyproject.toml", "README.md", "LICENSE", "constraints.txt")
READERS = "subscribers:\n  - zoe.zanzibar@example.net\n  - yuri.zanzibar@example.net\n"
IDENTITY = {"GIT_AUTHOR_NAME": "t", "GIT_AUTHOR_EMAIL": "t@example.org", "GIT_CONFIG_GLOBAL": "/dev/null"}
IDENTITY |= {"GIT_COMMITTER_NAME": "t", "GIT_COMMITTER_EMAIL": "t@example.org"}
# What the workflow installs needs no index: all that it depends on is here already.
OFFLINE = {"PIP_NO_DEPS": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}

pytestmark = pytest.mark.timeout(300)


@dataclass(frozen=True)
class Ran:
    """How a run of the workflow ended."""

    ok: bool
    summary: str
    log: str


Workflow = Callable[..., Ran]


def git(*arguments: str, cwd: Path) -> str:
    environment = os.environ | IDENTITY
    return subprocess.run(
        ["git", *arguments], cwd=cwd, env=environment, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a Python of its own, as the runner has: it knows the libraries, and not yet the program."""
    folder = tmp_path_factory.mktemp("machine")
    venv.create(folder, with_pip=True)
    [site] = folder.glob("lib/python*/site-packages")
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib"))
    return folder


@pytest.fixture
def origin(tmp_path: Path) -> Path:
    """Return a repository that holds the program, as a fork on GitHub does."""
    work, bare = tmp_path / "work", tmp_path / "origin.git"
    work.mkdir()
    for name in (*PARTS, "subscribers.example.yaml"):
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, work / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / name, work / name)
    git("init", "--quiet", "--initial-branch", "main", cwd=work)
    git("add", "--all", cwd=work)
    git("commit", "--quiet", "--message", "The program", cwd=work)
    git("clone", "--quiet", "--bare", str(work), str(bare), cwd=tmp_path)
    return bare


def env_of(words: dict[str, str], given: dict[str, str]) -> dict[str, str]:
    """Put the secrets and inputs into a block of variables; what is not given is empty, as on GitHub."""
    pattern = re.compile(r"\$\{\{ (?:secrets|inputs)\.(\w+) \}\}")
    return {name: pattern.sub(lambda found: given.get(found[1], ""), value) for name, value in words.items()}


@pytest.fixture
def workflow(origin: Path, machine: Path, tmp_path: Path) -> Iterator[tuple[Workflow, Mailbox]]:
    """Yield the workflow of a list with two readers, and the server that its mail goes to."""
    [job] = yaml.safe_load(WORKFLOW)["jobs"].values()
    numbers = iter(range(1, 100))
    with mail_server() as (mailbox, port):
        settings = 'sources = ["file:seeds"]\ntransport = "smtp"\nsecret_key = "a key for these tests"\n'
        settings += f'[smtp]\nhost = "127.0.0.1"\nport = {port}\nsecurity = "none"\n'
        secrets = {"SETTINGS": settings, "SUBSCRIBERS": READERS, "STATE_KEY": "horse battery"}

        def run(event: str = "workflow_dispatch", *, dies: str = "", **given: str) -> Ran:
            number = next(numbers)
            checkout, summary = tmp_path / f"run{number}", tmp_path / f"summary{number}"
            git("clone", "--quiet", f"file://{origin}", str(checkout), cwd=tmp_path)
            summary.touch()
            runner = {"GITHUB_STEP_SUMMARY": str(summary), "GITHUB_EVENT_NAME": event, "GITHUB_RUN_ID": str(number)}
            runner |= {"PATH": f"{machine}/bin:{os.environ['PATH']}", "GIT_CONFIG_GLOBAL": "/dev/null"}
            outcome: dict[str, bool] = {}
            log = ""
            for step in job["steps"]:
                wanted = all(outcome.values()) or ("always()" in step.get("if", "") and outcome["Restore"])
                if "run" not in step or not wanted or (number > 1 and step["name"] == "Install"):
                    continue
                if step["name"] == dies:
                    break
                variables = env_of(job["env"] | step.get("env", {}), secrets | given)
                ended = subprocess.run(
                    ["bash", "-e", "-c", step["run"]],
                    cwd=checkout,
                    env=os.environ | OFFLINE | runner | variables,
                    capture_output=True,
                    text=True,
                    check=False,
                )
                outcome[step["name"]] = ended.returncode == 0
                log += ended.stdout + ended.stderr
            shutil.rmtree(checkout)
            return Ran(all(outcome.values()), summary.read_text(), log)

        yield run, mailbox


def test_two_fresh_checkouts_send_once_and_say_so(workflow: tuple[Workflow, Mailbox], origin: Path) -> None:
    run, mailbox = workflow
    first = run()
    assert (first.ok, first.summary) == (True, "Sent 2: daily/2025-12-26: 2 sent of 2\n"), first.log
    second = run()
    assert second.ok, second.log
    assert second.summary == "Sent 0: daily/2025-12-26: every reader's copy was settled before (2 sent of 2)\n"
    third = run("schedule")
    assert (third.ok, third.summary[:36]) == (True, "Sent 0: nothing is due; next daily 2"), third.log
    assert sorted(mailbox.recipients) == ["yuri.zanzibar@example.net", "zoe.zanzibar@example.net"]
    for ran in (first, second, third):
        assert "zanzibar" not in ran.log + ran.summary
    assert git("rev-list", "--count", "newsletter-state", cwd=origin).strip() == "1", "it does not grow"
    assert git("ls-tree", "--name-only", "newsletter-state", cwd=origin).split() == ["state"]
    for line in git("cat-file", "--batch-all-objects", "--batch-check=%(objectname)", cwd=origin).split():
        raw = subprocess.run(["git", "cat-file", "-p", line], cwd=origin, check=True, capture_output=True).stdout
        assert b"zanzibar" not in raw


def test_a_run_that_dies_before_it_has_saved_stops_the_next_until_somebody_says_go_on(
    workflow: tuple[Workflow, Mailbox],
) -> None:
    run, mailbox = workflow
    run(dies="Save")
    assert len(mailbox.taken) == 2
    after = run("schedule")
    assert not after.ok
    assert after.summary == (
        "Sent 0: run 1 ended before it saved whom it mailed; read its log, then start by hand with go_on\n"
    )
    again = run()
    assert not again.ok, "by hand neither, unless it is said"
    assert len(mailbox.taken) == 2
    assert run("schedule", go_on="true").ok


def test_what_went_wrong_while_sending_is_saved_and_said(workflow: tuple[Workflow, Mailbox]) -> None:
    run, mailbox = workflow
    broken = run(SUBSCRIBERS="subscribers:\n  - zoe.zanzibar@@example.net\n")
    assert not broken.ok
    assert broken.summary.startswith("Sent 0: env:SUBSCRIBERS:2: address: the value is no e-mail address (")
    assert "zanzibar" not in broken.log
    missing = run(STATE_KEY="")
    assert missing.summary.startswith("Sent 0: the secret STATE_KEY is missing;")
    wrong = run(STATE_KEY="another")
    assert (wrong.ok, wrong.summary[:58]) == (False, "Sent 0: the saved state does not open with this STATE_KEY;")
    assert mailbox.taken == []
    assert run().summary == "Sent 2: daily/2025-12-26: 2 sent of 2\n", "the next run goes on"


def test_init_prints_it_and_writes_nothing(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "init", "--github-actions")
    assert (ran.code, ran.out) == (0, WORKFLOW)
    assert list(tmp_path.iterdir()) == []


def test_one_run_at_a_time_and_secrets_reach_only_the_steps_that_need_them() -> None:
    parsed: dict[Any, Any] = yaml.safe_load(WORKFLOW)
    assert parsed["concurrency"] == {"group": "newsletter", "cancel-in-progress": False}
    [job] = parsed["jobs"].values()
    assert "secrets" not in str(job["env"])
    needs = {step.get("name"): re.findall(r"secrets\.(\w+)", str(step)) for step in job["steps"]}
    assert {name: found for name, found in needs.items() if found} == {
        "Restore": ["STATE_KEY"],
        "Send": ["SETTINGS", "SUBSCRIBERS"],
        "Save": ["STATE_KEY"],
    }
