"""How people come, change and leave: each step is one transaction, with the proof of it beside."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, delete, exists, func, select, update

from newsletter.models import Event, NoticeKind, Preferences, Standing
from newsletter.store.bounces import BounceStore, Tolerance
from newsletter.store.engine import Database
from newsletter.store.notices import NoticeStore, stamp_of
from newsletter.store.subscribers import SubscriberStore, chosen
from newsletter.store.tables import bounce, consent, delivery, forgotten, notice, subscriber

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MOST_ASKED = 3  # mails to one address that nobody answers


@dataclass(frozen=True, slots=True)
class Witness:
    """What is kept as proof: when, a hash of the network address it came from, and the words that were agreed to."""

    at: datetime
    client: str = ""
    words: str = ""


class EnrolmentStore:
    """The comings and goings of one list, with what is mailed because of them and what comes back."""

    def __init__(self, database: Database, subscribers: SubscriberStore, list_id: str, tolerance: Tolerance) -> None:
        self.notices = NoticeStore(database, list_id)
        self.bounces = BounceStore(database, list_id, tolerance)
        self._database = database
        self._subscribers = subscribers
        self._list_id = list_id

    def ask(self, address: str, preferences: Preferences, witness: Witness, *, most_an_hour: int) -> bool:
        """Note that somebody entered an address, and queue the mail that asks whether it was they.

        To an address goes one such mail a day and three in all while nobody answers, and to all together
        `most_an_hour`; beyond that nothing is queued, nor written down.

        Returns:
            False if all together were too many.
        """
        with self._database.writing() as connection:
            if self.notices.queued_since(connection, witness.at - HOUR) >= most_an_hour:
                return False
            row = self._found(connection, subscriber.c.key == address.casefold())
            number = row.id if row else self._expect(connection, address, preferences, witness.at)
            if row and not row.listed:
                self._list_again(connection, row, witness.at)
            answered = row.stood_at if row and row.stood_at else witness.at - 30 * DAY
            today = self.notices.queued_since(connection, witness.at - DAY, number)
            if not today and self.notices.queued_since(connection, answered, number) < MOST_ASKED:
                known = row is not None and row.standing == Standing.ACTIVE.value and row.listed
                kind = NoticeKind.KNOWN if known else NoticeKind.CONFIRM
                key = f"{kind}:{number}:{int(witness.at.timestamp() * 1000)}"
                self.notices.queue(connection, kind, number, key, witness.at)
                self._note(connection, number, Event.ASKED, witness)
        return True

    def confirm(self, number: int, stamp: int, witness: Witness) -> bool:
        """Make a person a reader, and queue their welcome; return whether they are one now.

        A person who is one already stays so. A stamp that is not the row's own confirms nothing: the link was used, and
        much may have happened since.
        """
        with self._database.writing() as connection:
            row = self._found(connection, subscriber.c.id == number)
            if row is None or row.standing == Standing.ERASED.value:
                return False
            if row.standing == Standing.ACTIVE.value and row.listed:
                return True
            if stamp_of(row.stood_at) != stamp:
                return False
            origin = case((subscriber.c.listed, subscriber.c.origin), else_="web")
            self._stand(connection, number, Standing.ACTIVE, witness.at, listed=True, active=True, origin=origin)
            self._note(connection, number, Event.CONFIRMED, witness)
            self.bounces.forgive(connection, number)
            connection.execute(delete(forgotten).where(self._mark_of(row.key)))
            self.welcome(connection, number, witness.at)
        return True

    def welcome(self, connection: Connection, number: int, now: datetime) -> None:
        """Queue a reader's welcome, which is sent once in their life."""
        self.notices.queue(connection, NoticeKind.WELCOME, number, f"welcome:{number}", now)

    def welcome_imported(self, since: datetime) -> int:
        """Queue the welcome of everybody who was imported since a moment; return how many these are."""
        fresh = and_(self._mine, subscriber.c.origin == "import", subscriber.c.stood_at >= since)
        active = and_(subscriber.c.standing == Standing.ACTIVE.value, subscriber.c.active)
        with self._database.writing() as connection:
            numbers = list(connection.scalars(select(subscriber.c.id).where(fresh, active)))
            for number in numbers:
                self.welcome(connection, number, since)
        return len(numbers)

    def leave(
        self, number: int, witness: Witness, standing: Standing = Standing.UNSUBSCRIBED, event: Event = Event.LEFT
    ) -> bool:
        """Take a reader off the list; return whether they were on it. Who left before stays as they were."""
        with self._database.writing() as connection:
            row = self._found(connection, subscriber.c.id == number)
            if row is None or Standing(row.standing).barred:
                said = witness.words and event is Event.LEFT
                if (
                    row
                    and said
                    and row.standing == Standing.UNSUBSCRIBED.value
                    and not self._gave_reason(connection, row)
                ):
                    self._note(connection, number, event, witness)  # the reason, given on the page after leaving
                return False
            self._stand(connection, number, standing, witness.at)
            self._note(connection, number, event, witness)
        return True

    def return_to(self, number: int, witness: Witness) -> None:
        """Make a person a reader again by the operator's word; what bounced is forgiven."""
        with self._database.writing() as connection:
            # A line that is gone from the file takes nobody off again who came back without it.
            origin = case((subscriber.c.listed, subscriber.c.origin), else_="import")
            self._stand(connection, number, Standing.ACTIVE, witness.at, listed=True, active=True, origin=origin)
            self._note(connection, number, Event.RESUBSCRIBED, witness)
            self.bounces.forgive(connection, number)

    def prefer(self, number: int, preferences: Preferences, witness: Witness) -> None:
        """Keep what a reader chose."""
        change = update(subscriber).where(self._mine, subscriber.c.id == number).values(chosen(preferences))
        with self._database.writing() as connection:
            connection.execute(change)
            self._note(connection, number, Event.CHANGED, witness)

    def erase(self, key: str, now: datetime) -> bool:
        """Forget a person but for a keyed hash of the address and, by number, which issues went out.

        Returns:
            Whether there was such a person. The hash is kept in either case, so that no import brings them in.
        """
        with self._database.writing() as connection:
            row = self._found(connection, subscriber.c.key == key)
            mark: dict[str, Any] = {"list_id": self._list_id, "mark": self._subscribers.mark(key), "at": now}
            connection.execute(self._database.insert(forgotten).values(mark).on_conflict_do_nothing())
            if row:
                number = row.id
                blank: dict[str, Any] = {"address": "", "name": None, "key": f"erased:{number}", "line": None}
                blank |= chosen(Preferences()) | {"active": False, "listed": False}
                connection.execute(update(subscriber).where(subscriber.c.id == number).values(blank))
                self._stand(connection, number, Standing.ERASED, now)
                connection.execute(delete(consent).where(consent.c.subscriber_id == number))
                connection.execute(delete(notice).where(notice.c.subscriber_id == number))
                connection.execute(delete(bounce).where(bounce.c.subscriber_id == number))
                replies = update(delivery).where(
                    delivery.c.list_id == self._list_id, delivery.c.subscriber_id == number
                )
                connection.execute(replies.values(reply=None))  # relays like to quote the address
        self._database.scrub()
        return row is not None

    def forget_pending(self, before: datetime) -> int:
        """Remove who asked for the list and never confirmed; return how many these were."""
        old = and_(
            self._mine,
            subscriber.c.standing == Standing.PENDING.value,
            subscriber.c.stood_at < before,
            ~exists().where(delivery.c.subscriber_id == subscriber.c.id),
        )
        with self._database.writing() as connection:
            numbers = list(connection.scalars(select(subscriber.c.id).where(old)))
            for number in numbers:
                connection.execute(delete(consent).where(consent.c.subscriber_id == number))
                connection.execute(delete(notice).where(notice.c.subscriber_id == number))
                connection.execute(delete(subscriber).where(subscriber.c.id == number))
        return len(numbers)

    def history(self, number: int) -> list[dict[str, Any]]:
        """Return what a person decided, oldest first: event, at, client and words."""
        columns = (consent.c.event, consent.c.at, consent.c.client, consent.c.words)
        statement = select(*columns).where(consent.c.subscriber_id == number).order_by(consent.c.id)
        with self._database.reading() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]

    def _expect(self, connection: Connection, address: str, preferences: Preferences, now: datetime) -> int:
        row: dict[str, Any] = {"list_id": self._list_id, "key": address.casefold(), "address": address, "name": None}
        row |= chosen(preferences) | {"active": True, "origin": "web", "line": None, "listed": True}
        row |= {"standing": Standing.PENDING.value, "stood_at": now}
        statement = self._database.insert(subscriber).values(row).on_conflict_do_nothing()
        connection.execute(statement)
        found = self._found(connection, subscriber.c.key == address.casefold())
        return int(found.id) if found else 0

    def _list_again(self, connection: Connection, row: Any, now: datetime) -> None:
        """Put back, as one who has still to confirm, a person whose line is gone from the file."""
        change = update(subscriber).where(subscriber.c.id == row.id)
        connection.execute(change.values(listed=True, origin="web", line=None))
        if not Standing(row.standing).barred:
            self._stand(connection, row.id, Standing.PENDING, now)

    def _stand(self, connection: Connection, number: int, standing: Standing, now: datetime, **also: Any) -> None:
        change = update(subscriber).where(self._mine, subscriber.c.id == number)
        connection.execute(change.values(standing=standing.value, stood_at=now, **also))

    def _note(self, connection: Connection, number: int, event: Event, witness: Witness) -> None:
        row = {"list_id": self._list_id, "subscriber_id": number, "event": event.value, "at": witness.at}
        connection.execute(consent.insert().values(row | {"client": witness.client, "words": witness.words}))

    def _gave_reason(self, connection: Connection, row: Any) -> bool:
        """Whether a person who left has said anything since."""
        left = and_(consent.c.event == Event.LEFT.value, consent.c.at >= row.stood_at)
        said = select(func.count()).where(consent.c.subscriber_id == row.id, left)
        return int(connection.scalar(said) or 0) > 1  # the first is that they left

    def _found(self, connection: Connection, which: ColumnElement[bool]) -> Any:
        columns = (subscriber.c.id, subscriber.c.key, subscriber.c.standing, subscriber.c.stood_at, subscriber.c.listed)
        return connection.execute(select(*columns).where(self._mine, which)).one_or_none()

    def _mark_of(self, key: str) -> ColumnElement[bool]:
        return and_(forgotten.c.list_id == self._list_id, forgotten.c.mark == self._subscribers.mark(key))

    @property
    def _mine(self) -> ColumnElement[bool]:
        return subscriber.c.list_id == self._list_id
