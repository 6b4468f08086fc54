"""newsletter worker: one of any number of processes that send."""

import sys

import click

from newsletter.cli.context import load_settings


@click.command()
def worker() -> None:
    """Send what is due, together with any number of such processes on any number of machines.

    Start as many as you like; each opens the connections that smtp.connections allows. They look once a minute what is
    due, share the copies through PostgreSQL, and take over from one another within seconds. SIGTERM or Ctrl-C ends one
    after the messages in flight.

    Example: newsletter worker
    """
    from newsletter import telemetry
    from newsletter.errors import SettingsError
    from newsletter.settings import WORKERS_NEED
    from newsletter.wiring import build

    settings, folder = load_settings()
    if settings.database_url.startswith("sqlite"):
        raise SettingsError(WORKERS_NEED)
    if not settings.workers:
        raise SettingsError("workers is not set, so `run` and `send` send by themselves; set workers = true for all")
    try:
        from newsletter.worker import enlisted, work
    except ModuleNotFoundError as fault:
        raise SettingsError(f"{fault.name} is not installed; pip install 'newsletter[postgres]'") from None
    telemetry.log_events(as_json=not sys.stderr.isatty())
    work(enlisted(build(settings, folder)))
