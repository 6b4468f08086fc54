"""Hostile papers in a browser with scripts switched on: nothing of theirs runs, opens or loads."""

import random

import pytest
from playwright.sync_api import Browser

from newsletter.rank.interests import choose
from newsletter.render.reading import Reading
from tests.browser.tools import open_page, sideways
from tests.make import NOON
from tests.render import hostile
from tests.render.test_compiled import compiled


def hold(browser: Browser, seed: int) -> None:
    """Open the copies of some hostile readers, all that they tell on one page after the other."""
    chance = random.Random(seed)
    issue = hostile.issue(chance)
    made = compiled(issue)
    for reader in hostile.readers(chance, 3):
        html = Reading(made.message_for(reader, choose(issue, reader.preferences), date=NOON).content).html
        inert(browser, html)


def inert(browser: Browser, html: str) -> None:
    """Show a mail, and let nothing of it run, ask, load or widen the page."""
    page = open_page(browser, "<p>nothing yet</p>", 320, "light")
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    page.set_content(html)
    page.mouse.move(160, 300)
    assert page.evaluate("window.owned") is None
    assert asked == []
    assert page.evaluate("document.querySelectorAll('script, iframe, object, svg, img').length") == 0
    assert sideways(page) == 0
    page.close()


@pytest.mark.parametrize("seed", range(10))
def test_nothing_of_a_hostile_paper_runs_or_widens_the_page(browser: Browser, seed: int) -> None:
    hold(browser, seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 100))
def test_nothing_of_many_more_hostile_papers_runs(browser: Browser, seed: int) -> None:
    hold(browser, seed)
