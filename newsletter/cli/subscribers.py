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

    parts = load_parts(remember=False)
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
    if dry_run:
        click.echo(f"{path}: {len(roster.subscribers)} subscribers would be imported.")
        return
    added = load_parts().subscribers.add(roster.subscribers)
    click.echo(f"{path}: {added} new, {len(roster.subscribers) - added} were on the list already.")


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
        "active": one.active,
    }
