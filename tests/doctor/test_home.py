"""What can be looked at without a network: settings, secrets, subscribers, database, disk, templates, sources."""

import json
import threading
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfoNotFoundError

import pytest

from newsletter.doctor import configuration, database, disk, examine, mails, sources
from newsletter.doctor.check import Check, exit_code
from newsletter.settings import bundled
from newsletter.store import meta
from newsletter.store.engine import Database
from newsletter.wiring import build, now
from tests.conftest import Rights
from tests.doctor.installations import installation, mailing, only
from tests.fetch.hf_server import Api, Item, an_item, hf_api
from tests.flows.command import newsletter, readers

if TYPE_CHECKING:
    from tests.postgres import Server

TODAY = datetime(2025, 12, 25, 12, tzinfo=UTC)
EMPTY: dict[date, list[Item]] = {TODAY.date() - timedelta(days=back): [] for back in range(20)}


def settings_checks(folder: Path, **given: Any) -> list[Check]:
    it = installation(folder, **given)
    return [*configuration.checks(it, database.look(it))]


def test_with_no_configuration_nothing_fails_and_nothing_is_written(tmp_path: Path) -> None:
    found = examine(installation(tmp_path))
    assert {one.state for one in found} == {"ok", "skip"}
    assert (exit_code(found), [*tmp_path.iterdir()]) == (0, [])


def test_at_least_ten_checks_are_made_offline_and_the_others_say_why_not(tmp_path: Path) -> None:
    readers(tmp_path, 3)
    given = {"offline": True, "sources": ["huggingface"], "base_url": "https://news.example.com", "postal_address": "x"}
    found = examine(installation(tmp_path, **mailing(25) | given))
    assert sum(one.state != "skip" for one in found) >= 10
    assert {one.name for one in found if one.detail == "--offline"} >= {
        "source huggingface", "relay", "SPF", "PTR", "pages", "one-click", "clock",
    }  # fmt: skip
    assert len({one.name for one in found}) == len(found)


# The settings.


def test_an_example_as_the_sender_and_no_postal_address_are_warned_of_once_mail_leaves(tmp_path: Path) -> None:
    found = settings_checks(tmp_path, **mailing(25) | {"sender": "newsletter@example.org"})
    assert (only(found, "sender").state, only(found, "postal address").state) == ("warn", "warn")
    given = {"sender": "Papers <papers@papers.fm>", "postal_address": "1 Road, Town"}
    found = settings_checks(tmp_path, **mailing(25) | given)
    assert (only(found, "sender").state, only(found, "postal address").state) == ("ok", "ok")


@pytest.mark.parametrize(
    ("written", "mode", "state"),
    [
        ('secret_key = "a secret of this test"', 0o644, "warn"),
        ('secret_key = "a secret of this test"', 0o640, "ok"),
        ('[smtp]\npassword = "x"', 0o604, "warn"),
        ('[[relays]]\npassword = "x"', 0o644, "warn"),
        ('database_url = "postgresql+psycopg://me:x@db/list"', 0o644, "warn"),
        ('title = "Papers"', 0o644, "ok"),
    ],
)
def test_a_file_with_secrets_is_nobody_elses_to_read(tmp_path: Path, written: str, mode: int, state: str) -> None:
    config = tmp_path / "newsletter.toml"
    config.write_text(written)
    config.chmod(mode)
    it = replace(installation(tmp_path), config=config)
    found = only(configuration.checks(it, database.look(it)), "secrets")
    assert (found.state, found.mend.startswith("chmod o= ")) == (state, state == "warn"), found
    assert "secret of" not in str(found)


def test_a_signing_key_that_everybody_may_read_is_warned_of(tmp_path: Path) -> None:
    (tmp_path / "s1.pem").write_text("private")
    found = only(settings_checks(tmp_path, dkim={"keys": {"s1": "s1.pem"}}), "secrets")
    assert found.state == "warn"


def test_a_secret_key_is_set_or_kept_or_still_to_be_made(tmp_path: Path) -> None:
    fresh = only(settings_checks(tmp_path), "secret key").detail
    build(installation(tmp_path).settings, tmp_path).database.close()
    kept = only(settings_checks(tmp_path), "secret key").detail
    given = only(settings_checks(tmp_path, secret_key="a secret of this test"), "secret key").detail
    assert [words.partition(";")[0].partition(":")[0] for words in (fresh, kept, given)] == [
        "not set", "kept in the database", "set",
    ]  # fmt: skip


# The subscribers and their zones.


def test_subscribers_are_counted_and_faults_are_told_by_line(tmp_path: Path) -> None:
    readers(tmp_path, 12)
    assert only(settings_checks(tmp_path), "subscribers").detail == f"12 in {tmp_path / 'subscribers.yaml'}"
    (tmp_path / "subscribers.yaml").write_text("subscribers: [ada@example.org, ADA@example.org]\n")
    assert "is already on line 1" in only(settings_checks(tmp_path), "subscribers").detail
    (tmp_path / "subscribers.yaml").write_text("subscribers:\n- ada@example.org\n- nobody\n- no one\n")
    found = only(settings_checks(tmp_path), "subscribers")
    assert (found.state, found.detail.count("subscribers.yaml:"), found.code) == ("fail", 2, 2)


def test_the_invented_readers_of_the_example_are_warned_of_once_mail_leaves(tmp_path: Path) -> None:
    assert only(settings_checks(tmp_path), "subscribers").state == "ok"
    found = only(settings_checks(tmp_path, **mailing(25)), "subscribers")
    assert found.state == "warn"
    assert found.mend.startswith(f"cp {bundled('subscribers.example.yaml')} subscribers.yaml")


def test_imported_readers_count_without_a_file(tmp_path: Path) -> None:
    (tmp_path / "more.csv").write_text("address\nada@example.org\ngrace@example.org\n")
    newsletter(tmp_path, "subscribers", "import", "more.csv")
    assert only(settings_checks(tmp_path), "subscribers").detail == "2 imported, no file"


def test_zones_of_readers_are_looked_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    people = "subscribers:\n- {address: ada@example.org, timezone: Asia/Kolkata}\n"
    (tmp_path / "subscribers.yaml").write_text(people)
    assert only(settings_checks(tmp_path), "time zones").detail.startswith("2 in use, all known; tzdata 20")
    monkeypatch.setattr(configuration, "ZoneInfo", lambda name: {"UTC": 0}[name] if name == "UTC" else unknown(name))
    found = only(settings_checks(tmp_path), "time zones")
    assert (found.state, found.mend) == ("fail", "pip install -U tzdata")
    assert found.detail.startswith("not known: Asia/Kolkata")


def unknown(name: str) -> object:
    raise ZoneInfoNotFoundError(name)


def test_time_zone_data_that_is_years_old_is_warned_of(tmp_path: Path) -> None:
    later = now() + timedelta(days=3 * 365)
    assert only(settings_checks(tmp_path, clock=lambda: later), "time zones").state == "warn"


# The database.


def test_a_database_is_looked_at_and_left_as_it_is(tmp_path: Path) -> None:
    newsletter(tmp_path, "send")
    before = (tmp_path / "var/newsletter.sqlite3").read_bytes()
    ran = newsletter(tmp_path, "doctor", "--json")
    found = {one["name"]: one for one in json.loads(ran.out)["checks"]}
    assert found["database"]["detail"].endswith(f", journal wal, schema {meta.SCHEMA_VERSION}")
    assert found["database writable"]["state"] == "ok"
    assert (tmp_path / "var/newsletter.sqlite3").read_bytes() == before


@pytest.mark.parametrize(("version", "state"), [(meta.SCHEMA_VERSION - 1, "warn"), (meta.SCHEMA_VERSION + 1, "fail")])
def test_an_older_schema_is_not_touched_and_a_newer_one_is_not_for_us(tmp_path: Path, version: int, state: str) -> None:
    made = build(installation(tmp_path).settings, tmp_path).database
    meta.write(made, "schema_version", str(version))
    made.close()
    seen = database.look(installation(tmp_path))
    assert (only(seen.checks, "database").state, only(seen.checks, "database writable").state) == (state, "ok")
    assert meta.read(Database(f"sqlite:///{tmp_path}/var/newsletter.sqlite3"), "schema_version") == str(version)


def test_a_database_that_may_only_be_read_is_told(closed_folder: Path, ordinary_user: Rights) -> None:
    made = build(installation(closed_folder).settings, closed_folder).database
    made.close()
    closed_folder.chmod(0o755)
    with ordinary_user():
        found = database.look(installation(closed_folder)).checks
        folders = only(disk.checks(installation(closed_folder)), "folders")
    assert {one.state for one in found} <= {"fail", "skip"}
    assert "writable" in found[0].mend or "may be written" in found[0].mend
    assert (folders.state, folders.code) == ("fail", 5)


def test_a_postgresql_server_is_asked_its_version_and_its_time(postgresql: "Server", tmp_path: Path) -> None:
    url = postgresql.new_url()
    empty = database.look(installation(tmp_path, database_url=url))
    assert "the first run makes its tables" in only(empty.checks, "database").detail
    build(installation(tmp_path, database_url=url).settings, tmp_path).database.close()
    seen = database.look(installation(tmp_path, database_url=url))
    assert only(seen.checks, "database").detail.startswith("PostgreSQL ")
    assert only(seen.checks, "database server").detail == "fsync = off, synchronous_commit = on"  # as the tests run it
    assert {one.name for one in seen.checks if one.state != "ok"} == {"database server"}
    seen.database.close()
    late = database.look(installation(tmp_path, database_url=url, clock=lambda: now() + timedelta(minutes=2)))
    late.database.close()
    assert only(late.checks, "database clock").state == "warn"


def test_a_postgresql_server_that_only_reads_is_told(postgresql: "Server", tmp_path: Path) -> None:
    url = postgresql.new_url()
    build(installation(tmp_path, database_url=url).settings, tmp_path).database.close()
    seen = database.look(installation(tmp_path, database_url=f"{url}%20-cdefault_transaction_read_only%3Don"))
    seen.database.close()
    found = only(seen.checks, "database writable")
    assert (found.state, "read-only transaction" in found.detail) == ("fail", True), found


def test_a_postgresql_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    url = "postgresql+psycopg://nobody@127.0.0.1:1/list"
    found = only(database.look(installation(tmp_path, database_url=url)).checks, "database")
    assert (found.state, found.mend) == ("fail", "check the server and database_url")


def test_a_folder_that_may_not_be_looked_into_breaks_nothing(closed_folder: Path, ordinary_user: Rights) -> None:
    with ordinary_user():
        found = examine(installation(closed_folder / "list"))
    assert only(found, "database").detail.endswith("newsletter.sqlite3: Permission denied")
    assert (only(found, "folders").state, only(found, "templates").state) == ("fail", "fail")
    assert only(found, "subscribers").detail.endswith("subscribers.yaml: Permission denied")
    assert all(one.mend for one in found if one.state == "fail")


# The disk.


@pytest.mark.parametrize(("free", "state"), [(0, "fail"), (19_999_999, "fail"), (20_000_000, "warn"), (10**9, "ok")])
def test_little_space_is_warned_of_before_it_is_none(tmp_path: Path, free: int, state: str) -> None:
    found = only(disk.checks(installation(tmp_path, free=free)), "disk space")
    assert (found.state, bool(found.mend)) == (state, state != "ok")


# The templates.


def test_own_templates_that_may_not_be_read_are_not_passed_over(closed_folder: Path, ordinary_user: Rights) -> None:
    with ordinary_user():
        found = only(mails.prove(installation(closed_folder.parent, templates=closed_folder)).checks, "templates")
    assert (found.state, found.mend, found.code) == ("fail", "make it readable for this user", 2)


def test_a_mail_that_lint_fails_fails_here(tmp_path: Path) -> None:
    own = tmp_path / "own/mail"
    own.mkdir(parents=True)
    shipped = (bundled("templates") / "mail/issue.txt.j2").read_text()
    (own / "issue.txt.j2").write_text(f"{shipped}\n{{{{ none }}}}\n")
    found = only(mails.prove(installation(tmp_path, templates="own")).checks, "mails")
    assert (found.state, "None" in found.detail, found.code) == ("fail", True, 2), found


def test_a_folder_of_templates_that_is_not_there_is_told_once(tmp_path: Path) -> None:
    found = mails.prove(installation(tmp_path, templates="gone")).checks
    assert [one.state for one in found] == ["fail", "skip", "skip"]
    assert found[0].mend == "check the setting `templates`"


# Returned mail.


def test_the_mailbox_of_returned_mail_is_peeked_into(tmp_path: Path) -> None:
    given: dict[str, Any] = {"bounces": {"mailbox": "maildir:back"}}
    lost = only(examine(installation(tmp_path, **given)), "bounces")
    for name in ("new", "cur", "tmp"):
        (tmp_path / "back" / name).mkdir(parents=True)
    (tmp_path / "back/new/1").write_bytes(b"Subject: x\n\n")
    found = only(examine(installation(tmp_path, **given)), "bounces")
    assert (lost.state, lost.mend) == ("fail", "name the folder above these two")
    assert (found.state, found.detail) == ("ok", "maildir:back can be read; mail waits")
    assert (tmp_path / "back/new/1").exists()


def test_a_login_that_is_missing_is_told_and_hides_nothing_else(tmp_path: Path) -> None:
    found = examine(installation(tmp_path, bounces={"mailbox": "imap"}))
    assert {one.name for one in found if one.state == "fail"} == {"bounces"}
    assert "imap needs bounces.imap_host" in only(found, "bounces").detail
    assert only(found, "bounces").mend


# The sources.


@pytest.mark.parametrize(
    ("age", "state", "told"),
    [(0, "ok", "2025-12-25, 0 days old"), (1, "ok", "1 day old"), (3, "ok", "3 days old"), (4, "warn", "4 days old")],
)
def test_the_age_of_the_newest_list_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, age: int, state: str, told: str
) -> None:
    day = TODAY.date() - timedelta(days=age)
    with hf_api(Api(EMPTY | {day: [an_item()]})) as api:
        monkeypatch.setenv("HF_ENDPOINT", api.url)
        monkeypatch.setattr("newsletter.wiring.today", TODAY.date)
        it = installation(tmp_path, sources=["huggingface"], clock=lambda: TODAY)
        [found] = sources.checks(it, it.sources[0])
    assert (found.state, told in found.detail) == (state, True), found


def test_a_source_without_any_list_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with hf_api(Api(EMPTY)) as api:
        monkeypatch.setenv("HF_ENDPOINT", api.url)
        it = installation(tmp_path, sources=["huggingface"], clock=lambda: TODAY)
        [found] = sources.checks(it, it.sources[0])
    assert (found.state, found.detail) == ("warn", "can be read, and has no list of the last 7 days")


def test_a_check_that_breaks_takes_no_other_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: object) -> None:
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr("newsletter.doctor.pages.checks", broken)
    found = examine(installation(tmp_path))
    assert only(found, "pages").detail == "RuntimeError: a fault of ours"
    assert only(found, "SPF").state == "skip"


def test_a_check_without_end_is_left_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = threading.Event()

    def endless(*_given: object) -> list[Check]:
        done.wait(30)
        return []

    monkeypatch.setattr("newsletter.doctor.pages.checks", endless)
    monkeypatch.setattr("newsletter.doctor.PATIENCE", 0.2)
    found = only(examine(installation(tmp_path)), "pages")
    done.set()
    assert (found.state, found.mend) == ("fail", "check the network")
