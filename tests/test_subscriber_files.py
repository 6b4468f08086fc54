"""Subscriber files out and in: what is written is read back, and other systems' files are understood."""

import string
from datetime import date
from typing import Any

import pytest
from email_validator import EmailNotValidError, validate_email
from hypothesis import given
from hypothesis import strategies as st

from newsletter.errors import SubscribersError
from newsletter.models import Cadence, Format, Preferences, Standing, Subscriber
from newsletter.subscribers import LONGEST_NAME, PLAIN_ADDRESS, parse_csv, parse_yaml
from newsletter.subscribers.export import to_csv, to_yaml
from tests.make import a_reader

TEXT = st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), min_size=1, max_size=30).map(str.strip)
WORDS = st.lists(TEXT.filter(bool), max_size=4).map(tuple)
STANDINGS = [standing for standing in Standing if standing is not Standing.ERASED]


def people() -> st.SearchStrategy[list[Subscriber]]:
    preferences: Any = st.builds(
        Preferences,
        cadence=st.sampled_from(Cadence),
        format=st.sampled_from(Format),
        timezone=st.none() | st.sampled_from(["Europe/Berlin", "UTC", "Asia/Tokyo"]),
        hour=st.none() | st.integers(0, 23),
        papers=st.none() | st.integers(1, 100),
        only_matches=st.none() | st.booleans(),
        include=WORDS,
        exclude=WORDS,
        paused_until=st.none() | st.dates(),
    )
    one: Any = st.builds(
        Subscriber,
        address=st.from_regex(r"[a-z0-9=+-]{1,10}@example\.org", fullmatch=True),
        name=st.none() | TEXT.filter(bool).map(lambda name: name[:LONGEST_NAME]),
        preferences=preferences,
        active=st.booleans(),
        standing=st.sampled_from(STANDINGS),
    )
    return st.lists(one, max_size=4, unique_by=lambda reader: reader.key)


@given(people())
def test_a_list_written_as_yaml_is_read_back_as_it_was(roster: list[Subscriber]) -> None:
    assert list(parse_yaml("".join(to_yaml(roster)), "list.yaml").subscribers) == roster


@given(people())
def test_a_list_written_as_csv_is_read_back_as_it_was(roster: list[Subscriber]) -> None:
    assert list(parse_csv("".join(to_csv(roster)), "list.csv").subscribers) == roster


def test_no_cell_of_an_export_is_a_formula() -> None:
    text = "".join(to_csv([Subscriber(address="-x@example.org", name="=cmd|calc!A1")]))
    assert "'-x@example.org,'=cmd|calc!A1," in text


@given(st.text(string.ascii_letters + string.digits + ".-_+@", max_size=40) | st.from_regex(PLAIN_ADDRESS))
def test_the_quick_look_at_an_address_says_what_the_whole_check_says(text: str) -> None:
    if not PLAIN_ADDRESS.fullmatch(text):
        return
    try:
        assert validate_email(text, check_deliverability=False).normalized == (
            text.rpartition("@")[0] + "@" + text.rpartition("@")[2].lower()
        )
    except EmailNotValidError as fault:
        pytest.fail(f"{text}: {fault}")


MAILCHIMP = "Email Address,First Name,Last Name,MEMBER_RATING,OPTIN_TIME{},Notes\n"


@pytest.mark.parametrize(
    ("column", "standing"),
    [("", Standing.ACTIVE), (",UNSUB_TIME", Standing.UNSUBSCRIBED), (",CLEAN_TIME", Standing.BOUNCED)],
)
def test_mailchimps_files_keep_who_left_and_who_bounced(column: str, standing: Standing) -> None:
    extra = ",2024-01-01" if column else ""
    text = MAILCHIMP.format(column) + f"ada@example.org,Ada,Lovelace,2,2020-01-01{extra},\n"
    [reader] = parse_csv(text, "export.csv").subscribers
    assert (reader.name, reader.standing) == ("Ada Lovelace", standing)


def test_listmonks_file_keeps_its_status_column() -> None:
    rows = "uuid,email,name,attributes,status\n" + "".join(
        f'u{n},r{n}@example.org,R,"{{}}",{status}\n'
        for n, status in enumerate(["enabled", "blocklisted", "disabled", "Unconfirmed", "cleaned"])
    )
    assert [one.standing for one in parse_csv(rows, "subscribers.csv").subscribers] == [
        Standing.ACTIVE,
        Standing.UNSUBSCRIBED,
        Standing.UNSUBSCRIBED,
        Standing.PENDING,
        Standing.BOUNCED,
    ]


def test_a_status_that_nobody_knows_is_told_with_its_line() -> None:
    with pytest.raises(SubscribersError, match=r"^x\.csv:2: status: 'odd' is no status; write active, pending,"):
        parse_csv("email,status\nada@example.org,odd\n", "x.csv")


def test_a_pause_is_a_day() -> None:
    text = "subscribers:\n- address: ada@example.org\n  paused_until: 2026-03-01\n"
    [reader] = parse_yaml(text, "x.yaml").subscribers
    assert reader.preferences.paused_until == date(2026, 3, 1)
    with pytest.raises(SubscribersError, match="'March' is no day; write one such as 2026-03-01"):
        parse_yaml(text.replace("2026-03-01", "March"), "x.yaml")


def test_an_empty_list_is_a_list_too() -> None:
    assert parse_yaml("".join(to_yaml([])), "x.yaml").subscribers == ()
    assert a_reader().standing is Standing.ACTIVE
