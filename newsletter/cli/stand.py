"""How the list stands, in a few lines or as JSON."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import print_json

if TYPE_CHECKING:
    from newsletter.standing import Standing

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
WIDTH = 10  # of what stands before each line


def show_standing(now: "Standing", *, as_json: bool) -> None:
    """Show what comes next, what waits, what was missed, and when the sources answered last."""
    if as_json:
        print_json(_to_json(now))
        return
    for name, said in _lines(now):
        click.echo(f"{name:{WIDTH}}{said}")


def _lines(now: "Standing") -> Iterator[tuple[str, str]]:
    for cadence, moment in now.next.items():
        yield "Next:", f"{cadence} {moment:%a %Y-%m-%d %H:%M} UTC, in {stretch_words(moment - now.at)}"
    if not now.next:
        yield "Next:", "nobody is on the list"
    if now.waiting.since:
        oldest = stretch_words(now.at - now.waiting.since)
        yield "Waiting:", f"{now.waiting.copies:,} copies, the oldest for {oldest}"
    yield from _work_lines(now)
    if now.in_doubt:
        yield "In doubt:", f"{now.in_doubt:,} copies; `status --in-doubt` lists them"
    for slot in now.missed:
        yield "Missed:", f"{slot.cadence} slot of {slot.day}: {slot.reason}"
    for one in now.sources:
        newest = f"; its newest list is {one.newest}" if one.newest else ""
        yield "Source:", f"{one.name} answered {stretch_words(now.at - one.read_at)} ago{newest}"


def _work_lines(now: "Standing") -> Iterator[tuple[str, str]]:
    if now.senders:
        rates = ", ".join(f"{lane} {rate:g}" for lane, rate in now.lanes.items())
        yield "Sending:", f"{now.senders} at work; copies a second: {rates}"
    elif now.jobs:
        yield "Sending:", "nobody is at work; start `newsletter worker`"
    if now.jobs:
        silent = f", {now.jobs.silent:,} with a worker that fell silent" if now.jobs.silent else ""
        yield "Chunks:", f"{now.jobs.waiting:,} waiting, {now.jobs.at_work:,} being sent{silent}"
    for lane, rate in now.slowed.items():
        yield "Slowed:", f"{lane}, at its provider's wish, to {rate:g} copies a second for now"


def stretch_words(stretch: timedelta) -> str:
    """Return a stretch of time as a person says it, in its largest unit."""
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        number = round(stretch / unit)
        if number >= 2 or (number == 1 and stretch >= unit):  # noqa: PLR2004 - below that a smaller unit tells more
            return f"{number} {name}{'s' if number > 1 else ''}"
    return "a moment"


def _to_json(now: "Standing") -> dict[str, Any]:
    return {
        "at": _moment(now.at),
        "next": {cadence.value: _moment(moment) for cadence, moment in now.next.items()},
        "waiting": now.waiting.copies,
        "waiting_seconds": int((now.at - now.waiting.since).total_seconds()) if now.waiting.since else 0,
        "in_doubt": now.in_doubt,
        "senders": now.senders,
        "lanes": dict(now.lanes),
        "slowed": dict(now.slowed),
        "chunks": now.jobs and {"waiting": now.jobs.waiting, "at_work": now.jobs.at_work, "silent": now.jobs.silent},
        "missed": [
            {"cadence": slot.cadence.value, "day": slot.day.isoformat(), "reason": slot.reason} for slot in now.missed
        ],
        "sources": [
            {"name": one.name, "read_at": _moment(one.read_at), "newest": one.newest and one.newest.isoformat()}
            for one in now.sources
        ],
        "last_issue_at": now.last_issue_at and _moment(now.last_issue_at),
    }


def _moment(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
