"""Handing messages to an SMTP relay on a kept connection: smtplib connects, speaks TLS and logs in."""

import smtplib
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Literal, Self

from newsletter.errors import RelayBusyError, RelayError, SettingsError
from newsletter.models import Message, Outcome
from newsletter.send.base import BeforeDot
from newsletter.send.conversation import Conversation
from newsletter.send.mends import known_mend
from newsletter.send.outcomes import printable
from newsletter.settings.sending import SmtpSettings

CONNECT_SECONDS = 30
UNKNOWN = {socket.EAI_AGAIN: ("nobody can tell its address", "check the network and smtp.host")}
CERTIFICATE_MENDS = {  # OpenSSL's X509_V_ERR_ codes; others mean that nobody trusted has signed it
    9: "check this machine's clock",
    10: "have the relay's certificate renewed, or check this machine's clock",
    62: "use the name in its certificate as smtp.host",
    64: "use the name in its certificate as smtp.host",  # an address in place of a name
}
GOODBYE_SECONDS = 5  # nothing depends on the answer to QUIT


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Where and how to connect. The password never shows in a repr."""

    host: str
    port: int
    security: Literal["none", "starttls", "tls"]
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    timeout: float = 600
    messages: int = 1000  # a connection carries
    dsn: bool = False  # ask for reports of failures and delays
    patience: float = CONNECT_SECONDS  # until it has greeted

    @classmethod
    def of(cls, settings: SmtpSettings, folder: Path) -> Self:
        """Read it from the settings.

        Raises:
            SettingsError: the file of the password cannot be read.
        """
        return cls(
            host=settings.host or "",
            port=settings.effective_port,
            security=settings.security,
            username=settings.username,
            password=_password(settings, folder),
            timeout=settings.timeout,
            messages=settings.messages,
            dsn=settings.dsn,
        )

    def __str__(self) -> str:
        return f"relay {self.host}:{self.port}"


def _password(settings: SmtpSettings, folder: Path) -> str | None:
    if settings.password_file is None:
        return settings.password.get_secret_value() if settings.password else None
    path = folder / settings.password_file
    try:
        return path.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "is not UTF-8"
        raise SettingsError(f"smtp.password_file {path}: {why}; name a file that holds the password") from None


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
            conversation = Conversation(session, before_dot, dsn=self.relay.dsn)
            yield from conversation.outcomes(islice(messages, self.relay.messages))
            if not conversation.alive:
                return
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
        mend = CERTIFICATE_MENDS.get(fault.verify_code, "trust its authority through SSL_CERT_FILE")
        raise _fault(relay, f"certificate not accepted: {fault.verify_message}", mend) from None
    except ssl.SSLError as fault:
        mend = 'security = "tls" is for port 465, "starttls" for 587'
        raise _fault(relay, f"TLS failed ({fault.reason or fault})", mend) from None
    except socket.gaierror as fault:
        raise _fault(relay, *UNKNOWN.get(fault.errno or 0, ("no such host", "check smtp.host"))) from None
    except ConnectionRefusedError:
        mend = "check smtp.host, smtp.port and that the relay runs"
        raise _fault(relay, "nothing answers there", mend, RelayBusyError) from None
    except TimeoutError:
        raise _fault(relay, "no answer in time", "check smtp.port, smtp.security and the firewall") from None
    except smtplib.SMTPResponseException as fault:
        kind = RelayBusyError if 400 <= fault.smtp_code < 500 else RelayError  # noqa: PLR2004 - RFC 5321 section 4.2.1
        raise _fault(relay, f"refuses the connection: {_said(fault)}", "run again later", kind) from None
    except UnicodeError:  # a label that is empty or too long
        raise _fault(relay, "is no host name", "check smtp.host") from None
    except (smtplib.SMTPException, OSError) as fault:
        kind = RelayBusyError if isinstance(fault, smtplib.SMTPServerDisconnected) else RelayError
        raise _fault(relay, f"connection failed ({fault})", "run again later", kind) from None
    return log_in(session, relay)


def _greeted(relay: Relay) -> smtplib.SMTP:
    # Made only where it is used: reading the authorities takes as long as sending a hundred messages.
    context = None if relay.security == "none" else ssl.create_default_context()
    if relay.security == "tls":
        session: smtplib.SMTP = smtplib.SMTP_SSL(relay.host, relay.port, timeout=relay.patience, context=context)
    else:
        session = smtplib.SMTP(relay.host, relay.port, timeout=relay.patience)
    try:
        session.ehlo_or_helo_if_needed()
        if relay.security == "starttls":
            session.starttls(context=context)  # raises where it is not offered: never falls back to plain text
            session.ehlo()
    except BaseException:
        session.close()
        raise
    if session.sock is not None:
        _wait_for(session.sock, relay)
        # A dot is small and follows a body that the relay has not acknowledged yet: it must not wait for that.
        session.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return session


def _wait_for(sock: socket.socket, relay: Relay) -> None:
    """Wait for answers so long and no longer.

    In plain text the kernel keeps the time: Python would ask it before every read and write whether it is ready, which
    are three more calls a message. TLS needs Python's way.
    """
    if relay.security != "none":
        sock.settimeout(relay.timeout)
        return
    sock.settimeout(None)
    whole, rest = divmod(relay.timeout, 1)
    for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
        sock.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", int(whole), int(rest * 1_000_000)))


def log_in(session: smtplib.SMTP, relay: Relay) -> smtplib.SMTP:
    """Return a session that is logged in, where the relay has a user; one that is refused is closed.

    Raises:
        RelayError: with the reason and the mend.
    """
    if relay.username is None:
        return session
    try:
        session.login(relay.username, relay.password or "")
    except smtplib.SMTPAuthenticationError as fault:
        session.close()
        later = 400 <= fault.smtp_code < 500  # noqa: PLR2004 - RFC 4954 section 6: 454 is the server's own trouble
        mend = "run again later" if later else "check smtp.username and smtp.password"
        known = known_mend(str(relay), _said(fault))
        raise _fault(relay, f"refuses user {relay.username}: {_said(fault)}", known or mend) from None
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


def _fault(relay: Relay, what: str, mend: str, kind: type[RelayError] = RelayError) -> RelayError:
    return kind(f"{relay}: {what}; {mend}")
