"""Signing up, confirming, choosing and leaving: what each door does, and what it never does."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter.links import Links
from tests.make import DAY
from tests.web.sites import BASE, Site, path_in, text_of

READER = "reader@example.org"  # of the file
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_person_signs_up_confirms_and_is_welcomed_once(site: Site) -> None:
    site.send()
    assert site.sign_up() == 303
    assert site.standing("ada@example.org") == "pending"
    path = site.confirm_path()
    assert "Yes, send it to me" in site.client.get(path).text
    assert site.standing("ada@example.org") == "pending", "a look changes nothing"
    assert "Welcome" in site.client.post(path).text
    assert "You are on the list" in site.client.post(path).text, "pressing twice is fine"
    assert site.standing("ada@example.org") == "active"
    welcomes = [mail for mail in site.mails() if mail["Subject"] == "Welcome to Trending Papers"]
    assert len(welcomes) == 1
    text = " ".join(text_of(welcomes[0]).split())
    assert "comes on each day that brings new papers, from papers@example.org" in text
    assert f"{BASE}/issues/daily/2025-12-25" in text


def test_who_was_welcomed_is_not_welcomed_again_after_coming_back(site: Site) -> None:
    token = site.join()
    site.client.post(f"/unsubscribe/{token}")
    site.clock.now += timedelta(days=2)
    site.join()
    assert [mail["Subject"] for mail in site.mails()].count("Welcome to Trending Papers") == 1


def test_a_known_address_an_unknown_one_and_one_that_left_get_the_same_answer(site: Site) -> None:
    site.join("left@example.org")
    site.client.post(f"/unsubscribe/{site.token_of('left@example.org')}")
    answers = []
    for address in ("new@example.org", READER, "left@example.org"):
        data = {"form": site.form(), "address": address, "period": "daily"}
        answer = site.client.post("/subscribe", data=data)
        answers.append((answer.status_code, answer.headers["Location"], answer.text, sorted(answer.headers.keys())))
    assert answers[0] == answers[1] == answers[2]


def test_who_is_on_the_list_already_is_told_so_by_mail_alone(site: Site) -> None:
    site.sign_up(READER)
    assert "It is on the list, and nothing has changed" in " ".join(site.mail_to(READER).split())
    assert f"/preferences/{site.token_of(READER)}" in site.mail_to(READER)


def test_an_address_gets_one_mail_a_day_and_three_in_all(site: Site) -> None:
    for day in range(6):
        for _ in range(2):
            site.sign_up()
        assert len(site.mails()) == min(day + 1, 3)
        site.clock.now += timedelta(days=1)


def test_all_together_get_no_more_mails_an_hour_than_the_setting(tmp_path: Path) -> None:
    site = Site(tmp_path, signup={"per_hour": 5, "per_client": "1000 per minute"})
    statuses = [site.sign_up(f"r{number}@example.org") for number in range(8)]
    assert statuses == [303] * 5 + [503] * 3
    assert len(site.mails()) == 5
    assert site.parts.subscribers.find("r7@example.org") is None, "nor is anything written down beyond that"
    site.clock.now += timedelta(hours=1)
    assert site.sign_up("later@example.org") == 303


def test_one_client_is_slowed_down_and_others_are_not(site: Site) -> None:
    data = {"form": site.form(), "address": "ada@example.org", "period": "daily"}
    here = [site.client.post("/subscribe", data=data).status_code for _ in range(8)]
    there = site.client.post("/subscribe", data=data, environ_overrides={"REMOTE_ADDR": "192.0.2.7"}).status_code
    assert here == [303] * 5 + [429] * 3
    assert there == 303


def test_the_neighbours_in_one_ipv6_network_are_one_client(site: Site) -> None:
    data = {"form": site.form(), "address": "ada@example.org", "period": "daily"}
    statuses = [
        site.client.post("/subscribe", data=data, environ_overrides={"REMOTE_ADDR": f"2001:db8::{n:x}"}).status_code
        for n in range(1, 8)
    ]
    assert statuses == [303] * 5 + [429] * 2


def test_a_machine_that_fills_in_the_hidden_field_is_thanked_and_forgotten(site: Site) -> None:
    assert site.sign_up(website="https://example.net") == 303
    assert site.standing("ada@example.org") is None


def test_a_form_filled_in_within_a_moment_asks_to_press_once_more(site: Site) -> None:
    token = site.parts.links.form_token(site.clock.now)
    answer = site.client.post("/subscribe", data={"form": token, "address": "ada@example.org", "period": "daily"})
    assert answer.status_code == 422
    assert "Please press the button once more" in answer.text
    assert 'value="ada@example.org"' in answer.text, "nothing has to be typed again"


@pytest.mark.parametrize("address", ["", "ada", "ada@", "a b@example.org", "ada@example.org\r\nBcc: x@example.org"])
def test_what_is_no_address_is_said_so_beside_the_field(site: Site, address: str) -> None:
    answer = site.client.post("/subscribe", data={"form": site.form(), "address": address, "period": "daily"})
    assert answer.status_code == 422
    assert re.search(r'<p class="fault wide" id="fault" role="alert">.+</p>', answer.text)
    assert site.mails() == []


def test_domains_can_be_kept_out_or_let_in_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    closed = Site(tmp_path / "a", signup={"deny_domains": ["example.net"]})
    assert [closed.sign_up("a@example.net"), closed.sign_up("a@mx.example.net"), closed.sign_up()] == [422, 422, 303]
    alone = Site(tmp_path / "b", signup={"allow_domains": ["example.com"]})
    assert [alone.sign_up("a@example.com"), alone.sign_up()] == [303, 422]


def test_a_list_that_takes_no_sign_ups_has_no_form(tmp_path: Path) -> None:
    site = Site(tmp_path, signup={"open": False})
    assert "<form" not in site.client.get("/").text
    assert site.client.post("/subscribe", data={"address": "ada@example.org"}).status_code == 404


def test_a_confirmation_expires_and_is_good_for_once(site: Site) -> None:
    site.sign_up()
    path = site.confirm_path()
    site.client.post(path)
    site.clock.now += timedelta(minutes=1)
    site.client.post(f"/unsubscribe/{site.token_of('ada@example.org')}")
    assert site.client.post(path).status_code == 410, "it was used; who left does not come back by it"
    assert site.standing("ada@example.org") == "unsubscribed"
    site.sign_up("late@example.org")
    path = site.confirm_path("late@example.org")
    site.clock.now += timedelta(hours=73)
    assert site.client.get(path).status_code == site.client.post(path).status_code == 410
    assert site.standing("late@example.org") == "pending"


def test_who_never_confirms_is_forgotten(site: Site) -> None:
    site.sign_up()
    assert site.parts.enrolments.forget_pending(site.clock.now - timedelta(days=7)) == 0
    assert site.parts.enrolments.forget_pending(site.clock.now + timedelta(days=1)) == 1
    assert site.standing("ada@example.org") is None


@pytest.mark.parametrize("form", ["application/x-www-form-urlencoded", "multipart/form-data"])
def test_one_click_in_a_mail_program_ends_it_whatever_the_encoding(site: Site, form: str) -> None:
    path = f"/unsubscribe/{site.token_of(READER)}"
    for _ in range(3):
        answer = site.client.post(path, data=ONE_CLICK, content_type=form)
        assert answer.status_code == 200
        assert "Set-Cookie" not in answer.headers
    assert site.standing(READER) == "unsubscribed"
    site.send()
    assert site.mails() == []


def test_a_link_of_a_mail_leads_out_and_a_second_press_is_fine(site: Site) -> None:
    site.send()
    path = path_in(site.mail_to(READER), "unsubscribe")
    assert "Leave the list?" in site.client.get(path).text
    assert site.standing(READER) == "active"
    assert "You have left the list" in site.client.post(path).text
    assert "You have left the list" in site.client.post(path).text
    for reason in ("too many papers", "again and again"):
        assert "Thank you" in site.client.post(path, data={"reason": reason}).text
        site.client.post(path, data={"List-Unsubscribe": "One-Click"})
    history = site.parts.enrolments.history(site.parts.subscribers.find(READER).id)  # type: ignore[union-attr,arg-type]
    assert [(row["event"], row["words"]) for row in history] == [("left", ""), ("left", "too many papers")]


def test_the_link_of_somebody_who_was_erased_still_answers(site: Site) -> None:
    token = site.token_of(READER)
    site.parts.enrolments.erase(READER, site.clock.now)
    assert site.client.get(f"/unsubscribe/{token}").status_code == 200
    assert site.client.post(f"/unsubscribe/{token}", data=ONE_CLICK).status_code == 200
    assert site.client.get(f"/preferences/{token}").status_code == 200


def test_what_a_reader_chose_counts_for_the_next_issue(site: Site) -> None:
    path = f"/preferences/{site.token_of(READER)}"
    form = {"period": "daily", "format": "text", "papers": "2", "include": "video\nreasoning", "hour": "7"}
    answer = site.client.post(path, data=form | {"timezone": "Asia/Tokyo"})
    assert "Saved" in answer.text
    wants = site.parts.subscribers.find(READER).preferences  # type: ignore[union-attr]
    assert (wants.format, wants.papers, wants.include, wants.hour) == ("text", 2, ("video", "reasoning"), 7)
    site.send()
    [mail] = site.mails()
    assert mail.get_content_type() == "text/plain"


def test_a_pause_ends_by_itself(site: Site) -> None:
    form = {"period": "daily", "format": "html", "paused_until": "2025-12-26"}
    site.client.post(f"/preferences/{site.token_of(READER)}", data=form)
    site.send()
    assert site.mails() == []
    site.clock.now += timedelta(days=1)
    site.send()
    assert len(site.mails()) == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(
            ("period", "hourly"),
            ("format", "pdf"),
            ("hour", "24"),
            ("timezone", "Mars"),
            ("papers", "0"),
            ("papers", "x"),
        ),
        *(("paused_until", "soon"), ("include", "x" * 81), ("exclude", "\n".join(map(str, range(31))))),
    ],
)
def test_a_wrong_choice_is_told_and_nothing_is_saved(site: Site, field: str, value: str) -> None:
    form = {"period": "weekly", "format": "text"} | {field: value}
    answer = site.client.post(f"/preferences/{site.token_of(READER)}", data=form)
    assert answer.status_code == 422
    assert site.parts.subscribers.find(READER).preferences.cadence == "daily"  # type: ignore[union-attr]


def test_what_a_reader_chose_stays_until_their_line_in_the_file_changes(site: Site) -> None:
    from newsletter import pipeline

    site.client.post(f"/preferences/{site.token_of(READER)}", data={"period": "weekly", "format": "html"})
    pipeline.follow_roster(site.parts)
    assert site.parts.subscribers.find(READER).preferences.cadence == "weekly"  # type: ignore[union-attr]
    (site.folder / "subscribers.yaml").write_text("subscribers:\n  - {address: reader@example.org, papers: 4}\n")
    pipeline.follow_roster(site.parts)
    wants = site.parts.subscribers.find(READER).preferences  # type: ignore[union-attr]
    assert (wants.cadence, wants.papers) == ("daily", 4)


def test_no_look_changes_anything(site: Site) -> None:
    site.send()
    site.sign_up()
    token, confirm = site.token_of(READER), site.confirm_path()
    for path in (f"/unsubscribe/{token}", f"/preferences/{token}", confirm, "/", "/archive"):
        for method in ("GET", "HEAD"):
            answer = site.client.open(path, method=method, headers={"Sec-Purpose": "prefetch"})
            assert answer.status_code == 200
    assert (site.standing(READER), site.standing("ada@example.org")) == ("active", "pending")


def test_forged_swapped_and_shortened_tokens_open_nothing(site: Site) -> None:
    site.sign_up()
    own, confirm = site.token_of(READER), site.confirm_path().rpartition("/")[2]
    other_list = Links("other", site.parts.links.secret, "example.org", "x@example.org").unsubscribe_token(1)
    other_key = Links("papers", "another secret of somebody", "example.org", "x@example.org").unsubscribe_token(1)
    payload, _, signature = own.partition(".")
    bad = [own[:-4], own[4:], f"{payload}.", f".{signature}", confirm, other_list, other_key, "x", "a" * 3000, "%00"]
    for token in bad:
        for door in ("unsubscribe", "preferences"):
            assert 400 <= site.client.get(f"/{door}/{token}").status_code < 500, (door, token)
            assert 400 <= site.client.post(f"/{door}/{token}", data=ONE_CLICK).status_code < 500, (door, token)
    for token in (own, confirm[:-3], other_list, site.form()):
        assert site.client.post(f"/confirm/{token}").status_code == 404
    assert (site.standing(READER), site.standing("ada@example.org")) == ("active", "pending")


def test_links_signed_with_an_earlier_key_still_work(tmp_path: Path) -> None:
    token = Site(tmp_path).token_of(READER)
    site = Site(
        tmp_path, secret_key="quite another secret, as long", earlier_secret_keys=["a secret of this test, long enough"]
    )
    assert site.token_of(READER) != token
    assert site.client.post(f"/unsubscribe/{token}", data=ONE_CLICK).status_code == 200
    assert site.standing(READER) == "unsubscribed"


def test_forms_of_other_sites_are_refused_and_one_click_is_not(site: Site) -> None:
    evil = {"Origin": "https://evil.example.net"}
    data = {"form": site.form(), "address": "ada@example.org", "period": "daily"}
    assert site.client.post("/subscribe", data=data, headers=evil).status_code == 403
    preferences = f"/preferences/{site.token_of(READER)}"
    assert (
        site.client.post(preferences, data={"period": "weekly"}, headers={"Sec-Fetch-Site": "cross-site"}).status_code
        == 403
    )
    assert site.client.post("/subscribe", data=data, headers={"Origin": BASE}).status_code == 303
    assert site.client.post(f"/unsubscribe/{site.token_of(READER)}", data=ONE_CLICK, headers=evil).status_code == 200


def test_the_proof_of_consent_is_kept_without_the_network_address(site: Site) -> None:
    site.join()
    reader = site.parts.subscribers.find("ada@example.org")
    assert reader
    assert reader.id
    history = site.parts.enrolments.history(reader.id)
    assert [row["event"] for row in history] == ["asked", "confirmed"]
    assert "You can leave with one click" in history[0]["words"]
    assert history[0]["client"] == history[1]["client"] != ""
    assert "127.0.0.1" not in str(history)
    assert history[0]["at"].date() == DAY
