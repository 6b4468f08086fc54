"""MJML to the HTML that mail clients understand: mjml-python for the layout, premailer for our own classes.

The options are the set that was measured to keep every @media block, !important and Outlook conditional; each of them
undoes a default that loses something (dark mode, the doctype, column widths).
"""

import logging
import re
from functools import cache
from typing import Any

from newsletter.errors import TemplateError

COMMENT = re.compile(r"<!--(?![~\[<>]).*?-->", re.DOTALL)
# White space around table rows: MJML drops it in some places, so that marks would change what is left.
BETWEEN_ROWS = re.compile(r"(?<=>)\s+(?=(?:<!--~[^>]*-->\s*)*</?(?:tbody|tr)\b)")
TITLE = re.compile(r"<mj-title>(.*?)</mj-title>", re.DOTALL)
NO_TITLE = "no title yet"
POSITION = re.compile(r"at position (\d+)")


def to_html(source: str, css: str) -> str:
    """Return the HTML of an MJML document with the rules of `css` written into style attributes.

    Raises:
        TemplateError: the document is no valid MJML; the message has MJML's own words and the line.
    """
    from mjml import mjml2html

    source = COMMENT.sub("", source)  # those of the person who edits; marks and Outlook's conditions stay
    source, title = _without_title(source)
    try:
        # fonts={}: otherwise a font name such as Roboto adds a remote stylesheet.
        html = mjml2html(source, fonts={}, disable_comments=False)
    except ValueError as fault:
        raise TemplateError(f"mail template: {_located(str(fault), source)}") from None
    for place in ("<title>{}</title>", 'aria-label="{}"'):
        html = html.replace(place.format(NO_TITLE), place.format(title), 1)
    html = html.replace("<!doctype html>", "<!DOCTYPE html>", 1)  # premailer drops the small one: quirks mode
    html = re.sub(r"<style(?=[ >])", '<style data-premailer="ignore"', html)  # MJML's own styles stay as they are
    inlined = _premailer()(
        html,
        css_text=[css],
        keep_style_tags=True,
        strip_important=False,
        remove_classes=False,
        disable_validation=True,
        disable_leftover_css=True,
        allow_network=False,
        allow_loading_external_files=False,
        disable_link_rewrites=True,
        preserve_internal_links=True,
        align_floating_images=False,
        cache_css_parsing=True,
        cssutils_logging_level=logging.CRITICAL,
        method="html",
    ).transform(pretty_print=False)
    return BETWEEN_ROWS.sub("", f"{inlined}\n".replace(' data-premailer="ignore"', ""))


@cache
def _premailer() -> Any:
    """Return Premailer that reads a style sheet once: cssutils takes longer for that than the rest of a page does."""
    from premailer import Premailer

    parsed: dict[tuple[str, int], tuple[list[Any], list[Any]]] = {}

    class OncePerSheet(Premailer):  # type: ignore[misc] # premailer has no types
        def _parse_style_rules(self, css_body: str, ruleset_index: int) -> tuple[list[Any], list[Any]]:
            key = css_body, ruleset_index
            if key not in parsed:
                parsed[key] = super()._parse_style_rules(css_body, ruleset_index)
            return parsed[key]

        def _style_to_basic_html_attributes(self, *_arguments: Any, **_options: Any) -> None:
            """Do nothing: we want none of those attributes, and looking for them takes a tenth of the time."""

    return OncePerSheet


def _without_title(source: str) -> tuple[str, str]:
    """Take the title out: MJML writes it into an attribute as Rust would print it, quotes and all."""
    found = TITLE.search(source)
    return (TITLE.sub(f"<mj-title>{NO_TITLE}</mj-title>", source, count=1), found[1].strip()) if found else (source, "")


def _located(fault: str, source: str) -> str:
    """Add the text at the fault's place: MJML counts bytes, and the file the person edits has other lines."""
    found = POSITION.search(fault)
    if not found:
        return fault
    near = source.encode()[int(found[1]) :].decode(errors="replace").strip()
    return f"{fault} (near {near[:60]!r})" if near else fault
