"""The operator's list: what goes out comes in again, and who is forgotten is forgotten in every byte."""

import csv
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings

from newsletter import roster
from newsletter.errors import UsageError
from newsletter.models import Standing, Subscriber
from newsletter.store import meta
from newsletter.store.engine import Database
from newsletter.store.subscribers import Imported, SubscriberStore
from newsletter.subscribers import parse_csv, parse_yaml, read_roster
from newsletter.subscribers.export import to_csv, to_yaml
from tests.flows.command import newsletter, smtp
from tests.make import NOON, a_reader
from tests.send.returned import status
from tests.send.servers import faulty_server
from tests.test_subscriber_files import people
from tests.web.sites import BASE, SECRET, Site

ADA = "Ada.Lovelace@example.com"


def empty_list() -> SubscriberStore:
    database = Database("sqlite://")
    meta.prepare_schema(database)
    return SubscriberStore(database, "papers")


def listed(store: SubscriberStore) -> list[Subscriber]:
    return [replace(one, id=None) for one in store.all()]


@given(people())
@settings(max_examples=60)
def test_a_list_that_is_exported_and_imported_elsewhere_is_the_same_list(readers: list[Subscriber]) -> None:
    first = empty_list()
    first.add(readers, NOON)
    assert listed(first) == readers
    for write, read in ((to_yaml, parse_yaml), (to_csv, parse_csv)):
        second = empty_list()
        second.add(read("".join(write(first.all())), "list").subscribers, NOON)
        assert listed(second) == listed(first)
        assert second.standings() == first.standings()


def test_twenty_thousand_rows_come_in_whole_and_each_once(tmp_path: Path) -> None:
    number, path = 20_000, tmp_path / "readers.csv"
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["email", "name", "period", "include", "status"])
        for n in range(number):
            standing = "unsubscribed" if n % 10 == 0 else "subscribed"
            rows.writerow(
                [f"r{n * 7919 % number}@example.org", f"Reader {n}", "weekly", "a; b" if n % 2 else "", standing]
            )
    store, found = empty_list(), read_roster(path).subscribers
    batches: list[int] = []
    assert store.add(found, NOON, batches.append) == Imported(new=number)
    assert (sum(batches), len(batches)) == (number, 4)
    assert listed(store) == list(found)
    assert store.standings()[Standing.UNSUBSCRIBED] == number // 10
    assert store.add(found, NOON) == Imported(known=number)


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def test_a_person_who_left_is_not_brought_back_by_an_import_or_by_the_file(site: Site) -> None:
    roster.remove(site.parts, "reader@example.org")
    done = roster.bring_in(site.parts, [a_reader("reader")], lambda _rows: None)
    assert done == Imported(known=1)
    site.parts.subscribers.follow_file([a_reader("reader", papers=3)])
    assert site.standing("reader@example.org") == "unsubscribed"


def test_a_person_who_bounced_or_left_in_another_system_is_mailed_no_more_here(site: Site) -> None:
    site.parts.subscribers.add([a_reader("ada"), a_reader("alan")], NOON)
    gone = [replace(a_reader("ada"), standing=Standing.BOUNCED), replace(a_reader("bo"), standing=Standing.COMPLAINED)]
    assert roster.bring_in(site.parts, gone, lambda _rows: None) == Imported(new=1, known=1, stopped=1)
    assert [site.standing(f"{name}@example.org") for name in ("ada", "alan", "bo")] == [
        *("bounced", "active", "complained"),
    ]


def test_a_person_whose_line_went_from_the_file_is_on_the_list_again_by_an_import(site: Site) -> None:
    """Who moves their readers from a file into the database must not lose them."""
    site.parts.subscribers.follow_file([])
    assert site.parts.subscribers.find("reader@example.org") is None
    assert [one.sign for one in roster.changes_of_import(site.parts, [a_reader("reader")])] == ["+"]
    assert roster.bring_in(site.parts, [a_reader("reader")], lambda _rows: None) == Imported(new=1)
    site.parts.subscribers.follow_file([])
    assert site.standing("reader@example.org") == "active"
    assert roster.bring_in(site.parts, [a_reader("reader")], lambda _rows: None) == Imported(known=1)


def test_a_person_whose_line_went_from_the_file_can_be_added_by_hand(site: Site) -> None:
    site.parts.subscribers.follow_file([])
    roster.add(site.parts, a_reader("reader"))
    site.parts.subscribers.follow_file([])
    assert site.standing("reader@example.org") == "active"


def test_a_person_who_left_and_whose_line_went_is_not_added_but_can_be_taken_in_again(site: Site) -> None:
    roster.remove(site.parts, "reader@example.org")
    site.parts.subscribers.follow_file([])
    assert [(one.sign, one.what) for one in roster.changes_of_import(site.parts, [a_reader("reader")])] == [
        ("!", "unsubscribed")
    ]
    with pytest.raises(UsageError, match="unsubscribed; `subscribers resubscribe` undoes that"):
        roster.add(site.parts, a_reader("reader"))
    roster.bring_in(site.parts, [a_reader("reader")], lambda _rows: None)
    assert site.standing("reader@example.org") in {None, "unsubscribed"}
    roster.take_in_again(site.parts, "reader@example.org")
    site.parts.subscribers.follow_file([])
    assert site.standing("reader@example.org") == "active"


def test_a_person_whose_line_went_and_who_signs_up_stays_on_the_list(site: Site) -> None:
    (site.folder / "subscribers.yaml").write_text("subscribers: []\n")
    site.parts.subscribers.follow_file([])
    site.join("reader@example.org")
    site.send()
    assert site.standing("reader@example.org") == "active"
    site.parts.subscribers.follow_file([])
    assert site.standing("reader@example.org") == "active"


def traces(folder: Path, words: str) -> list[str]:
    """Return the files of the database that hold the words in any case."""
    files = [path for path in (folder / "var").iterdir() if path.is_file()]
    assert files
    return [path.name for path in files if words.casefold().encode() in path.read_bytes().lower()]


def test_a_person_who_is_erased_is_in_no_byte_of_the_database(site: Site) -> None:
    others = [Subscriber(address=f"reader{n}-of-many@example.org", name=f"Reader {n}") for n in range(300)]
    site.parts.subscribers.add(others, NOON)
    site.sign_up(ADA)
    assert site.client.post(site.confirm_path(ADA)).status_code == 200
    reader = site.parts.subscribers.find(ADA.casefold())
    assert reader
    assert reader.id
    token = site.token_of(ADA.casefold())
    bounce = status("5.1.1", f"550 5.1.1 <{ADA}> user unknown", address=ADA)
    (site.folder / "bounces").write_bytes(b"From MAILER-DAEMON Thu Dec 25 12:00:00 2025\n" + bounce)
    settings = {"NEWSLETTER_SECRET_KEY": SECRET, "NEWSLETTER_BASE_URL": BASE}
    (site.folder / "readers.csv").write_text(f"email,name\n{ADA.upper()},Ada\n")
    with faulty_server({}) as server:
        server.to_each = lambda address: f"552 5.2.3 <{ADA}> takes no such mail" if address == ADA else None
        assert newsletter(site.folder, "send", **smtp(server.port), **settings).code == 1
    assert newsletter(site.folder, "bounces", "bounces", **settings).code == 0
    known = newsletter(site.folder, "subscribers", "export", "--person", ADA, **settings).out
    assert "user unknown" in known
    assert "takes no such mail" in known
    assert traces(site.folder, ADA) != []

    ran = newsletter(site.folder, "subscribers", "erase", ADA, **settings)
    assert (ran.code, ran.out, ran.err) == (0, f"{ADA}: is forgotten.\n", "")
    assert traces(site.folder, ADA) == traces(site.folder, "lovelace") == []
    again = newsletter(site.folder, "subscribers", "import", "readers.csv", **settings)
    assert (again.code, "1 left out who asked to be forgotten" in again.out) == (0, True)
    person = newsletter(site.folder, "subscribers", "export", "--person", ADA, **settings)
    assert (person.code, "is not on the list" in person.fault) == (2, True)
    late = newsletter(site.folder, "bounces", "bounces", **settings)
    assert late.code == 0
    assert site.client.post(f"/unsubscribe/{token}", data={"List-Unsubscribe": "One-Click"}).status_code == 200
    site.parts.database.close()
    assert traces(site.folder, ADA) == []


def test_many_who_are_erased_leave_nothing_whatever_page_they_were_on(site: Site) -> None:
    known = [Subscriber(address=f"person-{n * 37 % 400}@example.net", name=f"Somebody {n}") for n in range(400)]
    site.parts.subscribers.add(known, NOON)
    for n in range(0, 400, 9):
        assert roster.erase(site.parts, f" Person-{n}@example.net ")
    site.parts.database.close()
    for n in range(0, 400, 9):
        assert traces(site.folder, f"person-{n}@") == []
    assert traces(site.folder, "person-1@") != []


def test_who_was_erased_comes_back_only_by_themselves(site: Site) -> None:
    assert roster.erase(site.parts, "reader@example.org") is True
    assert roster.erase(site.parts, "nobody@example.org") is False
    for name in ("reader", "nobody"):
        with pytest.raises(UsageError, match="only they themselves can sign up again"):
            roster.add(site.parts, a_reader(name))
    site.parts.subscribers.follow_file([a_reader("reader")])
    assert site.standing("reader@example.org") is None
    site.join("reader@example.org")
    site.parts.subscribers.follow_file([a_reader("reader")])
    assert site.standing("reader@example.org") == "active"
