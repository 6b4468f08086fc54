"""A list that a variable holds: read as a file is, followed when it changes, and never shown."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter import pipeline
from newsletter.errors import SettingsError, SubscribersError
from newsletter.settings import load
from newsletter.subscribers import Roster, mentions, parse_csv, parse_yaml, read_roster
from newsletter.subscribers.held import Held
from tests.town import Town

HELD = Held("READERS")
YAML = "subscribers:\n  - zoe@example.net\n  - {address: yuri@example.net, name: Yuri}\n"
CSV = "\ufeffemail;name\r\nzoe@example.net;Zoe\r\nyuri@example.net;Yuri\r\n"
PRIVATE = ("zoe", "zanzibar", "example.net")
BROKEN = [
    "zoe@example.net",
    "- zoe@example.net",
    "subscribers: zoe@example.net",
    "subscribers:\n  zoe@example.net: Zoe",
    "subscribers:\n  - zoe@@example.net",
    "subscribers:\n  - zoe zanzibar@example.net",
    "subscribers:\n  - {address: zoe@example.net, zanzibar: yes}",
    "subscribers:\n  - {address: zoe@example.net, zoe@example.net: yes}",
    "subscribers:\n  - {address: zoe@example.net, timezone: Zanzibar}",
    "subscribers:\n  - {address: zoe@example.net, hour: zanzibar, papers: zanzibar, format: zoe, period: zoe}",
    "subscribers:\n  - {address: zoe@example.net, name: [zoe, zanzibar]}",
    "subscribers:\n  - {address: zoe@example.net, address: zoe@example.net}",
    "subscribers:\n  - {address: zoe@example.net, paused_until: zanzibar, active: zoe}",
    "subscribers:\n  - {address: zoe@example.net",
    "subscribers:\n  - *zoe@example.net",
    "subscribers:\n  - !zoe zanzibar",
    "subscribers:\n  - '\\zoe@example.net",
    "zanzibar:\n  - zoe@example.net\nsubscribers: []",
    "address,zoe\nzanzibar@,1,2",
    'address\n"zoe@example.net',
    "address,hour\nzoe@example.net,zanzibar",
    "address,email\nzoe@example.net,zanzibar",
]


def test_yaml_and_csv_are_told_apart_by_what_they_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for text in (YAML, CSV, "# ours\n" + YAML, "\ufeff" + YAML):
        monkeypatch.setenv("READERS", text)
        assert [one.address for one in read_roster(HELD).subscribers] == ["zoe@example.net", "yuri@example.net"]


@pytest.mark.parametrize("text", BROKEN)
def test_no_fault_repeats_a_word_of_the_list(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("READERS", text)
    with pytest.raises(SubscribersError) as caught:
        read_roster(HELD)
    lines = str(caught.value).splitlines()
    assert all(line.startswith("env:READERS:") for line in lines)
    assert not [word for word in PRIVATE if word in str(caught.value).casefold()], lines


@given(st.text("zoe@.:-{}[]'\"\n ,;*!#&|>%?\\"), st.sampled_from(["subscribers:\n  - ", "address,name\n", ""]))
def test_whatever_is_broken_no_fault_repeats_an_address(noise: str, begin: str) -> None:
    text = f"{begin}{noise}zanzibar@example.net{noise}"
    for parse in (parse_yaml, parse_csv):
        try:
            parse(text, "env:READERS", discreet=True)
        except SubscribersError as fault:
            said = str(fault)
        else:
            said = ""
        assert "zanzibar" not in said


def test_an_address_that_comes_twice_is_warned_of_by_its_line_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READERS", YAML + "  - ZOE@example.net\n")
    assert read_roster(HELD).duplicates == ("env:READERS:4: its address is already on line 2; this one is ignored",)


def test_without_the_variable_one_line_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READERS", "")
    with pytest.raises(SubscribersError, match=r"^env:READERS: there is no such variable; put the list into it"):
        read_roster(HELD)


@pytest.mark.parametrize("value", ["env:", "env:A B", "env:1", "env:NEWSLETTER_READERS", "env:A=B"])
def test_a_name_that_cannot_hold_a_list_is_refused(tmp_path: Path, value: str) -> None:
    (tmp_path / "newsletter.toml").write_text(f'subscribers = "{value}"\n')
    with pytest.raises(SettingsError, match="names no variable that may hold the list; write one such as env:SUB"):
        load(tmp_path / "newsletter.toml", {})


def test_the_list_is_followed_when_the_variable_changes_and_only_then(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("READERS", YAML)
    town = Town(tmp_path, datetime(2026, 1, 4, tzinfo=UTC), [], subscribers="env:READERS")
    town.tick()
    followed = [one.address for one in town.parts.subscribers.all()]
    assert followed == ["zoe@example.net", "yuri@example.net"]
    read: list[object] = []

    def reads(held: Held) -> Roster:
        read.append(held)
        return read_roster(held)

    monkeypatch.setattr(pipeline, "read_roster", reads)
    town.tick()
    assert read == []
    monkeypatch.setenv("READERS", YAML + "  - xenia@example.net\n")
    town.tick()
    assert read == [HELD]
    assert town.parts.subscribers.count() == 3
    assert [one.address for one in pipeline.readers(town.parts)] == [*followed, "xenia@example.net"]


def test_its_fingerprint_tells_nothing_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("READERS", YAML)
    assert HELD.fingerprint().startswith("env:READERS ")
    assert "zoe" not in HELD.fingerprint()
    assert mentions(HELD, " Zoe@Example.net")
    assert not mentions(HELD, "xenia@example.net")
