"""newsletter papers: what the sources say, what was remembered of it, and what the editor makes of it."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import DATE, JSON, counted, load_parts, load_settings, print_json, print_table, to_day, warn

if TYPE_CHECKING:
    from collections.abc import Sequence

    from newsletter.models import Entry

NOTE = click.option("--note", default="", help="A word on it; beside a pinned paper readers see it.")
UNDO = click.option("--undo", is_flag=True, help="Take it back.")


@click.group()
def papers() -> None:
    """Read papers into the store, look at them, and pin or drop some."""


@papers.command()
@DATE
@click.option("--days", type=click.IntRange(1, 366), default=3, show_default=True, help="List days, up to that one.")
@JSON
@click.pass_context
def fetch(ctx: click.Context, day: date | None, days: int, *, as_json: bool) -> None:
    """Read the newest list days of all sources, so that votes get a history; run it hourly from cron if you like.

    What one source says is kept when another fails; that ends with code 3.

    Example: newsletter papers fetch --days 5
    """
    from datetime import timedelta

    from newsletter import pipeline
    from newsletter.models import Cadence, Period

    parts = load_parts()
    newest = day or pipeline.newest_list_day(parts)
    start = newest - timedelta(days=days - 1)
    collected = pipeline.read(parts, Period(Cadence.DAILY, start, newest))
    for failure in collected.failures:
        warn(str(failure))
    failed = {failure.source for failure in collected.failures}
    names = [source.name for source in parts.sources if source.name not in failed]
    read = {name: [paper for paper in collected.read if paper.source == name] for name in names}
    listed = {name: sorted({str(one.listed_on) for one in found}) for name, found in read.items()}
    if as_json:
        print_json([{"source": name, "papers": len(found), "days": listed[name]} for name, found in read.items()])
    else:
        for name, found in read.items():
            click.echo(f"{name}: {_of_days(len(found), len(listed[name]))} read{_between([start, newest])}.")
    ctx.exit(collected.failures[0].exit_code if collected.failures else 0)


@papers.command(name="import")
@click.argument("spec")
@click.option(
    "--as-of",
    metavar="YYYY-MM-DD",
    callback=lambda _c, _p, value: to_day(value),
    help="A day when the pasted page was on show, which settles its year; the day of a list file that tells none.",
)
@click.option("--dry-run", is_flag=True, help="Read and show, write nothing.")
@JSON
def import_papers(spec: str, as_of: date | None, *, dry_run: bool, as_json: bool) -> None:
    """Read a source into the store: page:PATH, file:PATH, or any other kind of source.

    Example: newsletter papers import page:seeds/daily-papers.txt --as-of 2025-12-25
    """
    from newsletter.fetch.collect import days_of_interest
    from newsletter.periods import daily
    from newsletter.settings import check_source
    from newsletter.store.papers import to_json
    from newsletter.wiring import now, source, today

    settings, _folder = load_settings()
    kind = source(check_source(spec), Path.cwd(), as_of=as_of, private=settings.private_sources)
    days = days_of_interest(kind, as_of or today(), settings.max_age_days)
    found = [paper for day in counted("Reading", days) for paper in kind.papers(daily(day))]
    if not dry_run:
        load_parts().papers.observe(found, now())
    if as_json:
        print_json([to_json(paper) for paper in found])
        return
    verb = "would be read" if dry_run else "read"
    click.echo(f"{spec}: {_of_days(len(found), len(days))} {verb}{_between(days)}.")
    if days and days[-1] > today():
        warn(f"{spec}: {days[-1]} is still to come; give a day of the right year with --as-of")


@papers.command(name="list")
@DATE
@JSON
def list_papers(day: date | None, *, as_json: bool) -> None:
    """Show the remembered papers of a list day, ranked, with the votes gained since yesterday; else the newest day's.

    Example: newsletter papers list --date 2025-12-25
    """
    from newsletter.models import Cadence
    from newsletter.periods import daily
    from newsletter.rank.rising import since_yesterday
    from newsletter.store.papers import to_json

    parts = load_parts(remember=False)
    day = day or parts.papers.newest_day()
    entries = parts.rankings[Cadence.DAILY].rank(parts.papers.remembered(daily(day)), daily(day)) if day else []
    if as_json:
        rows = ({"rank": e.rank, "reason": e.reason, "since_yesterday": since_yesterday(e.paper)} for e in entries)
        print_json([row | to_json(entry.paper) for row, entry in zip(rows, entries, strict=True)])
    elif entries:
        click.echo(f"{len(entries)} papers of the list of {day}; New are the votes since yesterday.")
        headings = ["Rank", "Votes", "New", "Id", "Title"]
        print_table(headings, map(_row, entries), right=headings[:3])
    else:
        click.echo(f"No papers of {day} are remembered." if day else "No papers are remembered yet.")


@papers.command()
@click.argument("name", metavar="ID")
@NOTE
@UNDO
def pin(name: str, note: str, *, undo: bool) -> None:
    """Put a paper at the top of the next issue that can carry it, as the editor's pick.

    ID is an arXiv id, a link that ends in one, or the paper's title.

    Example: newsletter papers pin 2512.16676 --note "Read it for the appendix."
    """
    _decide("pin", name, note, "leads the next issue that can carry it", undo=undo)


@papers.command()
@click.argument("name", metavar="ID")
@NOTE
@UNDO
def drop(name: str, note: str, *, undo: bool) -> None:
    """Leave a paper out of every issue that is to come.

    ID is an arXiv id, a link that ends in one, or the paper's title.

    Example: newsletter papers drop 2512.16676 --note "Withdrawn."
    """
    _decide("drop", name, note, "is left out of what is to come", undo=undo)


def _decide(verdict: str, name: str, note: str, effect: str, *, undo: bool) -> None:
    from newsletter import editorial

    parts = load_parts()
    if undo:
        click.echo(f"{editorial.reconsider(parts, name).title}: as the ranking has it again.")
    else:
        paper = editorial.decide(parts, name, verdict, note)
        told = parts.issues.carrying(paper.key)
        click.echo(f"{paper.title}: {effect}{'; told before in ' + ', '.join(told) if told else ''}.")


def _row(entry: "Entry") -> list[str]:
    from newsletter.rank.rising import since_yesterday

    paper, change = entry.paper, since_yesterday(entry.paper)
    votes = "?" if paper.upvotes is None else f"{paper.upvotes:,}"
    return [
        str(entry.rank),
        votes,
        "" if change is None else f"{change:+,}",
        paper.arxiv_id or "",
        paper.title,
    ]


def _between(days: "Sequence[date]") -> str:
    return f", {days[0]}" + (f" to {days[-1]}" if days[-1] != days[0] else "") if days else ""


def _of_days(papers: int, days: int) -> str:
    return f"{papers:,} paper{'' if papers == 1 else 's'} of {days} list day{'' if days == 1 else 's'}"
