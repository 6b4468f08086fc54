"""newsletter doctor: what is wrong, before a reader notices."""

import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import JSON, load_settings, print_json

if TYPE_CHECKING:
    from pathlib import Path

    from newsletter.doctor.check import Check, Installation
    from newsletter.settings import Settings
    from newsletter.store.engine import Database
    from newsletter.store.waiting import Jobs

STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red", "skip": "dim"}


@click.command()
@click.option("--offline", is_flag=True, help="Leave out whatever needs a network.")
@click.option("--nameserver", metavar="IP[:PORT]", help="Ask this name server instead of this machine's own.")
@click.option("--address", metavar="IP", help="The public address that mail leaves from, if not known here.")
@JSON
@click.pass_context
def doctor(ctx: click.Context, nameserver: str | None, address: str | None, *, offline: bool, as_json: bool) -> None:
    """Check the installation: settings, database, disk, sources, templates, relay, DNS, pages, clock.

    Each line says what was seen, and where something is wrong what to do. Nothing is mailed and nothing is changed.
    Ends with code 0 when no check fails, 2 when a setting or file of yours is wrong, 5 when the surroundings fail.

    Example: newsletter doctor --offline
    """
    from newsletter.doctor import examine, examine_settings
    from newsletter.doctor.check import exit_code
    from newsletter.errors import SettingsError

    try:
        settings, folder = load_settings()
    except SettingsError as fault:
        checks = examine_settings(fault)
    else:
        options = {"offline": offline, "nameserver": _nameserver(nameserver), "address": _ip(address)}
        with _patience():
            checks = examine(_installation(settings, folder, options))
    if as_json:
        print_json({"checks": [_to_json(one) for one in checks]})
    else:
        _show(checks)
    ctx.exit(exit_code(checks))


def _installation(settings: "Settings", folder: "Path", options: dict[str, Any]) -> "Installation":
    """Return what is examined: the parts of a run, made so that none of them can be in another's way."""
    import shutil
    from functools import partial

    from newsletter.doctor.check import Heard, Installation
    from newsletter.doctor.sources import briefly
    from newsletter.settings.sending import DkimSettings
    from newsletter.settings.serving import BounceSettings
    from newsletter.wiring import build, now, sources

    heard: list[Heard] = []
    rehearsal = {
        "database_url": "sqlite://",
        "sources": [],
        "transport": "outbox:.",
        "dkim": DkimSettings(),
        "bounces": BounceSettings(),
    }
    return Installation(
        settings=settings,
        folder=folder,
        config=_config(folder),
        sources=sources(settings, folder, briefly(heard, now)),
        rehearse=partial(build, settings.model_copy(update=rehearsal), folder, remember=False),
        clock=now,
        free=lambda path: shutil.disk_usage(path).free,
        heard=heard,
        jobs=_jobs(settings) if settings.workers else None,
        **options,
    )


def _jobs(settings: "Settings") -> "Callable[[Database], Jobs] | None":
    """Return what counts the jobs of workers, where what that takes is installed."""
    try:
        from newsletter.worker import Chunks
    except ModuleNotFoundError:
        return None
    return Chunks(settings.list_id).jobs


def _config(folder: "Path") -> "Path | None":
    """Return the file that the settings were read from, if there is one."""
    from pathlib import Path

    from newsletter.settings import CONFIG_NAME, config_path

    given = click.get_current_context().find_root().params.get("config")
    path = config_path(Path(given) if given else None) or folder / CONFIG_NAME
    return path if path.is_file() else None


def _nameserver(text: str | None) -> str | None:
    from newsletter.doctor.names import Names

    if text:
        Names(text)  # refuses what is no address before anything begins
    return text


def _ip(text: str | None) -> str | None:
    from ipaddress import ip_address

    try:
        return str(ip_address(text)) if text else None
    except ValueError:
        raise click.BadParameter(f"{text!r} is no IP address; write it like 192.0.2.25") from None


def _patience() -> AbstractContextManager[object]:
    """Show on a terminal that something goes on."""
    if not sys.stderr.isatty():
        return nullcontext()
    from rich.console import Console

    return Console(stderr=True).status("Looking around ...")


def _show(checks: "Sequence[Check]") -> None:
    """Print a line a check, its mend below it, and the sum."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(max_width=20, overflow="fold")
    table.add_column(overflow="fold")
    for one in checks:
        table.add_row(Text(one.state, style=STYLES[one.state]), Text(one.name), Text(one.detail))
        if one.mend:
            table.add_row("", "", Text(f"-> {one.mend}", style="bold"))
    Console().print(table)
    click.echo(_sum(checks))


def _sum(checks: "Sequence[Check]") -> str:
    numbers = {state: sum(one.state == state for one in checks) for state in STYLES}
    bad = f"{numbers['fail']} failed, {_counted(numbers['warn'], 'warning')}, {numbers['skip']} skipped"
    return f"\n{len(checks)} checks: {numbers['ok']} ok, {bad}."


def _counted(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _to_json(one: "Check") -> dict[str, str]:
    return {"name": one.name, "state": one.state, "detail": one.detail, "mend": one.mend}
