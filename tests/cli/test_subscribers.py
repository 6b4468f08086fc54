"""`newsletter subscribers` as an operator runs it."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flows.command import Ran, newsletter, outbox

Run = Callable[..., Ran]
ADA = "ada@example.org"
FULL = """\
subscribers:
  - address: ada@example.org
    name: "Ada: Countess, of \\"Lovelace\\""
    period: weekly
    timezone: Europe/Paris
    hour: 7
    papers: 5
    interests: {include: [robotics, "a;b", "c\\\\d"], exclude: ["=1+1"]}
    format: text
    only_matches: true
    paused_until: 2026-03-01
  - {address: bo@example.org, active: no}
  - {address: cy@example.org, status: unsubscribed}
  - {address: di@example.org, status: bounced, name: "-Di"}
  - {address: ed@example.org, status: complained, period: monthly}
  - {address: flo@example.org, status: pending}
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Return a function that runs `newsletter subscribers` in a folder of its own."""

    def ran(*arguments: str, folder: Path = tmp_path) -> Ran:
        return newsletter(folder, "subscribers", *arguments)

    return ran


def said(ran: Ran) -> str:
    """Return the one line of a command that did what it was asked."""
    assert (ran.code, ran.err) == (0, "")
    [line] = ran.out.splitlines()
    return line


def refused(ran: Ran) -> str:
    """Return the one line of a command that would not."""
    assert (ran.code, ran.out) == (2, "")
    return ran.fault.removeprefix("newsletter: ")


def everybody(run: Run, **where: Path) -> list[dict[str, Any]]:
    ran = run("list", "--json", **where)
    assert ran.code == 0
    return list(json.loads(ran.out))


def standings(run: Run) -> dict[str, str]:
    return {one["address"].partition("@")[0]: one["standing"] for one in everybody(run)}


@pytest.mark.parametrize("file", ["list.yaml", "list.csv"])
def test_a_list_goes_out_and_comes_in_elsewhere_as_it_was(tmp_path: Path, run: Run, file: str) -> None:
    (tmp_path / "full.yaml").write_text(FULL)
    assert said(run("import", "full.yaml")) == "full.yaml: 6 new, 0 on the list already."
    assert said(run("export", file)) == f"Written to {file}."
    (tmp_path / "other").mkdir()
    assert run("import", f"../{file}", folder=tmp_path / "other").code == 0
    there = everybody(run, folder=tmp_path / "other")
    assert there == everybody(run)
    assert [one["standing"] for one in there] == [
        *("active", "active", "unsubscribed", "bounced", "complained", "pending"),
    ]
    assert there[0]["interests"] == {"include": ["robotics", "a;b", "c\\d"], "exclude": ["=1+1"]}
    assert (there[0]["paused_until"], there[0]["only_matches"], there[1]["active"]) == ("2026-03-01", True, False)


def test_an_export_to_the_terminal_is_a_file_that_can_be_read(tmp_path: Path, run: Run) -> None:
    (tmp_path / "subscribers.yaml").write_text("subscribers:\n  - ada@example.org\n")
    assert run("export").out == 'subscribers:\n  - address: "ada@example.org"\n'
    assert run("export", "--format", "csv").out.splitlines()[1] == "ada@example.org,,,,,,,,,,,,"
    assert [path.name for path in tmp_path.iterdir()] == ["subscribers.yaml"], "to look makes no database"


def test_one_person_is_added_once_left_once_and_taken_in_again(tmp_path: Path, run: Run) -> None:
    (tmp_path / "subscribers.yaml").write_text("subscribers: []\n")
    assert said(run("add", "Ada@EXAMPLE.org", "--name", "Ada", "--period", "weekly", "--welcome")) == (
        "Ada@example.org: is on the list now."
    )
    assert refused(run("add", ADA)) == f"{ADA}: is on the list already"
    assert said(run("remove", ADA)) == f"{ADA}: is off the list now."
    assert said(run("remove", ADA)) == f"{ADA}: was off the list already."
    assert refused(run("add", ADA)).startswith(f"{ADA}: unsubscribed; `subscribers resubscribe` undoes that")
    (tmp_path / "more.csv").write_text(f"email\n{ADA}\n")
    assert "0 new, 1 on" in said(run("import", "more.csv"))
    (tmp_path / "subscribers.yaml").write_text(f"subscribers: [{ADA}]\n")
    assert said(run("import")).endswith("subscribers.yaml: 1 followed.")
    assert standings(run) == {"ada": "unsubscribed"}, "whatever a file says"
    assert said(run("resubscribe", ADA)) == f"{ADA}: was unsubscribed, is a reader again."
    assert refused(run("resubscribe", ADA)).endswith("is a reader; there is nothing to undo")
    person = json.loads(run("export", "--person", ADA).out)
    assert [row["event"] for row in person["consent"]] == ["imported", "removed", "resubscribed"]


@pytest.mark.parametrize("command", ["remove", "resubscribe"])
def test_a_person_who_is_not_there_is_said_so(run: Run, command: str) -> None:
    assert refused(run(command, "nobody@example.net")).startswith("nobody@example.net: is not on the list; ")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("add", "ada"), "address: 'ada' is no e-mail address"),
        (("add", ADA, "--name", "A\nB"), "name: 'A\ufffdB' holds a line break"),
        (("import", "nowhere.csv"), "nowhere.csv: there is no such file"),
        (("export", "--person", ADA), f"{ADA}: is not on the list"),
    ],
)
def test_a_mistake_is_one_line(run: Run, arguments: tuple[str, ...], words: str) -> None:
    assert refused(run(*arguments)).replace("\\n", "\ufffd").startswith(words)


def test_a_file_with_faults_changes_nothing_and_tells_each_with_its_line(tmp_path: Path, run: Run) -> None:
    (tmp_path / "more.csv").write_text("email,hour\nada@example.org,7\nbo,8\ncy@example.org,99\n")
    ran = run("import", "more.csv")
    assert ran.code == 2
    assert [line.split(": ")[1] for line in ran.err.splitlines()] == ["more.csv:3", "more.csv:4"]
    assert ADA not in run("list", "--json").out


def test_a_dry_run_of_an_import_shows_who_comes_and_who_stays_away_and_writes_nothing(tmp_path: Path, run: Run) -> None:
    (tmp_path / "first.csv").write_text("email\nada@example.org\nbo@example.org\ncy@example.org\ndi@example.org\n")
    run("import", "first.csv")
    run("remove", "bo@example.org")
    run("erase", "cy@example.org")
    (tmp_path / "next.csv").write_text(
        "email,name,status\nada@example.org,Ada,\nbo@example.org,,\ncy@example.org,,\ndi@example.org,,cleaned\n"
        "new@example.org,,\ngone@example.org,,unsubscribed\n"
    )
    database = tmp_path / "var/newsletter.sqlite3"
    before = database.read_bytes()
    ran = run("import", "next.csv", "--dry-run")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "! cy@example.org  asked to be forgotten",
        "- di@example.org  bounced",
        "+ new@example.org",
        "+ gone@example.org  unsubscribed",
        "A dry run of 6: 2 new, 1 no more mail, 1 stay off the list; nothing was written.",
    ]
    assert database.read_bytes() == before
    told = said(run("import", "next.csv"))
    assert told == (
        "next.csv: 2 new, 3 on the list already, 1 of them off the list now, as the file has it,"
        " 1 left out who asked to be forgotten."
    )
    assert standings(run) == {
        "ada": "active",
        "bo": "unsubscribed",
        "di": "bounced",
        "new": "active",
        "gone": "unsubscribed",
    }


def test_a_dry_run_of_following_the_file_shows_each_change_and_writes_nothing(tmp_path: Path, run: Run) -> None:
    file = tmp_path / "subscribers.yaml"
    names = ("ada", "bo", "cy", "di")
    file.write_text("subscribers: [" + ", ".join(f"{name}@example.org" for name in names) + "]\n")
    run("import")
    run("remove", "bo@example.org")
    run("erase", "cy@example.org")
    file.write_text(
        "subscribers:\n  - {address: ada@example.org, period: weekly, interests: {include: [vision]}}\n"
        "  - bo@example.org\n  - cy@example.org\n  - new@example.org\n"
    )
    before = (tmp_path / "var/newsletter.sqlite3").read_bytes()
    ran = run("import", "--dry-run")
    assert ran.out.splitlines() == [
        "~ ada@example.org  cadence daily -> weekly, include [] -> [vision]",
        "! bo@example.org  unsubscribed",
        "! cy@example.org  asked to be forgotten",
        "+ new@example.org",
        "- di@example.org  no longer in the file",
        "A dry run of 4: 1 new, 1 changed, 1 no more mail, 2 stay off the list; nothing was written.",
    ]
    assert (tmp_path / "var/newsletter.sqlite3").read_bytes() == before
    run("import")
    assert run("import", "--dry-run").out.splitlines()[:-1] == [
        "! bo@example.org  unsubscribed",
        "! cy@example.org  asked to be forgotten",
    ]
    newsletter(tmp_path, "send", "--period", "daily")
    assert [str(mail["To"]) for mail in outbox(tmp_path)] == ["new@example.org"]


def test_an_erased_person_is_known_to_nobody_and_a_file_that_names_them_is_warned_of(tmp_path: Path, run: Run) -> None:
    (tmp_path / "subscribers.yaml").write_text("subscribers: [Ada@example.org, bo@example.org]\n")
    run("import")
    ran = run("erase", ADA)
    assert (ran.code, ran.out) == (0, f"{ADA}: is forgotten.\n")
    assert ran.fault.endswith("subscribers.yaml: the address stands there still; remove its line, too")
    assert standings(run) == {"bo": "active"}
    assert said(run("erase", "zoe@example.net")) == "zoe@example.net: was not known, and no import brings it in."
    assert refused(run("erase", "zoe")) == "zoe: is no address"
    (tmp_path / "var/newsletter.sqlite3.v6-20260101T000000Z.backup").touch()
    assert "v6-20260101T000000Z.backup: is of before an upgrade" in run("erase", ADA).err
    assert refused(run("add", "zoe@example.net")).endswith("only they themselves can sign up again")
    assert refused(run("resubscribe", ADA)).startswith(f"{ADA}: is not on the list")


MAILCHIMP = '"Email Address","First Name","Last Name",MEMBER_RATING,OPTIN_TIME,{}NOTES,TAGS\n'
FIXTURES = {
    "subscribed_segment_export.csv": MAILCHIMP.format("CONFIRM_TIME,")
    + 'ada@example.org,Ada,Lovelace,4,"2020-01-01 10:00:00","2020-01-01 10:05:00",,"""friends"""\n',
    "unsubscribed_segment_export.csv": MAILCHIMP.format("UNSUB_TIME,UNSUB_CAMPAIGN_TITLE,UNSUB_REASON,")
    + 'bo@example.org,Bo,,2,"2020-01-01 10:00:00","2021-05-05 09:00:00",May,"NORMAL",,\n',
    "cleaned_segment_export.csv": MAILCHIMP.format("CLEAN_TIME,CLEAN_CAMPAIGN_TITLE,")
    + 'cy@example.org,,,2,"2020-01-01 10:00:00","2021-06-05 09:00:00",June,,\n',
    "listmonk.csv": "uuid,email,name,attributes,status,created_at,updated_at\n"
    'u1,di@example.org,Di,"{""city"": ""Bern""}",enabled,2020-01-01,2020-01-01\n'
    "u2,ed@example.org,Ed,{},blocklisted,2020-01-01,2020-01-01\n"
    "u3,flo@example.org,Flo,{},disabled,2020-01-01,2020-01-01\n",
}


def test_files_of_other_systems_keep_who_left_and_who_bounced(tmp_path: Path, run: Run) -> None:
    for name, text in FIXTURES.items():
        (tmp_path / name).write_text(text)
        assert said(run("import", name)).startswith(f"{name}: {text.count('@')} new")
    assert standings(run) == {
        "ada": "active",
        "bo": "unsubscribed",
        "cy": "bounced",
        "di": "active",
        "ed": "unsubscribed",
        "flo": "unsubscribed",
    }
    assert [one["name"] for one in everybody(run)][:2] == ["Ada Lovelace", "Bo"]
    newsletter(tmp_path, "send")
    assert [re.sub(".*<|>", "", str(mail["To"])) for mail in outbox(tmp_path)] == [ADA, "di@example.org"]


def test_the_list_on_the_terminal_says_how_each_stands(tmp_path: Path, run: Run) -> None:
    (tmp_path / "subscribers.yaml").write_text(FULL)
    shown = run("list").out
    assert shown.startswith(f"From {tmp_path}/subscribers.yaml\n")
    rows = {line.split()[0]: line.split()[-1] for line in shown.splitlines() if "@" in line}
    assert rows["bo@example.org"] == "no"
    assert rows["flo@example.org"] == "pending"
    assert rows["ed@example.org"] == "complained"
    assert said(run("list", "--bounced")) == "Nothing came back."
    assert json.loads(run("list", "--bounced", "--json").out) == []
