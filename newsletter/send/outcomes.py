"""Pure: what an SMTP reply means, and what follows from it for a delivery."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

from newsletter.models import Cause, Delivery, Outcome, State, Verdict

FIRST_RETRY = timedelta(minutes=5)
LONGEST_RETRY = timedelta(hours=4)
MAXIMUM_AGE = timedelta(days=3)
DOUBT_REST = timedelta(minutes=15)  # the relay may still be working on the message it did not answer
REPLY_LENGTH = 500

# Enhanced codes (RFC 3463) that speak of the sender and not of this address or message; where there is no such code,
# words that do. A code decides alone: `5.2.2 mailbox over quota` is about the reader.
ENHANCED = re.compile(r"^5\.\d+\.\d+\b")
SENDER_CODES = re.compile(r"^5\.(7\.\d+|4\.5|1\.7|1\.8|1\.90)\b")
SENDER_WORDS = re.compile(
    r"(?i)sending (quota|limit)|(rate|daily) limit|authentication required|sender address rejected|too many messages"
    r"|email address is not verified"
)
SENDER_REJECTED = re.compile(r"(?i)sender address rejected")

Policy = Literal["hold", "resend"]


@dataclass(frozen=True, slots=True)
class DoubtPolicy:
    """What becomes of a delivery nobody knows the end of, by cause."""

    by_cause: Mapping[Cause, Policy] = field(
        default_factory=lambda: {Cause.PROCESS: "hold", Cause.NETWORK: "resend", Cause.POWER: "hold"}
    )

    @property
    def resent(self) -> list[Cause]:
        """The causes after which a copy is sent once more."""
        return [cause for cause, policy in self.by_cause.items() if policy == "resend"]

    def doubted(self, delivery: Delivery, cause: Cause, now: datetime) -> Delivery:
        """Put a delivery in doubt. Under `resend` it is due again, once: a second doubt is held for a person."""
        again = self.by_cause[cause] == "resend" and delivery.doubts == 0
        rest = DOUBT_REST if cause is Cause.NETWORK else timedelta(0)
        return replace(
            delivery,
            state=State.IN_DOUBT,
            cause=cause,
            doubts=delivery.doubts + 1,
            next_attempt_at=now + rest if again else None,
        )


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
        return Verdict.BARRED
    about_sender = bool(SENDER_CODES.match(text) if ENHANCED.match(text) else SENDER_WORDS.search(text))
    # Many relays answer for the sender only here (Postfix: smtpd_delay_reject), and many 5.7.x are about one reader.
    return Verdict.SUSPECT if about_sender or SENDER_REJECTED.search(text) else Verdict.REFUSED


def after(delivery: Delivery, outcome: Outcome, now: datetime, doubt: DoubtPolicy) -> Delivery:
    """Return the delivery as it stands after an attempt: the whole retry policy, as a value.

    Accepted is sent, refused is failed. Postponed and suspect are tried again after 5, 10, 20 ... minutes, at most 4
    hours, for 3 days. Untried and barred go back to wait as if nothing had happened. Unknown is in doubt.
    """
    reply = printable(f"{outcome.code} {outcome.text}" if outcome.code else outcome.text)[:REPLY_LENGTH]
    tried = replace(delivery, attempts=delivery.attempts + 1, reply=reply or None, next_attempt_at=None, cause=None)
    match outcome.verdict:
        case Verdict.ACCEPTED:
            return replace(tried, state=State.SENT)
        case Verdict.REFUSED:
            return replace(tried, state=State.FAILED)
        case Verdict.UNKNOWN:
            return doubt.doubted(tried, Cause.NETWORK, now)
        case Verdict.UNTRIED | Verdict.BARRED:
            return replace(delivery, state=State.QUEUED, next_attempt_at=None)
        case Verdict.POSTPONED | Verdict.SUSPECT:
            if now - delivery.due_at >= MAXIMUM_AGE:
                return replace(tried, state=State.FAILED, reply=f"gave up after {tried.attempts} attempts: {reply}")
            wait = min(FIRST_RETRY * 2 ** min(delivery.attempts, 10), LONGEST_RETRY)
            return replace(tried, state=State.DEFERRED, next_attempt_at=now + wait)


def printable(text: str) -> str:
    """Return a relay's words on one line, without what a database or a terminal would stumble over."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
