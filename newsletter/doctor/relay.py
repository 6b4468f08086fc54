"""The relays: a conversation up to the login, and no mail."""

import smtplib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import closing, suppress
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from newsletter.doctor.check import FAIL, OFFLINE, OK, SKIP, UNMAILED, WARN, Check, Installation, of_fault, skipped
from newsletter.errors import NewsletterError, RelayError
from newsletter.send.smtp import Relay, connect, log_in
from newsletter.settings.sending import RelaySettings

STEPS = ("certificate", "login", "size", "pipelining", "8bitmime")
NAMES = ("relay", *(f"relay {step}" for step in STEPS))
SECONDS = 5.0  # to connect, and for each answer
SOON = 21  # days
LOOPBACK = {"localhost", "127.0.0.1", "::1"}


def named(it: Installation) -> list[tuple[str, RelaySettings]]:
    """Return every relay with what its checks are called; where nothing is mailed, the one that would be used."""
    relays = it.settings.all_relays
    return [(f"relay {number}" if len(relays) > 1 else "relay", one) for number, one in enumerate(relays, 1)]


def checks(it: Installation, settings: RelaySettings, name: str, copy: int | None) -> Iterator[Check]:
    """Yield how a relay does.

    Args:
        it: what is examined.
        settings: the relay.
        name: what the checks are called, `relay` or `relay 2`.
        copy: bytes of the largest mail; None if that is not known.
    """
    if it.offline or not it.mails:
        yield from skipped((name, *(f"{name} {step}" for step in STEPS)), OFFLINE if it.mails else UNMAILED)
        return
    try:
        relay = replace(Relay.of(settings, it.folder), patience=SECONDS, timeout=SECONDS)
    except NewsletterError as fault:
        yield of_fault(name, fault)
        yield from _left(name, STEPS, "the settings of the relay are wrong")
        return
    try:
        session = connect(replace(relay, username=None))
    except RelayError as fault:
        yield from _unreachable(name, relay, fault)
        return
    with closing(session):
        yield Check(name, OK, f"{relay.host}:{relay.port} answers" + _protected(session))
        yield _certificate(f"{name} certificate", relay, session, it.clock())
        yield _login(f"{name} login", relay, session)
        yield from _offers(name, session, copy)
        with suppress(smtplib.SMTPException, OSError):
            session.quit()


class _Offer(NamedTuple):
    state: str
    detail: str
    mend: str = ""


def _unreachable(name: str, relay: Relay, fault: RelayError) -> Iterator[Check]:
    """Tell a certificate that is not accepted from a relay that is not there."""
    if isinstance(fault.__context__, ssl.SSLCertVerificationError):
        yield Check(name, OK, f"{relay.host}:{relay.port} answers")
        yield of_fault(f"{name} certificate", fault)
        yield from _left(name, STEPS[1:], "its certificate is not accepted")
    else:
        yield of_fault(name, fault)
        yield from _left(name, STEPS, "no connection")


def _left(name: str, steps: tuple[str, ...], reason: str) -> list[Check]:
    return skipped((f"{name} {step}" for step in steps), reason)


def _protected(session: smtplib.SMTP) -> str:
    return f", {session.sock.version()}" if isinstance(session.sock, ssl.SSLSocket) else ", in plain text"


def _certificate(name: str, relay: Relay, session: smtplib.SMTP, now: datetime) -> Check:
    if isinstance(session.sock, ssl.SSLSocket):
        return certificate(name, session.sock.getpeercert() or {}, now)
    if relay.host in LOOPBACK:
        return Check(name, SKIP, 'security = "none", on this machine')
    return Check(name, WARN, 'security = "none": mail is handed over in clear', 'set security = "starttls" or "tls"')


def certificate(name: str, found: Mapping[str, object], now: datetime) -> Check:
    """Return how long a verified certificate, as `ssl` describes it, still holds."""
    ends = str(found.get("notAfter", ""))
    try:
        days = int((ssl.cert_time_to_seconds(ends) - now.timestamp()) // 86_400)
    except ValueError:
        return Check(name, WARN, "verified, and does not tell when it ends", "look at it by hand")
    told = f"verified, {days} days left (until {ends})"
    if days < 0:
        return Check(name, FAIL, f"ended on {ends}", "have it renewed, or check this machine's clock")
    if days < SOON:
        return Check(name, WARN, told, "see that it is renewed in time")
    return Check(name, OK, told)


def _login(name: str, relay: Relay, session: smtplib.SMTP) -> Check:
    if relay.username is None:
        return Check(name, SKIP, "no smtp.username: the relay is used without login")
    try:
        log_in(session, relay)
    except RelayError as fault:
        return of_fault(name, fault)
    return Check(name, OK, f"accepts {relay.username}")


def _offers(name: str, session: smtplib.SMTP, copy: int | None) -> Iterator[Check]:
    """Yield what the relay offers beyond the least: what is missing costs time, not mail."""
    yield Check(f"{name} size", *_size(session.esmtp_features.get("size"), copy))
    if session.has_extn("pipelining"):
        yield Check(f"{name} pipelining", OK, "offered: a message costs one round trip")
    else:
        mend = "nothing to do for a short list; a long one goes out quicker through a relay that offers it"
        yield Check(f"{name} pipelining", WARN, "not offered: a message costs several round trips", mend)
    eight = "offered" if session.has_extn("8bitmime") else "not offered, and not needed: mails are plain ASCII"
    yield Check(f"{name} 8bitmime", OK, eight)


def _size(offered: str | None, copy: int | None) -> _Offer:
    """Compare the largest message that a relay takes (RFC 1870) with ours; 0 is no limit."""
    ours = f"; the largest of ours has {copy:,}" if copy else ""
    if offered is None or not offered.strip().isdigit() or int(offered) == 0:
        return _Offer(OK, "no limit is told")
    if copy and int(offered) < copy:
        return _Offer(FAIL, f"takes {int(offered):,} bytes{ours}", "raise the relay's limit, or set fewer `entries`")
    return _Offer(OK, f"takes {int(offered):,} bytes{ours}")
