"""The tools on pages that are broken on purpose: one that has stopped looking does not pass for a clean mail."""

import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from playwright.sync_api import Browser

from tests.browser.tools import (
    HERE,
    NOT_FOR_MAIL,
    Scheme,
    axe_violations,
    beyond_baseline,
    client_faults,
    html_faults,
    open_page,
    sideways,
    spam_score,
)


def a_page(body: str, css: str = "") -> str:
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head><title>T</title><style>{css}</style></head><body>{body}</body></html>'
    )


@pytest.fixture
def asked() -> Iterator[tuple[str, list[str]]]:
    """Yield the address of a web server on this machine, and the paths it was asked for."""
    paths: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            paths.append(self.path)
            self.send_error(404)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}", paths
        server.shutdown()


def test_a_page_asks_nobody_for_anything(browser: Browser, asked: tuple[str, list[str]]) -> None:
    address, paths = asked
    page = open_page(browser, a_page(f'<img src="{address}/picture" alt="">'), 600, "light")
    page.evaluate("address => fetch(address).catch(() => null)", f"{address}/fetched")
    page.close()
    assert paths == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_has_the_width_and_the_colours_it_was_opened_with(browser: Browser, scheme: Scheme) -> None:
    page = open_page(browser, a_page("<h1>T</h1>"), 320, scheme)
    assert page.evaluate("[innerWidth, matchMedia('(prefers-color-scheme: dark)').matches]") == [320, scheme == "dark"]
    page.close()


def test_a_wide_element_scrolls_sideways_by_what_it_is_too_wide(browser: Browser) -> None:
    page = open_page(browser, a_page('<div style="width: 500px">wide</div>', "body { margin: 0 }"), 320, "light")
    assert sideways(page) == 180
    page.close()


@pytest.mark.usefixtures("node_tools")
@pytest.mark.parametrize(
    ("body", "rule"),
    [
        ('<h1>T</h1><img src="data:,">', "image-alt"),
        ('<h1>T</h1><a href="https://example.org"></a>', "link-name"),
        ('<h1>T</h1><p style="color: #aaa">pale</p>', "color-contrast"),
        ("<p>no heading</p>", "page-has-heading-one"),
    ],
)
def test_axe_names_the_rule_and_the_element(browser: Browser, body: str, rule: str) -> None:
    page = open_page(browser, a_page(body), 600, "light")
    [violation] = axe_violations(page)
    page.close()
    assert violation.startswith(f"{rule}: ")


@pytest.mark.usefixtures("node_tools")
@pytest.mark.parametrize(("scheme", "found"), [("light", 0), ("dark", 1)])
def test_axe_sees_what_is_unreadable_in_the_dark_alone(browser: Browser, scheme: Scheme, found: int) -> None:
    css = "@media (prefers-color-scheme: dark) { body { background: #111; color: #333 } }"
    page = open_page(browser, a_page("<h1>T</h1>", css), 600, scheme)
    assert len(axe_violations(page)) == found
    page.close()


@pytest.mark.usefixtures("node_tools")
def test_the_rules_left_out_for_mail_are_there_to_be_asked(browser: Browser) -> None:
    page = open_page(browser, a_page("<p>no landmark</p><h1>T</h1>"), 600, "light")
    assert {violation.split(":")[0] for violation in axe_violations(page, without=())} == set(NOT_FOR_MAIL)
    page.close()


@pytest.mark.usefixtures("node_tools")
def test_html_faults_are_told_by_page() -> None:
    pages = {
        "sound": a_page("<h1>T</h1>"),
        "stray": a_page("<h1>T</h1></div>"),
        "no alt": a_page('<h1>T</h1><img src="data:,">'),
        "twice": a_page('<h1 id="one">T</h1><p id="one">T</p>'),
    }
    faults = [": ".join(fault.split(": ")[:2]) for fault in html_faults(pages)]
    assert faults == ["stray: close-order", "no alt: wcag/h37", "twice: no-dup-id"]


@pytest.mark.usefixtures("node_tools")
def test_html_for_outlook_is_no_fault() -> None:
    table = '<table role="presentation" cellpadding="0" align="center" style="width: 100%">'
    body = f"<!--[if mso]><p><![endif]-->{table}<tbody><tr><td>T</td></tr></tbody></table>"
    assert html_faults({"mail": a_page(body)}) == []


@pytest.mark.usefixtures("node_tools")
def test_css_that_clients_do_not_know_is_told_with_the_clients() -> None:
    faults = client_faults({"grid": a_page('<div style="display: grid">T</div>'), "plain": a_page("<p>T</p>")})
    assert "outlook.windows: grid" in faults["display:grid"]
    assert "outlook.windows: plain" not in faults["display:grid"]
    assert "display:grid" in beyond_baseline(faults)


@pytest.mark.usefixtures("node_tools")
def test_every_family_of_clients_is_asked() -> None:
    # Two classes in one selector are what Outlook on the web drops, text-justify is what Apple Mail does not know.
    faults = client_faults({"rare": a_page('<p class="a b">T</p>', ".a.b { text-justify: auto; position: fixed }")})
    clients = {place.split(":")[0] for places in faults.values() for place in places}
    assert {client.split(".")[0] for client in clients} == {"gmail", "outlook", "apple-mail", "yahoo"}
    assert {"outlook.windows", "outlook.outlook-com"} <= clients


def test_every_feature_in_the_baseline_has_a_reason() -> None:
    baseline = json.loads((HERE / "caniemail-baseline.json").read_text("utf-8"))
    assert all(len(reason) > 10 for reason in baseline.values())
    assert beyond_baseline({title: ["a: b"] for title in [*baseline, "new"]}) == {"new": ["a: b"]}


def test_a_spam_filter_names_the_rules_that_a_bare_advertisement_breaks(require: Callable[[str], str]) -> None:
    require("spamassassin")
    score, rules = spam_score(b"From: a@example.org\r\nSubject: BUY NOW\r\nContent-Type: text/html\r\n\r\n<p>hi\r\n")
    assert score > 3
    assert {"MISSING_DATE", "MISSING_MID"} <= {rule.split("=")[0] for rule in rules}
