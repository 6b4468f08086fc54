"""Pure: how well the words of a mail stand out from their background, in the light design.

Only what stands inline counts (style and bgcolor attributes), because that is what every client draws. Background
pictures and gradients are left out, so words must be readable on the plain colour behind them: Outlook shows no
gradients, and pictures are often not loaded.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from lxml.etree import _Element

from newsletter.render.support import declarations

Colour = tuple[int, int, int]
WHITE, BLACK, LINK_BLUE = (255, 255, 255), (0, 0, 0), (0, 0, 238)
NAMES: dict[str, Colour] = {
    "black": BLACK,
    "silver": (192, 192, 192),
    "gray": (128, 128, 128),
    "grey": (128, 128, 128),
    "white": WHITE,
    "maroon": (128, 0, 0),
    "red": (255, 0, 0),
    "purple": (128, 0, 128),
    "green": (0, 128, 0),
    "olive": (128, 128, 0),
    "yellow": (255, 255, 0),
    "orange": (255, 165, 0),
    "navy": (0, 0, 128),
    "blue": (0, 0, 255),
    "teal": (0, 128, 128),
}
UNITS = {"px": 1.0, "pt": 4 / 3, "rem": 16.0}  # pixels; em and % are shares of the parent's size
HEADINGS = {"h1": 2.0, "h2": 1.5, "h3": 1.17, "h4": 1.0, "h5": 0.83, "h6": 0.67}  # em, as browsers have it
SILENT = {"script", "style", "title", "noscript"}
BOLD_TAGS = {*HEADINGS, "b", "strong", "th"}
LARGE, LARGE_BOLD = 24.0, 18.66  # pixels: 18pt and 14pt

HEX = re.compile(r"#(?:[\da-f]{3}|[\da-f]{6})")
RGB = re.compile(r"rgba?\(\s*(\d{1,3})[\s,]+(\d{1,3})[\s,]+(\d{1,3})\s*(?:[,/]\s*1(?:\.0*)?\s*)?\)")
WORD = re.compile(r"rgba?\([^)]*\)|[^\s,]+")
LENGTH = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(px|pt|rem|em|%)")


@dataclass(frozen=True, slots=True)
class Look:
    """How words in one element look; a colour of None is unknown."""

    ink: Colour | None = BLACK
    ground: Colour | None = WHITE
    size: float = 16.0  # pixels
    bold: bool = False
    hidden: bool = False

    @property
    def needed(self) -> float:
        """The least contrast for words of this size (WCAG 2.1, success criterion 1.4.3)."""
        return 3.0 if self.size >= (LARGE_BOLD if self.bold else LARGE) else 4.5


@dataclass(frozen=True, slots=True)
class Contrast:
    """Words, their ratio to the background, 1 to 21, the ratio they need, and the two colours as #rrggbb."""

    words: str
    ratio: float
    needed: float
    ink: str
    ground: str


def worst_contrast(root: _Element) -> Contrast | None:
    """Return the words that stand out least against what they need; None if no colours are known."""
    looks, first = _looks(root), dict[tuple[Colour, Colour, float], str]()
    for element, text in _words(root):
        look = looks[element]
        if look.ink and look.ground and look.size and not look.hidden:
            first.setdefault((look.ink, look.ground, look.needed), " ".join(text.split())[:40])
    found = (
        Contrast(words, ratio(ink, ground), needed, _hex(ink), _hex(ground))
        for (ink, ground, needed), words in first.items()
    )
    return min(found, key=lambda one: one.ratio / one.needed, default=None)


def _words(root: _Element) -> Iterator[tuple[_Element, str]]:
    """Yield the texts with the element each stands in; what follows an element stands in its parent."""
    for element in root.iter():
        parent = element.getparent()
        if isinstance(element.tag, str) and element.tag not in SILENT and (element.text or "").strip():
            yield element, element.text or ""
        if parent is not None and (element.tail or "").strip():
            yield parent, element.tail or ""


def ratio(one: Colour, other: Colour) -> float:
    """Return the contrast ratio of two colours, 1 to 21 (WCAG 2.1, relative luminance)."""
    dark, light = sorted((_luminance(one), _luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def colour_of(value: str) -> Colour | None:
    """Return a colour written as #rgb, #rrggbb, rgb() or a common name; None for all else, as for see-through ones."""
    text = value.strip().casefold()
    if text in NAMES:
        return NAMES[text]
    if HEX.fullmatch(text):
        digits = text[1:] if len(text) > 4 else "".join(digit * 2 for digit in text[1:])  # noqa: PLR2004 - #rgb
        return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)
    if found := RGB.fullmatch(text):
        red, green, blue = (min(255, int(part)) for part in found.groups())
        return red, green, blue
    return None


def _looks(page: _Element) -> dict[_Element, Look]:
    looks: dict[_Element, Look] = {}
    for element in page.iter():
        parent = element.getparent()
        above = Look() if parent is None else looks[parent]
        looks[element] = _look(element, above) if isinstance(element.tag, str) else above
    return looks


def _look(element: _Element, above: Look) -> Look:
    """Return an element's look: what it inherits, then its tag's, its attributes' and its style's own."""
    tag = element.tag
    look = replace(
        above,
        ink=LINK_BLUE if tag == "a" and element.get("href") else above.ink,
        size=above.size * HEADINGS.get(tag, 1.0),
        bold=above.bold or tag in BOLD_TAGS,
        hidden=above.hidden or element.get("hidden") is not None,
    )
    for name, value in _given(element):
        look = _styled(look, above, name, value)
    return look


def _given(element: _Element) -> Iterator[tuple[str, str]]:
    if ground := element.get("bgcolor"):
        yield "background-color", ground.strip().lower()
    if ink := element.get("text" if element.tag == "body" else "color"):
        yield "color", ink.strip().lower()
    if style := element.get("style"):
        yield from declarations(style)


def _styled(look: Look, above: Look, name: str, value: str) -> Look:
    match name:
        case "color":
            return replace(look, ink=above.ink if value in {"inherit", "currentcolor"} else colour_of(value))
        case "background-color" | "background":
            return replace(look, ground=_ground(value, above.ground))
        case "opacity":  # what shows through is not followed
            return look if value.startswith("1") else replace(look, ink=None)
        case "display" | "visibility":
            return replace(look, hidden=look.hidden or value in {"none", "hidden"})
    return _set_in_type(look, above, name, value)


def _set_in_type(look: Look, above: Look, name: str, value: str) -> Look:
    match name:
        case "font-size":
            return replace(look, size=_pixels(value, above.size, look.size))
        case "font-weight":
            return replace(look, bold=_is_bold(value, above=above.bold))
        case "font":
            bold = any(_is_bold(word, above=False) for word in value.split())
            return replace(look, bold=bold, size=_pixels(value, above.size, look.size))
    return look


def _ground(value: str, above: Colour | None) -> Colour | None:
    """Return the plain colour in a background, what is behind it where there is none, None where it is unknown."""
    if value in {"", "none", "transparent", "inherit", "initial", "unset"}:
        return above
    known = [colour for colour in map(colour_of, WORD.findall(value)) if colour]
    if known and "gradient(" not in value:
        return known[-1]
    return above if "gradient(" in value or "url(" in value else None


def _pixels(value: str, above: float, otherwise: float) -> float:
    found = LENGTH.search(value)
    if not found:
        return 0.0 if value == "0" else otherwise
    number = float(found[1])
    return number * UNITS[found[2]] if found[2] in UNITS else number * above / (100 if found[2] == "%" else 1)


def _is_bold(value: str, *, above: bool) -> bool:
    if value == "inherit":
        return above
    return value in {"bold", "bolder"} or (value.isdecimal() and 600 <= int(value[:4]) <= 1000)  # noqa: PLR2004 - CSS


def _luminance(colour: Colour) -> float:
    linear = [
        share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4  # noqa: PLR2004 - sRGB
        for share in (part / 255 for part in colour)
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _hex(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)
