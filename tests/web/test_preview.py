"""The preview as an editor uses it: the real command or a real server, a real browser, real files."""

import http.client
import re
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from werkzeug.serving import make_server

from newsletter import copies, pipeline
from newsletter.models import Issue, Subscriber
from newsletter.parts import Parts
from newsletter.settings import Settings, bundled
from newsletter.web.preview import create_preview, desk_of
from newsletter.web.proof import force_scheme, proof_of
from newsletter.wiring import build
from tests.flows.command import newsletter, smtp, start
from tests.make import NOON, a_message, a_reader, an_issue
from tests.send.servers import mail_server

SECRET, SENDER = "a secret of this test", "Newsletter <newsletter@example.org>"

if TYPE_CHECKING:
    from playwright.sync_api import Browser, FrameLocator, Page

NEWEST, LEAD = "daily/2025-12-26", "Latent Implicit Visual Reasoning"  # of the bundled sample
OLDER = "daily/2025-12-24"
PHONE = ".device[data-device=phone][data-scheme={}] iframe:not(.coming)"
RENDERED = "mail/issue.mjml.j2"


@dataclass(frozen=True)
class Running:
    """A running preview and the folder that an editor saves into."""

    folder: Path
    host: str  # with its port

    @property
    def template(self) -> Path:
        return self.folder / "mine" / RENDERED

    def get(self, path: str, **headers: str) -> tuple[int, bytes]:
        return self.ask("GET", path, headers=headers)

    def ask(self, method: str, path: str, body: str = "", headers: dict[str, str] | None = None) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection(self.host, timeout=20)
        connection.request(method, path, body, headers or {})
        answer = connection.getresponse()
        found = answer.status, answer.read()
        connection.close()
        return found

    def source(self, query: str = "") -> bytes:
        """The raw view of what a page shows."""
        _status, page = self.get(f"/?{query}")
        [name] = re.findall(rb'id="bytes" href="(/source/\w+)"', page)
        return self.get(name.decode())[1]


def parts_of(folder: Path, *, remember: bool = False) -> Parts:
    settings = Settings(secret_key=SECRET, sender=SENDER, templates=Path("mine"))
    return build(settings, folder, remember=remember, clock=lambda: NOON)


@contextmanager
def serving(folder: Path) -> Iterator[Running]:
    mine = folder / "mine"
    (mine / "mail").mkdir(parents=True)
    for path in (bundled("templates") / "mail").iterdir():
        (mine / "mail" / path.name).write_bytes(path.read_bytes())
    app = create_preview(lambda: parts_of(folder), watch_paths=lambda: [mine, folder / "subscribers.yaml"])
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield Running(folder, f"127.0.0.1:{server.port}")
    desk_of(app).close()
    server.shutdown()
    thread.join()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Running]:
    with serving(tmp_path) as running:
        yield running


@pytest.fixture
def page(browser: "Browser", desk: Running) -> "Iterator[Page]":
    context = browser.new_context(viewport={"width": 1280, "height": 800}, color_scheme="light")
    opened = context.new_page()
    faults: list[str] = []
    opened.on("pageerror", lambda fault: faults.append(str(fault)))
    opened.goto(f"http://{desk.host}/")
    yield opened
    context.close()
    assert faults == []


def phone(page: "Page", scheme: str = "light") -> "FrameLocator":
    return page.frame_locator(PHONE.format(scheme))


def shows(page: "Page", words: str, scheme: str = "light") -> None:
    phone(page, scheme).get_by_text(words).first.wait_for()


def recoloured(desk: Running) -> None:
    """Save a theme in which text has another colour."""
    theme = (bundled("templates") / "theme.toml").read_text()
    (desk.folder / "mine/theme.toml").write_text(re.sub("(?m)^ink = .*$", 'ink = "#123456"', theme))


def test_it_opens_with_the_newest_sample_issue(page: "Page") -> None:
    shows(page, LEAD)
    assert page.input_value("#issue") == NEWEST
    assert LEAD in page.inner_text("h1")
    assert LEAD in page.title()
    page.click("#tab-text")
    assert LEAD in page.inner_text("#text")
    page.click("#tab-source")
    assert "List-Unsubscribe" in page.inner_text("#source")
    page.click("#tab-checks")
    assert page.locator("#checks li").count() > 0


@pytest.mark.parametrize("width", [1000, 1280])
def test_nothing_is_cut_off_on_a_small_laptop(page: "Page", width: int) -> None:
    page.set_viewport_size({"width": width, "height": 700})
    for device, inner in (("phone", 375), ("desktop", 640)):
        glass = page.locator(f".device[data-device={device}][data-scheme=light] .glass")
        box = glass.bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        assert glass.locator("iframe").evaluate("frame => frame.contentWindow.innerWidth") == inner


def test_another_day_is_a_choice_or_a_key_away(page: "Page") -> None:
    page.select_option("#issue", OLDER)
    shows(page, "24 December 2025")
    assert "2025-12-24" in page.url
    page.locator("h1").click()
    page.keyboard.press("]")
    shows(page, "25 December 2025")


def test_any_reader_of_the_list_can_be_looked_at(page: "Page", desk: Running) -> None:
    people = "".join(f"  - reader{number}@example.org\n" for number in range(300))
    chosen = "  - {address: Zoe@example.org, name: Zoe, format: text}\n"
    (desk.folder / "subscribers.yaml").write_text("subscribers:\n" + people + chosen)
    page.locator("#state", has_text="last change").wait_for()
    page.fill("#reader", "zoe")
    page.locator("#found li", has_text="Zoe@example.org").click()
    page.locator("#envelope", has_text="to Zoe <Zoe@example.org>").wait_for()
    phone(page).locator("pre", has_text=LEAD).wait_for()  # plain text is shown as such
    page.fill("#reader", "reader299@example.org")
    page.keyboard.press("Enter")
    page.locator("#envelope", has_text="to reader299@example.org").wait_for()
    page.fill("#reader", "nobody@example.org")
    page.keyboard.press("Enter")
    page.locator("#trouble", has_text="nobody@example.org: is not on the list").wait_for()
    page.click("#everybody")
    page.locator("#envelope", has_text="to reader@example.org").wait_for()


@pytest.mark.parametrize("system", ["light", "dark"])
def test_light_and_dark_are_shown_whatever_the_system_says(browser: "Browser", desk: Running, system: str) -> None:
    page = browser.new_page(color_scheme=system)  # type: ignore[arg-type]
    page.goto(f"http://{desk.host}/")
    paper = "body => getComputedStyle(body.querySelector('h2') ?? body).color.match(/\\d+/g).map(Number)"
    page.check("#schemes input[value=both]", force=True)
    shows(page, LEAD)
    assert max(phone(page).locator("body").evaluate(paper)) < 100  # dark ink
    shows(page, LEAD, "dark")
    assert min(phone(page, "dark").locator("body").evaluate(paper)) > 150
    page.close()


@pytest.mark.parametrize(
    ("scheme", "given", "served"),
    [
        ("dark", "@media (prefers-color-scheme: dark) {", "@media all {"),
        ("light", "@media (prefers-color-scheme:dark){", "@media not all {"),
        ("light", "@media (prefers-color-scheme: light) {", "@media all {"),
        ("dark", "@media screen and (prefers-color-scheme: dark) {", "@media screen and (min-width: 0) {"),
        ("light", ' media="(prefers-color-scheme: dark)"', ' media="(max-width: 0)"'),
        ("dark", '<meta name="color-scheme" content="light dark">', '<meta name="color-scheme" content="dark">'),
        ("dark", "<p>(prefers-color-scheme: dark)</p>", "<p>(prefers-color-scheme: dark)</p>"),
    ],
)
def test_a_scheme_is_forced_in_every_way_a_mail_may_ask_for_it(scheme: str, given: str, served: str) -> None:
    assert force_scheme(given, scheme) == served  # type: ignore[arg-type]


@pytest.mark.parametrize("padding", ["&#847;&zwnj;&nbsp;&#8199;", "&zwnj; ", "&#8203;"])
def test_the_inbox_line_ends_where_the_preheader_is_padded(padding: str) -> None:
    page = (
        f"<html><head><title>No</title></head><body><div>Also: two &amp; three{padding * 30}</div><h1>Body</h1></body>"
    )
    message = f"Content-Type: text/html; charset=utf-8\r\n\r\n{page}\r\n"
    proof = proof_of(an_issue(), a_reader(), a_message(content=message.encode()))
    assert proof.snippet == "Also: two & three"


@pytest.mark.parametrize("address", ["", "ada@example.org", "bob@example.org"])
def test_the_raw_view_is_the_very_bytes_that_would_be_sent(desk: Running, address: str) -> None:
    (desk.folder / "subscribers.yaml").write_text(
        "subscribers:\n  - {address: ada@example.org, interests: {include: [video]}}\n"
        "  - {address: bob@example.org, format: text}\n"
    )
    parts = parts_of(desk.folder)
    issue = pipeline.prepare(parts, pipeline.find_period(parts), remember=False)  # type: ignore[arg-type]
    listed = {reader.address: reader for reader in pipeline.readers(parts)}
    reader = listed.get(address, Subscriber(address="reader@example.org", id=0))
    assert isinstance(issue, Issue)
    expected = copies.copy_for(parts, issue, reader).content
    assert desk.source(f"issue={NEWEST}&reader={address}") == expected


def test_what_is_shown_of_a_sent_issue_is_what_was_sent(desk: Running) -> None:
    (desk.folder / "subscribers.yaml").write_text("subscribers:\n  - {address: ada@example.org, name: Ada}\n")
    parts = parts_of(desk.folder, remember=True)
    issue = pipeline.prepare(parts, pipeline.find_period(parts))  # type: ignore[arg-type]
    assert isinstance(issue, Issue)
    pipeline.follow_roster(parts)
    pipeline.deliver(parts, issue)
    [sent] = (desk.folder / "var/outbox/new").iterdir()
    recoloured(desk)  # what was sent stays as it was
    shown = desk.source("reader=ada@example.org").replace(b"\r\n", b"\n")
    assert shown == sent.read_bytes()
    assert b"sent</option>" in desk.get("/")[1]


def test_the_raw_view_is_what_a_relay_was_handed(desk: Running) -> None:
    (desk.folder / "subscribers.yaml").write_text("subscribers:\n  - {address: ada@example.org, name: Ada}\n")
    with mail_server() as (mailbox, port):
        same = {"NEWSLETTER_SECRET_KEY": SECRET, "NEWSLETTER_TEMPLATES": "mine", "NEWSLETTER_SENDER": SENDER}
        ran = newsletter(desk.folder, "send", **smtp(port) | same)
    assert ran.code == 0
    assert [desk.source("reader=ada@example.org")] == mailbox.contents


def test_a_saved_template_shows_by_itself(page: "Page", desk: Running) -> None:
    shows(page, LEAD)
    recoloured(desk)
    phone(page).locator("[style*='#123456']").first.wait_for(state="attached")
    broken = desk.folder / "mine/theme.toml"
    broken.write_text(broken.read_text() + "[dark\n")
    page.locator("#trouble .here", has_text="[dark").wait_for()
    recoloured(desk)
    page.locator(".trouble").wait_for(state="detached")
    text = desk.folder / "mine/mail/issue.txt.j2"
    text.write_text(text.read_text() + "The editor adds a line.\n")
    page.click("#tab-text")
    page.locator("#text", has_text="The editor adds a line.").wait_for()
    (desk.folder / "subscribers.yaml").write_text("subscribers: [ada]\n")
    page.locator("#trouble", has_text="subscribers.yaml").wait_for()


def test_a_broken_template_is_told_of_and_the_last_good_render_stays(page: "Page", desk: Running) -> None:
    shows(page, LEAD)
    good = desk.template.read_text()
    desk.template.write_text("{# one line more #}\n{{ no_such_name }}" + good)
    trouble = page.locator("#trouble .trouble")
    trouble.get_by_text("last good render").wait_for()
    told = trouble.inner_text()
    assert f"{desk.template}:2: " in told
    assert "no_such_name" in told
    assert "Traceback" not in told
    shows(page, LEAD)
    assert page.get_attribute("#copy", "data-stale") == "yes"
    desk.template.write_text(good)
    trouble.wait_for(state="detached")
    shows(page, LEAD)
    assert page.get_attribute("#copy", "data-stale") == "no"


def test_a_test_copy_goes_to_one_address_marked(page: "Page", desk: Running) -> None:
    page.click("#test")
    page.fill("#address", "editor@example.org")
    page.keyboard.press("Enter")
    page.locator("#outcome", has_text="went to editor@example.org").wait_for()
    [sent] = (desk.folder / "var/outbox/new").iterdir()
    assert b"To: editor@example.org" in sent.read_bytes()
    page.fill("#address", "editor@localhost")
    page.keyboard.press("Enter")
    page.locator("#outcome.fail", has_text="editor@localhost").wait_for()


@pytest.mark.parametrize("path", ["/", "/changes?after=", "/readers", "/assets/preview.js"])
def test_a_foreign_name_for_this_machine_is_refused(desk: Running, path: str) -> None:
    port = desk.host.rpartition(":")[2]
    for host in ("evil.example.org", f"evil.example.org:{port}", "127.0.0.1", "127.0.0.1:1", ""):
        assert desk.get(path, Host=host)[0] == 403
    assert desk.get(path, Host=f"localhost:{port}")[0] == 200


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example.org", "http://127.0.0.1:1"])
def test_another_sites_page_cannot_send_a_test_copy(desk: Running, origin: str | None) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"} | ({"Origin": origin} if origin else {})
    assert desk.ask("POST", "/send-test", "address=editor@example.org", headers)[0] == 403
    assert not (desk.folder / "var").exists()


def test_a_mail_can_run_nothing_and_load_nothing_but_images(desk: Running) -> None:
    _status, page = desk.get("/")
    [name, *_others] = re.findall(rb'src="(/mail/\w+)', page)
    connection = http.client.HTTPConnection(desk.host)
    connection.request("GET", name.decode())
    policy = connection.getresponse().headers["Content-Security-Policy"]
    connection.close()
    assert "default-src 'none'" in policy
    assert "allow-scripts" not in policy
    assert b"allow-scripts" not in page


def test_looking_writes_nothing(page: "Page", desk: Running) -> None:
    shows(page, LEAD)
    page.select_option("#issue", OLDER)
    shows(page, "24 December 2025")
    assert [path.name for path in desk.folder.iterdir()] == ["mine"]


@contextmanager
def command(folder: Path, *arguments: str) -> "Iterator[tuple[str, subprocess.Popen[str]]]":
    """Run the command until the block ends, and yield the address it printed."""
    with start(folder, "preview", "--no-open", *arguments) as process:
        assert process.stdout
        line = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+/\S*", line)
        try:
            assert found, line
            yield found[0], process
        finally:
            process.kill()


def test_the_command_serves_until_it_is_interrupted_and_leaves_nothing(tmp_path: Path) -> None:
    with command(tmp_path, "--date", "2025-12-24") as (url, process):
        assert url.endswith("/?issue=daily/2025-12-24")
        connection = http.client.HTTPConnection(url.split("/")[2])
        connection.request("GET", "/?issue=daily/2025-12-24")
        assert b"24 December 2025" in connection.getresponse().read()
        connection.close()
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=30)
    assert (process.returncode, out, err) == (0, "The preview has ended.\n", "")
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_setting_is_told_of_until_it_is_mended(browser: "Browser", tmp_path: Path) -> None:
    settings = tmp_path / "newsletter.toml"
    settings.write_text('title = "One name"\n')
    page = browser.new_page()
    with command(tmp_path) as (url, process):
        page.goto(url)
        shows(page, "One name")
        settings.write_text('titel = "Another name"\n')
        page.locator("#trouble", has_text="did you mean title?").wait_for()
        shows(page, "One name")
        settings.write_text('title = "Another name\n')
        page.locator("#trouble .here", has_text="Another name").wait_for()
        settings.write_text('title = "Another name"\n')
        shows(page, "Another name")
        assert page.locator(".trouble").count() == 0
        process.send_signal(signal.SIGINT)
        _out, err = process.communicate(timeout=30)
        page.locator("#state.gone").wait_for()
    page.close()
    assert (process.returncode, err) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["newsletter.toml"]


def test_a_taken_port_is_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        ran = newsletter(tmp_path, "preview", "--no-open", "--port", str(other.getsockname()[1]))
    assert ran.code == 2
    assert "address already in use" in ran.fault


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--subscriber", "nobody@example.org"], "nobody@example.org: is not on the list"),
        (["--send-test", "not-an-address"], "--send-test not-an-address"),
        (["--date", "2025-13-01"], "is no day"),
    ],
)
def test_a_mistake_is_one_line(tmp_path: Path, arguments: list[str], words: str) -> None:
    ran = newsletter(tmp_path, "preview", "--no-open", *arguments)
    assert ran.code == 2
    assert words in ran.err.strip().splitlines()[-1]
    assert list(tmp_path.iterdir()) == []


def test_a_test_copy_can_be_sent_without_the_page(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "preview", "--send-test", "editor@example.org")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith(f"A test copy of {NEWEST} went to editor@example.org")
