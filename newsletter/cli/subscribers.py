"""newsletter subscribers: who is on the list."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import JSON, load_parts, print_json, print_table, warn

if TYPE_CHECKING:
    from newsletter.models import Subscriber


@click.group()
def subscribers() -> None:
    """Look at the list of subscribers, and add to it."""


@subscribers.command(name="list")
@JSON
def list_subscribers(*, as_json: bool) -> None:
    """Show everybody on the list: the subscriber file and who was imported.

    Example: newsletter subscribers list --json
    """
    from newsletter import pipeline
    from newsletter.subscribers import read_roster

    parts = load_parts(remember=False)
    for duplicate in read_roster(parts.roster).duplicates if parts.roster else ():
        warn(duplicate)
    everybody = list(pipeline.readers(parts))
    if as_json:
        print_json([_to_json(one) for one in everybody])
        return
    if parts.roster:
        click.echo(f"From {parts.roster}")
    rows = (
        (one.address, one.name or "", one.preferences.cadence, one.preferences.format, "yes" if one.active else "no")
        for one in everybody
    )
    print_table(["Address", "Name", "Period", "Format", "Active"], rows)


@subscribers.command(name="import")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--dry-run", is_flag=True, help="Check the file and count, write nothing.")
def import_subscribers(path: Path, *, dry_run: bool) -> None:
    """Add the subscribers of a .yaml or .csv file to the database; who is there already stays as they are.

    Example: newsletter subscribers import readers.csv --dry-run
    """
    from newsletter.subscribers import read_roster

    roster = read_roster(path)
    for duplicate in roster.duplicates:
        warn(duplicate)
    store = load_parts(remember=not dry_run).subscribers
    unknown = [one for one in roster.subscribers if store.find(one.key) is None]
    added = len(unknown) if dry_run else store.add(unknown)
    told = "would be new" if dry_run else "new"
    click.echo(f"{path}: {added:,} {told}, {len(roster.subscribers) - added:,} on the list already.")


def _to_json(one: "Subscriber") -> dict[str, Any]:
    preferences = one.preferences
    return {
        "address": one.address,
        "name": one.name,
        "period": preferences.cadence.value,
        "timezone": preferences.timezone,
        "hour": preferences.hour,
        "interests": {"include": list(preferences.include), "exclude": list(preferences.exclude)},
        "format": preferences.format.value,
        "papers": preferences.papers,
        "only_matches": preferences.only_matches,
        "active": one.active,
    }
