"""A ledger with something in it."""

from collections.abc import Callable
from datetime import datetime

from newsletter.models import Cadence, Delivery, State, Subscriber
from newsletter.store import meta
from newsletter.store.engine import Database
from newsletter.store.issues import IssueStore
from newsletter.store.ledger import Choose, Claimant, Ledger
from newsletter.store.subscribers import SubscriberStore
from tests.make import NOON, an_issue, picks

ME = Claimant("me", "boot-1")
ISSUE = an_issue()


class Books:
    """A database with one frozen issue and its readers."""

    def __init__(self, url: str, readers: list[Subscriber]) -> None:
        self.database = Database(url)
        meta.prepare_schema(self.database)
        self.subscribers = SubscriberStore(self.database, "papers")
        self.ledger = Ledger(self.database, "papers")
        self.subscribers.follow_file(readers)
        IssueStore(self.database, "papers").freeze(ISSUE, ISSUE.digest.entries, NOON)
        self.ledger.freeze(ISSUE.key, Cadence.DAILY, NOON)

    def claim(self, who: Claimant = ME, limit: int = 100, now: datetime = NOON) -> list[Delivery]:
        return [one for one, _ in self.claim_with(lambda _reader: picks(1, 2, 3), who, limit, now)]

    def claim_with(
        self, choose: Choose, who: Claimant = ME, limit: int = 100, now: datetime = NOON
    ) -> list[tuple[Delivery, Subscriber]]:
        return self.ledger.claim(ISSUE.key, who, limit, now=now, choose=choose, relays=["relay"])

    def mark(self, one: Delivery, now: datetime = NOON) -> bool:
        return bool(self.ledger.enter([(one, "relay")], [], now))

    def settle(self, *deliveries: Delivery) -> None:
        self.ledger.settle(deliveries, NOON)

    def states(self) -> dict[State, int]:
        return {state: n for state, n in self.ledger.tally(ISSUE.key).counts.items() if n}


OpenBooks = Callable[[list[Subscriber]], Books]
