"""MJML to the HTML that mail clients understand: mjml-python for the layout, premailer for our own classes.

The options are the set that was measured to keep every @media block, !important and Outlook conditional; each of them
undoes a default that loses something (dark mode, the doctype, column widths).
"""

import logging
import re

from newsletter.errors import TemplateError

POSITION = re.compile(r"at position (\d+)")


def to_html(source: str, css: str) -> str:
    """Return the HTML of an MJML document with the rules of `css` written into style attributes.

    Raises:
        TemplateError: the document is no valid MJML; the message has MJML's own words and the line.
    """
    from mjml import mjml2html
    from premailer import Premailer

    try:
        # fonts={}: otherwise a font name such as Roboto adds a remote stylesheet.
        html = mjml2html(source, fonts={}, disable_comments=True)
    except ValueError as fault:
        raise TemplateError(f"mail template: {_located(str(fault), source)}") from None
    html = html.replace("<!doctype html>", "<!DOCTYPE html>", 1)  # premailer drops the small one: quirks mode
    html = re.sub(r"<style(?=[ >])", '<style data-premailer="ignore"', html)  # MJML's own styles stay as they are
    inlined = Premailer(
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
        disable_basic_attributes=["bgcolor", "width", "height", "align", "valign", "border"],
        cache_css_parsing=True,
        cssutils_logging_level=logging.CRITICAL,
        method="html",
    ).transform(pretty_print=False)
    return str(inlined).replace(' data-premailer="ignore"', "")


def _located(fault: str, source: str) -> str:
    """Add the text at the fault's place: MJML counts bytes, and the file the person edits has other lines."""
    found = POSITION.search(fault)
    if not found:
        return fault
    near = source.encode()[int(found[1]) :].decode(errors="replace").strip()
    return f"{fault} (near {near[:60]!r})" if near else fault
