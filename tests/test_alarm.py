"""Who runs a list hears of what goes wrong, once a day for each cause, and a watchman hears while all is well."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest

from newsletter import alarm
from newsletter.errors import NewsletterError, RefusalsError, RelayError, SenderRefusedError, SourceError, TemplateError
from newsletter.fetch.http import build_client
from newsletter.fetch.huggingface import HuggingFaceSource
from newsletter.schedule import Ticked, tick
from tests.fetch.loopback import Answer, loopback
from tests.flows.command import outbox
from tests.send.servers import faulty_server, mail_server
from tests.town import Town

NOON = datetime(2026, 1, 7, 12, tzinfo=UTC)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
SOURCE = SourceError("huggingface", "answered 503", "nothing is lost, it is asked again")
RELAY = RelayError("relay mail.example.org:25: connection refused; check smtp.host")


def town(folder: Path, **settings: object) -> Town:
    """Return a list whose operator has an address."""
    notify = {"address": "ops@example.org"} | dict(settings.pop("notify", {}))  # type: ignore[call-overload]
    made = Town(folder, NOON, ["ada@example.org"], notify=notify, **settings)
    made.write_lists(date(2026, 1, 1), date(2026, 1, 6))
    return made


def told(folder: Path) -> list[EmailMessage]:
    """Return the mails that the operator got."""
    found = outbox(folder) if (folder / "var/outbox").exists() else []
    return [mail for mail in found if mail["To"] == "ops@example.org"]


def subjects(folder: Path) -> list[str]:
    return sorted(str(mail["Subject"]) for mail in told(folder))


def failing(here: Town, minutes: int, *faults: NewsletterError) -> None:
    """Let these faults go on for so many minutes."""
    for _ in range(minutes):
        alarm.tell(here.parts, faults)
        here.now += MINUTE


def test_what_passes_by_itself_is_told_only_when_it_lasts(tmp_path: Path) -> None:
    here = town(tmp_path)
    failing(here, 15, SOURCE)
    assert told(tmp_path) == []
    failing(here, 1, SOURCE)
    assert subjects(tmp_path) == ["Trending Papers needs a look: source huggingface: answered 503"]


def test_what_nobody_but_a_person_mends_is_told_at_once(tmp_path: Path) -> None:
    here = town(tmp_path)
    failing(here, 1, TemplateError("templates/mail/issue.mjml.j2: line 3: unexpected end"), SenderRefusedError("no"))
    assert len(told(tmp_path)) == 2


def test_each_cause_is_told_once_a_day(tmp_path: Path) -> None:
    here = town(tmp_path)
    failing(here, 24 * 60, SOURCE, RELAY)
    assert len(told(tmp_path)) == 2
    failing(here, 30, SOURCE, RELAY)
    assert len(told(tmp_path)) == 4


def test_each_issue_that_is_paused_and_each_relay_that_fails_is_told_by_itself(tmp_path: Path) -> None:
    here = town(tmp_path)
    paused = [RefusalsError(f"daily/2026-01-0{day}: 12 of 50 copies were refused; it is paused") for day in (5, 6)]
    failing(here, 60, *paused, RELAY, RelayError("relay other.example.org:25: connection refused; check smtp.host"))
    assert len(told(tmp_path)) == 4


def test_a_cause_that_passed_and_comes_back_has_to_last_anew(tmp_path: Path) -> None:
    here = town(tmp_path)
    failing(here, 10, SOURCE)
    here.now += 5 * HOUR
    failing(here, 10, SOURCE)
    assert told(tmp_path) == []


def test_two_processes_tell_one_thing_once(tmp_path: Path) -> None:
    here = town(tmp_path)
    there = here.open()
    for parts in (here.parts, there, here.parts):
        alarm.tell(parts, [TemplateError("theme.toml: no colour")])
    assert len(told(tmp_path)) == 1


def test_the_mail_says_what_is_wrong_and_the_mend_in_the_lists_own_time(tmp_path: Path) -> None:
    here = town(tmp_path, timezone="Europe/Berlin")
    failing(here, 20, RELAY)
    [mail] = told(tmp_path)
    body = mail.get_body(("plain",))
    assert body
    text = " ".join(str(body.get_content()).split())
    assert "At 13:15 on Wednesday 7 January 2026 (CET):" in text
    assert "relay mail.example.org:25: connection refused; check smtp.host" in text
    assert mail["List-Unsubscribe"] is None


def test_a_broken_template_of_ones_own_does_not_break_the_mail_about_it(tmp_path: Path) -> None:
    (tmp_path / "own/mail").mkdir(parents=True)
    (tmp_path / "own/mail/notice.mjml.j2").write_text("{% broken")
    here = town(tmp_path, templates="own")
    failing(here, 1, TemplateError("own/mail/notice.mjml.j2: line 1: unknown tag 'broken'"))
    assert len(told(tmp_path)) == 1


def test_where_one_relay_is_down_the_next_one_carries_it(tmp_path: Path) -> None:
    with mail_server() as (mailbox, port), faulty_server({"BANNER": "554 no"}) as down:
        both = [{"host": "127.0.0.1", "port": number, "security": "none"} for number in (down.port, port)]
        here = town(tmp_path, transport="smtp", relays=both, sender="papers@example.org")
        failing(here, 1, TemplateError("theme.toml: no colour"))
    assert mailbox.recipients == ["ops@example.org"]


def test_what_could_not_be_mailed_is_mailed_when_it_can_be(tmp_path: Path) -> None:
    with faulty_server({"BANNER": "421 later"}, times=1) as server:
        names = {"host": "127.0.0.1", "port": server.port, "security": "none"}
        here = town(tmp_path, transport="smtp", smtp=names, sender="papers@example.org")
        failing(here, 2, TemplateError("theme.toml: no colour"))
    assert len(server.taken) == 1


def test_without_an_address_nothing_is_kept_and_nobody_is_told(tmp_path: Path) -> None:
    here = town(tmp_path, notify={"address": None})
    failing(here, 30, SOURCE, TemplateError("no"))
    assert told(tmp_path) == []


def test_a_live_source_that_lists_nothing_new_is_told_of(tmp_path: Path) -> None:
    here = town(tmp_path)
    live = HuggingFaceSource(build_client(), endpoint="https://hf.example.org", today=here.now.date)
    parts = replace(here.parts, sources=(live,))
    parts.heard.note({"huggingface": date(2026, 1, 6)}, here.now)
    here.now += timedelta(days=4)
    alarm.tell(parts, [])
    assert told(tmp_path) == []
    here.now += timedelta(days=1)
    alarm.tell(parts, [])
    assert "has listed nothing for 6 days" in subjects(tmp_path)[0]
    alarm.tell(here.parts, [])  # a recording is as old as it is


def test_a_broken_list_file_is_told_by_the_service_itself(tmp_path: Path) -> None:
    here = town(tmp_path)
    here.tick()
    (tmp_path / "subscribers.yaml").write_text("subscribers: [" + ", ".join("{addres: x}" for _ in range(9)) + "]")
    assert len(tick(here.parts).faults) == 1
    [mail] = told(tmp_path)
    assert "13 more such lines" in str(mail)


@contextmanager
def watchman(status: int = 200) -> Iterator[tuple[list[str], str]]:
    """Run a service that is pinged; yield the paths that were asked for, and its address."""
    asked: list[str] = []

    def answer(path: str, _headers: object) -> Answer:
        asked.append(path)
        return Answer(status)

    with loopback(answer, "text/plain") as url:
        yield asked, f"{url}/abc"


def test_a_watchman_is_told_with_each_look_that_went_well(tmp_path: Path) -> None:
    with watchman() as (asked, url):
        here = town(tmp_path, notify={"ping_url": url})
        here.tick()
        here.tick()
        (tmp_path / "subscribers.yaml").write_text("subscribers: [nobody]")
        assert tick(here.parts).faults
    assert asked == ["/abc", "/abc"]


@pytest.mark.parametrize(("status", "said"), [(404, "answered 404"), (None, "Connection refused")])
def test_a_watchman_who_does_not_answer_is_a_line_in_the_log_that_keeps_his_address_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, status: int | None, said: str
) -> None:
    caplog.set_level(logging.WARNING, "newsletter")
    with watchman(status or 200) as (_asked, url):
        here = town(tmp_path, notify={"ping_url": url})
        done = here.tick() if status else Ticked()
    if not status:
        done = here.tick()
    assert done.faults == []
    [line] = caplog.messages
    assert said in line
    assert "abc" not in line


def test_mail_that_came_back_is_read_by_itself(tmp_path: Path) -> None:
    for name in ("new", "cur", "tmp"):
        (tmp_path / "back" / name).mkdir(parents=True)
    here = town(tmp_path, bounces={"mailbox": "maildir:back", "hard": 1})
    here.tick()
    ada = here.parts.subscribers.find("ada@example.org")
    assert ada
    token = here.parts.links.unsubscribe_token(ada.id or 0)
    (tmp_path / "back/new/1.leave").write_bytes(
        b"From: ada@example.org\r\nTo: newsletter@example.org\r\nSubject: unsubscribe " + token.encode() + b"\r\n\r\n"
    )
    here.tick()
    assert list((tmp_path / "back/new").iterdir()), "not looked into twice within four minutes"
    here.now += 5 * MINUTE
    here.tick()
    left = here.parts.subscribers.find("ada@example.org")
    assert left
    assert not left.reads


def test_a_mailbox_that_is_gone_is_a_fault_and_mail_goes_out_all_the_same(tmp_path: Path) -> None:
    here = Town(tmp_path, datetime(2026, 1, 4, tzinfo=UTC), ["ada@example.org"], bounces={"mailbox": "maildir:gone"})
    here.write_lists(date(2025, 12, 29), date(2026, 1, 6))
    tick(here.parts)
    here.now = datetime(2026, 1, 5, 9, tzinfo=UTC)
    done = tick(here.parts)
    assert ["is no Maildir" in str(fault) for fault in done.faults] == [True]
    assert [one.reader for one in here.arrived()] == ["ada@example.org"]
