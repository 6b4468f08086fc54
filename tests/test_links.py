"""Addresses and tokens."""

import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeSerializer

from newsletter.links import UNSUBSCRIBE, Links

LINKS = Links("papers", "a secret", "example.org", "leave@example.org")
WEB = Links("papers", "a secret", "example.org", "leave@example.org", "https://news.example.org")


def test_a_message_id_is_the_same_for_every_attempt_and_tells_no_address() -> None:
    first = LINKS.message_id("daily/2025-12-25", 7)
    assert first == Links("papers", "a secret", "example.org", "other@example.org").message_id("daily/2025-12-25", 7)
    assert first.endswith("@example.org")
    assert len(first) == 32 + len("@example.org")


def test_message_ids_differ_by_issue_reader_list_and_secret() -> None:
    lists = [LINKS, Links("other", "a secret", "example.org", "x"), Links("papers", "b secret", "example.org", "x")]
    ids = {links.message_id(issue, reader) for links in lists for issue in "ab" for reader in (1, 2)}
    assert len(ids) == 12


@given(st.integers(0, 2**40))
def test_a_return_path_says_whose_a_bounce_is(reader: int) -> None:
    bounces = replace(LINKS, bounce_address="bounces@example.org")
    path = bounces.return_path(reader)
    assert path
    assert path.startswith(f"bounces+{reader}-")
    assert len(path.partition("@")[0]) <= 64
    assert bounces.subscriber_of_bounce(path.upper()) == reader
    assert bounces.subscriber_of_bounce(path.replace("+", "+1")) is None
    assert replace(bounces, secret="another").subscriber_of_bounce(path) is None


def test_without_an_address_for_bounces_they_go_to_the_sender() -> None:
    assert LINKS.return_path(7) is None


@given(st.integers(0, 2**40))
def test_a_token_says_who_leaves(reader: int) -> None:
    assert LINKS.subscriber_of(LINKS.unsubscribe_token(reader)) == reader


@given(st.integers(0, 2**40))
def test_a_token_is_the_one_that_itsdangerous_would_have_made(reader: int) -> None:
    options = {"key_derivation": "hmac", "digest_method": hashlib.sha256}
    theirs = URLSafeSerializer("a secret", salt=UNSUBSCRIBE, signer_kwargs=options).dumps(["papers", reader])
    assert LINKS.unsubscribe_token(reader) == theirs


@given(st.text())
def test_a_forged_token_says_nobody(token: str) -> None:
    assert LINKS.subscriber_of(token) is None


def test_a_token_of_another_list_or_secret_says_nobody() -> None:
    token = LINKS.unsubscribe_token(7)
    assert Links("other", "a secret", "example.org", "x").subscriber_of(token) is None
    assert Links("papers", "b secret", "example.org", "x").subscriber_of(token) is None


def test_without_a_website_leaving_is_a_mail() -> None:
    [item] = LINKS.list_unsubscribe("TOKEN")
    assert item == LINKS.unsubscribe_url("TOKEN")
    assert item.startswith("mailto:leave@example.org?subject=unsubscribe%20")
    assert not LINKS.one_click


def test_with_a_website_the_page_stands_before_the_mail() -> None:
    web, mail = WEB.list_unsubscribe("TOKEN")
    assert web == WEB.unsubscribe_url("TOKEN")
    assert web.startswith("https://news.example.org/unsubscribe/")
    assert mail.startswith("mailto:")


@pytest.mark.parametrize(("url", "offered"), [("https://a.example.org", True), ("http://a.example.org", False)])
def test_one_click_is_offered_over_https_alone(url: str, offered: bool) -> None:  # noqa: FBT001 - a table's column
    assert Links("papers", "s", "example.org", "x@example.org", url).one_click is offered
