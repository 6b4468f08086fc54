"""newsletter subscribers: who is on the list."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import JSON, load_parts, print_json, print_table, warn

if TYPE_CHECKING:
    from collections.abc import Callable

    from newsletter.models import Subscriber
    from newsletter.parts import Parts
    from newsletter.roster import Change
    from newsletter.subscribers import Roster
    from newsletter.subscribers.held import Held

MOST_CHANGES_SHOWN = 200
ADDRESS = click.argument("address")
WELCOME = click.option("--welcome", is_flag=True, help="Greet each new reader with one mail.")


@click.group()
def subscribers() -> None:
    """Look at the list of subscribers, and change it."""


@subscribers.command(name="list")
@click.option("--bounced", is_flag=True, help="Show what came back, and who is mailed no more because of it.")
@JSON
def list_subscribers(*, bounced: bool, as_json: bool) -> None:
    """Show everybody on the list: the subscriber file, who was imported, and who signed up.

    Example: newsletter subscribers list --json
    """
    from newsletter import pipeline
    from newsletter.subscribers import read_roster

    parts = load_parts(remember=False)
    if bounced:
        _show_bounced(parts, as_json=as_json)
        return
    for duplicate in read_roster(parts.roster).duplicates if parts.roster else ():
        warn(duplicate)
    everybody = list(pipeline.readers(parts))
    if as_json:
        print_json([_to_json(one) for one in everybody])
        return
    if parts.roster:
        click.echo(f"From {parts.roster}")
    rows = (
        (one.address, one.name or "", one.preferences.cadence, one.preferences.format, _standing(one))
        for one in everybody
    )
    print_table(["Address", "Name", "Period", "Format", "Active"], rows)


@subscribers.command()
@ADDRESS
@click.option("--name", help="The name as it should stand on the envelope.")
@click.option("--period", type=click.Choice(["daily", "weekly", "monthly"]), default="daily", help="How often.")
@click.option("--format", "kind", type=click.Choice(["html", "text"]), default="html", help="What a mail is made of.")
@WELCOME
def add(address: str, name: str | None, period: str, kind: str, *, welcome: bool) -> None:
    """Put one person on the list who asked you for it.

    Example: newsletter subscribers add ada@example.org --name "Ada Lovelace" --welcome
    """
    from newsletter import roster
    from newsletter.subscribers import one_subscriber

    one = one_subscriber({"address": address, "name": name, "period": period, "format": kind})
    roster.add(load_parts(), one, welcome=welcome)
    click.echo(f"{one.address}: is on the list now.")


@subscribers.command()
@ADDRESS
def remove(address: str) -> None:
    """Take one person off the list; nothing is sent to them any more, whatever file names them.

    Example: newsletter subscribers remove ada@example.org
    """
    from newsletter import pipeline, roster

    parts = load_parts()
    pipeline.follow_roster(parts)
    told = "is off the list now" if roster.remove(parts, address) else "was off the list already"
    click.echo(f"{address}: {told}.")


@subscribers.command(name="import")
@click.argument("path", type=click.Path(path_type=Path), required=False)
@WELCOME
@click.option("--dry-run", is_flag=True, help="Show what would change, write nothing.")
def import_subscribers(path: Path | None, *, welcome: bool, dry_run: bool) -> None:
    """Bring the people of a .yaml or .csv file onto the list; without PATH, follow the subscriber file now.

    Who is there already stays as they are. Who left, bounced or complained here stays off the list, and so does who did
    in the other system: its status column counts (Mailchimp's and listmonk's files are understood).

    Example: newsletter subscribers import readers.csv --dry-run
    """
    from newsletter.errors import UsageError
    from newsletter.subscribers import read_roster

    parts = load_parts(remember=not dry_run)
    source = path or parts.roster
    if source is None:
        raise UsageError("PATH is missing, and there is no subscriber file to follow; name a file")
    with _busy(f"Reading {source.name}"):
        found = read_roster(source)
    for duplicate in found.duplicates:
        warn(duplicate)
    if dry_run:
        _show_changes(parts, found, follows=path is None)
    elif path is None:
        parts.subscribers.follow_file(found.subscribers)
        click.echo(f"{source}: {len(found.subscribers):,} followed.")
    else:
        _import(parts, source, found, welcome=welcome)


@subscribers.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option("--format", "kind", type=click.Choice(["yaml", "csv"]), help="By the ending of PATH, or yaml.")
@click.option("--person", metavar="ADDRESS", help="Everything that is kept of one person, as JSON.")
def export(path: Path | None, kind: str | None, person: str | None) -> None:
    """Write the list as a file that `subscribers import` reads back; without PATH, to the terminal.

    Example: newsletter subscribers export readers.csv
    """
    from newsletter import pipeline, roster
    from newsletter.subscribers.export import to_csv, to_yaml

    parts = load_parts(remember=False)
    if person:
        print_json(roster.all_that_is_known(parts, person))
        return
    as_csv = kind == "csv" or (kind is None and path is not None and path.suffix.lower() == ".csv")
    lines = (to_csv if as_csv else to_yaml)(pipeline.readers(parts))
    if path is None:
        for line in lines:
            click.echo(line, nl=False)
        return
    with path.open("w", encoding="utf-8", newline="") as file:
        file.writelines(lines)
    click.echo(f"Written to {path}.")


@subscribers.command()
@ADDRESS
def erase(address: str) -> None:
    """Forget one person: nothing is kept but a hash that keeps imports from bringing them back.

    Example: newsletter subscribers erase ada@example.org
    """
    from newsletter import roster
    from newsletter.errors import UsageError
    from newsletter.store.backup import backups
    from newsletter.subscribers import mentions

    if "@" not in address:
        raise UsageError(f"{address}: is no address")
    parts = load_parts()
    known = roster.erase(parts, address)
    click.echo(f"{address}: {'is forgotten' if known else 'was not known, and no import brings it in'}.")
    if parts.roster and mentions(parts.roster, address):
        warn(f"{parts.roster}: the address stands there still; remove its line, too")
    for backup in backups(parts.database.path) if parts.database.path else ():
        warn(f"{backup}: is of before an upgrade, and may hold the address still; delete it when you need it no more")


@subscribers.command()
@ADDRESS
def resubscribe(address: str) -> None:
    """Undo that somebody left, bounced or complained; only with their consent.

    Example: newsletter subscribers resubscribe ada@example.org
    """
    from newsletter import roster

    before = roster.take_in_again(load_parts(), address)
    click.echo(f"{before.address}: was {before.standing}, is a reader again.")


def _import(parts: "Parts", source: "Path | Held", found: "Roster", *, welcome: bool) -> None:
    from newsletter import roster

    with _progress("Importing", len(found.subscribers)) as advance:
        done = roster.bring_in(parts, found.subscribers, advance, welcome=welcome)
    told = [f"{done.new:,} new", f"{done.known:,} on the list already"]
    told += [f"{done.stopped:,} of them off the list now, as the file has it"] if done.stopped else []
    told += [f"{done.erased:,} left out who asked to be forgotten"] if done.erased else []
    click.echo(f"{source}: {', '.join(told)}.")


def _show_changes(parts: "Parts", found: "Roster", *, follows: bool) -> None:
    from itertools import islice

    from newsletter import roster

    differ = roster.changes_of_file if follows else roster.changes_of_import
    changes = differ(parts, found.subscribers)
    shown, counts = list(islice(changes, MOST_CHANGES_SHOWN)), dict.fromkeys("+~-!", 0)
    for one in shown:
        counts[one.sign] += 1
        click.echo(f"{one.sign} {one.address}" + (f"  {one.what}" if one.what else ""))
    more = _count_rest(changes, counts)
    if more:
        click.echo(f"and {more:,} more")
    words = {"+": "new", "~": "changed", "-": "no more mail", "!": "stay off the list"}
    told = [f"{number:,} {words[sign]}" for sign, number in counts.items() if number or sign == "+"]
    click.echo(f"A dry run of {len(found.subscribers):,}: {', '.join(told)}; nothing was written.")


def _count_rest(changes: "Iterable[Change]", counts: dict[str, int]) -> int:
    number = 0
    for one in changes:
        counts[one.sign] += 1
        number += 1
    return number


def _show_bounced(parts: "Parts", *, as_json: bool) -> None:
    rows = list(parts.enrolments.bounces.newest_first())
    if as_json:
        print_json([row | {"at": row["at"].isoformat()} for row in rows])
    elif not rows:
        click.echo("Nothing came back.")
    else:
        cells = (
            (
                row["address"],
                row["standing"],
                "forgiven" if row["kind"] == "other" else row["kind"],
                f"{row['at']:%Y-%m-%d}",
                row["why"],
            )
            for row in rows
        )
        print_table(["Address", "Standing", "Kind", "Day", "Why"], cells)


def _standing(one: "Subscriber") -> str:
    if one.standing != "active":
        return one.standing
    return "yes" if one.active else "no"


@contextmanager
def _busy(label: str) -> Iterator[None]:
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        yield
        return
    with console.status(label):
        yield


@contextmanager
def _progress(label: str, total: int) -> "Iterator[Callable[[int], object]]":
    from rich.console import Console
    from rich.progress import Progress

    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(label, total=total)
        yield lambda rows: bar.advance(task, rows)


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
        "paused_until": preferences.paused_until.isoformat() if preferences.paused_until else None,
        "active": one.active,
        "standing": one.standing.value,
    }
