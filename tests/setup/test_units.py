"""The systemd units that `init --systemd` prints: systemd accepts them, and they name this installation."""

import configparser
import shutil
import subprocess
from pathlib import Path, PurePath

import pytest

from newsletter.setup.units import Installation, crontab, systemd
from tests.flows.command import newsletter

HERE = Installation(
    command=["/srv/papers/.venv/bin/newsletter"],
    folder=PurePath("/srv/papers"),
    user="papers",
    written=[PurePath("/srv/papers/var"), PurePath("/var/lib/newsletter")],
)
NAMES = ["newsletter.service", "newsletter-send.service", "newsletter-send.timer"]


def parsed(text: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, delimiters="=")
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # as the library's own documentation says
    parser.read_string(text)
    return parser


def test_each_service_is_hardened_and_may_write_where_the_list_writes() -> None:
    units = {name: parsed(text) for name, text in systemd(HERE)}
    assert list(units) == NAMES
    for name in NAMES[:2]:
        service = dict(units[name]["Service"])
        wanted = {"NoNewPrivileges": "yes", "PrivateTmp": "yes", "ProtectSystem": "strict", "ProtectHome": "yes"}
        wanted |= {"StateDirectory": "newsletter", "ReadWritePaths": "-/srv/papers/var", "User": "papers"}
        assert wanted.items() <= service.items()
        assert service["WorkingDirectory"] == "/srv/papers"
    assert units[NAMES[0]]["Service"]["ExecStart"] == "/srv/papers/.venv/bin/newsletter run"
    assert units[NAMES[1]]["Service"]["ExecStart"] == "/srv/papers/.venv/bin/newsletter send --due"
    assert units[NAMES[2]]["Timer"]["OnCalendar"] == "*:0/5"


def test_a_list_in_a_home_can_be_read_there() -> None:
    home = Installation(command=HERE.command, folder=PurePath("/home/ada/list"), user="ada", written=HERE.written)
    [name, text], *_rest = systemd(home)
    assert (name, parsed(text)["Service"]["ProtectHome"]) == ("newsletter.service", "read-only")


def test_signs_that_mean_something_to_cron_and_systemd_are_escaped() -> None:
    odd = Installation(command=["/opt/a b/$x"], folder=PurePath("/srv/100% papers"), user="ada", written=())
    assert crontab(odd) == "*/5 * * * *  cd '/srv/100\\% papers' && '/opt/a b/$x' send --due\n"
    service = parsed(dict(systemd(odd))["newsletter.service"])["Service"]
    assert service["ExecStart"] == '"/opt/a b/$$x" run'
    assert service["WorkingDirectory"] == "/srv/100%% papers"


def test_systemd_itself_finds_nothing_wrong(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    ran = newsletter(tmp_path, "init", "--systemd")
    assert (ran.code, ran.err) == (0, "")
    assert list(tmp_path.iterdir()) == [], "it only prints"
    units = tmp_path / "units"
    units.mkdir()
    for part in ran.out.split("# /etc/systemd/system/")[1:]:
        name, text = part.split("\n", 1)
        (units / name).write_text(text)
    assert sorted(path.name for path in units.iterdir()) == sorted(NAMES)
    verified = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *sorted(units.iterdir())], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
