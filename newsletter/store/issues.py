"""Frozen issues: once sending has begun, an issue's papers, words and bytes do not change any more."""

from collections.abc import Iterable
from dataclasses import asdict
from datetime import date, datetime
from typing import Any

from sqlalchemy import delete, select

from newsletter.models import Cadence, Digest, Entry, Issue, Period, Riser, Skipped, Wording
from newsletter.store.engine import Database
from newsletter.store.papers import from_json, to_json
from newsletter.store.tables import carried, issue, piece, skipped, wording


class IssueStore:
    """The issues of one list."""

    def __init__(self, database: Database, list_id: str) -> None:
        self._database = database
        self._list_id = list_id

    def freeze(self, one: Issue, entries: Iterable[Entry], now: datetime) -> Issue:
        """Keep an issue for good, with the entries it carries, and return the one that is kept: the first decides."""
        with self._database.writing() as connection:
            row = {"list_id": self._list_id, "key": one.key, "content": _to_json(one), "frozen_at": now}
            fresh = connection.execute(self._database.insert(issue).values(row).on_conflict_do_nothing()).rowcount
            came = skipped.c.list_id == self._list_id, skipped.c.issue_key == one.key
            connection.execute(delete(skipped).where(*came))
            keys = {key for entry in entries for key in (entry.paper.key, entry.paper.title_key)}
            papers = [{"list_id": self._list_id, "paper_key": key, "issue_key": one.key} for key in sorted(keys)]
            if papers and fresh:
                connection.execute(self._database.insert(carried), papers)
        return self.find(one.key) or one

    def find(self, key: str) -> Issue | None:
        """Return a frozen issue, or None."""
        statement = select(issue.c.content).where(issue.c.list_id == self._list_id, issue.c.key == key)
        with self._database.reading() as connection:
            content = connection.scalar(statement)
        return _from_json(content) if content else None

    def keys(self) -> list[str]:
        """Return the keys of all frozen issues, newest first."""
        statement = select(issue.c.key).where(issue.c.list_id == self._list_id)
        with self._database.reading() as connection:
            return list(connection.scalars(statement.order_by(issue.c.frozen_at.desc(), issue.c.key.desc())))

    def frozen_at(self, key: str) -> datetime:
        """Return when a frozen issue was frozen."""
        statement = select(issue.c.frozen_at).where(issue.c.list_id == self._list_id, issue.c.key == key)
        with self._database.reading() as connection:
            moment: datetime = connection.execute(statement).scalar_one()
        return moment

    def carried(self, cadence: Cadence, *, but: str = "") -> frozenset[str]:
        """Return the keys of papers that issues of a cadence carried as entries; the issue `but` does not count."""
        statement = select(carried.c.paper_key).where(
            carried.c.list_id == self._list_id,
            carried.c.issue_key.startswith(f"{cadence}/"),
            carried.c.issue_key != but,
        )
        with self._database.reading() as connection:
            return frozenset(connection.scalars(statement))

    def skip(self, slot: Skipped, now: datetime) -> None:
        """Keep why a slot has no issue; the newest reason counts, and an issue that comes after all takes it away."""
        row = self._database.insert(skipped).values(
            list_id=self._list_id, issue_key=slot.key, reason=slot.reason, skipped_at=now
        )
        update = {"reason": row.excluded.reason, "skipped_at": row.excluded.skipped_at}
        with self._database.writing() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["list_id", "issue_key"], set_=update))

    def skipped(self) -> list[Skipped]:
        """Return the slots that have no issue, newest first."""
        statement = select(skipped.c.issue_key, skipped.c.reason).where(skipped.c.list_id == self._list_id)
        with self._database.reading() as connection:
            rows = connection.execute(statement.order_by(skipped.c.skipped_at.desc(), skipped.c.issue_key.desc()))
            return [Skipped(*row) for row in rows]

    def carrying(self, paper_key: str) -> list[str]:
        """Return the keys of the issues that carried a paper, oldest first."""
        statement = select(carried.c.issue_key).where(
            carried.c.list_id == self._list_id, carried.c.paper_key == paper_key
        )
        with self._database.reading() as connection:
            return sorted(connection.scalars(statement))

    def wording(self, key: str) -> Wording:
        """Return what an editor wrote for an issue."""
        statement = select(wording.c.name, wording.c.words)
        with self._database.reading() as connection:
            rows = connection.execute(statement.where(wording.c.list_id == self._list_id, wording.c.issue_key == key))
            return Wording(**{row.name: row.words for row in rows if row.words})

    def reword(self, key: str, name: str, words: str) -> None:
        """Keep what an editor wrote for an issue that is still to come: its `subject`, `preheader` or `note`."""
        row = self._database.insert(wording).values(list_id=self._list_id, issue_key=key, name=name, words=words)
        update = {"words": row.excluded.words}
        with self._database.writing() as connection:
            connection.execute(row.on_conflict_do_update(index_elements=["list_id", "issue_key", "name"], set_=update))

    def piece(self, key: str, name: str) -> str | None:
        """Return a rendered piece of a frozen issue, or None if it was not made yet."""
        statement = select(piece.c.body).where(
            piece.c.list_id == self._list_id, piece.c.issue_key == key, piece.c.name == name
        )
        with self._database.reading() as connection:
            return connection.scalar(statement)

    def keep_piece(self, key: str, name: str, body: str) -> None:
        """Keep a rendered piece; whoever comes first decides."""
        row = {"list_id": self._list_id, "issue_key": key, "name": name, "body": body}
        with self._database.writing() as connection:
            connection.execute(self._database.insert(piece).values(row).on_conflict_do_nothing())


def _to_json(one: Issue) -> dict[str, Any]:
    period = one.digest.period
    return {
        "list_id": one.list_id,
        "title": one.title,
        "size": one.size,
        "full": one.full,
        "min_votes": one.min_votes,
        "only_matches": one.only_matches,
        "missing": list(one.missing),
        "wording": asdict(one.wording),
        "rising": [
            {"paper": to_json(riser.paper), "gained": riser.gained, "since": riser.since.isoformat()}
            for riser in one.rising
        ],
        "period": [period.cadence.value, period.start.isoformat(), period.end.isoformat()],
        "entries": [
            {
                "rank": entry.rank,
                "reason": entry.reason,
                "remark": entry.remark,
                "section": entry.section,
                "note": entry.note,
                "paper": to_json(entry.paper),
            }
            for entry in one.digest.entries
        ],
    }


def _from_json(content: dict[str, Any]) -> Issue:
    cadence, start, end = content["period"]
    period = Period(Cadence(cadence), date.fromisoformat(start), date.fromisoformat(end))
    entries = tuple(
        Entry(
            from_json(row["paper"]),
            row["rank"],
            row["reason"],
            remark=row.get("remark", ""),
            section=row.get("section", ""),
            note=row.get("note", ""),
        )
        for row in content["entries"]
    )
    rising = (
        Riser(from_json(row["paper"]), row["gained"], date.fromisoformat(row["since"]))
        for row in content.get("rising", ())
    )
    return Issue(
        list_id=content["list_id"],
        title=content["title"],
        size=content["size"],
        full=content.get("full", content["size"]),
        min_votes=content["min_votes"],
        only_matches=content.get("only_matches", False),
        missing=tuple(content.get("missing", ())),
        wording=Wording(**content.get("wording", {})),
        rising=tuple(rising),
        digest=Digest(period, entries),
    )
