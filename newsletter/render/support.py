"""Pure: which HTML and CSS the big mail programs leave out, and what of it one mail uses.

A program is listed where one of its apps drops the feature altogether; Outlook for Windows draws with Word. What is not
in the table is understood by all five or was not looked at. Facts of caniemail.com's data of 9 September 2025 (npm
package caniemail 1.0.5); which of them matter to a reader is our own judgement.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from lxml.etree import _Element

Programs = tuple[str, ...]

GMAIL, OUTLOOK, OUTLOOK_COM, YAHOO, APPLE = "Gmail", "Outlook for Windows", "Outlook.com", "Yahoo", "Apple Mail"
ALL_BUT_APPLE: Programs = (GMAIL, OUTLOOK, OUTLOOK_COM, YAHOO)
EVERYONE: Programs = (*ALL_BUT_APPLE, APPLE)

# A table that Outlook alone sees, in a conditional comment.
OUTLOOK_TABLE = r"<!--\[if[^\]]*\bmso\b[^\]]*\]>\s*<table\b"

COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
DECLARATION = re.compile(r"""(?<![-\w])([-\w]+)\s*:\s*((?:[^;("']|\([^)]*\)|"[^"]*"|'[^']*')+)""")
RULE = re.compile(r"(?<![^{};])[^{};]++(?=\{)")
RULE_DECLARATION = re.compile(r"(?<![-\w])([-\w]+)\s*:\s*([^;{}]++)(?=[;}])")
AT_RULE = re.compile(r"@[-\w]+[^{};]*")


@dataclass(frozen=True, slots=True)
class Feature:
    """Something that a mail may use and some mail program leaves out.

    Args:
        name: as a designer calls it.
        sign: a pattern for the start of one of the lines that `signs` yields.
        missing: who leaves it out.
        instead: what a mail needs beside it; empty where the mail only looks plainer without.
        fallback: a pattern which, found in the HTML, shows that the fallback is there.
    """

    name: str
    sign: str
    missing: Programs
    instead: str = ""
    fallback: str = ""

    def lacks_fallback(self, html: str) -> bool:
        """Whether readers somewhere lose more than decoration: there is nothing beside it in this HTML."""
        return bool(self.instead) and not (self.fallback and re.search(self.fallback, html))


LAYOUT = (
    Feature("display:flex", r"display:(inline-)?flex", (OUTLOOK,), "table cells"),
    Feature("display:grid", r"display:(inline-)?grid", (GMAIL, OUTLOOK, YAHOO), "table cells"),
    Feature("display:inline-block", r"display:inline-block", (OUTLOOK,), "a table for Outlook", OUTLOOK_TABLE),
    Feature(
        "flex properties", r"(flex-\w+|justify-\w+|align-(items|content)):", (GMAIL, OUTLOOK, YAHOO), "table cells"
    ),
    Feature("grid properties", r"grid(-[-\w]+)?:", ALL_BUT_APPLE, "table cells"),
    Feature("gap", r"((row|column)-)?gap:", (OUTLOOK, YAHOO), "padding on table cells"),
    Feature("columns", r"column(s|-count|-width):", (OUTLOOK, YAHOO)),
    Feature("position", r"position:(?!static)", (GMAIL, OUTLOOK), "table cells"),
    Feature("float", r"float:(?!none)", (OUTLOOK,), "an align attribute", r"""align=["']?(left|right)"""),
    Feature("max-width", r"max-width:(?!none|100%)", (OUTLOOK,), "a table with a width for Outlook", OUTLOOK_TABLE),
    Feature("min-width, min-height, max-height", r"(min-(width|height)|max-height):", (OUTLOOK,)),
    Feature("margin:auto", r"margin(-left|-right)?:.*\bauto", (OUTLOOK,), "align=center", r"""align=["']?center"""),
    Feature("negative margin", r"margin(-\w+)?:.*(?<![\w.])-\.?\d", ALL_BUT_APPLE, "smaller padding around it"),
    Feature("logical margin and padding", r"(margin|padding)-(inline|block)", EVERYONE, "-left, -right, -top, -bottom"),
    Feature("logical size", r"((min|max)-)?(inline|block)-size:", ALL_BUT_APPLE, "width and height"),
    Feature("box-sizing", r"box-sizing:", (OUTLOOK, YAHOO), "widths that leave room for the padding"),
    Feature("object-fit", r"object-(fit|position):", (OUTLOOK, YAHOO), "a picture cut to its size"),
    Feature("aspect-ratio", r"aspect-ratio:", ALL_BUT_APPLE, "width and height"),
    Feature("visibility", r"visibility:(?!visible)", (GMAIL, OUTLOOK), "display:none"),
    Feature("writing-mode", r"writing-mode:(?!horizontal)", (OUTLOOK, YAHOO), "text that reads across"),
    Feature("transform", r"(-\w+-)?transform:(?!none)", ALL_BUT_APPLE, "a layout that holds without it"),
    Feature("overflow", r"overflow(-[xy])?:(?!visible)", (OUTLOOK,)),
    Feature("table-layout", r"table-layout:", (OUTLOOK,)),
    Feature("border-spacing", r"border-spacing:", (OUTLOOK,)),
)
LOOKS = (
    Feature("background-image", r"background(-image)?:.*url\(", (OUTLOOK,)),
    Feature("gradient", r"[-\w]+:.*(linear|radial)-gradient\(", (OUTLOOK, OUTLOOK_COM, YAHOO)),
    Feature("conic-gradient", r"[-\w]+:.*conic-gradient\(", ALL_BUT_APPLE),
    Feature("background-size, -position, -repeat", r"background-(size|position|repeat):", (OUTLOOK,)),
    Feature("background-clip, -origin", r"background-(clip|origin):", (OUTLOOK, YAHOO)),
    Feature("blend modes", r"(mix|background)-blend-mode:", (OUTLOOK, YAHOO)),
    Feature("border-radius", r"border(-[-\w]+)?-radius:", (OUTLOOK,)),
    Feature("border-image", r"border-image", ALL_BUT_APPLE),
    Feature("box-shadow", r"box-shadow:", (GMAIL, OUTLOOK, YAHOO)),
    Feature("text-shadow", r"text-shadow:", (GMAIL, OUTLOOK, OUTLOOK_COM)),
    Feature("opacity", r"opacity:", (OUTLOOK,)),
    Feature("outline", r"outline(-(color|style|width))?:(?!none|0)", (OUTLOOK,)),
    Feature("filter", r"(backdrop-)?filter:", ALL_BUT_APPLE),
    Feature("clip-path, mask, shape-outside", r"(clip-path|mask|mask-image|shape-outside):", ALL_BUT_APPLE),
    Feature("animation", r"(-\w+-)?animation|@(-\w+-)?keyframes", ALL_BUT_APPLE),
    Feature("transition", r"(-\w+-)?transition", (GMAIL, OUTLOOK, OUTLOOK_COM)),
    Feature("cursor", r"cursor:", (GMAIL, OUTLOOK_COM, APPLE, YAHOO)),
    Feature("user-select", r"(-\w+-)?user-select:", ALL_BUT_APPLE),
    Feature("color-scheme", r"color-scheme:", ALL_BUT_APPLE),
    Feature("list-style-image", r"list-style(-image)?:.*url\(", ALL_BUT_APPLE),
    Feature("list-style-position", r"list-style-position:", (OUTLOOK,)),
)
TEXT = (
    Feature("overflow-wrap", r"overflow-wrap:", ALL_BUT_APPLE),
    Feature("word-wrap", r"word-wrap:", (OUTLOOK,)),
    Feature("word-break", r"word-break:", (YAHOO,)),
    Feature("white-space", r"white-space:", (OUTLOOK,)),
    Feature("hyphens", r"(-\w+-)?hyphens:", ALL_BUT_APPLE),
    Feature("text-wrap", r"text-wrap:", ALL_BUT_APPLE),
    Feature("text-overflow", r"text-overflow:", (OUTLOOK, YAHOO)),
    Feature("word-spacing", r"word-spacing:(?!normal)", (OUTLOOK,)),
    Feature("underline details", r"text-decoration-(color|style|thickness|skip)", (OUTLOOK,)),
    Feature("text-underline-offset", r"text-underline-offset:", ALL_BUT_APPLE),
    Feature("font-stretch", r"font-stretch:", (GMAIL, OUTLOOK, YAHOO)),
)
VALUES = (
    Feature("calc()", r"[-\w]+:.*\bcalc\(", (OUTLOOK, OUTLOOK_COM, YAHOO), "a plain length"),
    Feature("min(), max(), clamp()", r"[-\w]+:.*\b(min|max|clamp)\(", (OUTLOOK, OUTLOOK_COM, YAHOO), "a plain length"),
    Feature("var()", r"--|[-\w]+:.*\bvar\(", ALL_BUT_APPLE, "the value itself"),
    Feature("rgba()", r"[-\w]+:.*\b(rgba|hsla?)\(", (OUTLOOK,), "a #rrggbb colour"),
    Feature("modern colours", r"[-\w]+:.*\b((ok)?(lab|lch)|color(-mix)?|hwb)\(", ALL_BUT_APPLE, "a #rrggbb colour"),
    Feature("light-dark()", r"[-\w]+:.*\blight-dark\(", ALL_BUT_APPLE, "a #rrggbb colour"),
    Feature("rem", r"[-\w]+:(.*[\s(,])?[\d.]+rem\b", (OUTLOOK, YAHOO), "px"),
    Feature("vw, vh", r"[-\w]+:(.*[\s(,])?[\d.]+v[wh]\b", (OUTLOOK,), "px or %"),
    Feature("vmin, vmax", r"[-\w]+:(.*[\s(,])?[\d.]+vm(in|ax)\b", (OUTLOOK, YAHOO), "px or %"),
)
SELECTORS = (
    Feature(":hover", r"rule .*:hover", (GMAIL, OUTLOOK)),
    Feature(":focus, :active, :visited", r"rule .*:(focus|active|visited|target)", (GMAIL, OUTLOOK, APPLE)),
    Feature(":first-child, :last-child", r"rule .*:(first|last|only)-(child|of-type)", (GMAIL, OUTLOOK)),
    Feature(":nth-child", r"rule .*:nth-", ALL_BUT_APPLE),
    Feature(":not, :has", r"rule .*:(not|has|lang)\(", ALL_BUT_APPLE, "a class"),
    Feature("::before, ::after", r"rule .*:(before|after)\b", (GMAIL, OUTLOOK, YAHOO), "the words in the HTML"),
    Feature("[attribute] selector", r"rule .*\[", (OUTLOOK,)),
    Feature("child and sibling selectors", r"rule .*[>+~]", (OUTLOOK,)),
    Feature("@media", r"@media", (OUTLOOK,)),
    Feature("prefers-color-scheme", r"@media.*prefers-color-scheme", (GMAIL, OUTLOOK, YAHOO)),
    Feature("@supports", r"@supports", (GMAIL, OUTLOOK, OUTLOOK_COM)),
    Feature("@font-face", r"@font-face", (GMAIL, OUTLOOK_COM, YAHOO)),
    Feature("@import", r"@import", (GMAIL, OUTLOOK_COM, YAHOO), "the rules themselves"),
)
ELEMENTS = (
    Feature("<video>, <audio>", r"<(video|audio)>", ALL_BUT_APPLE, "a picture that links to a page"),
    Feature("<svg>", r"<svg>", ALL_BUT_APPLE, "a PNG"),
    Feature("<object>, <embed>", r"<(object|embed|iframe)>", ALL_BUT_APPLE, "a link"),
    Feature("<form> and its fields", r"<(form|input|select|textarea|button)>", (OUTLOOK, YAHOO), "a link to a page"),
    Feature("<dialog>, <meter>, <progress>", r"<(dialog|meter|progress)>", ALL_BUT_APPLE, "words"),
    Feature("<style> in <body>", r"<body><style>", (GMAIL,), "<style> in <head>"),
    Feature("<link>", r"<link>", (GMAIL, OUTLOOK_COM, YAHOO), "<style> in <head>"),
    Feature("hidden", r"\[hidden\]", ALL_BUT_APPLE, "display:none"),
    Feature("links within the mail", r"\[href=#", (GMAIL, YAHOO)),
    Feature("<picture>", r"<picture>", ALL_BUT_APPLE),
    Feature("srcset", r"\[srcset\]", ALL_BUT_APPLE),
    Feature("loading", r"\[loading\]", ALL_BUT_APPLE),
    Feature("target", r"\[target\]", (GMAIL, OUTLOOK_COM, YAHOO)),
    Feature("aria-label", r"\[aria-label\]", (YAHOO,)),
    Feature("<bdi>", r"<bdi>", ALL_BUT_APPLE),
    Feature("<abbr>", r"<abbr>", (OUTLOOK, YAHOO)),
    Feature("<ruby>, <wbr>", r"<(ruby|rt|rp|wbr)>", (GMAIL, OUTLOOK)),
    Feature(
        "<article>, <section> and their like", r"<(article|aside|header|footer|main|nav|section)>", (OUTLOOK, YAHOO)
    ),
    Feature("<details>", r"<(details|summary)>", (GMAIL, OUTLOOK, YAHOO)),
)
FEATURES = (*LAYOUT, *LOOKS, *TEXT, *VALUES, *SELECTORS, *ELEMENTS)

_SIGNS = tuple((feature, re.compile(f"^(?:{feature.sign})", re.MULTILINE)) for feature in FEATURES)


@lru_cache(maxsize=1024)
def declarations(style: str) -> tuple[tuple[str, str], ...]:
    """Return the properties and values of a style attribute in lower case, in their order, without `!important`."""
    found = DECLARATION.findall(COMMENT.sub("", style.lower()))
    return tuple((name, value.replace("!important", "").strip()) for name, value in found)


def stylesheets(page: _Element) -> str:
    """Return the text of all <style> elements, comments left out."""
    return COMMENT.sub("", "\n".join(style.text or "" for style in page.iter("style")))


def used(page: _Element) -> tuple[Feature, ...]:
    """Return the features of the table that a page uses; what only Outlook sees, in comments, is left out."""
    lines = "\n".join(" ".join(sign.split()) for sign in dict.fromkeys(signs(page)))
    return tuple(feature for feature, sign in _SIGNS if sign.search(lines))


def signs(page: _Element) -> Iterator[str]:
    """Yield what a page is made of, a line each: `<p>`, `[href]`, `color:red`, `rule a:hover`, `@media print`."""
    styles: set[str] = set()
    for element in page.iter("*"):
        yield f"<{element.tag}>"
        yield from (f"[{name}]" for name in map(str, element.attrib))
        styles.add(element.get("style", ""))
        if element.get("href", "").startswith("#"):
            yield "[href=#"
    yield from ("<body><style>" for body in page.iter("body") for _style in body.iter("style"))
    yield from _lines(pair for style in sorted(styles) for pair in declarations(style))
    sheets = stylesheets(page).lower()
    yield from _lines(RULE_DECLARATION.findall(sheets))
    yield from (f"rule {prelude.strip()}" for prelude in RULE.findall(sheets) if "@" not in prelude)
    yield from AT_RULE.findall(sheets)


def _lines(pairs: Iterable[tuple[str, str]]) -> Iterator[str]:
    return (f"{name}:{value}" for name, value in pairs)
