"""Who got an issue is forgotten after a while; its sums are not, and nobody gets it again."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from newsletter.models import Cadence, State
from newsletter.store.retention import RetentionStore
from tests.make import NOON, a_reader
from tests.store.books import ISSUE, Books

LATER = NOON + timedelta(days=366)


@pytest.fixture
def forget(books: Books) -> Callable[[], list[str]]:
    return lambda: RetentionStore(books.database, "papers", 365).forget_copies(LATER)


def settle_all(books: Books) -> None:
    first, second, third = books.claim()
    books.settle(
        first._replace(state=State.SENT), second._replace(state=State.SENT), third._replace(state=State.FAILED)
    )


def test_who_got_an_old_issue_is_forgotten_and_its_sums_stay(books: Books, forget: Callable[[], list[str]]) -> None:
    settle_all(books)
    before = books.ledger.tally(ISSUE.key)
    assert forget() == [ISSUE.key]
    assert list(books.ledger.of_issue(ISSUE.key)) == []
    assert books.ledger.tally(ISSUE.key) == before
    assert before.counts[State.SENT] == 2
    assert forget() == [], "once is enough"


def test_nobody_is_mailed_a_forgotten_issue_again(books: Books, forget: Callable[[], list[str]]) -> None:
    settle_all(books)
    forget()
    books.subscribers.add([a_reader("katherine")], NOON)
    assert books.ledger.freeze(ISSUE.key, Cadence.DAILY, LATER) == 0
    assert books.claim() == []
    assert books.ledger.unfinished() == []


def test_an_issue_of_which_something_waits_is_not_forgotten(books: Books, forget: Callable[[], list[str]]) -> None:
    first, *_rest = books.claim()
    books.settle(first._replace(state=State.SENT))
    assert forget() == []
    assert books.ledger.tally(ISSUE.key).audience == 3


def test_a_young_issue_is_not_forgotten(books: Books) -> None:
    settle_all(books)
    assert RetentionStore(books.database, "papers", 365).forget_copies(NOON) == []
    assert RetentionStore(books.database, "papers", 0).forget_copies(LATER) == []
    assert len(list(books.ledger.of_issue(ISSUE.key))) == 3
