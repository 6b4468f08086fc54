"""newsletter preview: the next issue in the browser, as each reader would get it."""

from collections.abc import Callable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import DATE, PERIOD
from newsletter.cli.issues import prepared

if TYPE_CHECKING:
    import socket

    from newsletter.models import Preferences, Subscriber
    from newsletter.parts import Parts

HOST = "127.0.0.1"


@click.command()
@DATE
@PERIOD
@click.option("--subscriber", metavar="ADDRESS", help="Begin with this reader's copy.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="The port; a free one unless given.")
@click.option("--no-open", is_flag=True, help="Only print the address; open no browser.")
@click.option("--send-test", "test", metavar="ADDRESS", help="Send one marked copy to this address, and end.")
@click.pass_context
def preview(  # noqa: PLR0913 - click passes each option by itself
    ctx: click.Context,
    day: date | None,
    cadence: str,
    subscriber: str | None,
    port: int,
    *,
    no_open: bool,
    test: str | None,
) -> None:
    """Show any issue as any reader would get it, and show it anew whenever a template is saved.

    It opens a page on this machine: phone and desktop, light and dark, plain text, source and checks. Nothing is sent
    or written, but for a test copy you ask for. Ctrl-C ends it.

    Example: newsletter preview --date 2025-12-25 --subscriber ada@example.org
    """
    from urllib.parse import urlencode

    config = ctx.find_root().params.get("config")
    rebuild = _rebuild(config)
    parts = rebuild()  # wrong settings end the command here; later the page tells of them
    reader = _reader(parts, subscriber) if subscriber else None
    if test:
        _send_test(parts, day, cadence, test, reader.preferences if reader else None)
        return
    asked = {"issue": _key(parts, day, cadence), "reader": subscriber or ""}
    query = urlencode({name: value for name, value in asked.items() if value}, safe="/@")
    _serve(config, rebuild, port, f"/?{query}" if query else "/", open_browser=not no_open)


def _rebuild(config: str | None) -> "Callable[[], Parts]":
    from newsletter.settings import load
    from newsletter.wiring import build

    def rebuild() -> "Parts":
        settings, folder = load(Path(config) if config else None)
        return build(settings, folder, remember=False)

    return rebuild


def _watched(config: str | None) -> list[Path]:
    """Return what the editor may save: the settings, the templates and the subscriber file, there or not yet."""
    import os

    from newsletter.parts import ROSTER
    from newsletter.settings import CONFIG_NAME, bundled, load

    settings, folder = load(Path(config) if config else None)
    file = Path(config or os.environ.get("NEWSLETTER_CONFIG") or CONFIG_NAME)
    own = [folder / settings.templates] if settings.templates else []
    return [file, *own, bundled("templates"), folder / (settings.subscribers or ROSTER)]


def _reader(parts: "Parts", address: str) -> "Subscriber":
    from newsletter import pipeline
    from newsletter.errors import UsageError

    for reader in pipeline.readers(parts):
        if reader.key == address.strip().casefold():
            return reader
    raise UsageError(f"{address}: is not on the list; `newsletter subscribers list` shows who is")


def _key(parts: "Parts", day: date | None, cadence: str) -> str:
    """Return the issue to begin with; empty for the newest daily one, which the page finds by itself."""
    from newsletter import pipeline
    from newsletter.models import Cadence

    if day is None and cadence == Cadence.DAILY:
        return ""
    period = pipeline.find_period(parts, day, Cadence(cadence))
    return period.key if period else ""


def _send_test(parts: "Parts", day: date | None, cadence: str, address: str, preferences: "Preferences | None") -> None:
    from newsletter import dispatch
    from newsletter.errors import UsageError

    issue = prepared(parts, day, cadence, remember=False)
    if issue is None:
        return
    try:
        click.echo(dispatch.send_test_to(parts, issue, address, preferences))
    except UsageError as fault:
        raise UsageError(f"--send-test {fault}") from None


def _serve(config: str | None, rebuild: "Callable[[], Parts]", port: int, path: str, *, open_browser: bool) -> None:
    import logging

    from werkzeug.serving import make_server

    from newsletter.web.preview import create_preview, desk_of

    logging.getLogger("werkzeug").setLevel(logging.ERROR)  # no line per request
    with _listening(port) as listener:
        app = create_preview(rebuild, watch_paths=lambda: _watched(config))
        server = make_server(HOST, 0, app, threaded=True, fd=listener.fileno())
        url = f"http://{HOST}:{server.port}{path}"
        click.echo(f"Preview at {url} (Ctrl-C ends it)")
        if open_browser:
            _open(url)
        with suppress(KeyboardInterrupt):
            server.serve_forever()
        desk_of(app).close()
    click.echo("The preview has ended.")


def _listening(port: int) -> "socket.socket":
    """Return a socket that listens on this machine alone; werkzeug itself would end the process without a reason."""
    import socket

    from newsletter.errors import UsageError

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen()
    except OSError as fault:
        listener.close()
        raise UsageError(
            f"--port {port}: {(fault.strerror or 'cannot be used').lower()}; choose another, or leave it out"
        ) from None
    return listener


def _open(url: str) -> None:
    """Open the system's browser in a thread: one that runs in this terminal would keep the server waiting."""
    import threading
    import webbrowser

    threading.Thread(target=webbrowser.open, args=(url,), daemon=True).start()
