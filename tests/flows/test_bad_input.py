"""Bad input and broken surroundings: one line with the mend, the right exit code, nothing half-sent."""

import json
import socket
import sqlite3
from pathlib import Path

import pytest
import trustme

from tests.flows.command import newsletter, outbox, readers, smtp
from tests.send.servers import USER, mail_server
from tests.send.test_smtp import server_context


def written(folder: Path, name: str, content: str) -> None:
    (folder / name).write_text(content)


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "line"),
    [
        (["send", "--date", "2025-13-01"], {}, 2, "'2025-13-01' is no day"),
        (["send", "--dat", "2025-12-25"], {}, 2, "--dat"),
        (["sned"], {}, 2, "sned"),
        (["send"], {"NEWSLETTER_TITEL": "x"}, 2, "did you mean NEWSLETTER_TITLE?"),
        (["--config", "missing.toml", "send"], {}, 2, "missing.toml: there is no such file"),
        (["send"], {"NEWSLETTER_SUBSCRIBERS": "missing.yaml"}, 2, "missing.yaml"),
        (["send"], {"NEWSLETTER_SOURCES": "file:missing"}, 3, "source file:missing"),
        (["send"], {"NEWSLETTER_SOURCES": "page:missing.txt"}, 3, "source page:missing.txt"),
        (["send"], {"NEWSLETTER_DATABASE_URL": "nonsense"}, 2, "database_url"),
        (["send"], {"NEWSLETTER_DATABASE_URL": "sqlite:////proc/none/db"}, 5, "/proc/none"),
        (["send"], {"NEWSLETTER_TRANSPORT": "outbox:/proc/none"}, 5, "/proc/none"),
        (["send"], {"NEWSLETTER_TEMPLATES": "none-here", "NEWSLETTER_TRANSPORT": "pigeon"}, 2, "NEWSLETTER_TRANSPORT"),
        (["send"], {"NEWSLETTER_TEMPLATES": "none-here"}, 2, "none-here: there is no such folder"),
        (["send", "--dry-run", "--test", "ada@example.org"], {}, 2, "choose one"),
        (["send", "--test", "not-an-address"], {}, 2, "--test not-an-address"),
        (["build", "--subscriber", "nobody@example.org"], {}, 2, "nobody@example.org: is not on the list"),
        (["build", "--out", "/proc/none"], {}, 5, "/proc/none"),
        (["status", "daily/2020-01-01"], {}, 2, "daily/2020-01-01: there is no such issue"),
        (["papers", "import", "hugingface"], {}, 2, "'hugingface' is no source"),
        (["papers", "import", "page:missing.txt"], {}, 3, "source page:missing.txt"),
        (["subscribers", "import", "missing.csv"], {}, 2, "missing.csv"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_is_one_line_and_its_exit_code(
    tmp_path: Path, arguments: list[str], variables: dict[str, str], code: int, line: str
) -> None:
    ran = newsletter(tmp_path, *arguments, **variables)
    assert "Traceback" not in ran.err
    assert line in ran.err.strip().splitlines()[-1]
    assert ran.code == code
    assert not (tmp_path / "var/outbox/new").exists() or outbox(tmp_path) == []


def test_the_api_error_body_is_named_and_no_mail_goes_out(tmp_path: Path) -> None:
    written(tmp_path, "2025-12-25.json", '{"error":"Sorry, nothing here."}')
    ran = newsletter(tmp_path, "send", NEWSLETTER_SOURCES="file:2025-12-25.json")
    assert ran.code == 3
    assert "source file:2025-12-25.json" in ran.fault
    assert not (tmp_path / "var/outbox").exists()


def test_a_broken_subscriber_file_is_named_with_its_lines(tmp_path: Path) -> None:
    written(
        tmp_path, "subscribers.yaml", "subscribers:\n  - address: ada@example.org\n    hour: 25\n  - address: nope\n"
    )
    ran = newsletter(tmp_path, "send")
    assert ran.code == 2
    first, second = ran.err.splitlines()
    assert "subscribers.yaml:3:" in first
    assert "subscribers.yaml:4:" in second
    assert not (tmp_path / "var/outbox/new").exists()


def test_weekly_readers_are_told_of_and_an_issue_that_nobody_reads_is_not_frozen(tmp_path: Path) -> None:
    written(tmp_path, "subscribers.yaml", "subscribers:\n  - {address: ada@example.org, period: weekly}\n")
    ran = newsletter(tmp_path, "send")
    assert ran.code == 0
    assert "1 weekly reader gets theirs from: python -m newsletter send --period weekly" in ran.fault
    assert "no active daily reader; nothing to send" in ran.out
    assert newsletter(tmp_path, "status", "--json").out == "[]\n"


def test_a_reader_listed_twice_is_named_and_mailed_once(tmp_path: Path) -> None:
    written(tmp_path, "subscribers.yaml", "subscribers:\n  - ada@example.org\n  - ADA@example.org\n")
    ran = newsletter(tmp_path, "send")
    assert ran.code == 0
    assert "subscribers.yaml:3:" in ran.fault
    assert len(outbox(tmp_path)) == 1


@pytest.mark.parametrize("mistake", ["{{ issue.nothing }}", "{{ 1 / 0 }}", "{% if %}", "{{ issue|unknown }}"])
def test_a_broken_template_is_named_with_its_line(tmp_path: Path, mistake: str) -> None:
    (tmp_path / "mine/mail").mkdir(parents=True)
    written(tmp_path, "mine/mail/issue.txt.j2", f"fine\n{mistake}\n")
    ran = newsletter(tmp_path, "send", NEWSLETTER_TEMPLATES="mine")
    assert ran.code == 2
    assert "issue.txt.j2:2" in ran.fault
    assert not (tmp_path / "var/outbox/new").exists()


def test_an_unreachable_server_is_one_line_and_everybody_gets_it_next_time(tmp_path: Path) -> None:
    readers(tmp_path, 3)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        ran = newsletter(tmp_path, "send", **smtp(unused.getsockname()[1]))
    assert ran.code == 5
    assert "nothing answers there; check smtp.host, smtp.port" in ran.err.splitlines()[-1]
    sums = json.loads(newsletter(tmp_path, "status", "daily/2025-12-26", "--json").out)
    assert (sums["audience"], sums["queued"]) == (3, 3)
    with mail_server() as (mailbox, port):
        assert newsletter(tmp_path, "send", **smtp(port)).code == 0
    assert len(mailbox.taken) == 3


def test_a_wrong_password_is_one_line_and_nothing_goes_out(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    with mail_server(server_context(authority), login=True) as (mailbox, port):
        settings = smtp(port, security="starttls", username=USER.decode(), password="wrong")
        ran = newsletter(tmp_path, "send", SSL_CERT_FILE=str(tmp_path / "ca.pem"), **settings)
    assert ran.code == 5
    assert "refuses user mailer: 535" in ran.err.splitlines()[-1]
    assert "wrong" not in ran.err
    assert mailbox.taken == []


def test_a_locked_database_is_one_line(tmp_path: Path) -> None:
    assert newsletter(tmp_path, "send").code == 0
    keeper = sqlite3.connect(tmp_path / "var/newsletter.sqlite3", isolation_level=None)
    keeper.execute("BEGIN IMMEDIATE")
    ran = newsletter(tmp_path, "send")
    keeper.close()
    assert ran.code == 5
    assert "database is locked; another program keeps it locked" in ran.fault
