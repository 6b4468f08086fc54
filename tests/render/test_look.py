"""The mail in a real browser: nothing to scroll sideways, readable in the dark, and pictures to look at."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from newsletter.links import Links
from newsletter.models import Preferences
from newsletter.rank.interests import choose
from newsletter.render.compiled import CompiledIssue
from newsletter.render.message import Letterhead
from newsletter.render.templates import Templates
from newsletter.settings import bundled
from tests.make import a_paper, an_issue

if TYPE_CHECKING:
    from playwright.sync_api import Browser

HEAD = Letterhead("Newsletter", "news@example.org", None, "Trending Papers", "papers.example.org")
LINKS = Links("papers", "secret", "example.org", "news@example.org")
PICTURES = Path(__file__).parent.parent.parent / "build/pictures"


@pytest.fixture(scope="module")
def browser(require: Callable[[str], str]) -> "Iterator[Browser]":
    from playwright.sync_api import sync_playwright

    chromium = require("chromium")
    switches = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=switches)
        yield started
        started.close()


def page_of(*titles: str) -> str:
    papers = [a_paper(n, title=title, upvotes=50 - n) for n, title in enumerate(titles)]
    issue = an_issue(papers, size=3)
    return CompiledIssue(issue, Templates([bundled("templates")]), HEAD, LINKS).page(choose(issue, Preferences())).html


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 600])
@pytest.mark.timeout(120)
def test_nothing_scrolls_sideways(browser: "Browser", width: int, scheme: str) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)  # type: ignore[arg-type]
    page.set_content(page_of("A title of the usual kind", "x" * 120, "Third", "y" * 120))
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"mail-{width}-{scheme}.png", full_page=True)
    page.close()


CONTRAST = """() => {
  const light = text => {
    const [r, g, b] = text.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
      .map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = node => {
    for (let at = node; at; at = at.parentElement) {
      const color = getComputedStyle(at).backgroundColor;
      if (!/, 0\\)$|transparent/.test(color)) return color;
    }
    return 'rgb(255, 255, 255)';
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  let worst = [99, ''];
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !node.getClientRects().length) continue;
    const pair = [light(getComputedStyle(node).color), light(behind(node))].sort((a, b) => b - a);
    const ratio = (pair[0] + 0.05) / (pair[1] + 0.05);
    if (ratio < worst[0]) worst = [ratio, walk.currentNode.textContent.trim()];
  }
  return worst;
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_its_background(browser: "Browser", scheme: str) -> None:
    page = browser.new_page(color_scheme=scheme)  # type: ignore[arg-type]
    page.set_content(page_of("First", "Second", "Third", "Only named"))
    ratio, text = page.evaluate(CONTRAST)
    page.close()
    assert ratio >= 4.5, text
