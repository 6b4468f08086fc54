"""What proves a page or a mail in real tools. Faults come back in words: nothing in the answer is a pass.

The tools from npm are those of package.json beside this file (`make browser-tools`); all of them work offline.
"""

import json
import os
import re
import subprocess
from collections import defaultdict
from collections.abc import Mapping, Sequence
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from playwright.sync_api import Browser, Page

HERE = Path(__file__).parent
MODULES = HERE / "node_modules"
Scheme = Literal["light", "dark"]

# Rules of axe-core that speak of a page of one's own; a mail is shown as a part of the mail program's page.
NOT_FOR_MAIL = (
    "landmark-one-main",  # the main landmark is the mail program's
    "region",  # so no text needs a landmark around it; MJML's role=article is none
)

# Rules that htmlvalidate.json switches off, because mail needs what they forbid:
#   no-conditional-comment  Outlook on Windows gets its tables and widths from conditional comments
#   no-deprecated-attr      the same Outlook (Word) reads align, width and cellpadding, and not the CSS for them
#   no-inline-style         some clients drop <style>, so the looks have to stand in style attributes
#   prefer-native-element   MJML gives the body's first <div> role=article; <article> is unknown to old clients

CLIENTS = ("gmail.*", "outlook.*", "apple-mail.*", "yahoo.*")


def open_page(browser: Browser, html: str, width: int, scheme: Scheme, height: int = 900) -> Page:
    """Return a page that shows `html` and refuses every request to a network; `close` it after use.

    Args:
        browser: where to open it, in a context of its own.
        html: the whole document.
        width: of the viewport, in CSS pixels.
        scheme: what `prefers-color-scheme` answers.
        height: of the viewport, in CSS pixels.
    """
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme, offline=True)
    page.set_content(html)
    return page


def axe_violations(page: Page, without: Sequence[str] = NOT_FOR_MAIL) -> list[str]:
    """Return what axe-core finds inaccessible, one `rule: target: summary` for each element.

    Text whose contrast axe cannot tell, such as text over a picture, is among them.

    Args:
        page: an open page; scripts must be allowed in it.
        without: rules of axe-core that do not apply.
    """
    page.add_script_tag(content=(MODULES / "axe-core/axe.min.js").read_text("utf-8"))
    options = {
        "rules": {rule: {"enabled": False} for rule in without},
        "checks": {"color-contrast": {"options": {"ignoreLength": True}}},  # else it lets single letters pass
        "resultTypes": ["violations", "incomplete"],
    }
    found: dict[str, Any] = page.evaluate("options => axe.run(document, options)", options)
    unclear = [rule for rule in found["incomplete"] if rule["id"] == "color-contrast"]
    return [
        f"{rule['id']}: {_selector(node['target'])}: {' '.join(node['failureSummary'].split())}"
        for rule in [*found["violations"], *unclear]
        for node in rule["nodes"]
    ]


def sideways(page: Page) -> int:
    """Return by how many CSS pixels the page is wider than its viewport, and so scrolls sideways."""
    over: int = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    return over


def html_faults(pages: Mapping[str, str]) -> list[str]:
    """Return what html-validate finds wrong in whole documents by the rules of htmlvalidate.json.

    Args:
        pages: HTML by name; the name stands before each of its faults.

    Raises:
        RuntimeError: html-validate did not come to a result.
    """
    with TemporaryDirectory() as folder:
        names = {f"{number}.html": name for number, name in enumerate(pages)}
        for file, name in names.items():
            Path(folder, file).write_text(pages[name], "utf-8")
        report = Path(folder, "faults.json")
        options = ["--config", str(HERE / "htmlvalidate.json"), "--formatter", f"json={report}"]
        files = [str(Path(folder, file)) for file in names]
        results = _node([str(MODULES / "html-validate/bin/html-validate.mjs"), *options, *files], report)
    return [
        f"{names[Path(result['filePath']).name]}: {fault['ruleId']}: {fault['message']} (line {fault['line']})"
        for result in results
        for fault in result["messages"]
    ]


def client_faults(pages: Mapping[str, str]) -> dict[str, list[str]]:
    """Return what Gmail, Outlook, Apple Mail and Yahoo do not support, by the data of caniemail.com.

    Args:
        pages: HTML by name.

    Returns:
        For each unsupported feature, by its title there, `client: page` of each that lacks it; what is supported in
        part is left out.

    Raises:
        RuntimeError: caniemail did not come to a result.
    """
    with TemporaryDirectory() as folder:
        asked, report = Path(folder, "pages.json"), Path(folder, "faults.json")
        asked.write_text(json.dumps(dict(pages)), "utf-8")
        found = _node([str(HERE / "clients.mjs"), str(asked), str(report), *CLIENTS], report)
    faults: defaultdict[str, set[str]] = defaultdict(set)
    for fault in found:
        faults[fault["title"]].add(f"{fault['client']}: {fault['page']}")
    return {title: sorted(places) for title, places in sorted(faults.items())}


def beyond_baseline(faults: Mapping[str, list[str]]) -> dict[str, list[str]]:
    """Return the faults of `client_faults` that caniemail-baseline.json does not give a reason for."""
    known: dict[str, str] = json.loads((HERE / "caniemail-baseline.json").read_text("utf-8"))
    return {title: places for title, places in faults.items() if title not in known}


def spam_score(message: bytes) -> tuple[float, list[str]]:
    """Return SpamAssassin's points for a message and the rules that gave them, each as `RULE=points`.

    Only local rules: no DNS, no learned words, no settings of this machine's user. 5.0 points are spam by default.

    Raises:
        subprocess.CalledProcessError: SpamAssassin failed.
    """
    command = ["spamassassin", "--local", "--test-mode", "--cf=add_header all Points _TESTSSCORES(,)_"]
    with TemporaryDirectory() as home:  # it writes a folder of its own into HOME
        surroundings = os.environ | {"HOME": home, "LC_ALL": "C"}
        ran = subprocess.run(command, input=message, capture_output=True, check=True, timeout=60, env=surroundings)
    judged = message_from_bytes(ran.stdout, policy=default)
    score = re.search(r"score=(-?[\d.]+)", judged["X-Spam-Status"])
    assert score, judged["X-Spam-Status"]
    return float(score[1]), "".join(judged["X-Spam-Points"].split()).split(",")


def _node(arguments: Sequence[str], report: Path) -> Any:
    """Run a script that writes its result into a file: node cuts off a long answer through a pipe."""
    ran = subprocess.run(["node", *arguments], capture_output=True, text=True, check=False, timeout=60)
    if not report.is_file():
        raise RuntimeError(f"{Path(arguments[0]).name}: {ran.stderr.strip() or 'no result'}")
    return json.loads(report.read_text("utf-8"))


def _selector(target: list[str | list[str]]) -> str:
    """Join axe's path to an element; the part inside a shadow tree is a list itself."""
    return " ".join(part if isinstance(part, str) else " ".join(part) for part in target)
