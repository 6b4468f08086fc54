"""Pure: how well text stands out from its background, by the formula of WCAG 2.1 (relative luminance, 1.4.3)."""

import re
from dataclasses import dataclass

from lxml import etree

LARGE = 24.0  # px from which a ratio of 3 is enough; 18.66 for bold text
LARGE_BOLD = 18.66
NAMES = {"white": "#ffffff", "black": "#000000"}
DECLARATION = re.compile(r"([\w-]+)\s*:\s*([^;]+)")
Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Contrast:
    """A text and its ratio to the background, 1 to 21, and the ratio it needs."""

    words: str
    ratio: float
    needed: float


def ratio(one: Colour, other: Colour) -> float:
    """Return the contrast of two colours, 1 to 21."""
    light, dark = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def colour_of(value: str) -> Colour | None:
    """Return the red, green and blue (0 to 255) of a CSS colour, or None where it cannot be told."""
    text = NAMES.get(value.strip().casefold(), value.strip().casefold())
    if found := re.fullmatch(r"#([0-9a-f]{3})", text):
        red, green, blue = (int(digit * 2, 16) for digit in found[1])
    elif found := re.fullmatch(r"#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})", text):
        red, green, blue = (int(pair, 16) for pair in found.groups())
    elif found := re.fullmatch(r"rgb\(\s*(\d{1,3})\s*,\s*(\d{1,3})\s*,\s*(\d{1,3})\s*\)", text):
        red, green, blue = (min(int(part), 255) for part in found.groups())
    else:
        return None
    return red, green, blue


def worst_contrast(root: "etree._Element") -> Contrast | None:
    """Return the text that stands out least against what it needs, by style attributes alone; None if none is told."""
    seen = [found for element in root.iter() if isinstance(element.tag, str) and (found := _contrast(element))]
    return min(seen, key=lambda one: one.ratio / one.needed, default=None)


def _contrast(element: "etree._Element") -> Contrast | None:
    words = " ".join((element.text or "").split())
    if not words or element.tag in {"style", "title", "script"} or _hidden(element):
        return None
    ink, ground = _inherited(element, "color"), _inherited(element, "background-color", "background", "bgcolor")
    if ink is None or ground is None:
        return None
    size = re.match(r"([\d.]+)px", _value(element, "font-size"))
    bold = _value(element, "font-weight") in {"bold", "700", "800", "900"} or element.tag in {"h1", "h2", "b", "strong"}
    large = bool(size) and float(size[1]) >= (LARGE_BOLD if bold else LARGE) if size else False
    return Contrast(words[:40], ratio(ink, ground), 3.0 if large else 4.5)


def _inherited(element: "etree._Element", *names: str) -> Colour | None:
    for name, at in ((name, at) for at in (element, *element.iterancestors()) for name in names):
        given = dict(DECLARATION.findall(at.get("style", ""))).get(name) or (
            at.get(name) if name == "bgcolor" else None
        )
        if given and (colour := colour_of(given)):
            return colour
    return None


def _value(element: "etree._Element", name: str) -> str:
    for at in (element, *element.iterancestors()):
        given = dict(DECLARATION.findall(at.get("style", ""))).get(name)
        if given:
            return str(given).strip()
    return ""


def _hidden(element: "etree._Element") -> bool:
    return any("display:none" in at.get("style", "").replace(" ", "") for at in (element, *element.iterancestors()))


def _luminance(colour: Colour) -> float:
    parts = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)  # noqa: PLR2004 - WCAG's own figures
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
