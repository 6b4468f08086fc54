"""The ledger: every reader's copy of every issue, and who is working on it.

queued -> claimed -> sending -> sent | failed | deferred -> claimed ... | in_doubt; suppressed, skipped

A claim names its owner, an epoch, this boot and a lease. A mark (`sending`, just before the final dot) and a settlement
count only while owner and epoch still match, so whoever slept past their lease sends nothing more. Before the mark
everything is safe to repeat; after it, only the relay's reply or a person can say what happened.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Boolean,
    ColumnElement,
    Row,
    Select,
    Update,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
    update,
)

from newsletter.models import Cadence, Cause, Delivery, Format, Pick, State, Subscriber, Tally
from newsletter.store.engine import Database
from newsletter.store.subscribers import from_row
from newsletter.store.tables import Moment, delivery, subscriber

LEASE = timedelta(minutes=15)
LEFT = "left the list before this copy was sent"
NO_MATCH = "no paper of this issue matches the reader's interests"

# `format` stands in both tables of the join, so the delivery's own is read under another name.
COLUMNS: list[ColumnElement[Any]] = [column for column in delivery.c if column.name not in {"list_id", "format"}]
COLUMNS.append(delivery.c.format.label("copy_format"))

Choose = Callable[[Subscriber], tuple[Pick, ...]]
Doubted = Callable[[Delivery, Cause], Delivery]


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims: a name unique to one process (or one connection of it), and the boot it lives in."""

    owner: str
    boot_id: str


class Ledger:
    """All deliveries of one list."""

    def __init__(self, database: Database, list_id: str) -> None:
        self._database = database
        self._list_id = list_id

    def freeze(self, issue: str, cadence: Cadence, due_at: datetime) -> int:
        """Queue a copy for every active reader of this cadence who has none yet; return how many were added.

        One durable INSERT ... SELECT: a crash leaves all or nothing, and a second call adds only who joined since.
        """
        readers = select(
            literal(self._list_id),
            literal(issue),
            subscriber.c.id,
            literal(State.QUEUED.value),
            literal(due_at, Moment),
            literal(0),
            literal(0),
            literal(0),
        ).where(
            subscriber.c.list_id == self._list_id,
            subscriber.c.cadence == cadence.value,
            subscriber.c.active,
            subscriber.c.listed,
        )
        columns = ["list_id", "issue_key", "subscriber_id", "state", "due_at", "attempts", "doubts", "epoch"]
        with self._database.writing() as connection:
            statement = self._database.insert(delivery).from_select(columns, readers).on_conflict_do_nothing()
            return int(connection.execute(statement).rowcount)

    def claim(
        self, issue: str, claimant: Claimant, limit: int, now: datetime, choose: Choose
    ) -> list[tuple[Delivery, Subscriber]]:
        """Take up to `limit` deliveries that are due, with their readers; an empty list means nothing is due.

        Who left the list meanwhile becomes `suppressed`, and whose interests match nothing `skipped`, here and not
        earlier: this is the last moment to know. Durable against power loss.
        """
        while True:
            with self._database.writing() as connection:
                rows = connection.execute(_due(self._list_id, issue, now).limit(limit)).all()
                decided = [_decide(row, claimant, choose) for row in rows]
                if decided:
                    lease = {"boot_id": claimant.boot_id, "lease_until": now + LEASE}
                    connection.execute(_take(self._list_id).values(lease), [_taken(one) for one, _ in decided])
            claimed = [(one, reader) for one, reader in decided if one.state is State.CLAIMED]
            if claimed or not rows:
                return claimed

    def mark(self, one: Delivery, now: datetime) -> bool:
        """Note that the final dot of this delivery is about to be written; False means it must not be.

        On SQLite not durable against power loss (the claim is): see `recover`. The lease starts anew, so that it cannot
        end while the relay thinks.
        """
        statement = (
            update(delivery)
            .where(self._is(one), delivery.c.state == State.CLAIMED.value, delivery.c.lease_until > now)
            .values(state=State.SENDING.value, lease_until=now + LEASE)
        )
        with self._database.writing(durable=False) as connection:
            return connection.execute(statement).rowcount == 1

    def settle(self, deliveries: Iterable[Delivery]) -> None:
        """Write where these deliveries came to rest; one that another owner took meanwhile is left to them.

        One that was put in doubt meanwhile is settled all the same: its relay has answered after all.
        """
        moving = [State.CLAIMED.value, State.SENDING.value, State.IN_DOUBT.value]
        with self._database.writing(durable=False) as connection:
            for one in deliveries:
                statement = update(delivery).where(self._is(one), delivery.c.state.in_(moving))
                connection.execute(statement.values(**_rest(one)))

    def presence(self, claimant: Claimant) -> AbstractContextManager[None]:
        """Show for as long as the block runs that a claimant lives, so that others leave its claims alone."""
        return self._database.presence(_process(claimant.owner))

    def recover(self, claimant: Claimant, now: datetime, doubted: Doubted, *, sole_sender: bool) -> int:
        """Take back what dead owners held; return how many deliveries that were.

        Dead is whose lease has run out, and on PostgreSQL whose process has gone (see `presence`).

        A claim whose dot was not due goes back to the queue. One marked `sending` is in doubt by `process`; on SQLite a
        reboot may have cost marks, so every claim of an earlier boot is in doubt by `power`. A database server's marks
        are durable, whatever became of the machine that sent.

        Args:
            claimant: who asks; its own claims are left alone.
            now: decides which leases have run out.
            doubted: what becomes of a delivery in doubt.
            sole_sender: nobody else can be alive, so no lease need run out first.
        """
        held = delivery.c.state.in_([State.CLAIMED.value, State.SENDING.value])
        theirs = and_(delivery.c.list_id == self._list_id, held, delivery.c.owner != claimant.owner)
        with self._database.writing() as connection:
            owners = connection.scalars(select(delivery.c.owner).where(theirs).distinct()).all()
            gone = self._database.absent(connection, {*map(_process, owners)} - {_process(claimant.owner)})
            left = delivery.c.owner.in_([owner for owner in owners if _process(owner) in gone])
            where = and_(theirs, or_(literal(sole_sender, Boolean), delivery.c.lease_until <= now, left))
            rows = connection.execute(select(*COLUMNS).where(where).with_for_update(skip_locked=True)).all()
            for row in rows:
                one = _delivery(row)
                if self._database.is_sqlite and row.boot_id != claimant.boot_id:
                    one = doubted(one, Cause.POWER)
                elif one.state is State.SENDING:
                    one = doubted(one, Cause.PROCESS)
                else:
                    one = replace(one, state=State.QUEUED)
                connection.execute(update(delivery).where(self._is(one)).values(**_rest(one)))
        return len(rows)

    def reconsider(self, resent: Iterable[Cause], now: datetime) -> None:
        """Make what is held in doubt due again where the settings now say so; each delivery once, never twice."""
        held = and_(delivery.c.state == State.IN_DOUBT.value, delivery.c.next_attempt_at.is_(None))
        once = and_(delivery.c.doubts == 1, delivery.c.cause.in_([cause.value for cause in resent]))
        statement = update(delivery).where(delivery.c.list_id == self._list_id, held, once)
        with self._database.writing() as connection:
            connection.execute(statement.values(next_attempt_at=now))

    def give_up(self, before: datetime) -> None:
        """End what has waited since before that moment: nobody wants news that old."""
        old = and_(delivery.c.list_id == self._list_id, delivery.c.due_at < before)
        waiting = delivery.c.state.in_([State.QUEUED.value, State.DEFERRED.value])
        reply = func.coalesce(literal("gave up: ") + delivery.c.reply, literal("gave up: it waited too long"))
        with self._database.writing() as connection:
            failed = update(delivery).where(old, waiting)
            connection.execute(failed.values(state=State.FAILED.value, next_attempt_at=None, reply=reply))
            held = update(delivery).where(old, delivery.c.state == State.IN_DOUBT.value)
            connection.execute(held.values(next_attempt_at=None))

    def unfinished(self) -> list[str]:
        """Return the issues of which a copy may still go out, oldest first."""
        moving = [State.QUEUED.value, State.DEFERRED.value, State.CLAIMED.value, State.SENDING.value]
        again = and_(delivery.c.state == State.IN_DOUBT.value, delivery.c.next_attempt_at.is_not(None))
        statement = (
            select(delivery.c.issue_key)
            .where(delivery.c.list_id == self._list_id)
            .where(or_(delivery.c.state.in_(moving), again))
            .group_by(delivery.c.issue_key)
            .order_by(func.min(delivery.c.due_at), delivery.c.issue_key)
        )
        with self._database.reading() as connection:
            return list(connection.scalars(statement))

    def tally(self, issue: str) -> Tally:
        """Return the sums of an issue."""
        mine = and_(delivery.c.list_id == self._list_id, delivery.c.issue_key == issue)
        states = select(delivery.c.state, func.count()).where(mine).group_by(delivery.c.state)
        doubt = delivery.c.state == State.IN_DOUBT.value
        causes = select(delivery.c.cause, func.count()).where(mine, doubt).group_by(delivery.c.cause)
        with self._database.reading() as connection:
            counts = {State(name): number for name, number in connection.execute(states)}
            by_cause = {Cause(name): number for name, number in connection.execute(causes)}
        return Tally.of(issue, counts, by_cause)

    def of_issue(self, issue: str, *, sent: bool = True) -> Iterator[tuple[Delivery, Subscriber]]:
        """Yield an issue's deliveries with their readers, by subscriber; without the sent ones if asked so."""
        statement = _joined(self._list_id, issue)
        if not sent:
            statement = statement.where(delivery.c.state != State.SENT.value)
        with self._database.reading() as connection:
            result = connection.execution_options(yield_per=500).execute(statement.order_by(delivery.c.subscriber_id))
            for row in result:
                yield _delivery(row), from_row(row)

    def find(self, issue: str, subscriber_id: int) -> Delivery | None:
        """Return one reader's copy of an issue, or None if none was queued."""
        mine = _joined(self._list_id, issue).where(delivery.c.subscriber_id == subscriber_id)
        with self._database.reading() as connection:
            row = connection.execute(mine).one_or_none()
        return _delivery(row) if row else None

    def _is(self, one: Delivery) -> ColumnElement[bool]:
        return and_(
            delivery.c.list_id == self._list_id,
            delivery.c.issue_key == one.issue,
            delivery.c.subscriber_id == one.subscriber_id,
            delivery.c.owner == one.owner,
            delivery.c.epoch == one.epoch,
        )


def _joined(list_id: str, issue: str) -> Select[Any]:
    readers = [column for column in subscriber.c if column.name not in {"list_id", "key", "origin"}]
    joined = select(*COLUMNS, *readers).join_from(delivery, subscriber)
    return joined.where(delivery.c.list_id == list_id, delivery.c.issue_key == issue)


def _due(list_id: str, issue: str, now: datetime) -> Select[Any]:
    """Deliveries that wait for their first attempt, or whose next one has come (a resend of one in doubt, too)."""
    again = [State.DEFERRED.value, State.IN_DOUBT.value]
    due = or_(
        delivery.c.state == State.QUEUED.value,
        and_(delivery.c.state.in_(again), delivery.c.next_attempt_at <= now),
    )
    statement = _joined(list_id, issue).where(due).order_by(delivery.c.subscriber_id)
    return statement.with_for_update(of=delivery, skip_locked=True)


def _decide(row: Row[Any], claimant: Claimant, choose: Choose) -> tuple[Delivery, Subscriber]:
    one, reader = _delivery(row), from_row(row)
    if not reader.active and one.state is State.IN_DOUBT:
        return replace(one, next_attempt_at=None), reader  # it may have arrived: only its resend is off
    if not reader.active:
        return replace(one, state=State.SUPPRESSED, reply=LEFT), reader
    if one.choice is None:
        one = replace(one, choice=choose(reader), format=reader.preferences.format)
    if not one.choice:
        return replace(one, state=State.SKIPPED, reply=NO_MATCH, choice=None), reader
    return replace(one, state=State.CLAIMED, owner=claimant.owner, epoch=one.epoch + 1), reader


def _take(list_id: str) -> Update:
    return (
        update(delivery)
        .where(
            delivery.c.list_id == list_id,
            delivery.c.issue_key == bindparam("the_issue"),
            delivery.c.subscriber_id == bindparam("the_subscriber"),
        )
        .values(
            state=bindparam("new_state"),
            owner=bindparam("new_owner"),
            epoch=bindparam("new_epoch"),
            choice=bindparam("new_choice"),
            format=bindparam("new_format"),
            reply=bindparam("new_reply"),
            next_attempt_at=bindparam("new_attempt"),
        )
    )


def _taken(one: Delivery) -> dict[str, Any]:
    return {
        "the_issue": one.issue,
        "the_subscriber": one.subscriber_id,
        "new_state": one.state.value,
        "new_owner": one.owner,
        "new_epoch": one.epoch,
        "new_choice": _written(one.choice) if one.choice else None,
        "new_format": one.format.value,
        "new_reply": one.reply,
        "new_attempt": one.next_attempt_at,
    }


def _rest(one: Delivery) -> dict[str, Any]:
    """The columns that a settlement or a recovery writes."""
    return {
        "state": one.state.value,
        "attempts": one.attempts,
        "doubts": one.doubts,
        "cause": one.cause.value if one.cause else None,
        "next_attempt_at": one.next_attempt_at,
        "reply": one.reply,
    }


def _delivery(row: Row[Any]) -> Delivery:
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
        next_attempt_at=row.next_attempt_at,
        reply=row.reply,
    )


def _written(choice: tuple[Pick, ...]) -> str:
    """Return ranks with commas; where the reader has words, pairs with the one that matched: `[7,"RL"],[8,""]`."""
    return json.dumps([pick.rank if pick.match is None else [*pick] for pick in choice], ensure_ascii=False)[1:-1]


def _read(choice: str) -> tuple[Pick, ...]:
    return tuple(Pick(*one) if isinstance(one, list) else Pick(one) for one in json.loads(f"[{choice}]"))


def _process(owner: str) -> str:
    """Return the process of an owner: its connections claim as `process/0`, `process/1` and so on."""
    return owner.partition("/")[0]
