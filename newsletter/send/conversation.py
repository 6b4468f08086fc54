"""The transactions on one SMTP connection: who to whom, the body, and the dot that is held back until the mark is made.

Where the relay offers PIPELINING (RFC 2920) a message costs one round trip: its dot goes out together with the
envelope of the next, and the replies are read in order. Elsewhere each command waits for its answer. Either way the
phase of each message is known at every moment, which smtplib's own `sendmail` does not tell (RFC 5321 4.1.1.4, RFC
1047).
"""

import re
import smtplib
from collections.abc import Iterator

from newsletter.models import Message, Outcome, Verdict
from newsletter.send.base import BeforeDot
from newsletter.send.outcomes import printable, verdict_of

CLOSING = 421  # the relay closes the channel, whatever was asked (RFC 5321 section 3.8)
GO_ON = 354
REFUSED = 400  # and above; below stands what is good in one place and no answer in another
GOOD = {"mail": {250}, "rcpt": {250, 251}, "data": {GO_ON}}
LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
LOST = (smtplib.SMTPException, OSError)
UNTRIED = Outcome(Verdict.UNTRIED)


class Conversation:
    """One connection, ready for transactions.

    Args:
        session: greeted, encrypted and logged in as it should be.
        before_dot: as in `Transport.deliver`.
        dsn: ask for reports of failures and delays, where the relay can pass that on (RFC 3461).
    """

    def __init__(self, session: smtplib.SMTP, before_dot: BeforeDot, *, dsn: bool = False) -> None:
        self._session = session
        self._dsn = dsn and session.has_extn("dsn")
        self._before_dot = before_dot
        self._pipelining = session.has_extn("pipelining")
        self._sizes = session.has_extn("size")
        self._utf8 = session.has_extn("smtputf8")
        self._used = False  # whether a message was carried before
        self.alive = True

    def outcomes(self, messages: Iterator[Message | None]) -> Iterator[Outcome]:
        """Hand over messages until they end or the connection does; yield one outcome for each that was drawn."""
        message, offered = _drawn(messages), False
        while message:
            refused = self._answer() if offered else self._offer(message)
            if refused:
                yield refused
                message, offered = _drawn(messages) if self.alive else None, False
                continue
            following = next(messages, None) if self._pipelining else None
            rides = following if following and self._carries(following) else None
            yield self._finished(message, rides)
            if not self.alive:
                if following:
                    yield UNTRIED  # at most its envelope went out
                return
            self._used = True
            message, offered = following or _drawn(messages), rides is not None

    def _carries(self, message: Message) -> bool:
        """Whether the relay takes such an address: one outside ASCII needs SMTPUTF8 (RFC 6531)."""
        return message.recipient.isascii() or self._utf8

    def _offer(self, message: Message) -> Outcome | None:
        """Say who to whom, and read the answers; return the refusal, if any."""
        if not self._carries(message):
            return Outcome(
                Verdict.REFUSED, text="this relay takes no address outside ASCII (it does not offer SMTPUTF8)"
            )
        if self._pipelining:
            try:
                self._session.send(self._envelope(message))
            except LOST as fault:
                return self._lost(fault, answered=False)
            return self._answer()
        replies: list[tuple[str, int, bytes]] = []
        try:
            for phase, command in zip(GOOD, self._commands(message), strict=True):
                self._session.send(command)
                replies.append((phase, *self._reply()))
                if replies[-1][1] not in GOOD[phase]:
                    break
        except LOST as fault:
            return self._lost(fault, answered=bool(replies))
        return self._refusal(replies)

    def _answer(self) -> Outcome | None:
        """Read the answers to a group of MAIL, RCPT and DATA; return the refusal, if any."""
        replies: list[tuple[str, int, bytes]] = []
        try:
            for phase in GOOD:
                replies.append((phase, *self._reply()))
                if replies[-1][1] == CLOSING:
                    break
        except LOST as fault:
            if not any(code not in GOOD[phase] for phase, code, _text in replies):
                return self._lost(fault, answered=bool(replies))
            self.alive = False  # it said why before it went
        return self._refusal(replies)

    def _refusal(self, replies: list[tuple[str, int, bytes]]) -> Outcome | None:
        """Return what the first bad answer means, and bring the connection back to where a transaction can begin."""
        bad = next(((phase, code, text) for phase, code, text in replies if code not in GOOD[phase]), None)
        if bad is None:
            return None
        phase, code, text = bad[0], bad[1], _words(bad[2])
        if code < REFUSED:
            self.alive = False
            return Outcome(Verdict.POSTPONED, text=f"the relay answered {phase.upper()} with {code} {text}")
        if CLOSING in {code for _phase, code, _text in replies}:
            self.alive = False
        # A relay that ends a used connection at MAIL has taken as many messages as it takes on one.
        ended = code == CLOSING and phase == "mail" and self._used
        self.alive = self.alive and self._begun_anew(replies[-1][1])
        return Outcome(Verdict.UNTRIED if ended else verdict_of(phase, code, text), code, text)

    def _begun_anew(self, last: int) -> bool:
        """Forget a refused transaction; without that the next MAIL is answered 503."""
        try:
            if last == GO_ON:  # DATA was taken although nobody is to get it (RFC 2920 section 3.1)
                self._session.send(b".\r\n")
                self._reply()
            return self._session.rset()[0] == 250  # noqa: PLR2004 - RFC 5321 section 4.1.1.5
        except LOST:
            return False

    def _finished(self, message: Message, following: Message | None) -> Outcome:
        """Send a body and, once it is marked, its dot with the next envelope; return what the relay says to the dot."""
        try:
            self._session.send(message.content if message.undotted else _stuffed(message.content))
        except LOST as fault:
            return self._lost(fault, answered=True)
        if not self._before_dot(message):
            self.alive = False  # closed without the dot, the relay drops what it has
            return UNTRIED
        try:
            self._session.send(b".\r\n" + (self._envelope(following) if following else b""))
            code, said = self._reply()
        except LOST as fault:
            self.alive = False
            return Outcome(Verdict.UNKNOWN, text=f"no answer after the message was sent ({fault})")
        self.alive, text = code != CLOSING, _words(said)
        if 200 <= code < 300:  # noqa: PLR2004 - RFC 5321 section 4.2.1
            return Outcome(Verdict.ACCEPTED, code, text)
        if code < REFUSED:
            self.alive = False
            return Outcome(Verdict.UNKNOWN, text=f"the relay answered the message with {code} {text}")
        return Outcome(verdict_of("dot", code, text), code, text)

    def _lost(self, fault: Exception, *, answered: bool) -> Outcome:
        """Return what it means that the connection is gone before the dot; between two messages it means nothing."""
        self.alive = False
        verdict = Verdict.POSTPONED if answered or not self._used else Verdict.UNTRIED
        return Outcome(verdict, text=f"connection lost before the message was complete ({fault})")

    def _reply(self) -> tuple[int, bytes]:
        code, text = self._session.getreply()
        if not 200 <= code < 600:  # noqa: PLR2004 - anything else is no SMTP reply
            raise smtplib.SMTPServerDisconnected(f"no SMTP reply: {text[:80]!r}")
        return code, text

    def _envelope(self, message: Message) -> bytes:
        return b"".join(self._commands(message))

    def _commands(self, message: Message) -> tuple[bytes, bytes, bytes]:
        mail, rcpt = f"MAIL FROM:<{message.sender}>", f"RCPT TO:<{message.recipient}>"
        if self._sizes:
            mail += f" SIZE={len(message.content)}"  # RFC 1870: too large is refused before the body
        if self._dsn:
            mail += " RET=HDRS"
            rcpt += " NOTIFY=FAILURE,DELAY"
        if not message.recipient.isascii():
            mail += " BODY=8BITMIME SMTPUTF8"
        return f"{mail}\r\n".encode(), f"{rcpt}\r\n".encode(), b"DATA\r\n"


def _words(text: bytes) -> str:
    return printable(text.decode("utf-8", "replace"))


def _drawn(messages: Iterator[Message | None]) -> Message | None:
    """Return the next message, passing over the moments where none is ready; None when there is no more."""
    return next((message for message in messages if message), None)


def _stuffed(content: bytes) -> bytes:
    """Double the dots that begin a line (RFC 5321 section 4.5.2); the content ends with CRLF already."""
    return LEADING_DOT.sub(b"..", content)
