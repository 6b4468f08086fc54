"""newsletter run: the service that sends by itself, and what it shares with a crontab."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from newsletter.cli import report
from newsletter.cli.context import load_parts, load_settings
from newsletter.cli.serve import beside, metrics

if TYPE_CHECKING:
    from logging import Logger

    from newsletter.parts import Parts
    from newsletter.schedule import Ticked


@click.command()
@click.option("--serve", "with_pages", is_flag=True, help="Serve the pages, too, as `newsletter serve` does.")
def run(*, with_pages: bool) -> None:
    """Run as a service: send each issue when it is due, each reader at their own hour.

    Looks once a minute. Any number of these may run beside each other and beside a crontab with `send --due`: each
    reader gets each issue once. SIGTERM or Ctrl-C ends it after the messages in flight.

    Example: newsletter run --serve
    """
    from newsletter import telemetry
    from newsletter.errors import NewsletterError
    from newsletter.schedule import Bell, tick
    from newsletter.standing import next_dues

    telemetry.log_events(as_json=not sys.stderr.isatty())
    settings, _folder = load_settings()
    parts = load_parts()
    for address in metrics(parts, settings.web):
        _log().info("metrics at %s", address)
    with _ended_by_a_signal(), _pages(parts, wanted=with_pages), Bell() as bell:
        dues = ", ".join(f"{cadence} {moment:%Y-%m-%d %H:%M} UTC" for cadence, moment in next_dues(parts).items())
        _log().info("running; next: %s", dues or "nobody is on the list yet")
        while True:
            bell.wait()
            try:
                _tell(tick(parts))
            except NewsletterError as fault:
                _log().error("%s", fault)
            except Exception:  # noqa: BLE001 - a service outlives whatever nobody thought of, and tries again
                _log().exception("unexpected fault, please report it")


def send_due(parts: "Parts") -> int:
    """Send what is due now, say something only where there is something to say, and return the exit code."""
    from newsletter.cli.context import sending
    from newsletter.errors import BusyError
    from newsletter.schedule import tick

    with sending() as watch:
        done = tick(parts, watch)
    for line in done.lines:
        click.echo(line)
    for tally in done.sent:
        click.echo(f"{tally.issue}: {report.sums(tally)}")
    for fault in done.faults:
        click.echo(f"newsletter: {fault}", err=True)
    if done.busy:
        return BusyError.exit_code
    return max([fault.exit_code for fault in done.faults] + [report.exit_code(tally) for tally in done.sent], default=0)


def _log() -> "Logger":
    import logging

    return logging.getLogger("newsletter")


def _tell(done: "Ticked") -> None:
    """Write what a tick did into the log, an event a line."""
    for line in done.lines:
        _log().info("%s", line)
    for tally in done.sent:
        _log().info("%s: %s", tally.issue, report.sums(tally))
    for fault in done.faults:
        _log().error("%s", fault)
    for fault in done.passing:
        _log().warning("%s", fault)


@contextmanager
def _ended_by_a_signal() -> Iterator[None]:
    """Take SIGTERM and Ctrl-C for the end that a service is meant to have."""
    try:
        yield
    except KeyboardInterrupt:
        _log().info("stopped; nothing is lost")


@contextmanager
def _pages(parts: "Parts", *, wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    settings, _folder = load_settings()
    with beside(parts, settings.web) as url:
        _log().info("serving the pages at %s", url)
        yield
