"""newsletter papers: what the sources say, and what was remembered of it."""

from datetime import date
from pathlib import Path

import click

from newsletter.cli.context import DATE, JSON, load_parts, load_settings, print_json, print_table, to_day


@click.group()
def papers() -> None:
    """Read papers into the store, and look at them."""


@papers.command(name="import")
@click.argument("spec")
@click.option(
    "--as-of", metavar="YYYY-MM-DD", callback=lambda _c, _p, value: to_day(value), help="The day of the list."
)
@click.option("--dry-run", is_flag=True, help="Read and show, write nothing.")
@JSON
def import_papers(spec: str, as_of: date | None, *, dry_run: bool, as_json: bool) -> None:
    """Read a source into the store: page:PATH, file:PATH or huggingface.

    Example: newsletter papers import page:seeds/daily-papers.txt --as-of 2025-12-25
    """
    from newsletter.fetch.collect import read_all
    from newsletter.settings import check_source
    from newsletter.store.papers import to_json
    from newsletter.wiring import now, source

    settings, _folder = load_settings()
    found = list(read_all(source(check_source(spec), Path.cwd(), as_of), as_of or now().date(), settings.max_age_days))
    if not dry_run:
        load_parts().papers.observe(found, now())
    if as_json:
        print_json([to_json(paper) for paper in found])
        return
    days = {paper.listed_on for paper in found}
    verb = "would be read" if dry_run else "read"
    click.echo(f"{spec}: {len(found)} papers of {len(days)} list day{'' if len(days) == 1 else 's'} {verb}.")


@papers.command(name="list")
@DATE
@JSON
def list_papers(day: date | None, *, as_json: bool) -> None:
    """Show the remembered papers of a list day, ranked; the newest day if none is named.

    Example: newsletter papers list --date 2025-12-25
    """
    from newsletter.models import Cadence
    from newsletter.periods import daily
    from newsletter.store.papers import to_json

    parts = load_parts(remember=False)
    day = day or parts.papers.newest_day()
    entries = parts.rankings[Cadence.DAILY].rank(parts.papers.listed_on(day), daily(day)) if day else []
    if as_json:
        print_json([{"rank": entry.rank, "reason": entry.reason} | to_json(entry.paper) for entry in entries])
    elif entries:
        rows = ((str(e.rank), _votes(e.paper.upvotes), e.paper.title, e.reason) for e in entries)
        print_table(["Rank", "Votes", "Title", "Why"], rows, right=["Rank", "Votes"])
    else:
        click.echo(f"No papers of {day} are remembered." if day else "No papers are remembered yet.")


def _votes(votes: int | None) -> str:
    return "?" if votes is None else str(votes)
