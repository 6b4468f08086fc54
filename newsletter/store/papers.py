"""Papers as they were read: the last known fields, the days they were listed, and every vote count with its time."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select

from newsletter.models import Paper
from newsletter.store.engine import Database
from newsletter.store.tables import listing, observation, paper

DATES = ("published_on", "listed_on")
TUPLES = ("authors", "keywords")


class PaperStore:
    """The papers of a database, shared by all its lists."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def observe(self, papers: Iterable[Paper], now: datetime) -> None:
        """Remember what was read of each paper at this moment."""
        rows = list(papers)
        if not rows:
            return
        with self._database.writing() as connection:
            for one in rows:
                statement = self._database.insert(paper).values(key=one.key, fields=to_json(one), first_seen_at=now)
                update = {"fields": statement.excluded.fields}
                connection.execute(statement.on_conflict_do_update(index_elements=["key"], set_=update))
            seen = [_observation(one, now) for one in rows]
            connection.execute(self._database.insert(observation).on_conflict_do_nothing(), seen)
            listed = [
                {"day": one.listed_on, "paper_key": one.key, "source": one.source or ""}
                for one in rows
                if one.listed_on
            ]
            if listed:
                connection.execute(self._database.insert(listing).on_conflict_do_nothing(), listed)

    def listed_on(self, day: date) -> list[Paper]:
        """Return the papers that stood on any list of a day, as they were last read."""
        statement = (
            select(paper.c.fields)
            .where(paper.c.key.in_(select(listing.c.paper_key).where(listing.c.day == day)))
            .order_by(paper.c.key)
        )
        with self._database.reading() as connection:
            return [from_json(row) for row in connection.scalars(statement)]

    def first_seen(self, keys: Iterable[str]) -> dict[str, tuple[date, int]]:
        """Return the day and the votes of each paper's first observation that has votes, by key."""
        first = func.row_number().over(partition_by=observation.c.paper_key, order_by=observation.c.seen_at)
        wanted = observation.c.paper_key.in_(list(keys)) & observation.c.upvotes.is_not(None)
        ranked = select(observation, first.label("place")).where(wanted).subquery()
        statement = select(ranked.c.paper_key, ranked.c.seen_at, ranked.c.upvotes).where(ranked.c.place == 1)
        with self._database.reading() as connection:
            return {row.paper_key: (row.seen_at.date(), row.upvotes) for row in connection.execute(statement)}

    def newest_day(self) -> date | None:
        """Return the newest list day that was ever read, or None."""
        with self._database.reading() as connection:
            return connection.scalar(select(listing.c.day).order_by(listing.c.day.desc()).limit(1))


def to_json(one: Paper) -> dict[str, Any]:
    """Return a paper as JSON values: dates in ISO form, unknown as null, every field but its readings."""
    values = {field.name: getattr(one, field.name) for field in fields(Paper) if field.name != "observations"}
    for name in DATES:
        values[name] = values[name].isoformat() if values[name] else None
    for name in TUPLES:
        values[name] = list(values[name]) if values[name] is not None else None
    return values


def from_json(values: Mapping[str, Any]) -> Paper:
    """Return the paper that `to_json` wrote; fields of another version of the program are passed over."""
    known = {field.name for field in fields(Paper)}
    given = {name: value for name, value in values.items() if name in known and value is not None}
    for name in DATES:
        if name in given:
            given[name] = date.fromisoformat(given[name])
    for name in TUPLES:
        if name in given:
            given[name] = tuple(given[name])
    return Paper(**given)


def _observation(one: Paper, now: datetime) -> dict[str, Any]:
    return {
        "paper_key": one.key,
        "source": one.source or "",
        "seen_at": now,
        "upvotes": one.upvotes,
        "comment_count": one.comment_count,
        "repository_stars": one.repository_stars,
    }
