"""Confirmations and welcomes: each goes out at most once, whoever carries it and whatever breaks on the way."""

import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import select

from newsletter import notices
from newsletter.errors import RelayError
from newsletter.models import Message, Outcome
from newsletter.parts import Parts
from newsletter.send.base import BeforeDot
from newsletter.send.smtp import Relay, SmtpTransport
from newsletter.settings import Settings
from newsletter.store.tables import notice
from newsletter.web.postman import REST, Postman
from newsletter.wiring import build
from tests.flows.command import newsletter, smtp
from tests.send.servers import faulty_server, mail_server
from tests.web.sites import BASE, SECRET, Site

NAMES = [f"new{n}@example.org" for n in range(6)]
MANY = {"per_client": "1000 per minute", "least_seconds": 0}


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path, signup=MANY)


def through(site: Site, port: int) -> Parts:
    """Return the parts of another process on the same database, with a relay on this port."""
    given = {"secret_key": SECRET, "base_url": BASE, "sender": "Papers <papers@example.org>"}
    parts = build(Settings(**given), site.folder, clock=site.clock)  # type: ignore[arg-type]
    relay = SmtpTransport(Relay(host="127.0.0.1", port=port, security="none", timeout=5))
    return replace(parts, routes=(replace(parts.routes[0], transport=relay),))


def states(site: Site) -> dict[str, int]:
    with site.parts.database.reading() as connection:
        return dict(Counter(connection.scalars(select(notice.c.state))))


def test_two_postmen_at_once_carry_each_confirmation_once(site: Site) -> None:
    for name in NAMES:
        assert site.sign_up(name) == 303
    with mail_server(delay=0.01) as (mailbox, port):
        both = [through(site, port) for _ in range(2)]
        sent: list[int] = []
        threads = [threading.Thread(target=lambda parts=parts: sent.append(notices.post(parts))) for parts in both]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(mailbox.recipients) == NAMES
    assert sum(sent) == len(NAMES)
    assert states(site) == {"sent": len(NAMES)}


def test_the_thread_beside_the_pages_carries_what_waits_and_ends_when_told(site: Site) -> None:
    site.sign_up(NAMES[0])
    with mail_server() as (mailbox, port):
        postman = Postman(through(site, port))
        postman.start()
        for _ in range(400):
            if mailbox.taken:
                break
            threading.Event().wait(0.02)
        postman.stop()
    assert mailbox.recipients == NAMES[:1]
    assert states(site) == {"sent": 1}


def test_while_the_relay_is_down_a_confirmation_waits_and_goes_out_later(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.sign_up(NAMES[0])
    with mail_server() as (_mailbox, port):
        pass
    parts = through(site, port)
    with pytest.raises(RelayError):
        notices.post(parts)
    site.clock.now += timedelta(minutes=6)
    assert Postman(parts)._round() == REST, "a fault is no reason to knock every two seconds"
    assert "confirmations wait: " in caplog.text
    assert states(site) == {"queued": 1}
    site.clock.now += timedelta(minutes=6)
    with mail_server() as (mailbox, port):
        assert notices.post(through(site, port)) == 1
    assert mailbox.recipients == NAMES[:1]


def test_an_unexpected_fault_is_logged_and_the_thread_lives_on(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> datetime:
        raise RuntimeError("the clock fell off the wall")

    postman = Postman(replace(site.parts, clock=broken))
    assert postman._round() == REST
    postman._tidy()
    assert caplog.text.count("unexpected fault, please report it") == 2


def test_a_confirmation_that_is_put_off_is_tried_again_and_one_that_is_refused_is_not(site: Site) -> None:
    for name in NAMES[:2]:
        site.sign_up(name)
    answers = {NAMES[0]: "450 4.2.0 greylisted", NAMES[1]: "550 5.1.1 no such user"}
    with faulty_server({}) as server:
        server.to_each = answers.get
        assert notices.post(through(site, server.port)) == 0
        assert states(site) == {"queued": 1, "failed": 1}
        server.to_each = lambda _recipient: None
        assert notices.post(through(site, server.port)) == 0, "not at once"
        site.clock.now += timedelta(minutes=6)
        assert notices.post(through(site, server.port)) == 1
    assert server.recipients == NAMES[:1]


def test_a_confirmation_whose_answer_was_lost_is_in_doubt_and_not_doubled(site: Site) -> None:
    site.sign_up(NAMES[0])
    with faulty_server({"DOT": "drop-after"}, times=1) as server:
        assert notices.post(through(site, server.port)) == 0
        assert states(site) == {"in_doubt": 1}
        site.clock.now += timedelta(days=1)
        assert notices.post(through(site, server.port)) == 0
    assert len(server.taken) == 1


class Killed(BaseException):
    """What ends a process in the middle of its work."""


class Dying:
    """A relay whose process is killed once the mark of a message is on the disk."""

    name, connections = "dying", 1

    def deliver(self, messages: Iterator[Message | None], before_dot: BeforeDot) -> Iterator[Outcome]:
        message = next(messages)
        assert message
        assert before_dot(message)
        yield from self._end()

    def _end(self) -> Iterator[Outcome]:
        raise Killed


def test_killed_between_the_mark_and_the_reply_a_confirmation_is_not_sent_again_and_the_next_are(site: Site) -> None:
    for name in NAMES[:3]:
        site.sign_up(name)
    parts = replace(site.parts, routes=(replace(site.parts.routes[0], transport=Dying()),))
    with pytest.raises(Killed):
        notices.post(parts)
    site.clock.now += timedelta(hours=1)
    with mail_server() as (mailbox, port):
        assert notices.post(through(site, port)) == 2
        site.clock.now += timedelta(days=1)
        assert notices.post(through(site, port)) == 0
    assert mailbox.recipients == NAMES[1:3]
    site.sign_up(NAMES[0])
    assert NAMES[0] in [mail["To"] for mail in site.mails()], "who waits for it asks once more"


def test_after_three_days_without_a_relay_a_confirmation_is_not_sent(site: Site) -> None:
    site.sign_up(NAMES[0])
    site.clock.now += timedelta(days=3, minutes=1)
    site.sign_up(NAMES[1])
    assert [mail["To"] for mail in site.mails()] == NAMES[1:2]
    assert states(site) == {"failed": 1, "sent": 1}


def test_readers_of_an_import_are_welcomed_once_by_the_next_send(tmp_path: Path) -> None:
    (tmp_path / "new.csv").write_text("email,active\nada@example.org,\nbo@example.org,no\n")
    for _ in range(2):
        assert newsletter(tmp_path, "subscribers", "import", "new.csv", "--welcome").code == 0
    with mail_server() as (mailbox, port):
        for day in ("2025-12-24", "2025-12-25"):
            assert newsletter(tmp_path, "send", "--date", day, **smtp(port)).code == 0
    assert mailbox.recipients.count("ada@example.org") == 3, "two issues and one welcome"
    assert "bo@example.org" not in mailbox.recipients
