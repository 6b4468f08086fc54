"""The store's promises are asked of SQLite and of PostgreSQL alike."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from newsletter.models import Subscriber
from tests.make import a_reader
from tests.store.books import Books, OpenBooks

if TYPE_CHECKING:
    from tests.postgres import Server


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    """Return a function that returns the URL of an empty database."""
    if request.param == "postgresql":
        server: Server = request.getfixturevalue("postgresql")
        return server.new_url
    numbers = count()
    return lambda: f"sqlite:///{tmp_path}/{next(numbers)}.sqlite3"


@pytest.fixture
def open_books(new_url: Callable[[], str]) -> Iterator[OpenBooks]:
    """Return a function that makes a ledger for some readers."""
    with ExitStack() as stack:

        def opened(readers: list[Subscriber]) -> Books:
            books = Books(new_url(), readers)
            stack.callback(books.database.close)
            return books

        yield opened


@pytest.fixture
def books(open_books: OpenBooks) -> Books:
    return open_books([a_reader("ada"), a_reader("alan"), a_reader("grace")])
