"""`newsletter doctor` as a person types it: its lines, its JSON, its codes."""

import json
import re
from pathlib import Path

import pytest

from tests.flows.command import newsletter, readers, smtp
from tests.name_server import name_server
from tests.send.servers import mail_server

LINE = re.compile(r"(ok|warn|fail|skip)\s+\S.*|\s+\S.*|")


def test_in_an_empty_folder_everything_is_well_and_nothing_is_written(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "doctor")
    assert (ran.code, ran.err) == (0, "")
    assert re.search(r"\n\d\d checks: \d\d ok, 0 failed, 0 warnings, \d\d skipped\.\n$", ran.out)
    assert list(tmp_path.iterdir()) == []


def test_the_list_fits_a_terminal_of_80_columns_and_each_mend_has_its_own_line(tmp_path: Path) -> None:
    (tmp_path / "subscribers.yaml").write_text("subscribers: [nobody]\n")
    ran = newsletter(tmp_path, "doctor", COLUMNS="80", NEWSLETTER_SOURCES="file:a-long-name-of-a-folder-with-lists")
    lines = [line.rstrip() for line in ran.out.splitlines()]
    assert max(map(len, lines)) <= 80
    assert all(LINE.fullmatch(line) for line in lines[:-1])
    assert sum(line.strip().startswith("-> ") for line in lines) == 2
    assert "2 failed" in lines[-1]
    assert ran.code == 2


def test_json_has_one_object_for_each_check(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "doctor", "--json", "--offline")
    told = json.loads(ran.out)
    assert list(told) == ["checks"]
    assert {tuple(check) for check in told["checks"]} == {("name", "state", "detail", "mend")}
    assert sum(check["state"] != "skip" for check in told["checks"]) >= 10
    assert all(check["detail"] for check in told["checks"])
    assert [check["mend"] for check in told["checks"] if check["state"] == "ok"] == [""] * sum(
        check["state"] == "ok" for check in told["checks"]
    )


def test_wrong_settings_are_a_readable_list_with_the_rest_skipped(tmp_path: Path) -> None:
    (tmp_path / "newsletter.toml").write_text('timezone = "Berlin"\nentries = 0\n[smtp]\nport = 99999\n')
    ran = newsletter(tmp_path, "doctor", "--json")
    checks = json.loads(ran.out)["checks"]
    wrong = [check for check in checks if check["state"] == "fail"]
    assert [check["name"] for check in wrong] == ["settings"] * 3
    assert {check["detail"].split(":")[1].strip() for check in wrong} == {"timezone", "entries", "smtp.port"}
    assert all(check["mend"] for check in wrong)
    assert {(check["state"], check["detail"]) for check in checks[3:]} == {("skip", "the settings are wrong")}
    assert (ran.code, ran.err) == (2, "")
    assert newsletter(tmp_path, "doctor").code == 2


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--nameserver", "dns.example.org"), "dns.example.org: is no IP address; write it like 192.0.2.53"),
        (("--address", "mail.example.org"), "'mail.example.org' is no IP address; write it like 192.0.2.25"),
    ],
)
def test_what_is_no_address_is_refused_at_once(tmp_path: Path, arguments: tuple[str, ...], told: str) -> None:
    ran = newsletter(tmp_path, "doctor", *arguments)
    assert ran.code == 2
    assert told in ran.err


def test_a_list_that_is_set_up_well_has_no_failure(tmp_path: Path) -> None:
    readers(tmp_path, 3)
    zone = {
        ("example.org", "TXT"): ['"v=spf1 ip4:192.0.2.25 -all"'],
        ("example.org", "MX"): ["10 mx.example.org."],
        ("mx.example.org", "A"): ["192.0.2.25"],
        ("_dmarc.example.org", "TXT"): ['"v=DMARC1; p=none"'],
        ("25.2.0.192.in-addr.arpa", "PTR"): ["mx.example.org."],
    }
    with name_server(zone) as known, mail_server() as (mailbox, port):
        asked = ("--nameserver", known.address, "--address", "192.0.2.25")
        ran = newsletter(tmp_path, "doctor", "--json", *asked, **smtp(port))
    checks = {check["name"]: check["state"] for check in json.loads(ran.out)["checks"]}
    assert "fail" not in checks.values()
    assert [checks[name] for name in ("relay", "relay size", "SPF", "DMARC", "MX", "PTR")] == ["ok"] * 6
    assert (ran.code, mailbox.taken) == (0, [])


def test_another_settings_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "other.toml").write_text('title = "Papers"\n')
    ran = newsletter(tmp_path, "--config", "other.toml", "doctor", "--json")
    assert json.loads(ran.out)["checks"][0]["detail"] == "other.toml is read"
