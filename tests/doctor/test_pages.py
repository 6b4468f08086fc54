"""The pages as mail providers find them: real servers on loopback, with and without https."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from flask import Flask
from werkzeug.serving import make_server

from newsletter.doctor import clock, pages
from newsletter.doctor.check import Check, Installation, exit_code
from newsletter.wiring import now
from tests.doctor.installations import installation, only, server_context
from tests.name_server import closed_port
from tests.web.sites import Site, hosted

HOST = "127.0.0.2"  # of this machine, and not among the names that nobody but this machine has


@contextmanager
def served(app: Flask, authority: trustme.CA | None = None, *, name: str = HOST, days: int = 90) -> Iterator[str]:
    """Serve pages, by https where an authority is given; yields their address."""
    context = server_context(authority, name, days=days) if authority else None
    server = make_server(HOST, 0, app, threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"{'https' if context else 'http'}://{HOST}:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def answering(status: int, location: str = "/elsewhere") -> Flask:
    """Return pages that answer every POST so."""
    app = Flask(__name__)

    @app.get("/")
    def home() -> str:
        return "here"

    @app.post("/unsubscribe/<token>")
    def leave(token: str) -> tuple[str, int, dict[str, str]]:
        return token, status, {"Location": location}

    return app


def examined(folder: Path, base: str | None) -> Installation:
    return installation(folder, base_url=base)


def checks(folder: Path, base: str | None) -> list[Check]:
    return [*pages.checks(examined(folder, base))]


def test_our_own_pages_by_https_are_in_order(authority: trustme.CA, tmp_path: Path) -> None:
    site = Site(tmp_path)
    with served(site.app, authority) as base:
        it = examined(tmp_path, base)
        found = [*pages.checks(it), *clock.checks(it)]
    assert [one.state for one in found] == ["ok"] * 4, found
    assert only(found, "pages certificate").detail.startswith("verified, 90 days left")
    assert only(found, "one-click").detail == "a POST to a forged link is answered 404, as it should"
    assert only(found, "clock").detail == f"agrees with {HOST}"


@pytest.mark.parametrize(("days", "state", "told"), [(20, "warn", "20 days left"), (-2, "fail", "has expired")])
def test_the_certificate_is_looked_at(authority: trustme.CA, tmp_path: Path, days: int, state: str, told: str) -> None:
    with served(answering(404), authority, days=days) as base:
        found = only(checks(tmp_path, base), "pages certificate")
    assert (found.state, told in found.detail) == (state, True), found
    assert found.mend


@pytest.mark.parametrize(
    ("known", "name", "told", "mend"),
    [
        ("stranger", HOST, "unable to get local issuer", "get a certificate of an authority that every program trusts"),
        ("trusted", "127.0.0.3", "IP address mismatch", "get a certificate for the name in base_url"),
    ],
)
def test_a_certificate_of_a_stranger_or_for_another_name_has_its_own_mend(  # noqa: PLR0913, PLR0917 - a table
    authority: trustme.CA, tmp_path: Path, known: str, name: str, told: str, mend: str
) -> None:
    with served(answering(404), authority if known == "trusted" else trustme.CA(), name=name) as base:
        found = checks(tmp_path, base)
    assert [one.state for one in found] == ["ok", "fail", "skip"]
    assert told in found[1].detail
    assert found[1].mend == mend


def test_pages_without_https_have_no_one_click(tmp_path: Path) -> None:
    with served(answering(404)) as base:
        found = checks(tmp_path, base)
    assert only(found, "pages certificate").detail == "base_url is no https address"
    assert exit_code(found) == 2


@pytest.mark.parametrize(
    ("status", "state", "told"),
    [
        (404, "ok", "as it should"),
        (403, "warn", "not by our pages"),
        (301, "fail", "leads elsewhere"),
        (307, "fail", "leads elsewhere"),
        (200, "fail", "answered 200"),
        (502, "fail", "answered 502"),
    ],
)
def test_one_click_has_to_reach_our_pages(
    authority: trustme.CA, tmp_path: Path, status: int, state: str, told: str
) -> None:
    with served(answering(status), authority) as base:
        found = only(checks(tmp_path, base), "one-click")
    assert (found.state, told in found.detail, bool(found.mend)) == (state, True, state != "ok"), found


def test_pages_that_are_elsewhere_or_broken_are_told(authority: trustme.CA, tmp_path: Path) -> None:
    app = Flask(__name__)
    app.add_url_rule("/old/", "old", lambda: ("", 301, {"Location": "https://example.org/"}))
    app.add_url_rule("/bad/", "bad", lambda: ("", 500))
    with served(app, authority) as base:
        moved, broken = checks(tmp_path, f"{base}/old"), checks(tmp_path, f"{base}/bad")
    assert only(moved, "pages").detail == f"{base}/old/ redirects to https://example.org/"
    assert only(broken, "pages").state == "fail"


def test_pages_that_nobody_serves_are_one_line(tmp_path: Path) -> None:
    base = f"https://{HOST}:{closed_port()}"
    found = checks(tmp_path, base)
    assert [one.state for one in found] == ["fail", "skip", "skip"]
    assert found[0].detail == f"{base}: Connection refused"


def test_an_address_of_this_machine_is_none_for_readers(tmp_path: Path) -> None:
    with hosted(Site(tmp_path)) as base:
        found = checks(tmp_path, base)
    assert [(one.name, one.state) for one in found] == [
        ("pages", "warn"), ("pages certificate", "skip"), ("one-click", "ok"),
    ]  # fmt: skip


def test_a_list_without_pages_has_nothing_to_look_at(tmp_path: Path) -> None:
    assert {one.state for one in checks(tmp_path, None)} == {"skip"}


@pytest.mark.parametrize(
    ("ahead", "state", "told"),
    [
        (timedelta(seconds=-10), "ok", "agrees"),
        (timedelta(minutes=2), "warn", "seconds ahead of"),
        (timedelta(hours=-1), "fail", "seconds behind"),
    ],
)
def test_a_clock_that_goes_wrong_is_noticed_by_the_pages_date(
    tmp_path: Path, ahead: timedelta, state: str, told: str
) -> None:
    with served(answering(404)) as base:
        it = installation(tmp_path, base_url=base, clock=lambda: now() + ahead)
        [*pages.checks(it)]
    found = only(clock.checks(it), "clock")
    assert (found.state, told in found.detail) == (state, True), found


def test_a_date_that_a_cache_kept_tells_nothing(tmp_path: Path) -> None:
    it, moment = installation(tmp_path), datetime(2025, 12, 25, 12, tzinfo=UTC)
    clock.note_date(it.heard, "cache", {"Date": "Thu, 25 Dec 2025 11:00:00 GMT", "Age": "3600"}, moment)
    clock.note_date(it.heard, "nobody", {"Date": "yesterday"}, moment)
    assert only(clock.checks(it), "clock").state == "skip"
