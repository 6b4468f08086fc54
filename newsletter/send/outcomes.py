"""Pure: what an SMTP reply means, and what follows from it for a delivery."""

import re
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self

from newsletter.models import Cause, Delivery, Outcome, State, Verdict
from newsletter.settings import Policy, Settings

FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=4)
MAXIMUM_AGE = timedelta(days=3)
DOUBT_REST = timedelta(minutes=15)  # the relay may still be working on the message it did not answer
REPLY_LENGTH = 500
WATCHED = 50  # the last answers that the brake looks at
MOST_REFUSED = 0.2  # of them
SPREAD = 0.25  # how much longer some wait than others
LONGEST_HINT = timedelta(days=1)
# "try again in 5 minutes", "retry after 300 seconds", "greylisted for 60 s": what servers say in their own words.
TRY_AGAIN = re.compile(
    r"(?i)\b(?:try|retry|wait|greylist\w*)\b[^.\d]{0,40}?\b(\d{1,5}) ?(s(?:ec|\b)|m(?:in|\b)|h(?:our|r|\b))"
)
UNITS = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1)}

# Enhanced codes (RFC 3463) that speak of the sender and not of this address or message; where there is no such code,
# words that do. A code decides alone: `5.2.2 mailbox over quota` is about the reader.
ENHANCED = re.compile(r"^5\.\d+\.\d+\b")
SENDER_CODES = re.compile(r"^5\.(7\.\d+|4\.5|1\.7|1\.8|1\.90)\b")
SENDER_WORDS = re.compile(
    r"(?i)sending (quota|limit)|(rate|daily) limit|authentication required|sender address rejected|too many messages"
    r"|email address is not verified|sender signature|pending approval"
)
ADDRESS_CODES = {"5.1.1", "5.1.2", "5.1.3", "5.1.6", "5.1.10", "5.2.1"}
VAGUE_CODES = {"5.0.0", "5.1.0", "5.5.0"}
ADDRESS_WORDS = re.compile(
    r"(?i)(user|recipient|mailbox|account|address)[^.]{0,40}?"
    r"(unknown|not (be )?found|does(n't| not) exist|no longer|invalid)"
    r"|(unknown|no such|invalid|nonexistent) (local )?(user|recipient|mailbox|account|address)"
    r"|(host|domain)( name)? (not found|unknown|does not exist)"
)
TOO_LARGE = re.compile(r"^5\.(3\.4|2\.3)\b")  # said at MAIL to its SIZE (RFC 1870 section 6)
NO_ROOM = 552
SENDER_REJECTED = re.compile(r"(?i)sender address rejected")


@dataclass(frozen=True, slots=True)
class DoubtPolicy:
    """What becomes of a delivery nobody knows the end of, by cause."""

    by_cause: Mapping[Cause, Policy] = field(
        default_factory=lambda: {Cause.PROCESS: "hold", Cause.NETWORK: "resend", Cause.POWER: "hold"}
    )

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read it from the settings."""
        if settings.transport != "smtp":  # the outbox can be asked what it has, so writing again never doubles
            return cls(dict.fromkeys(Cause, "resend"))
        return cls({cause: settings.in_doubt or getattr(settings, f"in_doubt_{cause}") for cause in Cause})

    @property
    def resent(self) -> list[Cause]:
        """The causes after which a copy is sent once more."""
        return [cause for cause, policy in self.by_cause.items() if policy == "resend"]

    def doubted(self, delivery: Delivery, cause: Cause, now: datetime) -> Delivery:
        """Put a delivery in doubt. Under `resend` it is due again, once: a second doubt is held for a person."""
        again = self.by_cause[cause] == "resend" and delivery.doubts == 0
        rest = DOUBT_REST if cause is Cause.NETWORK else timedelta(0)
        return delivery._replace(
            state=State.IN_DOUBT,
            cause=cause,
            doubts=delivery.doubts + 1,
            next_attempt_at=now + rest if again else None,
        )


class Brake:
    """Stops a run in which too many copies are refused: the list is old, or the mail looks like spam."""

    def __init__(self) -> None:
        self._last: deque[bool] = deque(maxlen=WATCHED)

    def pulled(self, outcome: Outcome) -> bool:
        """Count an answer; return whether it is one refusal too many."""
        refused = outcome.verdict is Verdict.REFUSED and outcome.code is not None
        if refused or outcome.verdict is Verdict.ACCEPTED:
            self._last.append(refused)
        return refused and sum(self._last) > WATCHED * MOST_REFUSED

    def __str__(self) -> str:
        return f"{sum(self._last)} of the last {len(self._last)} copies were refused"


def verdict_of(phase: str, code: int, text: str) -> Verdict:
    """Return what a refusal means.

    Args:
        phase: `mail`, `rcpt`, `data` or `dot`: which command was answered.
        code: the three-digit reply code, not 2xx (nor 354).
        text: the reply's text; an enhanced code at its start is read before the basic one.
    """
    if 400 <= code < 500:  # noqa: PLR2004 - RFC 5321 section 4.2.1
        return Verdict.POSTPONED
    if phase == "mail":
        return Verdict.REFUSED if _too_large(code, text) else Verdict.BARRED
    about_sender = bool(SENDER_CODES.match(text) if ENHANCED.match(text) else SENDER_WORDS.search(text))
    # Many relays answer for the sender only here (Postfix: smtpd_delay_reject), and many 5.7.x are about one reader.
    return Verdict.SUSPECT if about_sender or SENDER_REJECTED.search(text) else Verdict.REFUSED


def address_fault(reply: str) -> bool:
    """Whether a refusal, such as `550 5.1.1 user unknown`, says that the address takes no mail, for good.

    An enhanced code (RFC 3463) decides alone; words count only where there is none, or one that says nothing.
    """
    code = enhanced_code(reply)
    if code and code not in VAGUE_CODES:
        return code in ADDRESS_CODES
    return bool(re.match(r"5\d\d\b", reply) or code.startswith("5.")) and bool(ADDRESS_WORDS.search(reply))


def enhanced_code(reply: str) -> str:
    """Return the enhanced code of a reply (RFC 3463), the first that says anything, or nothing."""
    codes = re.findall(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.]*\d)", reply)
    return next((code for code in codes if code not in VAGUE_CODES), codes[0] if codes else "")


def _too_large(code: int, text: str) -> bool:
    """Whether MAIL was refused for the SIZE it told, which is about the message."""
    plain = not ENHANCED.match(text) and not SENDER_WORDS.search(text)
    return bool(TOO_LARGE.match(text)) or (code == NO_ROOM and plain)


def after(delivery: Delivery, outcome: Outcome, now: datetime, doubt: DoubtPolicy) -> Delivery:
    """Return the delivery as it stands after an attempt: the whole retry policy, as a value.

    Accepted is sent, refused is failed. Postponed and suspect are tried again after 5, 10, 20 ... minutes, at most 4
    hours, or when the relay says so, for 3 days. Untried and barred go back to wait as if nothing had happened. Unknown
    is in doubt.
    """
    reply = printable(f"{outcome.code} {outcome.text}" if outcome.code else outcome.text)[:REPLY_LENGTH]
    tried = delivery._replace(
        state=State.FAILED if outcome.verdict is Verdict.REFUSED else State.SENT,
        attempts=delivery.attempts + 1,
        reply=reply or None,
        next_attempt_at=None,
        cause=None,
    )
    match outcome.verdict:
        case Verdict.ACCEPTED | Verdict.REFUSED:
            return tried
        case Verdict.UNKNOWN:
            return doubt.doubted(tried, Cause.NETWORK, now)
        case Verdict.UNTRIED | Verdict.BARRED:
            return delivery.unclaimed(now)
        case Verdict.POSTPONED | Verdict.SUSPECT:
            if now - delivery.due_at >= MAXIMUM_AGE:
                return tried._replace(state=State.FAILED, reply=f"gave up after {tried.attempts} attempts: {reply}")
            return tried._replace(state=State.DEFERRED, next_attempt_at=now + _wait(delivery, outcome.text))


def _wait(delivery: Delivery, said: str) -> timedelta:
    """Return how long to wait: as the relay says, else twice as long each time; a little longer for some than others.

    The spread keeps a thousand that were put off together from coming back together. It follows from the reader, so
    that this stays a pure function.
    """
    hint = TRY_AGAIN.search(said)
    wait: timedelta = min(FIRST_RETRY * 2 ** min(delivery.attempts, 10), LONGEST_RETRY)
    if hint:
        wait = min(int(hint[1]) * UNITS[hint[2][0].lower()], LONGEST_HINT)
    spread: float = delivery.subscriber_id * 0.618 % 1
    return wait * (1 + SPREAD * spread)


def printable(text: str) -> str:
    """Return a relay's words on one line, without what a database or a terminal would stumble over."""
    if text.isprintable() and "  " not in text:
        return text.strip()
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
