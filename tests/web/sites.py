"""The pages of a list, as an application to ask and as a process that serves them."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

from flask.testing import FlaskClient
from werkzeug.serving import make_server

from newsletter import notices, pipeline
from newsletter.models import Issue, Period
from newsletter.parts import Parts
from newsletter.periods import daily
from newsletter.settings import Settings
from newsletter.settings.serving import WebSettings
from newsletter.web.site import create_site
from newsletter.wiring import build
from tests.flows.command import newsletter, outbox, start
from tests.make import DAY, NOON

BASE = "https://news.example.org"
SECRET = "a secret of this test, long enough"
MINUTE = timedelta(minutes=1)


class Clock:
    """The time of a test."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


class Site:
    """The pages of a list with one issue, its clock, and the mails that it wrote."""

    def __init__(self, folder: Path, **settings: object) -> None:
        (folder / "subscribers.yaml").write_text("subscribers:\n  - reader@example.org\n")
        self.folder, self.clock = folder, Clock()
        given = {"secret_key": SECRET, "base_url": BASE, "sender": "Papers <papers@example.org>"} | settings
        self.parts: Parts = build(Settings(**given), folder, clock=self.clock)  # type: ignore[arg-type]
        pipeline.follow_roster(self.parts)
        self.app = create_site(self.parts, WebSettings())
        self.client: FlaskClient = self.app.test_client()

    def send(self, period: Period | None = None) -> None:
        """Send an issue of the sample."""
        issue = pipeline.prepare(self.parts, period or daily(DAY))
        assert isinstance(issue, Issue)
        pipeline.deliver(self.parts, issue)

    def form(self) -> str:
        """Ask for the page with the form, read it for a while, and return its token."""
        page = self.client.get("/").text
        self.clock.now += MINUTE
        return str(re.findall(r'name="form" value="([^"]+)"', page)[0])

    def sign_up(self, address: str = "ada@example.org", **fields: str) -> int:
        """Fill in the form; return the status."""
        given = {"form": self.form(), "address": address, "period": "daily"} | fields
        return self.client.post("/subscribe", data=given).status_code

    def mails(self) -> list[EmailMessage]:
        """Send what waits, and return every mail that was ever sent."""
        notices.post(self.parts)
        return outbox(self.folder) if (self.folder / "var/outbox").exists() else []

    def mail_to(self, address: str) -> str:
        """Return the text of the last mail to an address."""
        return [text_of(mail) for mail in self.mails() if mail["To"] == address][-1]

    def confirm_path(self, address: str = "ada@example.org") -> str:
        """Return the link that was mailed, without its host."""
        return path_in(self.mail_to(address), "confirm")

    def join(self, address: str = "ada@example.org") -> str:
        """Sign up and confirm; return the reader's own token."""
        self.sign_up(address)
        assert self.client.post(self.confirm_path(address)).status_code == 200
        return self.token_of(address)

    def token_of(self, address: str) -> str:
        """Return a reader's own token, as their mails have it."""
        reader = self.parts.subscribers.find(address)
        assert reader
        assert reader.id
        return self.parts.links.unsubscribe_token(reader.id)

    def standing(self, address: str) -> str | None:
        """Return how somebody stands to the list."""
        found = self.parts.subscribers.find(address)
        return found.standing.value if found else None


def text_of(mail: EmailMessage) -> str:
    """Return the plain text of a mail."""
    body = mail.get_body(("plain",))
    assert body
    return str(body.get_content())


def path_in(text: str, door: str) -> str:
    """Return the path of the link to one of our doors in a mail."""
    found = re.search(rf"https?://[\w.:-]+(/{door}/[\w.-]+)", "".join(text.split("\n")) if "\n/" in text else text)
    assert found, text
    return found[1]


@contextmanager
def hosted(site: Site) -> Iterator[str]:
    """Let browsers ask for the pages of a list of this process; yields their address."""
    server = make_server("127.0.0.1", 0, site.app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def served(folder: Path, **variables: str) -> Iterator[str]:
    """Run `newsletter serve` on a free port for as long as the block runs; yields its address."""
    process = start(folder, "serve", "--port", "0", **variables)
    assert process.stdout
    line = process.stdout.readline()
    found = re.search(r"http://\S+", line)
    assert found, (line, process.communicate())
    try:
        yield found[0]
    finally:
        process.terminate()
        process.communicate(timeout=40)


def sent(folder: Path, *arguments: str, **variables: str) -> None:
    """Run `newsletter send` to a good end."""
    ran = newsletter(folder, "send", *arguments, **variables)
    assert ran.code == 0, ran
