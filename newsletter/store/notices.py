"""Mails to one person that are no issue, each sent at most once for what it was queued for."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, update

from newsletter.models import Notice, NoticeKind, State
from newsletter.store.engine import Database
from newsletter.store.subscribers import COLUMNS, from_row
from newsletter.store.tables import notice, subscriber

LEASE = timedelta(minutes=15)
STALE = timedelta(days=3)  # an answer to a sign-up is expected at once; after days it only surprises
WAITS = [State.QUEUED.value, State.CLAIMED.value]  # a claim whose lease has run out waits again
ANSWERS = [NoticeKind.CONFIRM.value, NoticeKind.KNOWN.value]  # to a sign-up
OWN = [notice.c.id, notice.c.kind, notice.c.queued_at, notice.c.due_at, subscriber.c.stood_at]


class NoticeStore:
    """The notices of one list."""

    def __init__(self, database: Database, list_id: str) -> None:
        self._database = database
        self._list_id = list_id

    def queue(self, connection: Connection, kind: NoticeKind, subscriber_id: int, key: str, now: datetime) -> None:
        """Queue a notice within a transaction, unless one was queued for the same `key` before."""
        row = {"list_id": self._list_id, "key": key, "subscriber_id": subscriber_id, "kind": kind.value}
        row |= {"state": State.QUEUED.value, "queued_at": now, "due_at": now}
        connection.execute(self._database.insert(notice).values(row).on_conflict_do_nothing())

    def queued_since(self, connection: Connection, moment: datetime, subscriber_id: int | None = None) -> int:
        """Return how many answers to sign-ups were queued since a moment: to anybody, or to one person."""
        where = and_(notice.c.list_id == self._list_id, notice.c.kind.in_(ANSWERS), notice.c.queued_at > moment)
        if subscriber_id is not None:
            where = and_(where, notice.c.subscriber_id == subscriber_id)
        return connection.scalar(select(func.count()).select_from(notice).where(where)) or 0

    def claim(self, owner: str, kinds: Iterable[NoticeKind], now: datetime, limit: int) -> list[Notice]:
        """Take up to `limit` notices of these kinds that are due, with their readers, oldest first.

        An answer to a sign-up that could not be sent for days is given up.
        """
        free = or_(notice.c.state == State.QUEUED.value, notice.c.lease_until <= now)
        waits = and_(notice.c.list_id == self._list_id, notice.c.state.in_(WAITS), notice.c.due_at <= now, free)
        mine = and_(waits, notice.c.kind.in_([kind.value for kind in kinds]))
        stale = and_(waits, notice.c.kind.in_(ANSWERS), notice.c.queued_at < now - STALE)
        due = select(*OWN, *COLUMNS).join_from(notice, subscriber).where(mine).order_by(notice.c.due_at, notice.c.id)
        with self._database.writing() as connection:
            connection.execute(update(notice).where(stale).values(state=State.FAILED.value, reply="was too late"))
            rows = connection.execute(due.limit(limit).with_for_update(of=notice, skip_locked=True)).all()
            taken = {"state": State.CLAIMED.value, "owner": owner, "lease_until": now + LEASE}
            connection.execute(update(notice).where(notice.c.id.in_([row[0] for row in rows])).values(taken))
        return [
            Notice(
                id=number,
                kind=NoticeKind(kind),
                queued_at=queued_at,
                due_at=due_at,
                reader=from_row(reader),
                stamp=stamp_of(stood_at),
            )
            for number, kind, queued_at, due_at, stood_at, *reader in rows
        ]

    def mark(self, number: int, owner: str) -> bool:
        """Note that the final dot of a notice is about to be written; return whether it is still the owner's."""
        held = and_(self._theirs(number, owner), notice.c.state == State.CLAIMED.value)
        with self._database.writing(durable=False) as connection:
            return connection.execute(update(notice).where(held).values(state=State.SENDING.value)).rowcount == 1

    def settle(self, number: int, owner: str, state: State, reply: str, due_at: datetime) -> None:
        """Write what became of a notice; a queued one is tried again at `due_at`."""
        fate = {"state": state.value, "reply": reply or None, "due_at": due_at}
        with self._database.writing(durable=False) as connection:
            connection.execute(update(notice).where(self._theirs(number, owner)).values(fate))

    def release(self, numbers: Iterable[int], owner: str, due_at: datetime) -> None:
        """Give back what was claimed and never tried."""
        with self._database.writing(durable=False) as connection:
            for number in numbers:
                held = and_(self._theirs(number, owner), notice.c.state == State.CLAIMED.value)
                fate = {"state": State.QUEUED.value, "due_at": due_at}
                connection.execute(update(notice).where(held).values(fate))

    def _theirs(self, number: int, owner: str) -> ColumnElement[bool]:
        return and_(notice.c.id == number, notice.c.owner == owner)


def stamp_of(stood_at: datetime | None) -> int:
    """Return the state of a person's row as a number: it changes whenever their standing does."""
    return int(stood_at.timestamp() * 1_000_000) if stood_at else 0
