"""Waitress with our settings: one process, a few threads, many open connections."""

import socket
from dataclasses import dataclass
from typing import Any

from flask import Flask
from waitress import create_server

from newsletter.errors import UsageError
from newsletter.settings.serving import WebSettings

BACKLOG = 1024  # clients that may wait to be accepted, as waitress has it


@dataclass(frozen=True, slots=True)
class Listener:
    """A socket that listens, so that a port in use is told before anything else begins."""

    socket: socket.socket
    web: WebSettings

    @property
    def port(self) -> int:
        """The port, a free one if none was wanted."""
        return int(self.socket.getsockname()[1])

    def server(self, app: Flask) -> "Server":
        """Return a server of these pages."""
        options: dict[str, Any] = {"threads": self.web.threads, "connection_limit": self.web.connections}
        if self.web.proxies:  # the headers are read by ProxyFix; waitress would take them away
            options["clear_untrusted_proxy_headers"] = False
        return Server(create_server(app, sockets=[self.socket], ident=None, **options))


@dataclass(frozen=True, slots=True)
class Server:
    """Pages that are ready to be served."""

    waitress: Any

    def run(self) -> None:
        """Serve until the process is told to end, or another thread closes it."""
        self.waitress.run()

    def close(self) -> None:
        """Let what is being answered end, and listen no more."""
        self.waitress.task_dispatcher.shutdown()
        self.waitress.close()


def bind(web: WebSettings) -> Listener:
    """Return a socket that listens where the settings say.

    Raises:
        UsageError: the port is in use, or the address is none of this machine's.
    """
    family = socket.AF_INET6 if ":" in web.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((web.host, web.port))
        listener.listen(BACKLOG)  # from here on a client waits instead of being refused
    except OSError as fault:
        listener.close()
        said = (fault.strerror or "cannot be used").lower()
        raise UsageError(f"web.host {web.host}, web.port {web.port}: {said}; choose another") from None
    return Listener(listener, web)
