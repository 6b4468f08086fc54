"""Who is to get an issue, and when: the statements that queue its copies."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Integer, Select, String, and_, case, exists, func, literal, or_, select

from newsletter.models import Cadence, State
from newsletter.store.engine import Database
from newsletter.store.rows import domain_of, given_rows
from newsletter.store.subscribers import READS
from newsletter.store.tables import Moment, delivery, issue, subscriber


def lacking(database: Database, list_id: str, key: str, cadence: Cadence, day: date) -> Select[Any]:
    """Select the active readers of a cadence who have no copy of an issue and are to get one: by id.

    Left out is who has paused for that day, and everybody where the copies are forgotten: nobody can tell any more who
    has one.
    """
    theirs = and_(delivery.c.list_id == list_id, delivery.c.issue_key == key)
    has = exists().where(theirs, delivery.c.subscriber_id == subscriber.c.id)
    if (
        not database.is_sqlite
    ):  # looked up once: PostgreSQL would go through what this very statement adds, for each row
        had = select(delivery.c.subscriber_id).where(theirs).cte("had").prefix_with("MATERIALIZED")
        has = exists().where(had.c.subscriber_id == subscriber.c.id)
    known = exists().where(issue.c.list_id == list_id, issue.c.key == key, issue.c.sums.is_(None))
    here = or_(subscriber.c.paused_until.is_(None), subscriber.c.paused_until <= day)
    readers = and_(subscriber.c.list_id == list_id, subscriber.c.cadence == cadence.value, READS)
    return select(subscriber.c.id).where(readers, here, known, ~has)


def by_clock(database: Database, readers: Select[Any]) -> tuple[Select[Any], ColumnElement[datetime]]:
    """Select of these readers those whose zone and hour are given, and return the moment that is given with them.

    The rows of the parameter `rows` are zone, hour and moment; no zone is an empty text, no hour is -1.
    """
    given = given_rows(database, {"zone": String(), "hour": Integer(), "due_at": Moment()})
    zone, hour = func.coalesce(subscriber.c.timezone, ""), func.coalesce(subscriber.c.hour, -1)
    return readers.where(zone == given.c.zone, hour == given.c.hour), given.c.due_at


def queueing(  # noqa: PLR0913, PLR0917 - what, for whom, and when
    database: Database,
    list_id: str,
    key: str,
    readers: Select[Any],
    due_at: ColumnElement[datetime],
    lanes: Mapping[str, str],
) -> Any:
    """Return the INSERT ... SELECT that queues a copy for each of these readers who has none; one transaction.

    Args:
        database: whose dialect to write.
        list_id: the list.
        key: the issue.
        readers: who gets one.
        due_at: the moment that a copy is dated.
        lanes: the lane of each domain whose copies are claimed apart.
    """
    domain = domain_of(database, subscriber.c.key)
    values = {
        delivery.c.list_id: literal(list_id),
        delivery.c.issue_key: literal(key),
        delivery.c.subscriber_id: subscriber.c.id,
        delivery.c.state: literal(State.QUEUED.value),
        delivery.c.due_at: due_at,
        delivery.c.attempts: literal(0),
        delivery.c.doubts: literal(0),
        delivery.c.epoch: literal(0),
        delivery.c.lane: case(lanes, value=domain, else_=literal("")) if lanes else literal(""),
    }
    copies = readers.with_only_columns(*values.values())
    return database.insert(delivery).from_select([column.name for column in values], copies).on_conflict_do_nothing()
