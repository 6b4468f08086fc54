"""Papers as they were read: the last known fields, the days they were listed, and every vote count with its time."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import func, select

from newsletter.models import Observation, Paper, Period
from newsletter.store.engine import Database
from newsletter.store.tables import listing, observation, paper

DATES = ("published_on", "listed_on")
TUPLES = ("authors", "keywords")
COUNTS = ("upvotes", "comment_count", "repository_stars")


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
            seen = [{"paper_key": one.key, "source": one.source or ""} | asdict(_reading(one, now)) for one in rows]
            connection.execute(self._database.insert(observation).on_conflict_do_nothing(), seen)
            listed = [
                {"day": one.listed_on, "paper_key": one.key, "source": one.source or ""}
                for one in rows
                if one.listed_on
            ]
            if listed:
                connection.execute(self._database.insert(listing).on_conflict_do_nothing(), listed)

    def with_history(self, papers: Iterable[Paper], now: datetime) -> list[Paper]:
        """Return papers that were just read with all readings of them, this one last."""
        fresh = list(papers)
        before = self._readings([one.key for one in fresh])
        return [
            replace(one, observations=(*(seen for seen in before[one.key] if seen.seen_at < now), _reading(one, now)))
            for one in fresh
        ]

    def remembered(self, period: Period) -> list[Paper]:
        """Return the papers that stood on any list of a period, as they were last read, with all readings of them."""
        listed = select(listing.c.paper_key).where(listing.c.day.between(period.start, period.end))
        statement = select(paper.c.fields).where(paper.c.key.in_(listed)).order_by(paper.c.key)
        with self._database.reading() as connection:
            papers = [from_json(row) for row in connection.scalars(statement)]
        seen = self._readings([one.key for one in papers])
        return [replace(one, observations=seen[one.key]) for one in papers]

    def find(self, key: str) -> Paper | None:
        """Return the paper with this key as it was last read, or None."""
        with self._database.reading() as connection:
            row = connection.scalar(select(paper.c.fields).where(paper.c.key == key))
        return from_json(row) if row else None

    def titled(self, title_key: str) -> Paper | None:
        """Return a paper with this `Paper.title_key`, whatever its id, or None; looks at all there are."""
        with self._database.reading() as connection:
            papers = map(from_json, connection.execution_options(yield_per=500).scalars(select(paper.c.fields)))
            return next((one for one in papers if one.title_key == title_key), None)

    def _readings(self, keys: Sequence[str]) -> dict[str, tuple[Observation, ...]]:
        """Return the readings of papers, oldest first; what several sources said at one moment is one reading."""
        counts = [func.max(observation.c[name]).label(name) for name in COUNTS]
        statement = (
            select(observation.c.paper_key, observation.c.seen_at, *counts)
            .where(observation.c.paper_key.in_(keys))
            .group_by(observation.c.paper_key, observation.c.seen_at)
            .order_by(observation.c.seen_at)
        )
        readings: dict[str, list[Observation]] = {key: [] for key in keys}
        with self._database.reading() as connection:
            for key, seen_at, *values in connection.execute(statement):
                readings[key].append(Observation(seen_at, *values))
        return {key: tuple(seen) for key, seen in readings.items()}

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


def _reading(one: Paper, now: datetime) -> Observation:
    return Observation(now, *(getattr(one, name) for name in COUNTS))
