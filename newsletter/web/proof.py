"""One finished copy taken apart for the eye: whatever is shown comes from the bytes that would be sent."""

import hashlib
import html
import re
from dataclasses import dataclass
from typing import Literal

from newsletter.models import Issue, Message, Subscriber
from newsletter.render.lint import Finding, check
from newsletter.render.reading import Reading

Scheme = Literal["light", "dark"]
SNIPPET = 110  # characters that an inbox shows after the subject

FEATURE = r"\(\s*prefers-color-scheme\s*:\s*(?P<wanted>dark|light)\s*\)"
WHOLE_QUERY = re.compile(rf"(?<=@media)\s*{FEATURE}\s*(?=\{{)", re.IGNORECASE)
CONDITION = re.compile(r"@media[^{};]*|\smedia\s*=\s*(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE)
DECLARED = re.compile(r"(<meta\s+name=\"(?:supported-)?color-schemes?\"\s+content=\")[^\"]*", re.IGNORECASE)

PLAIN_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><base target="_blank"><title>Plain text</title><style>
:root {{ color-scheme: {scheme}; }}
body {{ margin: 0; padding: 20px; }}
pre {{ margin: 0; font: 13px/1.55 ui-monospace, Menlo, Consolas, "Liberation Mono", monospace; white-space: pre-wrap;
  overflow-wrap: anywhere; }}
</style></head><body><pre>{text}</pre></body></html>"""
UNSEEN = re.compile(r"<head\b.*?</head>|<style\b.*?</style>|<!--.*?-->|<[^>]*>", re.IGNORECASE | re.DOTALL)
PADDING = re.compile("(?:[\u034f\u00ad\u200b-\u200d\u2007\u2060\ufeff]\\s*){3,}")  # keeps the body out of the snippet


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """One reader's copy of one issue, as bytes and as what a mail program makes of them."""

    issue: Issue
    reader: Subscriber
    content: bytes
    headers: tuple[tuple[str, str], ...]  # decoded, in their order
    html: str | None  # None: the reader gets plain text alone
    text: str
    snippet: str  # what an inbox shows after the subject
    findings: tuple[Finding, ...]

    @property
    def name(self) -> str:
        """A name that changes with any byte of the copy."""
        return hashlib.sha256(self.content).hexdigest()[:32]

    def header(self, name: str) -> str:
        """Return a decoded header, or an empty string."""
        return next((value for known, value in self.headers if known.lower() == name.lower()), "")

    def page(self, scheme: Scheme) -> str:
        """Return what a mail program in this scheme shows, as a page for a browser; links open outside of it."""
        if self.html is None:
            return PLAIN_PAGE.format(scheme=scheme, text=html.escape(self.text))
        forced = force_scheme(self.html, scheme)
        return re.sub(r"(?i)(<head\b[^>]*>)", r'\1<base target="_blank">', forced, count=1)


def proof_of(issue: Issue, reader: Subscriber, message: Message) -> Proof:
    """Take a message apart and check it."""
    mail = Reading(message.content)
    return Proof(
        issue=issue,
        reader=reader,
        content=message.content,
        headers=tuple((name, str(value)) for name, value in mail.message.items()),
        html=mail.html or None,
        text=mail.text,
        snippet=_snippet(mail.html, mail.text),
        findings=check(message.content),
    )


def force_scheme(markup: str, scheme: Scheme) -> str:
    """Return HTML that looks as in one colour scheme whatever the browser's own is: CSS conditions are decided here."""
    markup = WHOLE_QUERY.sub(lambda found: " all " if _holds(found, scheme) else " not all ", markup)
    markup = CONDITION.sub(lambda found: _decided(found[0], scheme), markup)
    return DECLARED.sub(lambda found: found[1] + scheme, markup)


def _decided(condition: str, scheme: Scheme) -> str:
    """Replace a colour scheme among other features by one that always or never holds."""
    return re.sub(
        FEATURE,
        lambda found: "(min-width: 0)" if _holds(found, scheme) else "(max-width: 0)",
        condition,
        flags=re.IGNORECASE,
    )


def _holds(found: re.Match[str], scheme: Scheme) -> bool:
    return found["wanted"].lower() == scheme


def _snippet(markup: str, text: str) -> str:
    words = html.unescape(UNSEEN.sub(" ", markup)) if markup else text
    return " ".join(PADDING.split(words, maxsplit=1)[0].split())[:SNIPPET]
