"""What a phone shows of each recorded day before anybody scrolls."""

from pathlib import Path

import pytest
from playwright.sync_api import Browser

from newsletter import copies, pipeline
from newsletter.models import Issue, Preferences
from newsletter.periods import daily
from newsletter.rank.interests import choose
from newsletter.settings import Settings
from newsletter.wiring import build
from tests.browser.tools import open_page

SCREEN = 568  # CSS pixels: the smallest phone that is still about, 320 wide
LINE = 27  # one line of the lead's sentence
PLACES = """() => [...document.querySelectorAll('h2.title-lead, p.sentence-lead')].map(one => {
  const box = one.getBoundingClientRect();
  return [one.tagName, box.top, box.bottom];
})"""


@pytest.mark.parametrize("nth", [5, pytest.param(1, marks=pytest.mark.slow)])
def test_the_first_screen_shows_the_lead_and_the_start_of_its_sentence(
    browser: Browser, shared: Path, tmp_path: Path, nth: int
) -> None:
    settings = Settings(sources=[f"file:{shared / 'hf_daily_papers'}"], database_url="sqlite://")
    parts = build(settings, tmp_path)
    [source] = parts.sources
    days = list(source.days(parts.clock().date()))
    for day in days[::nth]:
        issue = pipeline.prepare(parts, daily(day), remember=False)
        assert isinstance(issue, Issue)
        html = copies.compile_issue(parts, issue).page(choose(issue, Preferences())).html
        page = open_page(browser, html, 320, "light", height=SCREEN)
        (title, _, title_ends), (sentence, sentence_begins, _) = page.evaluate(PLACES)
        page.close()
        assert (title, sentence) == ("H2", "P")
        assert title_ends < SCREEN, day
        assert sentence_begins + LINE < SCREEN, day
    assert len(days) == 46
