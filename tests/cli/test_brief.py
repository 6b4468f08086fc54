"""`send --brief`: one line, `Sent N` and why not more, in which no address stands."""

from pathlib import Path

import pytest

from newsletter.cli.brief import without_addresses
from newsletter.settings import bundled
from tests.flows.command import Ran, newsletter, readers, smtp
from tests.send.servers import faulty_server, mail_server

LISTS = {"NEWSLETTER_SOURCES": f"file:{bundled('seeds')}"}


def brief(folder: Path, *arguments: str, **variables: str) -> Ran:
    return newsletter(folder, "send", "--brief", *arguments, **LISTS, **variables)


def test_it_says_how_many_and_then_why_none(tmp_path: Path) -> None:
    readers(tmp_path, 3)
    with mail_server() as (_mailbox, port):
        first, second = (brief(tmp_path, **smtp(port)) for _ in range(2))
    assert (first.code, first.out, first.err) == (0, "Sent 3: daily/2025-12-26: 3 sent of 3\n", "")
    assert second.out == "Sent 0: daily/2025-12-26: every reader's copy was settled before (3 sent of 3)\n"


def test_a_refusal_that_names_a_reader_is_told_without_the_address(tmp_path: Path) -> None:
    readers(tmp_path, 3)
    with faulty_server({"RCPT": "554 5.7.1 <reader1@example.org>: relay access denied"}) as server:
        ran = brief(tmp_path, **smtp(server.port))
    assert ran.code == 5
    assert ran.out.startswith("Sent 0: relay 127.0.0.1:")
    assert "<(address)>: relay access denied" in ran.out
    assert "@" not in ran.out + ran.err
    assert len(ran.out.splitlines()) == 1


@pytest.mark.parametrize(
    ("before", "arguments", "told"),
    [
        ([], ("--period", "weekly"), "Sent 0: weekly/2025-12-22: the list has no active weekly reader"),
        ([("issue", "pause", "daily/2025-12-26", "--reason", "wrong lead")], (), "paused (wrong lead)"),
        ([], ("--date", "2020-01-01"), "Sent 0: no issue daily/2020-01-01, "),
        ([], ("--due",), "Sent 0: nothing is due; next daily "),
    ],
)
def test_each_reason_for_none_is_said(
    tmp_path: Path, before: list[tuple[str, ...]], arguments: tuple[str, ...], told: str
) -> None:
    readers(tmp_path, 1)
    for command in before:
        assert newsletter(tmp_path, *command, **LISTS).code == 0
    ran = brief(tmp_path, *arguments)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("Sent 0: ")
    assert told in ran.out


def test_wrong_settings_are_in_the_line_too(tmp_path: Path) -> None:
    ran = brief(tmp_path, NEWSLETTER_TIMEZONE="Berlin")
    assert (ran.code, ran.err) == (2, "")
    assert ran.out.startswith("Sent 0: NEWSLETTER_TIMEZONE: 'Berlin' is no IANA time zone")


def test_it_goes_with_sending_alone(tmp_path: Path) -> None:
    ran = brief(tmp_path, "--test", "zoe@example.net")
    assert ran.code == 2
    assert "--brief goes with --due, --date and --period alone" in ran.err


def test_every_form_of_an_address_is_hidden() -> None:
    said = 'to <zoe@example.net>, "o\'hara"@example.org; yuri+x@sub.example.net: no'
    assert "example" not in without_addresses(said)


def test_a_text_made_to_be_slow_is_read_at_once() -> None:
    assert without_addresses('"a"' * 10_000 + "@") == '"a"' * 10_000 + "@"
