"""What came back of readers' copies, and who is mailed no more because of it."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

from sqlalchemy import Connection, and_, exists, func, select, update

from newsletter.models import Event, ReportKind, Standing
from newsletter.settings.serving import BounceSettings
from newsletter.store.engine import Database
from newsletter.store.tables import bounce, consent, subscriber

COUNTED = (ReportKind.HARD, ReportKind.SOFT, ReportKind.COMPLAINT)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How much may come back of one reader's copies before they are mailed no more; what is older is forgiven."""

    hard: int
    soft: int
    decay: timedelta

    @classmethod
    def of(cls, settings: BounceSettings) -> Self:
        """Read it from the settings."""
        return cls(settings.hard, settings.soft, settings.decay)


@dataclass(frozen=True, slots=True)
class Bounced:
    """One report that counts: whose copy, what kind, where it is from (each source counts once), and why."""

    subscriber_id: int
    kind: ReportKind
    source: str
    why: str


class BounceStore:
    """The bounces and complaints of one list."""

    def __init__(self, database: Database, list_id: str, tolerance: Tolerance) -> None:
        self._database = database
        self._list_id = list_id
        self._tolerance = tolerance

    def record(self, reports: Iterable[Bounced], now: datetime) -> list[int]:
        """Keep what came back, and suppress whoever that is too much for; return who these are.

        A report that is read twice counts once. Of somebody who was erased nothing is kept: it may quote their address.
        """
        suppressed = []
        with self._database.writing() as connection:
            for one in reports:
                if one.kind not in COUNTED or not self._known(connection, one.subscriber_id):
                    continue
                row = {"list_id": self._list_id, "subscriber_id": one.subscriber_id, "source": one.source}
                row |= {"kind": one.kind.value, "why": one.why, "at": now}
                insert = self._database.insert(bounce).values(row).on_conflict_do_nothing()
                if connection.execute(insert).rowcount == 1:
                    standing = self._verdict(connection, one.subscriber_id, now)
                    if standing and self._suppress(connection, one, standing, now):
                        suppressed.append(one.subscriber_id)
        return suppressed

    def forgive(self, connection: Connection, subscriber_id: int) -> None:
        """Count nothing of what came back of a reader's copies so far; it stays known, so that it cannot count anew."""
        theirs = and_(bounce.c.list_id == self._list_id, bounce.c.subscriber_id == subscriber_id)
        connection.execute(update(bounce).where(theirs).values(kind=ReportKind.OTHER.value))

    def newest_first(self) -> Iterator[dict[str, Any]]:
        """Yield what came back, newest first: address, standing, kind, why and at."""
        told = (subscriber.c.address, subscriber.c.standing, bounce.c.kind, bounce.c.why, bounce.c.at)
        statement = select(*told).join_from(bounce, subscriber).where(bounce.c.list_id == self._list_id)
        with self._database.reading() as connection:
            for row in connection.execute(statement.order_by(bounce.c.at.desc(), subscriber.c.address)).mappings():
                yield dict(row)

    def of(self, subscriber_id: int) -> list[dict[str, Any]]:
        """Return what came back of one reader's copies, oldest first: kind, why and at."""
        mine = and_(bounce.c.list_id == self._list_id, bounce.c.subscriber_id == subscriber_id)
        statement = select(bounce.c.kind, bounce.c.why, bounce.c.at).where(mine).order_by(bounce.c.at)
        with self._database.reading() as connection:
            return [dict(row) for row in connection.execute(statement).mappings()]

    def _known(self, connection: Connection, subscriber_id: int) -> bool:
        theirs = and_(subscriber.c.list_id == self._list_id, subscriber.c.id == subscriber_id)
        return bool(connection.scalar(select(exists().where(theirs, subscriber.c.standing != Standing.ERASED.value))))

    def _verdict(self, connection: Connection, subscriber_id: int, now: datetime) -> Standing | None:
        mine = and_(bounce.c.list_id == self._list_id, bounce.c.subscriber_id == subscriber_id)
        recent = select(bounce.c.kind, func.count()).where(mine, bounce.c.at > now - self._tolerance.decay)
        counts = {ReportKind(kind): number for kind, number in connection.execute(recent.group_by(bounce.c.kind))}
        if counts.get(ReportKind.COMPLAINT):
            return Standing.COMPLAINED
        hard, soft = counts.get(ReportKind.HARD, 0), counts.get(ReportKind.SOFT, 0)
        return Standing.BOUNCED if hard >= self._tolerance.hard or soft >= self._tolerance.soft else None

    def _suppress(self, connection: Connection, one: Bounced, standing: Standing, now: datetime) -> bool:
        theirs = and_(subscriber.c.list_id == self._list_id, subscriber.c.id == one.subscriber_id)
        mailed = subscriber.c.standing.in_([Standing.ACTIVE.value, Standing.PENDING.value])
        change = update(subscriber).where(theirs, mailed).values(standing=standing.value, stood_at=now)
        if connection.execute(change).rowcount == 0:
            return False
        row = {"list_id": self._list_id, "subscriber_id": one.subscriber_id, "event": Event.SUPPRESSED.value}
        connection.execute(consent.insert().values(row | {"at": now, "client": "", "words": one.why}))
        return True
