"""The list's pages as readers and mail providers find them from outside."""

import secrets
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

import httpx

from newsletter.doctor.check import (
    FAIL,
    OFFLINE,
    OK,
    SKIP,
    WARN,
    WRONG,
    Check,
    Installation,
    reason_of,
    skipped,
)
from newsletter.doctor.clock import note_date
from newsletter.doctor.relay import certificate
from newsletter.settings import OWN_HOSTS

NAMES = ("pages", "pages certificate", "one-click")
SECONDS = 5.0
AUTHORITY = "get a certificate of an authority that every program trusts"
MENDS = {
    "expired": "have the web server's certificate renewed, or check this machine's clock",
    "mismatch": "get a certificate for the name in base_url",
}
SERVE = "run `newsletter serve` and have the web server before it pass everything on"


def checks(it: Installation) -> Iterator[Check]:
    """Yield whether the pages are there, by https, and take one click to leave (RFC 8058)."""
    base = it.settings.base_url
    if base is None:
        yield from skipped(NAMES, "no base_url: the list has no pages, and leaving takes a mail")
        return
    if it.offline:
        yield from skipped(NAMES, OFFLINE)
        return
    with httpx.Client(timeout=SECONDS, follow_redirects=False) as client:
        try:
            with client.stream("GET", f"{base}/") as answer:
                shown = _peer(answer)  # while the connection is open
            posted = client.post(f"{base}/unsubscribe/{_forged()}", data={"List-Unsubscribe": "One-Click"})
        except (httpx.HTTPError, httpx.InvalidURL) as fault:
            yield from _unreachable(base, fault)
            return
        note_date(it.heard, urlsplit(base).hostname or base, answer.headers, it.clock())
        yield _page(base, answer)
        yield _certificate(it, answer, shown)
        yield _one_click(posted)


def _forged() -> str:
    """Return a token that nobody has signed, and that no cache has seen."""
    return f"doctor-{secrets.token_hex(4)}"


def _unreachable(base: str, fault: Exception) -> Iterator[Check]:
    said = "no answer in time" if isinstance(fault, httpx.TimeoutException) else reason_of(fault)
    verified = "CERTIFICATE_VERIFY_FAILED" not in said
    reason = said.rpartition("certificate verify failed: ")[2].partition(" (_ssl")[0]
    if verified:
        yield Check("pages", FAIL, f"{base}: {said}", SERVE)
        yield from skipped(NAMES[1:], "no answer")
    else:
        yield Check("pages", OK, f"{base} answers")
        mend = next((mend for sign, mend in MENDS.items() if sign in reason), AUTHORITY)
        yield Check("pages certificate", FAIL, f"not accepted: {reason}", mend)
        yield from skipped(NAMES[2:], "its certificate is not accepted")


def _page(base: str, answer: httpx.Response) -> Check:
    if answer.is_redirect:
        place = answer.headers.get("Location", "elsewhere")
        return Check("pages", WARN, f"{base}/ redirects to {place}", "set base_url to where the pages are")
    if not answer.is_success:
        return Check("pages", FAIL, f"{base}/ answers {answer.status_code}", SERVE)
    if urlsplit(base).hostname in OWN_HOSTS:
        return Check("pages", WARN, f"{base} is this machine, where no reader gets", "set base_url to a public address")
    return Check("pages", OK, f"{base} answers")


def _peer(answer: httpx.Response) -> Mapping[str, object]:
    """Return the certificate of who answered, as `ssl` describes it; empty without TLS."""
    stream = answer.extensions.get("network_stream")
    session = stream.get_extra_info("ssl_object") if stream else None
    return (session.getpeercert() if session else None) or {}


def _certificate(it: Installation, answer: httpx.Response, shown: Mapping[str, object]) -> Check:
    if shown:
        return certificate("pages certificate", shown, it.clock())
    if answer.url.host in OWN_HOSTS:
        return Check("pages certificate", SKIP, "no https, on this machine")
    mend = "get a certificate and write https:// in base_url; without it there is no one-click (RFC 8058)"
    return Check("pages certificate", FAIL, "base_url is no https address", mend, WRONG)


def _one_click(answer: httpx.Response) -> Check:
    """A mail provider posts to leave, follows no redirect, and cannot log in; a forged link must not pass."""
    said = f"a POST to a forged link is answered {answer.status_code}"
    if answer.status_code == HTTPStatus.NOT_FOUND:
        return Check("one-click", OK, f"{said}, as it should")
    if answer.is_redirect:
        mend = "let POST through as it is: mail providers follow no redirect (RFC 8058)"
        return Check("one-click", FAIL, f"{said}, which leads elsewhere", mend)
    if answer.is_client_error:
        return Check("one-click", WARN, f"{said}, and not by our pages", f"let POST through; {SERVE}")
    return Check("one-click", FAIL, said, SERVE)
