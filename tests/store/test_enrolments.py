"""Coming, leaving and what is mailed because of it, asked of SQLite and of PostgreSQL."""

from dataclasses import replace
from datetime import timedelta

import pytest

from newsletter.models import Event, NoticeKind, Preferences, ReportKind, Standing, State
from newsletter.store.bounces import Bounced, Tolerance
from newsletter.store.enrolments import EnrolmentStore, Witness
from newsletter.store.notices import LEASE
from newsletter.store.subscribers import Imported
from tests.make import NOON, a_reader
from tests.store.books import Books

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
ALL = tuple(NoticeKind)


@pytest.fixture
def store(books: Books) -> EnrolmentStore:
    return EnrolmentStore(books.database, books.subscribers, "papers", Tolerance(hard=2, soft=3, decay=30 * DAY))


def ask(store: EnrolmentStore, address: str, at: int = 0) -> bool:
    return store.ask(address, Preferences(), Witness(NOON + at * MINUTE), most_an_hour=100)


def number_of(books: Books, address: str) -> int:
    reader = books.subscribers.find(address, unlisted=True)
    assert reader
    assert reader.id
    return reader.id


def confirm(store: EnrolmentStore, number: int, at: int) -> bool:
    """Press the button of the mail that waits."""
    waiting = store.notices.claim("me", [NoticeKind.CONFIRM], NOON + at * MINUTE, 9)
    [stamp] = {one.stamp for one in waiting if one.reader.id == number}
    return store.confirm(number, stamp, Witness(NOON + at * MINUTE))


def test_a_person_asks_confirms_leaves_and_comes_back_by_themselves(books: Books, store: EnrolmentStore) -> None:
    assert ask(store, "New@example.org")
    new = number_of(books, "new@example.org")
    assert confirm(store, new, 1)
    assert store.leave(new, Witness(NOON + 2 * MINUTE))
    assert not store.leave(new, Witness(NOON + 3 * MINUTE))
    assert books.subscribers.add([a_reader("new")], NOON) == Imported(known=1)
    books.subscribers.follow_file([a_reader("new")])
    assert books.subscribers.get(new).standing is Standing.UNSUBSCRIBED  # type: ignore[union-attr]
    ask(store, "new@example.org", at=60 * 48)
    assert confirm(store, new, 60 * 48 + 1)
    events = [row["event"] for row in store.history(new)]
    assert events == [Event.ASKED, Event.CONFIRMED, Event.LEFT, Event.ASKED, Event.CONFIRMED]


def test_who_is_put_back_by_any_way_stays_when_the_file_is_followed_again(books: Books, store: EnrolmentStore) -> None:
    books.subscribers.follow_file([])
    assert list(books.subscribers.all()) == []
    ask(store, "ada@example.org")
    ada, alan = number_of(books, "ada@example.org"), number_of(books, "alan@example.org")
    assert books.subscribers.get(ada).standing is Standing.PENDING  # type: ignore[union-attr]
    assert confirm(store, ada, 1)
    store.return_to(alan, Witness(NOON))
    assert books.subscribers.add([a_reader("grace"), a_reader("new")], NOON) == Imported(new=2)
    books.subscribers.follow_file([])
    standings = {one.key.partition("@")[0]: one.standing for one in books.subscribers.all()}
    assert standings == dict.fromkeys(("ada", "alan", "grace", "new"), Standing.ACTIVE)
    assert [row["event"] for row in store.history(number_of(books, "grace@example.org"))] == [Event.IMPORTED]


def test_a_row_of_another_list_is_not_touched(books: Books, store: EnrolmentStore) -> None:
    from newsletter.store.subscribers import SubscriberStore

    other = SubscriberStore(books.database, "other")
    assert other.add([a_reader("ada"), a_reader("zoe")], NOON) == Imported(new=2)
    assert books.subscribers.add([a_reader("zoe")], NOON) == Imported(new=1)
    store.erase("zoe@example.org", NOON)
    assert books.subscribers.find("zoe@example.org") is None
    assert other.find("zoe@example.org")
    assert other.add([a_reader("zoe")], NOON) == Imported(known=1)
    assert books.subscribers.add([a_reader("zoe")], NOON) == Imported(erased=1)


def test_each_new_reader_of_an_import_is_welcomed_once_and_nobody_else(books: Books, store: EnrolmentStore) -> None:
    people = [a_reader("ada"), a_reader("new"), replace(a_reader("off"), active=False)]
    people += [replace(a_reader("left"), standing=Standing.UNSUBSCRIBED)]
    for at in (NOON, NOON + MINUTE):
        books.subscribers.add(people, at)
        store.welcome_imported(at)
    found = store.notices.claim("me", ALL, NOON + MINUTE, 9)
    assert [(one.kind, one.reader.address) for one in found] == [(NoticeKind.WELCOME, "new@example.org")]


def test_a_notice_is_claimed_by_one_and_marked_by_its_owner_alone(books: Books, store: EnrolmentStore) -> None:
    del books
    ask(store, "new@example.org")
    [mine] = store.notices.claim("me", ALL, NOON, 9)
    assert store.notices.claim("you", ALL, NOON, 9) == []
    assert not store.notices.mark(mine.id, "you")
    assert store.notices.mark(mine.id, "me")
    assert not store.notices.mark(mine.id, "me")


def test_a_claim_that_was_given_up_is_anothers_and_the_sleeper_may_not_mark(store: EnrolmentStore) -> None:
    ask(store, "new@example.org")
    [mine] = store.notices.claim("me", ALL, NOON, 9)
    later = NOON + LEASE + MINUTE
    assert [one.id for one in store.notices.claim("you", ALL, later, 9)] == [mine.id]
    assert not store.notices.mark(mine.id, "me")
    store.notices.settle(mine.id, "me", State.SENT, "", later)
    assert store.notices.mark(mine.id, "you")


def test_what_was_marked_and_never_settled_is_not_tried_again(store: EnrolmentStore) -> None:
    ask(store, "new@example.org")
    [mine] = store.notices.claim("me", ALL, NOON, 9)
    assert store.notices.mark(mine.id, "me")
    store.notices.release([mine.id], "me", NOON)
    assert store.notices.claim("you", ALL, NOON + DAY, 9) == []


def test_a_confirmation_that_waited_three_days_is_not_sent_and_a_welcome_is(
    books: Books, store: EnrolmentStore
) -> None:
    ask(store, "new@example.org")
    books.subscribers.add([a_reader("fresh")], NOON)
    store.welcome_imported(NOON)
    found = store.notices.claim("me", ALL, NOON + 3 * DAY + MINUTE, 9)
    assert [one.kind for one in found] == [NoticeKind.WELCOME]


def test_reports_of_somebody_who_is_erased_or_of_nobody_are_not_kept(books: Books, store: EnrolmentStore) -> None:
    ada = number_of(books, "ada@example.org")
    store.erase("ada@example.org", NOON)
    late = [Bounced(who, ReportKind.COMPLAINT, "late", "ada@example.org") for who in (ada, 12345)]
    assert store.bounces.record(late, NOON) == []
    assert store.bounces.of(ada) == []


def test_who_never_confirmed_is_forgotten_but_for_who_had_an_issue(books: Books, store: EnrolmentStore) -> None:
    ask(store, "new@example.org")
    books.subscribers.follow_file([])
    ask(store, "ada@example.org")
    assert store.forget_pending(NOON + DAY) == 1
    assert books.subscribers.find("new@example.org") is None
    assert books.subscribers.find("ada@example.org").standing is Standing.PENDING  # type: ignore[union-attr]
