"""Handing messages to an SMTP relay, one transaction and one recipient at a time on a kept connection.

smtplib connects, speaks TLS and logs in. The transactions are ours, because smtplib raises the same exception for a
connection lost before the final dot (safe to repeat) and after it (nobody knows): here the dot is held back until the
ledger is marked, and the phase is always known (RFC 5321 4.1.1.4, RFC 1047).
"""

import re
import smtplib
import socket
import ssl
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from typing import Literal, Self

from newsletter.errors import RelayError
from newsletter.models import Message, Outcome, Verdict
from newsletter.send.base import BeforeDot
from newsletter.send.outcomes import printable, verdict_of
from newsletter.settings import SmtpSettings

CONNECT_SECONDS = 30
GOODBYE_SECONDS = 5  # nothing depends on the answer to QUIT
CLOSING = 421  # the relay closes the channel, whatever was asked (RFC 5321 section 3.8)
LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Where and how to connect. The password never shows in a repr."""

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = 600

    @classmethod
    def of(cls, settings: SmtpSettings) -> Self:
        """Read it from the settings."""
        return cls(
            host=settings.host or "",
            port=settings.effective_port,
            security=settings.security,
            username=settings.username,
            password=settings.password.get_secret_value() if settings.password else None,
            timeout=settings.timeout,
        )

    def __str__(self) -> str:
        return f"relay {self.host}:{self.port}"


class SmtpTransport:
    """Delivers to one relay."""

    def __init__(self, relay: Relay, connections: int = 1) -> None:
        self.relay = relay
        self.connections = connections
        self.name = str(relay)

    def deliver(self, messages: Iterator[Message | None], before_dot: BeforeDot) -> Iterator[Outcome]:
        """Open a connection and hand over messages until they end or it is lost; see `Transport.deliver`.

        Raises:
            RelayError: connecting, TLS or AUTH failed.
        """
        with closing(connect(self.relay)) as session:
            used = False
            for message in messages:
                if message is None:
                    continue
                outcome, alive = _Transaction(session, message, used=used).run(before_dot)
                yield outcome
                if not alive:
                    return
                used = True
            with suppress(smtplib.SMTPException, OSError):
                if session.sock is not None:
                    session.sock.settimeout(GOODBYE_SECONDS)
                session.quit()


def connect(relay: Relay) -> smtplib.SMTP:
    """Return a session that is greeted, encrypted as asked and logged in.

    Raises:
        RelayError: with the reason and the mend; certificates are always verified and TLS never falls back.
    """
    try:
        session = _greeted(relay)
    except smtplib.SMTPNotSupportedError:
        raise _fault(
            relay, "does not offer STARTTLS", 'try security = "tls", or "none" for a relay on loopback'
        ) from None
    except ssl.SSLCertVerificationError as fault:
        mend = "use the name in its certificate as smtp.host, or trust its authority through SSL_CERT_FILE"
        raise _fault(relay, f"certificate not accepted: {fault.verify_message}", mend) from None
    except ssl.SSLError as fault:
        mend = 'security = "tls" is for port 465, "starttls" for 587'
        raise _fault(relay, f"TLS failed ({fault.reason or fault})", mend) from None
    except socket.gaierror:
        raise _fault(relay, "no such host", "check smtp.host") from None
    except ConnectionRefusedError:
        raise _fault(relay, "nothing answers there", "check smtp.host, smtp.port and that the relay runs") from None
    except TimeoutError:
        raise _fault(relay, "no answer in time", "check smtp.port, smtp.security and the firewall") from None
    except smtplib.SMTPResponseException as fault:
        raise _fault(relay, f"refuses the connection: {_said(fault)}", "run again later") from None
    except UnicodeError:  # a label that is empty or too long
        raise _fault(relay, "is no host name", "check smtp.host") from None
    except (smtplib.SMTPException, OSError) as fault:
        raise _fault(relay, f"connection failed ({fault})", "run again later") from None
    return _logged_in(session, relay)


class _Transaction:
    """One message on its way through MAIL, RCPT, DATA, body and dot.

    `used` says that the connection has carried another before: then a relay that ends it at MAIL has taken as many
    messages as it takes on one connection, and this one was not tried.
    """

    def __init__(self, session: smtplib.SMTP, message: Message, *, used: bool) -> None:
        self._session = session
        self._message = message
        self._ended_if_lost = used

    def run(self, before_dot: BeforeDot) -> tuple[Outcome, bool]:
        """Return the outcome, and whether the connection can carry another message."""
        try:
            refused = self._envelope()
            if refused:
                alive = refused.code != CLOSING and self._reset()
                return refused, alive
            self._session.send(_stuffed(self._message.content))
        except (smtplib.SMTPException, OSError) as fault:
            said = f"connection lost before the message was complete ({fault})"
            return Outcome(Verdict.UNTRIED if self._ended_if_lost else Verdict.POSTPONED, text=said), False
        if not before_dot(self._message):
            return Outcome(Verdict.UNTRIED), False  # closing without the dot: the relay drops what it has
        try:
            self._session.send(b".\r\n")
            code, text = self._reply()
        except (smtplib.SMTPException, OSError) as fault:
            return Outcome(Verdict.UNKNOWN, text=f"no answer after the message was sent ({fault})"), False
        if 200 <= code < 300:  # noqa: PLR2004 - RFC 5321 section 4.2.1
            return Outcome(Verdict.ACCEPTED, code, text), True
        return Outcome(verdict_of("dot", code, text), code, text), code != CLOSING

    def _envelope(self) -> Outcome | None:
        """Say who to whom; return the refusal, if any, as an outcome."""
        steps = (
            ("mail", f"MAIL FROM:<{self._message.sender}>", {250}),
            ("rcpt", f"RCPT TO:<{self._message.recipient}>", {250, 251}),
            ("data", "DATA", {354}),
        )
        for phase, command, good in steps:
            self._session.putcmd(command)
            code, text = self._reply()
            if code == CLOSING and self._ended_if_lost:
                return Outcome(Verdict.UNTRIED, code, text)
            self._ended_if_lost = False
            if code not in good:
                return Outcome(verdict_of(phase, code, text), code, text)
        return None

    def _reply(self) -> tuple[int, str]:
        code, text = self._session.getreply()
        if not 200 <= code < 600:  # noqa: PLR2004 - anything else is no SMTP reply
            raise smtplib.SMTPServerDisconnected(f"no SMTP reply: {text[:80]!r}")
        return code, printable(text.decode("utf-8", "replace"))

    def _reset(self) -> bool:
        """Forget the refused transaction; without it the next MAIL is answered 503."""
        try:
            return self._session.rset()[0] == 250  # noqa: PLR2004 - RFC 5321 section 4.1.1.5
        except (smtplib.SMTPException, OSError):
            return False


def _greeted(relay: Relay) -> smtplib.SMTP:
    context = ssl.create_default_context()
    if relay.security == "tls":
        session: smtplib.SMTP = smtplib.SMTP_SSL(relay.host, relay.port, timeout=CONNECT_SECONDS, context=context)
    else:
        session = smtplib.SMTP(relay.host, relay.port, timeout=CONNECT_SECONDS)
    try:
        session.ehlo_or_helo_if_needed()
        if relay.security == "starttls":
            session.starttls(context=context)  # raises where it is not offered: never falls back to plain text
            session.ehlo()
    except BaseException:
        session.close()
        raise
    if session.sock is not None:
        session.sock.settimeout(relay.timeout)
    return session


def _logged_in(session: smtplib.SMTP, relay: Relay) -> smtplib.SMTP:
    if relay.username is None:
        return session
    try:
        session.login(relay.username, relay.password or "")
    except smtplib.SMTPAuthenticationError as fault:
        session.close()
        later = 400 <= fault.smtp_code < 500  # noqa: PLR2004 - RFC 4954 section 6: 454 is the server's own trouble
        mend = "run again later" if later else "check smtp.username and smtp.password"
        raise _fault(relay, f"refuses user {relay.username}: {_said(fault)}", mend) from None
    except smtplib.SMTPNotSupportedError:
        session.close()
        raise _fault(relay, "offers no login", "remove smtp.username, or check smtp.port and smtp.security") from None
    except UnicodeError:
        session.close()
        raise _fault(relay, "a login is not ASCII", "check smtp.username and smtp.password") from None
    except (smtplib.SMTPException, OSError, ValueError) as fault:  # ValueError: a challenge that is no base64
        session.close()
        raise _fault(relay, f"login failed ({fault})", "run again later") from None
    return session


def _said(fault: smtplib.SMTPResponseException) -> str:
    text = fault.smtp_error.decode("utf-8", "replace") if isinstance(fault.smtp_error, bytes) else fault.smtp_error
    return printable(f"{fault.smtp_code} {text}")[:200]


def _fault(relay: Relay, what: str, mend: str) -> RelayError:
    return RelayError(f"{relay}: {what}; {mend}")


def _stuffed(content: bytes) -> bytes:
    """Double the dots that begin a line (RFC 5321 section 4.5.2); the content ends with CRLF already."""
    return LEADING_DOT.sub(b"..", content)
