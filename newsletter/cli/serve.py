"""newsletter serve: the pages where readers sign up, choose, leave and read."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import load_settings, warn

if TYPE_CHECKING:
    from collections.abc import Iterator

    from newsletter.parts import Parts
    from newsletter.settings.serving import WebSettings
    from newsletter.web.server import Server


@click.command()
@click.option("--host", help="The address to listen on; the setting web.host, or this machine alone.")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="The port; the setting web.port, or 8000. 0 takes a free one."
)
def serve(host: str | None, port: int | None) -> None:
    """Serve the pages of the list: sign-up, preferences, leaving, archive and feeds.

    One process, on the database that `send` uses. A web server with a certificate stands before it, and base_url is
    that server's address. Ctrl-C ends it.

    Example: newsletter serve --port 8000
    """
    from newsletter.wiring import build

    settings, folder = load_settings()
    given = {"host": host, "port": port}
    web = settings.web.model_copy(update={name: value for name, value in given.items() if value is not None})
    _serve(build(settings, folder), web)


@contextmanager
def beside(parts: "Parts", web: "WebSettings") -> "Iterator[str]":
    """Serve the pages in a thread of its own for as long as the block runs; yields their address."""
    import threading

    with _opened(parts, web) as (url, server):
        threading.Thread(target=server.run, name="pages", daemon=True).start()
        yield url


def metrics(parts: "Parts", web: "WebSettings") -> "Iterator[str]":
    """Answer Prometheus from now on, if a port is set for it; yields the address then."""
    from newsletter import telemetry

    if web.metrics_port is None:
        return
    books = telemetry.Books(
        ledger=parts.ledger,
        subscribers=parts.subscribers,
        waiting=parts.waiting,
        heard=parts.heard,
        clock=parts.clock,
        working=parts.pace.lanes.working,
        slowed=parts.pace.lanes.slowed,
        jobs=parts.jobs,
    )
    yield f"http://127.0.0.1:{telemetry.serve(books, web.metrics_port)}/metrics"


def _serve(parts: "Parts", web: "WebSettings") -> None:
    for address in metrics(parts, web):
        click.echo(f"Metrics at {address}")
    with _opened(parts, web) as (url, server):
        click.echo(f"Serving {parts.mailing.title} at {url} (Ctrl-C ends it)")
        server.run()
    click.echo("The pages are closed.")


@contextmanager
def _opened(parts: "Parts", web: "WebSettings") -> "Iterator[tuple[str, Server]]":
    """Take the port and start the postman; yield the address, and what serves the pages there."""
    from dataclasses import replace

    from newsletter.web.postman import Postman
    from newsletter.web.server import bind
    from newsletter.web.site import create_site

    listener = bind(web)
    url = f"http://{_shown(web.host)}:{listener.port}"
    if not parts.links.base_url:
        warn(f"base_url is not set: mails link to {url}, which nobody but you can open")
        parts = replace(parts, links=replace(parts.links, base_url=url))
    server, postman = listener.server(create_site(parts, web)), Postman(parts)
    postman.start()
    try:
        yield url, server
    finally:
        server.close()
        postman.stop()


def _shown(host: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)  # noqa: S104 - shown
