"""How a delivery stands in its row, and how many of them are written by one statement."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    CTE,
    ColumnElement,
    Integer,
    Row,
    Select,
    String,
    Update,
    and_,
    bindparam,
    cast,
    column,
    exists,
    func,
    literal_column,
    select,
    type_coerce,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from newsletter.models import Cause, Delivery, Format, Pick, State
from newsletter.store.engine import Database
from newsletter.store.tables import Moment, delivery, hold, subscriber

# `format` stands in both tables of the join, so the delivery's own is read under another name.
COLUMNS: list[ColumnElement[Any]] = [column for column in delivery.c if column.name not in {"list_id", "format"}]
COLUMNS.append(delivery.c.format.label("copy_format"))
READERS = [column for column in subscriber.c if column.name not in {"list_id", "key", "origin"}]

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
    """Select an issue's deliveries with their readers."""
    together = select(*COLUMNS, *READERS).join_from(delivery, subscriber)
    return together.where(delivery.c.list_id == list_id, delivery.c.issue_key == issue)


def from_row(row: Row[Any]) -> Delivery:
    """Return the delivery of a row that holds COLUMNS."""
    return Delivery(
        issue=row.issue_key,
        subscriber_id=row.subscriber_id,
        state=State(row.state),
        due_at=row.due_at,
        attempts=row.attempts,
        doubts=row.doubts,
        cause=Cause(row.cause) if row.cause else None,
        choice=_read(row.choice) if row.choice else None,
        format=Format(row.copy_format or Format.HTML),
        owner=row.owner,
        epoch=row.epoch,
        relay=row.relay,
        next_attempt_at=row.next_attempt_at,
        reply=row.reply,
    )


class Statements:
    """The statements on many deliveries at once. Their rows travel as one JSON text, so each is compiled once."""

    def __init__(self, database: Database, list_id: str) -> None:
        self._database = database
        self._mine = delivery.c.list_id == list_id
        self.take = self._taking()
        self.mark = self._marking(list_id)
        self.settle = self._settling()

    def _given(self, columns: Mapping[str, TypeEngine[Any]]) -> CTE:
        """Return the rows of the parameter `rows` as a table of these columns."""
        rows = bindparam("rows", type_=String())
        sqlite = self._database.is_sqlite
        listed = func.json_each(rows) if sqlite else func.jsonb_array_elements(cast(rows, JSONB))
        value = listed.table_valued(column("value", JSONB), name="listed").c.value
        cells = (value.op("->>", return_type=String())(literal_column(str(at))) for at in range(len(columns)))
        typed = (  # SQLite keeps the types of JSON; PostgreSQL makes each a text
            (type_coerce(cell, kind) if sqlite else cast(cell, kind)).label(name)
            for cell, (name, kind) in zip(cells, columns.items(), strict=True)
        )
        # Read once and first: SQLite would otherwise go through all deliveries and look each up among these.
        return select(*typed).cte("given").prefix_with("MATERIALIZED")

    def _theirs(self, given: CTE) -> ColumnElement[bool]:
        """The deliveries of the given rows, as long as their owner holds them."""
        row = and_(delivery.c.issue_key == given.c.issue, delivery.c.subscriber_id == given.c.id)
        return and_(self._mine, row, delivery.c.owner == given.c.owner, delivery.c.epoch == given.c.epoch)

    def _taking(self) -> Update:
        given = self._given({"issue": String(), "id": Integer(), **CLAIMS})
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

    def _marking(self, list_id: str) -> Update:
        given = self._given({**WHOSE, "relay": String()})
        fresh = and_(delivery.c.state == State.CLAIMED.value, delivery.c.lease_until > bindparam("now", type_=Moment()))
        held = exists().where(hold.c.list_id == list_id, hold.c.issue_key == given.c.issue)
        reads = exists().where(subscriber.c.id == given.c.id, subscriber.c.active, subscriber.c.listed)
        return (
            update(delivery)
            .where(self._theirs(given), fresh, ~held, reads)
            .values(
                state=State.SENDING.value,
                relay=given.c.relay,
                lease_until=bindparam("the_lease", type_=Moment()),
            )
            .returning(delivery.c.issue_key, delivery.c.subscriber_id)
        )

    def _settling(self) -> Update:
        given = self._given({**WHOSE, **RESTS})
        moving = [State.CLAIMED.value, State.SENDING.value, State.IN_DOUBT.value]
        return (
            update(delivery)
            .where(self._theirs(given), delivery.c.state.in_(moving))
            .values({name: given.c[name] for name in RESTS})
        )

    def rows(self, rows: list[list[Any]]) -> str:
        """Return rows as the parameter `rows`."""
        return json.dumps(rows, ensure_ascii=False, default=self._moment)

    def _moment(self, value: object) -> str:
        """Write a moment as this database keeps it."""
        if not isinstance(value, datetime):
            raise TypeError(f"{value!r} has no place in a row")
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f") + ("" if self._database.is_sqlite else "+00")


def taken(one: Delivery) -> list[Any]:
    """Return what a claim writes of a delivery: the cells of `Statements.take`."""
    choice = _written(one.choice) if one.choice else None
    identity = [one.issue, one.subscriber_id]
    return [*identity, one.state, one.owner, one.epoch, choice, one.format, one.next_attempt_at, one.reply]


def marked(one: Delivery) -> list[Any]:
    """Return what a mark writes of a delivery: the cells of `Statements.mark`."""
    return [one.issue, one.subscriber_id, one.owner, one.epoch, one.relay]


def settled(one: Delivery) -> list[Any]:
    """Return what a settlement writes of a delivery: the cells of `Statements.settle`."""
    whose = [one.issue, one.subscriber_id, one.owner, one.epoch]
    return [*whose, one.state, one.attempts, one.doubts, one.cause, one.next_attempt_at, one.reply]


@lru_cache(maxsize=1024)
def _written(choice: tuple[Pick, ...]) -> str:
    """Return ranks with commas; where the reader has words, pairs with the one that matched: `[7,"RL"],[8,""]`."""
    return json.dumps([pick.rank if pick.match is None else [*pick] for pick in choice], ensure_ascii=False)[1:-1]


@lru_cache(maxsize=1024)
def _read(choice: str) -> tuple[Pick, ...]:
    return tuple(Pick(*one) if isinstance(one, list) else Pick(one) for one in json.loads(f"[{choice}]"))
