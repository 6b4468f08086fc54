"""Pure: which CSS and HTML the big mail programs leave out; figures of caniemail.com's data of September 2025."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

GMAIL, OUTLOOK, OUTLOOK_COM, YAHOO, APPLE = "Gmail", "Outlook for Windows", "Outlook.com", "Yahoo", "Apple Mail"
ALL_BUT_APPLE = (GMAIL, OUTLOOK, OUTLOOK_COM, YAHOO)


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that a mail may use: how it is found in the HTML, and who leaves it out.

    `decoration` needs no fallback: without it the mail reads as well.
    """

    name: str
    pattern: re.Pattern[str]
    missing: tuple[str, ...]
    decoration: bool = False


def _property(name: str, missing: tuple[str, ...], *, decoration: bool = False) -> Feature:
    return Feature(name, re.compile(rf"(?<![\w(-]){name}\s*:", re.IGNORECASE), missing, decoration)


def _value(text: str, missing: tuple[str, ...], pattern: str) -> Feature:
    return Feature(text, re.compile(pattern, re.IGNORECASE), missing)


def _element(name: str, missing: tuple[str, ...]) -> Feature:
    return Feature(f"<{name}>", re.compile(rf"<{name}[\s>]", re.IGNORECASE), missing)


FEATURES = (
    _value("display: flex", (OUTLOOK,), r"display\s*:\s*(?:inline-)?flex"),
    _value("display: grid", (GMAIL, OUTLOOK, YAHOO), r"display\s*:\s*(?:inline-)?grid"),
    _value("position", (GMAIL, OUTLOOK), r"position\s*:\s*(?:absolute|fixed|sticky|relative)"),
    _value("var()", ALL_BUT_APPLE, r"var\(--"),
    _value("calc()", (OUTLOOK, OUTLOOK_COM, YAHOO), r"calc\("),
    _value("linear-gradient()", (OUTLOOK, OUTLOOK_COM, YAHOO), r"linear-gradient\("),
    _value(":nth-child", ALL_BUT_APPLE, r":nth-child"),
    _value("@import", ALL_BUT_APPLE, r"@import"),
    _value("@font-face", ALL_BUT_APPLE, r"@font-face"),
    _value("vw and vh", (OUTLOOK,), r":\s*[\d.]+v[wh]\b"),
    _property("background-image", (OUTLOOK,)),
    _property("object-fit", (OUTLOOK, YAHOO)),
    _property("gap", (OUTLOOK, YAHOO)),
    _property("transform", ALL_BUT_APPLE),
    _property("filter", ALL_BUT_APPLE),
    _property("clip-path", ALL_BUT_APPLE),
    _property("aspect-ratio", ALL_BUT_APPLE),
    _property("float", (OUTLOOK,)),
    _property("min-width", (OUTLOOK,)),
    _property("animation", ALL_BUT_APPLE, decoration=True),
    _property("transition", (GMAIL, OUTLOOK, OUTLOOK_COM), decoration=True),
    _property("border-radius", (OUTLOOK,), decoration=True),
    _property("box-shadow", (GMAIL, OUTLOOK, YAHOO), decoration=True),
    _property("text-shadow", (GMAIL, OUTLOOK, OUTLOOK_COM), decoration=True),
    _property("opacity", (OUTLOOK,), decoration=True),
    _element("video", ALL_BUT_APPLE),
    _element("audio", ALL_BUT_APPLE),
    _element("svg", ALL_BUT_APPLE),
    _element("picture", ALL_BUT_APPLE),
    _element("form", (OUTLOOK, YAHOO)),
    _element("input", (OUTLOOK, YAHOO)),
)
# Where CSS stands: style attributes and style sheets. What MJML writes for Outlook alone does not count.
CSS = re.compile(r"""style=(?:"([^"]*)"|'([^']*)')|<style[^>]*>(.*?)</style>""", re.DOTALL | re.IGNORECASE)
FOR_OUTLOOK = re.compile(r"<!--\[if.*?<!\[endif\]-->", re.DOTALL)


def unsupported(html: str) -> Iterator[Feature]:
    """Yield what an HTML part uses and some mail program leaves out, each feature once."""
    shown = FOR_OUTLOOK.sub("", html)
    css = "\n".join("".join(found) for found in CSS.findall(shown))
    for feature in FEATURES:
        if feature.pattern.search(shown if feature.name.startswith("<") else css):
            yield feature
