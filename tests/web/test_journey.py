"""A person's way through the pages in a real browser: with and without scripts, small and large, by night, by keys."""

import itertools
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from newsletter.models import Subscriber
from newsletter.periods import daily
from tests.browser.tools import Scheme, axe_violations, html_faults, sideways
from tests.flows.command import readers, smtp
from tests.make import NOON
from tests.send.servers import Mailbox, mail_server
from tests.web.sites import MINUTE, Site, hosted, path_in, sent, served, text_of

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Response

PICTURES = Path(__file__).parent.parent.parent / "build/pictures"
SCHEMES: tuple[Scheme, ...] = ("light", "dark")
ADA = "ada@example.org"
LIST = """subscribers:
  - reader@example.org
  - {address: week@example.org, period: weekly}
"""
ONE_CLICK = {"List-Unsubscribe": "One-Click"}


@dataclass(frozen=True)
class Running:
    """A list at work: its pages and each sender are processes, its relay is a server on loopback."""

    folder: Path
    mailbox: Mailbox
    url: str
    settings: dict[str, str]

    def send(self, *arguments: str) -> list[str]:
        """Send an issue whose links lead to the pages, and return to whom it went."""
        before = len(self.mailbox.taken)
        sent(self.folder, *arguments, **self.settings | {"NEWSLETTER_BASE_URL": self.url})
        return sorted(self.mailbox.recipients[before:])

    def mails(self, address: str) -> list[EmailMessage]:
        """Return what arrived at an address so far."""
        taken = zip(self.mailbox.recipients, self.mailbox.contents, strict=True)
        return [message_from_bytes(content, policy=default) for to, content in taken if to == address]

    def mail(self, address: str, number: int) -> EmailMessage:
        """Wait for so many mails to an address, and return the last one."""
        until = time.monotonic() + 30
        while len(self.mails(address)) < number:
            assert time.monotonic() < until, self.mailbox.recipients
            time.sleep(0.05)
        [*_, last] = self.mails(address)
        return last

    def link(self, mail: EmailMessage, door: str) -> str:
        """Return where a link in a mail leads."""
        path = path_in(text_of(mail), door)
        assert self.url + path in "".join(text_of(mail).split("\n"))
        return self.url + path


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    with mail_server() as (mailbox, port):
        # What a person needs to fill in a form, a browser does in no time.
        settings = smtp(port) | {"NEWSLETTER_SIGNUP__LEAST_SECONDS": "0"}
        with served(folder, **settings) as url:
            yield Running(folder, mailbox, url, settings)


@contextmanager
def window(browser: "Browser", **options: Any) -> "Iterator[Page]":
    """Open a browser window; at its end, assert that the policy of no page forbade anything that the page has."""
    context = browser.new_context(**options)
    page = context.new_page()
    page.set_default_timeout(20_000)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda fault: told.append(str(fault)))
    try:
        yield page
    finally:
        context.close()
    # Chromium notes each answer whose status is a fault; some tests ask for such pages.
    assert [line for line in told if not line.startswith("Failed to load resource")] == []


def press(page: "Page", name: str) -> "Response":
    """Press a button, and wait for the page behind it."""
    with page.expect_navigation() as leads:
        page.get_by_role("button", name=name, exact=True).click()
    assert leads.value
    return leads.value


def heading(page: "Page") -> str:
    return page.get_by_role("heading", level=1).inner_text()


@pytest.mark.parametrize("scripts", [True, False], ids=["scripts", "no-scripts"])
def test_a_person_signs_up_confirms_chooses_reads_and_leaves(
    browser: "Browser", tmp_path: Path, *, scripts: bool
) -> None:
    (tmp_path / "subscribers.yaml").write_text(LIST)
    with running(tmp_path) as here, window(browser, java_script_enabled=scripts) as page:
        assert here.send("--period", "weekly") == ["week@example.org"]

        page.goto(here.url)
        page.get_by_label("Your address").fill(ADA)
        press(page, "Sign up")
        assert heading(page) == "Please look into your mail"

        page.goto(here.link(here.mail(ADA, 1), "confirm"))
        assert heading(page) == "One click, and you are on the list"
        assert here.send("--date", "2025-12-24") == ["reader@example.org"], "a look at the page confirms nothing"

        press(page, "Yes, send it to me")
        assert heading(page) == "Welcome, it is good to have you here"
        welcome = here.mail(ADA, 2)
        assert welcome["Subject"] == "Welcome to Trending Papers"

        page.get_by_role("link", name="Choose what you get, and when").click()
        page.get_by_label("Plain text").check()
        page.get_by_label("Papers in a mail").fill("2")
        page.get_by_label("Words I look for").fill("tokenizer")
        press(page, "Save")
        assert page.get_by_role("status").inner_text() == "Saved. It counts from the next issue on."

        assert here.send("--date", "2025-12-25") == [ADA, "reader@example.org"]
        issue = here.mail(ADA, 3)
        assert issue.get_content_type() == "text/plain"
        assert "2 of 13 papers" in text_of(issue)
        assert "TokSuite" in text_of(issue)

        page.goto(here.link(issue, "unsubscribe"))
        assert heading(page) == "Leave the list?"
        press(page, "Leave the list")
        assert heading(page) == "You have left the list"
        assert here.send("--date", "2025-12-26") == ["reader@example.org"]
        assert len(here.mails(ADA)) == 3, "a confirmation, one welcome, one issue"


def test_a_mail_provider_ends_it_with_one_click_in_either_encoding(tmp_path: Path) -> None:
    readers(tmp_path, 3)
    with running(tmp_path) as here:
        assert len(here.send("--date", "2025-12-25")) == 3
        first, second = (
            str(here.mail(f"reader{n}@example.org", 1)["List-Unsubscribe"]).strip("<").partition(">")[0] for n in (0, 1)
        )
        assert first.startswith(f"{here.url}/unsubscribe/")
        assert httpx.post(first, data=ONE_CLICK).status_code == 200
        multipart = {name: (None, value) for name, value in ONE_CLICK.items()}
        assert httpx.post(second, files=multipart).status_code == 200
        assert here.send("--date", "2025-12-26") == ["reader2@example.org"]


# Every page in every state that a reader may see.


@dataclass(frozen=True)
class Look:
    """A page in a state: words that it shows then, where it is, what is typed into it, which buttons are pressed."""

    shows: str
    path: str
    typed: dict[str, str] = field(default_factory=dict)
    presses: tuple[str, ...] = ()


LONG = "Antidisestablishmentarianism" * 3  # longer than a word of the preferences may be
OWN, CONFIRM, LEAVE = "/preferences/{own}", "/confirm/{confirm}", "/unsubscribe/{own}"
WRONG = {"Time zone": "Mars", "Words I look for": LONG, "Words I would rather not see": LONG}
LOOKS = {
    "home": Look("The newest issues", "/"),
    "home-fault": Look("That was quick", "/", {"Your address": ADA}, ("Sign up",)),
    "check-mail": Look("Please look into your mail", "/check-your-mail"),
    "confirm": Look("One click, and you are on the list", CONFIRM),
    "welcome": Look("Welcome", CONFIRM, presses=("Yes, send it to me",)),
    "old-link": Look("This link does not work any more", "/confirm/nothing"),
    "preferences": Look("What you get, and when", OWN),
    "preferences-faults": Look("Nothing is saved yet", OWN, WRONG, ("Save",)),
    "preferences-saved": Look("Saved.", OWN, {"Words I look for": "video\nagents"}, ("Save",)),
    "unsubscribe": Look("Leave the list?", LEAVE),
    "left": Look("You have left the list", LEAVE, presses=("Leave the list",)),
    "thanked": Look("Thank you", LEAVE, presses=("Leave the list", "Send")),
    "not-on-list": Look("You are not on the list", "/preferences/{gone}"),
    "archive": Look("← Older", "/archive"),
    "archive-older": Look("Newer →", "/archive?page=2"),
    "issue": Look("Learning to Reason in 4D", "/issues/daily/2025-12-25"),
    "not-found": Look("There is no such page", "/nowhere"),
}
REASON = "Would you tell us why? You need not."


class Pages:
    """The pages of a list with a few issues, and people enough for every look."""

    def __init__(self, site: Site, url: str) -> None:
        self.site, self.url, self.people = site, url, 0

    def open(self, page: "Page", look: Look) -> str:
        """Bring a page into a state, and return the HTML that was sent."""
        answer = page.goto(self.url + self.path(look))
        assert answer
        for label, text in look.typed.items():
            page.get_by_label(label).fill(text)
        for name in look.presses:
            if name == "Send":
                page.get_by_label(REASON).fill("Too many papers.")
            answer = press(page, name)
        assert look.shows in page.inner_text("body")
        return answer.text()

    def path(self, look: Look) -> str:
        """Return the path of a look, with a link that belongs to somebody new."""
        self.people += 1
        address = f"person{self.people}@example.org"
        if "{confirm}" in look.path:
            self.site.sign_up(address)
            return self.site.confirm_path(address)
        if "{" not in look.path:
            return look.path
        self.site.parts.subscribers.add([Subscriber(address=address)], NOON)
        token = self.site.token_of(address)
        if "{gone}" in look.path:
            self.site.client.post(f"/unsubscribe/{token}")
        return look.path.format(own=token, gone=token)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    site = Site(
        tmp_path_factory.mktemp("pages"),
        signup={"per_client": "1000 per minute"},
        postal_address="Example Society, 1 Example Street, Exampleton",
    )
    for day in (24, 25, 26):
        site.send(daily(date(2025, 12, day)))
    with pytest.MonkeyPatch.context() as patch, hosted(site) as url:
        patch.setattr("newsletter.web.archive.ON_A_PAGE", 2)
        yield Pages(site, url)


@pytest.mark.usefixtures("node_tools")
@pytest.mark.parametrize("name", LOOKS)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(browser: "Browser", pages: Pages, name: str) -> None:
    PICTURES.mkdir(parents=True, exist_ok=True)
    # The policy of the pages lets no script in, not even that of axe.
    with window(browser, bypass_csp=True) as page:
        pages.open(page, LOOKS[name])
        for width, scheme in itertools.product((320, 1200), SCHEMES):
            page.set_viewport_size({"width": width, "height": 800})
            page.emulate_media(color_scheme=scheme)
            page.screenshot(path=PICTURES / f"page-{name}-{width}-{scheme}.png", full_page=True)
            assert sideways(page) == 0, (width, scheme)
            assert axe_violations(page, without=()) == [], (width, scheme)


@pytest.mark.usefixtures("node_tools")
def test_the_html_of_every_page_has_no_fault(browser: "Browser", pages: Pages) -> None:
    with window(browser) as page:
        assert html_faults({name: pages.open(page, look) for name, look in LOOKS.items()}) == []


SMALL = """() => [...document.querySelectorAll('input:not([type=hidden]), select, textarea, button, summary, a')]
  .filter(one => !one.closest('.trap, .skip') && !one.closest('main p'))
  .map(one => [one.closest('label') || one, one.matches('a') ? 24 : 44])
  .map(([one, least]) => [one.outerHTML, one.getBoundingClientRect(), least])
  .filter(([_, box, least]) => Math.min(box.width, box.height) < least)
  .map(([html, box]) => `${html}: ${box.width} x ${box.height}`)"""


@pytest.mark.parametrize(
    "name", ["home-fault", "confirm", "preferences-faults", "unsubscribe", "left", "archive-older"]
)
def test_a_thumb_finds_every_control(browser: "Browser", pages: Pages, name: str) -> None:
    with window(browser, viewport={"width": 320, "height": 600}) as page:
        pages.open(page, LOOKS[name])
        assert page.evaluate(SMALL) == []


# By keys alone.

FOCUSED = "document.activeElement"
RING = f"(() => {{ const {{outlineStyle: s, outlineWidth: w}} = getComputedStyle({FOCUSED}); return s + ' ' + w }})()"


def tab_to(page: "Page", name: str) -> None:
    """Press Tab until an element is reached; each stop on the way has a ring around it that can be seen."""
    for _ in range(30):
        page.keyboard.press("Tab")
        assert page.evaluate(RING) == "solid 3px", page.evaluate(f"{FOCUSED}.outerHTML")
        if page.evaluate(f"{FOCUSED}.id || {FOCUSED}.innerText") == name:
            return
    raise AssertionError(f"Tab never comes to {name}")


@pytest.mark.parametrize("last", ["address", "Sign up"])
def test_keys_alone_sign_up(browser: "Browser", pages: Pages, last: str) -> None:
    with window(browser) as page:
        page.goto(pages.url)
        pages.site.clock.now += MINUTE  # a person reads and types
        tab_to(page, "address")
        page.keyboard.type(f"keys-{len(last)}@example.org")
        if last != "address":
            tab_to(page, last)
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert heading(page) == "Please look into your mail"


def test_keys_alone_change_what_a_reader_gets(browser: "Browser", pages: Pages) -> None:
    with window(browser) as page:
        pages.open(page, LOOKS["preferences"])
        tab_to(page, "papers")
        page.keyboard.type("3")
        tab_to(page, "Save")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        assert page.get_by_role("status").inner_text().startswith("Saved")
        assert page.get_by_label("Papers in a mail").input_value() == "3"
