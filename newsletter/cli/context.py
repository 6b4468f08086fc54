"""What the commands share: the parts of this run, dates, and how results are printed."""

import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from newsletter.dispatch import Watch
    from newsletter.models import Delivery, Tally
    from newsletter.parts import Parts
    from newsletter.settings import Settings

WORTH_A_BAR = 10  # steps of a task
Item = TypeVar("Item")
JSON = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
DATE = click.option(
    "--date", "day", metavar="YYYY-MM-DD", callback=lambda _c, _p, value: to_day(value), help="The list day."
)

PERIOD = click.option(
    "--period",
    "cadence",
    type=click.Choice(["daily", "weekly", "monthly"]),
    default="daily",
    show_default=True,
    help="Which issue.",
)


class Duration(click.ParamType[timedelta]):
    """A stretch of time as people write it, as in the settings: `90`, `90s`, `10m`, `2h`."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Return the stretch."""
        from newsletter.settings.scheduling import stretch

        if isinstance(value, timedelta):
            return value
        try:
            return stretch(str(value))
        except ValueError as fault:
            self.fail(str(fault), param, ctx)


DURATION = Duration()


def to_day(text: str | None) -> date | None:
    """Read a day from the command line.

    Raises:
        click.BadParameter: it is none.
    """
    if text is None:
        return None
    try:
        return datetime.strptime(text, "%Y-%m-%d").date()  # noqa: DTZ007 - a day has no zone
    except ValueError:
        raise click.BadParameter(f"{text!r} is no day; write it like 2025-12-25") from None


def load_settings() -> "tuple[Settings, Path]":
    """Return the settings of this run and the folder that relative paths count from."""
    from newsletter.settings import load

    config = click.get_current_context().find_root().params.get("config")
    return load(Path(config) if config else None)


def load_parts(*, remember: bool = True) -> "Parts":
    """Return the parts of this run; `remember` is False for commands that write nothing."""
    from newsletter.wiring import build

    settings, folder = load_settings()
    parts = build(settings, folder, remember=remember)
    if not settings.workers:
        return parts
    from newsletter.worker import enlisted

    return enlisted(parts)


def program() -> str:
    """Return how this run was called, for advice that can be typed as it stands."""
    called = Path(sys.argv[0])
    if called.name == "__main__.py":
        return "python -m newsletter"
    return os.path.relpath(called) if called.is_absolute() and called.is_relative_to(Path.cwd()) else str(called)


def warn(line: str) -> None:
    """Print a line of warning on stderr."""
    import logging

    logging.getLogger("newsletter").warning("%s", line)


def print_json(value: Any) -> None:
    """Print a value as JSON that a person can read too."""
    import json

    click.echo(json.dumps(value, ensure_ascii=False, indent=2))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]], right: Sequence[str] = ()) -> None:
    """Print a table; the columns named in `right` hold numbers."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))  # Text: a title with [brackets] is no markup
    Console().print(table)


def counted(label: str, items: "Sequence[Item]") -> "Iterator[Item]":
    """Yield the items of a long task, with a bar on a terminal."""
    from rich.console import Console
    from rich.progress import track

    quiet = not sys.stderr.isatty() or len(items) < WORTH_A_BAR
    yield from track(items, label, console=Console(stderr=True), transient=True, disable=quiet)


@contextmanager
def sending() -> "Iterator[Watch]":
    """Show how sending goes: a bar on a terminal, now and then a line elsewhere."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    if not sys.stderr.isatty():
        yield _lines
        return
    columns = (TextColumn("Sending"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:

        def bar(tally: "Tally") -> Any:
            task = progress.add_task("Sending", total=_ahead(tally))
            return lambda _delivery: progress.advance(task)

        yield bar


def _lines(tally: "Tally") -> Any:
    """Print a line at each tenth of the way, for audiences large enough to wait for."""
    total, worth = _ahead(tally), 100
    done = 0

    def advance(_delivery: "Delivery") -> None:
        nonlocal done
        done += 1
        if total >= worth and done * 10 // total > (done - 1) * 10 // total:
            click.echo(f"{done:,} of {total:,}", err=True)

    return advance


def _ahead(tally: "Tally") -> int:
    from newsletter.models import State

    return tally[State.QUEUED] + tally[State.DEFERRED]
