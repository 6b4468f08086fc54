"""The roster as deliveries refer to it: rows with an id, kept in step with the subscriber file."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    or_,
    select,
    true,
    update,
)

from newsletter.models import Cadence, Event, Format, Preferences, Standing, Subscriber
from newsletter.store import meta
from newsletter.store.engine import Database
from newsletter.store.rows import as_rows, copy_new, given_rows
from newsletter.store.tables import Moment, consent, forgotten, subscriber

BATCH = 500
IMPORT_BATCH = 5000
IMPORT_CACHE = "PRAGMA cache_size = -65536"  # KB; with less, a million rows are written to the disk again and again
ERASED = Standing.ERASED.value
_CONSENT = ["list_id", "subscriber_id", "event", "at", "client", "words"]
_NOTHING_SAID = (literal(""), literal(""))  # by nobody's client, in no words
COLUMNS = [column for column in subscriber.c if column.name not in {"list_id", "key", "origin", "line", "stood_at"}]
READS = and_(subscriber.c.active, subscriber.c.listed, subscriber.c.standing == Standing.ACTIVE.value)
CHOSEN = ("cadence", "timezone", "hour", "include", "exclude", "format", "papers", "only_matches", "paused_until")


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of the rows of an import; `erased` are people who asked to be forgotten."""

    new: int = 0
    known: int = 0
    stopped: int = 0  # were active here, and the file says that they left or bounced
    erased: int = 0


class SubscriberStore:
    """The subscribers of one list."""

    def __init__(self, database: Database, list_id: str) -> None:
        self._database = database
        self._list_id = list_id
        self._pepper = meta.secret(database, "pepper").encode()  # now: within a transaction it could not be made

    def follow_file(self, roster: Iterable[Subscriber]) -> None:
        """Make the rows that came from the file what the file says now: new, changed, and no longer listed.

        One transaction: a sender never sees half a file. Who left, bounced or asked to be forgotten stays so, whatever
        the file says. What a reader chose on their page stays until their line in the file changes.
        """
        gone = update(subscriber).where(self._mine, subscriber.c.origin == "file").values(listed=False)
        with self._database.writing() as connection:
            connection.execute(gone)
            for batch in _batches(roster, BATCH):
                rows = [self._row(one, "file") for one in self._not_forgotten(connection, batch)]
                if rows:
                    connection.execute(self._upsert(rows[0]), rows)

    def followed(self, one: Subscriber) -> Subscriber | None:
        """Return what `follow_file` would make of a line of the file, without writing; None if it would be left out."""
        statement = select(subscriber.c.line, *COLUMNS).where(self._mine, subscriber.c.key == one.key)
        with self._database.reading() as connection:
            if not self._not_forgotten(connection, [one]):
                return None
            row = connection.execute(statement).one_or_none()
        if row is None:
            return one
        line, kept = row.line, from_row(row[1:])
        wants = kept.preferences if line == _line(one) else one.preferences
        standing = kept.standing if kept.standing.barred and not one.standing.barred else one.standing
        return replace(one, id=kept.id, preferences=wants, standing=standing)

    def _upsert(self, row: Mapping[str, Any]) -> Any:
        statement = self._database.insert(subscriber)
        given = statement.excluded
        unchanged = and_(subscriber.c.line == given.line, subscriber.c.line.is_not(None))
        fresh = {name: given[name] for name in row if name not in {"list_id", "key", "standing"}}
        fresh |= {name: case((unchanged, subscriber.c[name]), else_=given[name]) for name in CHOSEN}
        stays = and_(_barred(subscriber.c.standing), ~_barred(given.standing))
        fresh["standing"] = case((stays, subscriber.c.standing), else_=given.standing)
        return statement.on_conflict_do_update(index_elements=["list_id", "key"], set_=fresh)

    def add(
        self, roster: Iterable[Subscriber], now: datetime, watch: Callable[[int], object] = lambda _rows: None
    ) -> Imported:
        """Add imported subscribers; one transaction, so that a fault leaves all or nothing.

        Those already on the list stay as they are, but for who left or bounced elsewhere: that counts here too. The
        consent of each new reader is noted as vouched for by the operator.

        Args:
            roster: who is to be on the list, any number.
            now: the present moment.
            watch: told the rows of each batch.
        """
        found, unlisted = Counter[str](), and_(self._mine, ~subscriber.c.listed, subscriber.c.standing != ERASED)
        with self._database.writing() as connection:
            gone = connection.scalar(select(exists().where(unlisted)))
            if self._database.is_sqlite:
                connection.exec_driver_sql(IMPORT_CACHE)
            for batch in _batches(roster, IMPORT_BATCH):
                welcome = self._not_forgotten(connection, batch)
                back = self._list_again(connection, welcome, now) if gone else 0
                found += self._add(connection, welcome, now) + Counter(erased=len(batch) - len(welcome))
                found += Counter(new=back)
                found["known"] -= back
                watch(len(batch))
        return Imported(**found)

    def _add(self, connection: Connection, batch: Sequence[Subscriber], now: datetime) -> Counter[str]:
        if not batch:
            return Counter()
        last = connection.scalar(select(func.max(subscriber.c.id))) or 0
        rows = [self._row(one, "import") for one in batch]
        if self._database.is_sqlite:
            cells = as_rows(self._database, (row.values() for row in rows))
            connection.execute(self._adding, {"rows": cells, "now": now})
        else:
            copy_new(connection, subscriber, [row | {"stood_at": now} for row in rows])
        # The list's name is joined to nothing, so that SQLite finds these by their numbers and not by an index that
        # begins with it: each batch would go through all those before.
        fresh = and_(subscriber.c.id > last, subscriber.c.list_id + "" == self._list_id)
        fresh = and_(fresh, subscriber.c.origin == "import")
        new = connection.scalar(select(func.count()).select_from(subscriber).where(fresh)) or 0
        vouched = select(
            literal(self._list_id), subscriber.c.id, literal(Event.IMPORTED.value), literal(now, Moment), *_NOTHING_SAID
        ).where(fresh)
        connection.execute(consent.insert().from_select(_CONSENT, vouched))
        return Counter(new=new, known=len(batch) - new, stopped=self._stop(connection, batch, now))

    def _list_again(self, connection: Connection, batch: Sequence[Subscriber], now: datetime) -> int:
        """Put back who was on the list by a line of the file that is gone; return how many these are.

        They are the import's from now on, else the next look at the file would take them off again.
        """
        gone = and_(self._mine, subscriber.c.key.in_([one.key for one in batch]), ~subscriber.c.listed)
        back = update(subscriber).where(gone).values(listed=True, origin="import", line=None)
        numbers = list(connection.scalars(back.returning(subscriber.c.id)))
        note = {"list_id": self._list_id, "event": Event.IMPORTED.value, "at": now, "client": "", "words": ""}
        if numbers:
            connection.execute(consent.insert(), [note | {"subscriber_id": number} for number in numbers])
        return len(numbers)

    @cached_property
    def _adding(self) -> Any:
        """The statement that adds the rows of its parameter, but for those that are there."""
        names = list(self._row(Subscriber(address=""), "import"))
        given = given_rows(self._database, {name: subscriber.c[name].type for name in names})
        # Without a WHERE, SQLite would read the ON of ON CONFLICT as that of a join.
        rows = select(*given.c, bindparam("now", type_=Moment())).where(true())
        return self._database.insert(subscriber).from_select([*names, "stood_at"], rows).on_conflict_do_nothing()

    def _stop(self, connection: Connection, batch: Sequence[Subscriber], now: datetime) -> int:
        """Make who left or bounced elsewhere stand so here."""
        stopped = 0
        for standing in (Standing.UNSUBSCRIBED, Standing.BOUNCED, Standing.COMPLAINED):
            keys = [one.key for one in batch if one.standing is standing]
            if keys:
                theirs = and_(self._mine, subscriber.c.key.in_(keys), ~_barred(subscriber.c.standing))
                change = update(subscriber).where(theirs).values(standing=standing.value, stood_at=now)
                stopped += connection.execute(change).rowcount
        return stopped

    def _not_forgotten(self, connection: Connection, batch: Sequence[Subscriber]) -> list[Subscriber]:
        if not connection.scalar(select(exists().where(forgotten.c.list_id == self._list_id))):
            return list(batch)
        marks = {self.mark(one.key): one for one in batch}
        known = select(forgotten.c.mark).where(forgotten.c.list_id == self._list_id, forgotten.c.mark.in_(marks))
        for mark in connection.scalars(known):
            del marks[mark]
        return list(marks.values())

    def mark(self, key: str) -> str:
        """Return what is kept of an address that is to be forgotten: a keyed hash, of no use without the database."""
        return hashlib.blake2b(f"{self._list_id}\0{key}".encode(), key=self._pepper, digest_size=16).hexdigest()

    def all(self, *, of_file: bool | None = None, standing: Standing | None = None) -> Iterator[Subscriber]:
        """Yield every listed subscriber by id, the inactive ones too; of one standing, of the file or not of it."""
        statement = select(*COLUMNS).where(self._mine, subscriber.c.listed, subscriber.c.standing != ERASED)
        if of_file is not None:
            statement = statement.where((subscriber.c.origin == "file") == of_file)
        if standing:
            statement = statement.where(subscriber.c.standing == standing.value)
        with self._database.reading() as connection:
            for row in connection.execution_options(yield_per=BATCH).execute(statement.order_by(subscriber.c.id)):
                yield from_row(row)

    def find(self, key: str, *, unlisted: bool = False) -> Subscriber | None:
        """Return the subscriber with this key (a case-folded address), or None; who is not listed only if asked for."""
        return self._one(subscriber.c.key == key, unlisted=unlisted)

    def get(self, number: int) -> Subscriber | None:
        """Return the listed subscriber with this id, or None; whoever asked to be forgotten is none."""
        return self._one(subscriber.c.id == number)

    def _one(self, which: ColumnElement[bool], *, unlisted: bool = False) -> Subscriber | None:
        statement = select(*COLUMNS).where(self._mine, which, subscriber.c.standing != ERASED)
        if not unlisted:
            statement = statement.where(subscriber.c.listed)
        with self._database.reading() as connection:
            row = connection.execute(statement).one_or_none()
        return from_row(row) if row else None

    def count(self, cadence: Cadence | None = None, *, but_file: bool = False) -> int:
        """Return how many rows the list has: all, the readers of one cadence, or those that are not the file's."""
        statement = select(func.count()).select_from(subscriber).where(self._mine)
        if but_file:
            statement = statement.where(subscriber.c.origin != "file")
        if cadence:
            statement = statement.where(subscriber.c.cadence == cadence.value, READS)
        with self._database.reading() as connection:
            return connection.scalar(statement) or 0

    def wishes(self, cadence: Cadence) -> set[tuple[str | None, int | None]]:
        """Return the zones and hours that readers of a cadence have; None is the list's own."""
        statement = select(subscriber.c.timezone, subscriber.c.hour).distinct()
        with self._database.reading() as connection:
            rows = connection.execute(statement.where(self._mine, subscriber.c.cadence == cadence.value, READS))
            return {(zone, hour) for zone, hour in rows}

    def standings(self) -> dict[Standing, int]:
        """Return how many listed people stand how to the list."""
        statement = select(subscriber.c.standing, func.count()).where(self._mine, subscriber.c.listed)
        with self._database.reading() as connection:
            rows = connection.execute(statement.group_by(subscriber.c.standing)).all()
        return dict.fromkeys(Standing, 0) | {Standing(name): number for name, number in rows}

    @cached_property
    def _mine(self) -> ColumnElement[bool]:
        return subscriber.c.list_id == self._list_id

    def _row(self, one: Subscriber, origin: str) -> dict[str, Any]:
        row = {"list_id": self._list_id, "key": one.key, "address": one.address, "name": one.name}
        row |= chosen(one.preferences) | {"active": one.active, "standing": one.standing.value}
        return row | {"origin": origin, "line": _line(one) if origin == "file" else None, "listed": True}


def _barred(standing: ColumnElement[str]) -> ColumnElement[bool]:
    return or_(*(standing == one.value for one in Standing if one.barred))


def _line(one: Subscriber) -> str:
    return hashlib.blake2b(repr(replace(one, id=None)).encode(), digest_size=8).hexdigest()


def chosen(preferences: Preferences) -> dict[str, Any]:
    """Return what a reader chose as the columns CHOSEN."""
    return {
        "cadence": preferences.cadence.value,
        "timezone": preferences.timezone,
        "hour": preferences.hour,
        "include": list(preferences.include),
        "exclude": list(preferences.exclude),
        "format": preferences.format.value,
        "papers": preferences.papers,
        "only_matches": preferences.only_matches,
        "paused_until": preferences.paused_until,
    }


def from_row(row: Sequence[Any]) -> Subscriber:
    """Return the subscriber of a row of COLUMNS; a sender does this for every copy, so it is quick."""
    number, address, name, cadence, timezone, hour, include, exclude, *rest, active, standing, listed = row
    wants = _preferences(cadence, timezone, hour, tuple(include), tuple(exclude), *rest)
    return Subscriber(
        id=number, address=address, name=name, active=active and listed, standing=Standing(standing), preferences=wants
    )


@lru_cache(maxsize=1024)  # most readers want what many others do
def _preferences(  # noqa: PLR0913, PLR0917 - the columns in their order
    cadence: str,
    timezone: str | None,
    hour: int | None,
    include: tuple[str, ...],
    exclude: tuple[str, ...],
    kind: str,
    papers: int | None,
    only_matches: bool | None,  # noqa: FBT001 - a column
    paused_until: date | None,
) -> Preferences:
    return Preferences(
        cadence=Cadence(cadence),
        timezone=timezone,
        hour=hour,
        include=include,
        exclude=exclude,
        format=Format(kind),
        papers=papers,
        only_matches=only_matches,
        paused_until=paused_until,
    )


def _batches(people: Iterable[Subscriber], size: int) -> Iterator[list[Subscriber]]:
    rest = iter(people)
    while batch := list(islice(rest, size)):
        yield batch
