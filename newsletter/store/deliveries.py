"""How a delivery stands in its row, and how many of them are written by one statement."""

import json
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Select,
    String,
    Update,
    and_,
    bindparam,
    exists,
    func,
    or_,
    select,
    update,
)
from sqlalchemy.types import TypeEngine

from newsletter.models import Cause, Delivery, Format, Pick, State, Subscriber
from newsletter.store.engine import Database
from newsletter.store.rows import given_rows
from newsletter.store.subscribers import COLUMNS as READERS
from newsletter.store.subscribers import READS
from newsletter.store.subscribers import from_row as reader_from
from newsletter.store.tables import Moment, delivery, hold, subscriber

COLUMNS = [column for column in delivery.c if column.name not in {"list_id", "boot_id", "lease_until", "lane"}]
WIDTH = len(COLUMNS)
MOVING = (State.CLAIMED, State.SENDING, State.IN_DOUBT)  # in doubt: its relay may answer after all

WHOSE: Mapping[str, TypeEngine[Any]] = {"issue": String(), "id": Integer(), "owner": String(), "epoch": Integer()}
RESTS: Mapping[str, TypeEngine[Any]] = {
    "state": String(),
    "attempts": Integer(),
    "doubts": Integer(),
    "cause": String(),
    "next_attempt_at": Moment(),
    "reply": String(),
}
CLAIMS: Mapping[str, TypeEngine[Any]] = {
    "state": String(),
    "new_owner": String(),
    "new_epoch": Integer(),
    "choice": String(),
    "format": String(),
    "next_attempt_at": Moment(),
    "reply": String(),
}


def joined(list_id: str, issue: str) -> Select[Any]:
    """Select an issue's deliveries with their readers: COLUMNS, then those of a subscriber."""
    together = select(*COLUMNS, *READERS).join_from(delivery, subscriber)
    return together.where(delivery.c.list_id == list_id, delivery.c.issue_key == issue)


def from_row(row: Sequence[Any]) -> Delivery:
    """Return the delivery of a row of COLUMNS; a sender does this for every copy, so it is quick."""
    (
        (issue, reader, state, due_at, attempts, doubts, cause),
        (choice, kind, owner, epoch, next_attempt_at, reply, relay),
    ) = row[:7], row[7:WIDTH]
    return Delivery(
        issue=issue,
        subscriber_id=reader,
        state=State(state),
        due_at=due_at,
        attempts=attempts,
        doubts=doubts,
        cause=Cause(cause) if cause else None,
        choice=_read(choice) if choice else None,
        format=Format(kind or Format.HTML),
        owner=owner,
        epoch=epoch,
        relay=relay,
        next_attempt_at=next_attempt_at,
        reply=reply,
    )


def pair(row: Sequence[Any]) -> tuple[Delivery, Subscriber]:
    """Return the delivery and the reader of a row of `joined`."""
    return from_row(row), reader_from(row[WIDTH:])


class Statements:
    """The statements on many deliveries at once. Their rows travel as one JSON text, so each is compiled once."""

    def __init__(self, database: Database, list_id: str) -> None:
        self._database = database
        self._mine = delivery.c.list_id == list_id
        self.take = self._taking()
        self.settle = self._settling()
        self.enter = database.prepared(self._entering(list_id))

    def _theirs(self, given: CTE) -> ColumnElement[bool]:
        """The deliveries of the given rows, as long as their owner holds them."""
        row = and_(delivery.c.issue_key == given.c.issue, delivery.c.subscriber_id == given.c.id)
        return and_(self._mine, row, delivery.c.owner == given.c.owner, delivery.c.epoch == given.c.epoch)

    def _taking(self) -> Update:
        given = given_rows(self._database, {"issue": String(), "id": Integer(), **CLAIMS})
        return (
            update(delivery)
            .where(self._mine, delivery.c.issue_key == given.c.issue, delivery.c.subscriber_id == given.c.id)
            .values(
                state=given.c.state,
                owner=given.c.new_owner,
                epoch=given.c.new_epoch,
                choice=given.c.choice,
                format=given.c.format,
                next_attempt_at=given.c.next_attempt_at,
                reply=given.c.reply,
                boot_id=bindparam("the_boot"),
                lease_until=bindparam("the_lease", type_=Moment()),
            )
        )

    def _settling(self) -> Update:
        given = given_rows(self._database, {**WHOSE, **RESTS})
        return (
            update(delivery)
            .where(self._theirs(given), in_states(MOVING))
            .values({name: given.c[name] for name in RESTS})
        )

    def _entering(self, list_id: str) -> Update:
        """Marks and settlements in one: a mark is a row that names a relay."""
        given = given_rows(self._database, {**WHOSE, **RESTS, "relay": String()})
        fresh = delivery.c.lease_until > bindparam("now", type_=Moment())
        held = exists().where(hold.c.list_id == list_id, hold.c.issue_key == given.c.issue)
        reads = exists().where(subscriber.c.id == given.c.id, READS)
        markable = and_(given.c.relay.is_not(None), in_states([State.CLAIMED]), fresh, ~held, reads)
        settled = {name: given.c[name] for name in RESTS}
        return (
            update(delivery)
            .where(self._theirs(given), or_(and_(given.c.relay.is_(None), in_states(MOVING)), markable))
            .values(
                **settled,
                relay=func.coalesce(given.c.relay, delivery.c.relay),
                lease_until=bindparam("the_lease", type_=Moment()),
            )
        )


def taken(one: Delivery) -> list[Any]:
    """Return what a claim writes of a delivery: the cells of `Statements.take`."""
    choice = _written(one.choice) if one.choice else None
    identity = [one.issue, one.subscriber_id]
    return [*identity, one.state, one.owner, one.epoch, choice, one.format, one.next_attempt_at, one.reply]


def settled(one: Delivery) -> list[Any]:
    """Return what a settlement writes of a delivery: the cells of `Statements.settle`."""
    whose = [one.issue, one.subscriber_id, one.owner, one.epoch]
    return [*whose, one.state, one.attempts, one.doubts, one.cause, one.next_attempt_at, one.reply]


def marked(one: Delivery, relay: str) -> list[Any]:
    """Return what a mark writes of a delivery: the cells of `Statements.enter`, as those of a settlement with None."""
    cells = settled(one)
    cells[len(WHOSE)] = State.SENDING
    return [*cells, relay]


def in_states(states: Iterable[State]) -> ColumnElement[bool]:
    """Select the deliveries in these states; without a list that is filled in at each call."""
    return or_(*(delivery.c.state == state.value for state in states))


@lru_cache(maxsize=1024)
def _written(choice: tuple[Pick, ...]) -> str:
    """Return ranks with commas; where the reader has words, pairs with the one that matched: `[7,"RL"],[8,""]`."""
    return json.dumps([pick.rank if pick.match is None else [*pick] for pick in choice], ensure_ascii=False)[1:-1]


@lru_cache(maxsize=1024)
def _read(choice: str) -> tuple[Pick, ...]:
    return tuple(Pick(*one) if isinstance(one, list) else Pick(one) for one in json.loads(f"[{choice}]"))
