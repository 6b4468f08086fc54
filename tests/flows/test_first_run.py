"""What a new user sees: the sample issue into the outbox, with no settings at all."""

import json
import re
from email.message import EmailMessage
from pathlib import Path

import pytest

from newsletter.settings import bundled
from newsletter.subscribers import read_roster
from tests.flows.command import newsletter, outbox

ACTIVE = [one.address for one in read_roster(bundled("subscribers.example.yaml")).subscribers if one.active]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the command ran once."""
    folder = tmp_path_factory.mktemp("first")
    ran = newsletter(folder, "send")
    assert (ran.code, ran.err) == (0, "")
    (folder / "out.txt").write_text(ran.out)
    return folder


def addresses(messages: list[EmailMessage]) -> list[str]:
    return sorted(message["To"].addresses[0].addr_spec for message in messages)


def test_every_active_example_reader_gets_one_valid_message(first: Path) -> None:
    messages = outbox(first)
    assert addresses(messages) == sorted(ACTIVE)
    for message in messages:
        assert [defect for part in message.walk() for defect in part.defects] == []
        assert message["List-Unsubscribe"].startswith("<mailto:")
        assert message["List-Unsubscribe-Post"] is None
    assert len({message["Message-ID"] for message in messages}) == len(ACTIVE)


def test_the_outbox_holds_message_files_and_nothing_else(first: Path) -> None:
    files = [path for path in (first / "var/outbox").rglob("*") if path.is_file()]
    assert len(files) == len(ACTIVE)
    assert {path.parent.name for path in files} == {"new"}
    assert all(path.read_bytes().startswith(b"From: ") and b"\r" not in path.read_bytes() for path in files)


def test_it_ends_with_a_table_the_page_and_what_to_try_next(first: Path) -> None:
    out = (first / "out.txt").read_text()
    assert all(address in out for address in ACTIVE)
    [page] = re.findall(r"file://(\S+)", out)
    assert Path(page).read_text().startswith("<!DOCTYPE html>")
    assert "Next:" in out


def test_a_second_run_sends_nothing_and_says_so(first: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (first / "var/outbox/new").iterdir()}
    ran = newsletter(first, "send")
    assert ran.code == 0
    assert "nothing to send" in ran.out
    assert {path: path.stat().st_mtime_ns for path in (first / "var/outbox/new").iterdir()} == before


def test_status_sums_up_to_the_audience(first: Path) -> None:
    ran = newsletter(first, "status", "daily/2025-12-26", "--json")
    sums = json.loads(ran.out)
    assert (sums["issue"], sums["state"], sums["audience"], sums["sent"]) == (
        "daily/2025-12-26",
        "finished",
        len(ACTIVE),
        len(ACTIVE),
    )
    assert list(sums)[3:] == [
        "sent", "failed", "suppressed", "skipped", "in_doubt", "deferred", "queued", "claimed", "sending",
        "in_doubt_causes",
    ]  # fmt: skip
    assert sums["audience"] == sum(list(sums.values())[3:-1])
    [only] = json.loads(newsletter(first, "status", "--json").out)
    assert only == sums
    assert "everybody got it" in newsletter(first, "status", "--not-sent").out


def test_a_dry_run_says_who_would_get_it_and_writes_nothing(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "send", "--dry-run")
    assert ran.code == 0
    assert all(address in ran.out for address in ACTIVE)
    assert list(tmp_path.iterdir()) == []


def test_a_test_copy_is_marked_and_counts_for_nobody(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "send", "--test", "editor@example.org")
    assert ran.code == 0
    [message] = outbox(tmp_path)
    assert message["Subject"].startswith("[Test] ")
    assert message["To"] == "editor@example.org"
    assert newsletter(tmp_path, "status").out.startswith("Nothing was sent yet")


def test_build_writes_the_issue_as_files(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "build", "--date", "2025-12-25", "--out", "made")
    assert ran.out.split() == [f"made/issue.{kind}" for kind in ("html", "txt", "eml", "json")]
    issue = json.loads((tmp_path / "made/issue.json").read_text())
    assert issue["issue"] == "daily/2025-12-25"
    assert [entry["rank"] for entry in issue["entries"]] == list(range(1, 14))
    html, text = (tmp_path / "made/issue.html").read_text(), (tmp_path / "made/issue.txt").read_text()
    for entry in issue["entries"]:
        assert entry["paper"]["url"] in html
        assert entry["paper"]["url"] in text


def test_build_for_a_reader_makes_their_own_copy(tmp_path: Path) -> None:
    (tmp_path / "subscribers.yaml").write_text(
        "subscribers:\n  - {address: Ada@Example.org, name: Ada, format: text, interests: {exclude: [video]}}\n"
    )
    ran = newsletter(tmp_path, "build", "--date", "2025-12-25", "--subscriber", "ada@example.org")
    assert ran.out.split() == [f"build/issue.{kind}" for kind in ("txt", "eml", "json")]
    assert "TurboDiffusion" not in (tmp_path / "build/issue.txt").read_text().split("Also listed")[0]
    assert b"To: Ada <Ada@example.org>" in (tmp_path / "build/issue.eml").read_bytes()


def test_what_is_built_after_sending_is_what_was_sent(first: Path) -> None:
    newsletter(first, "build", "--subscriber", ACTIVE[0])
    built = (first / "build/issue.eml").read_bytes()
    [sent] = [
        path
        for path in (first / "var/outbox/new").iterdir()
        if re.search(rf"^To: .*{ACTIVE[0]}".encode(), path.read_bytes(), re.MULTILINE)
    ]
    assert built.replace(b"\r\n", b"\n") == sent.read_bytes()


def test_a_day_without_papers_is_one_line_and_no_files(tmp_path: Path) -> None:
    for command in (["send"], ["build"], ["send", "--dry-run"]):
        ran = newsletter(tmp_path, *command, "--date", "2025-12-27")
        assert (ran.code, ran.err) == (0, "")
        assert ran.out == "No issue daily/2025-12-27: no papers are listed on a weekend.\n"
    assert not (tmp_path / "build").exists()
    assert not (tmp_path / "var/outbox").exists()


def test_a_paper_is_never_told_twice(tmp_path: Path) -> None:
    days = tmp_path / "days"
    days.mkdir()
    item = {
        "title": "Told once",
        "numComments": 0,
        "paper": {
            "id": "2608.12313",
            "title": "Told once",
            "summary": "A paper that two days list.",
            "upvotes": 5,
            "publishedAt": "2026-08-12T00:00:00.000Z",
            "authors": [{"name": "A. Author", "hidden": False}],
        },
    }
    fresh = {**item, "title": "Fresh", "paper": {**item["paper"], "id": "2608.99999", "title": "Fresh"}}  # type: ignore[dict-item]
    (days / "2026-08-14.json").write_text(json.dumps([item]))
    (days / "2026-08-20.json").write_text(json.dumps([item, fresh]))
    (days / "2026-08-21.json").write_text(json.dumps([item]))
    for day in ("2026-08-14", "2026-08-20"):
        assert newsletter(tmp_path, "send", "--date", day, NEWSLETTER_SOURCES="file:days").code == 0
    later = [message for message in outbox(tmp_path) if "Fresh" in message["Subject"]]
    assert len(outbox(tmp_path)) == 2 * len(later)
    assert all("Told once" not in message.get_body(("plain",)).get_content() for message in later)  # type: ignore[union-attr]
    nothing = newsletter(tmp_path, "send", "--date", "2026-08-21", NEWSLETTER_SOURCES="file:days")
    assert nothing.out == "No issue daily/2026-08-21: every paper listed was told before, or dropped.\n"


def test_weekly_readers_get_the_week_by_topic_and_never_twice(tmp_path: Path) -> None:
    readers = "subscribers:\n  - {address: ada@example.org, period: weekly, papers: 5}\n  - grace@example.org\n"
    (tmp_path / "subscribers.yaml").write_text(readers)
    first, again = (newsletter(tmp_path, "send", "--period", "weekly") for _ in range(2))
    assert "weekly/2025-12-22: 1 sent of 1" in first.out
    assert "nothing to send" in again.out
    [message] = outbox(tmp_path)
    assert (message["To"], str(message["Subject"])[:10]) == ("ada@example.org", "The week: ")
    text = message.get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "22–28 December 2025 · 5 of " in text


def test_an_editors_words_go_out_with_the_issue_and_then_stand(tmp_path: Path) -> None:
    edit = ("issue", "edit", "daily/2025-12-26")
    ran = newsletter(tmp_path, *edit, "--subject", "Read this", "--note", "Happy holidays, everybody.")
    assert (ran.code, ran.err) == (0, "")
    assert "as the papers make it" in ran.out
    newsletter(tmp_path, "send")
    assert {message["Subject"] for message in outbox(tmp_path)} == {"Read this"}
    text = outbox(tmp_path)[0].get_body(("plain",)).get_content()  # type: ignore[union-attr]
    assert "From the editor:\nHappy holidays, everybody." in text.replace("\r", "")
    late = newsletter(tmp_path, *edit, "--subject", "Read that")
    assert late.code == 2
    assert "daily/2025-12-26: is frozen" in late.fault


@pytest.mark.parametrize("key", ["daily/2025-12-32", "weekly/2025-12-26", "yearly/2025-01-01", "x"])
def test_an_issue_that_cannot_be_is_not_edited(tmp_path: Path, key: str) -> None:
    ran = newsletter(tmp_path, "issue", "edit", key, "--note", "x")
    assert (ran.code, ran.fault) == (
        2,
        f"newsletter: {key}: is no issue; write it like daily/2025-12-26, weekly/2025-12-22 or monthly/2025-12-01",
    )
