"""The mail before those who judge it: a browser, axe, an HTML checker, the data of caniemail.com, a spam filter."""

import re
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from css_inline import CSSInliner
from mjml import mjml2html
from playwright.sync_api import Browser

from tests.browser.mails import Conversion, conversions, mails, messages
from tests.browser.tools import (
    Scheme,
    axe_violations,
    beyond_baseline,
    client_faults,
    html_faults,
    open_page,
    sideways,
    spam_score,
)

PICTURES = Path(__file__).parent.parent.parent / "build/pictures"
MAILS = cache(mails)
CONVERSIONS = cache(conversions)

STYLES = """() => [...document.querySelectorAll('*')].map(one => [one.tagName, [...one.style].sort().map(
  name => `${name}: ${one.style.getPropertyValue(name)} ${one.style.getPropertyPriority(name)}`)])"""

in_every_view = pytest.mark.parametrize(
    ("width", "scheme"), [(320, "light"), (320, "dark"), (600, "light"), (600, "dark")]
)


@in_every_view
def test_nothing_scrolls_sideways_however_long_a_word_is(browser: Browser, width: int, scheme: Scheme) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    for name, html in MAILS().items():
        page = open_page(browser, html, width, scheme)
        page.screenshot(path=PICTURES / f"mail-{name}-{width}-{scheme}.png", full_page=True)
        assert sideways(page) == 0, name
        page.close()


@in_every_view
@pytest.mark.usefixtures("node_tools")
def test_axe_finds_nothing_that_shuts_a_reader_out(browser: Browser, width: int, scheme: Scheme) -> None:
    for name, html in MAILS().items():
        page = open_page(browser, html, width, scheme)
        assert axe_violations(page) == [], name
        page.close()


@pytest.mark.usefixtures("node_tools")
def test_the_html_has_no_fault() -> None:
    assert html_faults(MAILS()) == []


@pytest.mark.usefixtures("node_tools")
def test_mail_clients_support_what_it_uses_but_for_what_has_a_reason() -> None:
    assert beyond_baseline(client_faults(MAILS())) == {}


@pytest.mark.parametrize("name", ["usual", "week", "bare", "one", "Please confirm: Trending Papers"])
def test_a_spam_filter_lets_it_through(require: Callable[[str], str], name: str) -> None:
    require("spamassassin")
    score, rules = spam_score(messages()[name])
    assert score < 1.0, rules


def test_inlining_keeps_every_style_sheet_and_every_conditional_comment_for_outlook() -> None:
    for made in CONVERSIONS():
        before = to_html_alone(made)
        assert re.search(r"@media[^{]*\{[^{}]*\{[^}]*!important", before)
        assert "<!--[if mso" in before
        for kept in (r"<style.*?</style>", r"<!--.*?-->"):
            assert re.findall(kept, made.html, re.DOTALL) == re.findall(kept, before, re.DOTALL)


def test_another_inliner_gives_every_element_the_same_style(browser: Browser) -> None:
    for made in CONVERSIONS():
        marked = re.sub(r"<style(?=[ >])", '<style data-css-inline="ignore"', to_html_alone(made))
        # inline_style_tags stays on, or extra_css is ignored as well; hence the marks.
        inliner = CSSInliner(
            keep_at_rules=True, keep_style_tags=True, extra_css=made.css, load_remote_stylesheets=False
        )
        ours, theirs = styles(browser, made.html), styles(browser, inliner.inline(marked))
        assert "H1" in {tag for tag, _ in ours}
        assert ours == theirs


def to_html_alone(made: Conversion) -> str:
    return mjml2html(made.source, fonts={}, disable_comments=True)


def styles(browser: Browser, html: str) -> list[tuple[str, list[str]]]:
    """Each element with its style attribute as a browser reads it: margin as four sides, one kind of quotes."""
    page = open_page(browser, html, 600, "light")
    found: list[tuple[str, list[str]]] = [(tag, declared) for tag, declared in page.evaluate(STYLES)]
    page.close()
    return found
