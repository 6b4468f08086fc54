"""`newsletter bounces` as an operator and as a mail server runs it."""

import json
import mailbox
import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from newsletter.links import Links
from newsletter.settings import Settings
from newsletter.wiring import build
from tests.flows.command import COMMAND, newsletter
from tests.send.returned import ORIGINAL, answer, complaint, report, status
from tests.send.test_mailbox import PASSWORD, USER, imap_server

SECRET = "a secret of this test, long enough"
SETTINGS = {
    "NEWSLETTER_SECRET_KEY": SECRET,
    "NEWSLETTER_BOUNCE_ADDRESS": "bounces@example.org",
    "NEWSLETTER_SENDER": "Papers <papers@example.org>",
}
NAMES = ("ada", "bo", "cy", "di")
LINKS = Links("papers", SECRET, "example.org", "bounces@example.org", bounce_address="bounces@example.org")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder whose database knows four readers, numbered from 1."""
    (tmp_path / "subscribers.yaml").write_text(
        "subscribers:\n" + "".join(f"  - {name}@example.com\n" for name in NAMES)
    )
    assert newsletter(tmp_path, "subscribers", "import", **SETTINGS).code == 0
    return tmp_path


def run(
    folder: Path, *arguments: str, mail: bytes = b"", given: Mapping[str, str] = {}
) -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*COMMAND, "bounces", *arguments],
        cwd=folder,
        env=os.environ | SETTINGS | dict(given),
        input=mail,
        capture_output=True,
        check=False,
        timeout=100,
    )


def told(folder: Path, *arguments: str, given: Mapping[str, str] = {}) -> dict[str, int]:
    ran = run(folder, *arguments, "--json", given=given)
    assert (ran.returncode, ran.stderr) == (0, b"")
    return dict(json.loads(ran.stdout))


def standings(folder: Path) -> list[str]:
    everybody = json.loads(newsletter(folder, "subscribers", "list", "--json", **SETTINGS).out)
    return [one["standing"] for one in everybody]


def token(number: int) -> str:
    return LINKS.unsubscribe_token(number)


def returned(number: int) -> str:
    """Return the head of a reader's copy, as it comes back."""
    found = ORIGINAL.partition("List-Unsubscribe")[0]
    return f"{found}List-Unsubscribe: <mailto:bounces@example.org?subject=unsubscribe%20{token(number)}>\n\nPapers.\n"


MAILS = [
    complaint("abuse", returned=returned(1)),
    answer(f"unsubscribe {token(2)}"),
    answer("Out of Office", Auto_Submitted="auto-replied"),
]
COUNTED = {"read": 3, "hard": 0, "soft": 0, "complaint": 1, "leave": 1, "other": 1, "suppressed": 1}


def test_a_maildir_is_worked_off_once(folder: Path) -> None:
    box = mailbox.Maildir(folder / "returned")
    for content in MAILS:
        box.add(content)
    first = run(folder, str(folder / "returned"))
    assert first.stdout == b"3 read: 1 complaints, 1 requests to leave, 1 others; 2 readers are mailed no more.\n"
    assert standings(folder) == ["complained", "unsubscribed", "active", "active"]
    assert (run(folder, "returned").returncode, run(folder, "returned").stdout) == (0, b"")


def test_an_mbox_of_the_settings_is_read_and_a_mail_counts_once_however_often_it_is_read(folder: Path) -> None:
    box = mailbox.mbox(folder / "returned")
    hard = report("Final-Recipient: rfc822; cy@example.com\nAction: failed\nStatus: 5.1.1\n", returned=returned(3))
    for content in (hard, hard):
        box.add(content)
    box.close()
    given = {"NEWSLETTER_BOUNCES__MAILBOX": "mbox:returned"}
    for _ in range(2):
        assert told(folder, given=given) == dict.fromkeys(COUNTED, 0) | {"read": 2, "hard": 2}
    [row] = json.loads(newsletter(folder, "subscribers", "list", "--bounced", "--json", **SETTINGS).out)
    assert (row["address"], row["kind"], row["standing"]) == ("cy@example.com", "hard", "active")


def test_a_dry_run_tells_what_each_mail_says_and_counts_nothing(folder: Path) -> None:
    box = mailbox.Maildir(folder / "returned")
    box.add(MAILS[0])
    before = (folder / "var/newsletter.sqlite3").read_bytes()
    ran = run(folder, "returned", "--dry-run")
    assert ran.stdout.decode().splitlines() == [
        "complaint  somebody: feedback: abuse",
        "1 read: 1 complaints; nothing was counted.",
    ]
    assert told(folder, "returned", "--dry-run")["complaint"] == 1, "JSON stays JSON, and the mail is still new"
    assert (folder / "var/newsletter.sqlite3").read_bytes() == before
    assert told(folder, "returned")["suppressed"] == 1


def test_a_dry_run_makes_no_database(tmp_path: Path) -> None:
    box = mailbox.mbox(tmp_path / "returned")
    box.add(MAILS[0])
    box.close()
    assert run(tmp_path, "returned", "--dry-run").returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["returned"]


def test_a_mail_server_hands_over_one_mail_and_hears_nothing(folder: Path) -> None:
    for mail in MAILS:
        ran = run(folder, "-", mail=mail)
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, b"", b"")
    assert standings(folder) == ["complained", "unsubscribed", "active", "active"]
    assert (run(folder, "-", mail=b"").returncode, run(folder, "-", mail=b"\xff\x00").stdout) == (0, b"")


def test_a_mail_server_keeps_the_mail_where_the_database_cannot_be_reached(folder: Path) -> None:
    gone = {"NEWSLETTER_DATABASE_URL": f"sqlite:///{folder}/subscribers.yaml/no.sqlite3"}
    ran = run(folder, "-", mail=MAILS[0], given=gone)
    assert (ran.returncode, ran.stdout) == (75, b"")
    assert len(ran.stderr.splitlines()) == 1
    (folder / "returned").touch()
    assert run(folder, "returned", given=gone).returncode == 5, "a person hears the usual code"


def test_an_imap_folder_over_tls_is_worked_off_once(folder: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    with imap_server(authority, MAILS) as server:
        given = {
            "SSL_CERT_FILE": str(folder / "ca.pem"),
            "NEWSLETTER_BOUNCES__MAILBOX": "imap",
            "NEWSLETTER_BOUNCES__IMAP_HOST": "127.0.0.1",
            "NEWSLETTER_BOUNCES__IMAP_PORT": str(server.port),
            "NEWSLETTER_BOUNCES__IMAP_USERNAME": USER,
            "NEWSLETTER_BOUNCES__IMAP_PASSWORD": PASSWORD,
            "NEWSLETTER_BOUNCES__IMAP_FOLDER": "Returned mail",
        }
        assert told(folder, "--dry-run", given=given)["read"] == 3
        assert server.seen == set()
        assert told(folder, given=given) == COUNTED | {"suppressed": 2}
        assert server.seen == {1, 2, 3}
        assert told(folder, given=given)["read"] == 0
        wrong = run(folder, given=given | {"NEWSLETTER_BOUNCES__IMAP_PASSWORD": "no such word"})
    assert wrong.returncode == 5
    assert b"no such word" not in wrong.stderr
    assert b"Authentication failed" in wrong.stderr


def test_the_list_says_who_bounced_and_why_and_it_can_be_undone(folder: Path) -> None:
    hard = [status("5.1.1", f"550 5.1.1 no such user {n}", address="di@example.com") for n in range(2)]
    path = LINKS.return_path(4)
    assert path
    mails = [one.replace(b"bounces+7-0123456789abcdef@example.org", path.encode()) for one in hard]
    for mail in mails:
        assert run(folder, "-", mail=mail).returncode == 0
    assert standings(folder)[3] == "bounced"
    ran = newsletter(folder, "subscribers", "list", "--bounced", COLUMNS="200", **SETTINGS)
    assert ran.out.count("failed smtp; 550 5.1.1 no such user") == 2
    undone = newsletter(folder, "subscribers", "resubscribe", "Di@example.com", **SETTINGS)
    assert (undone.code, undone.out) == (0, "di@example.com: was bounced, is a reader again.\n")
    for mail in mails:
        assert run(folder, "-", mail=mail).returncode == 0
    assert standings(folder)[3] == "active", "what was forgiven counts no second time"
    assert "forgiven" in newsletter(folder, "subscribers", "list", "--bounced", COLUMNS="200", **SETTINGS).out


def test_no_mailbox_is_wrong_only_as_far_as_it_goes(folder: Path) -> None:
    for arguments, code, words in (((), 2, b"bounces.mailbox is not set"), (("nowhere",), 5, b"there is no such file")):
        ran = run(folder, *arguments)
        assert (ran.returncode, len(ran.stderr.splitlines())) == (code, 1)
        assert words in ran.stderr


def test_the_reader_of_a_bounce_is_known_by_the_keys_that_the_program_signs_with(folder: Path) -> None:
    parts = build(Settings(secret_key=SECRET, bounce_address="bounces@example.org"), folder)
    assert replace(LINKS, domain=parts.links.domain, leave_address=parts.links.leave_address) == parts.links
