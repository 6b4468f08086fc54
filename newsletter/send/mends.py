"""Pure: what to do about the refusals of well-known relays, in their own terms."""

import re
from typing import NamedTuple


class Known(NamedTuple):
    """A refusal as a relay words it: who says so, how it sounds, and the mend."""

    who: str  # in the relay's name or in what it says
    said: str
    mend: str


GMAIL, SES, POSTMARK = r"gmail\.com|gsmtp|support\.google\.com", r"amazonaws\.com|amazon ?ses", r"postmark"
KNOWN = (
    Known(
        GMAIL,
        r"\b53[45]\b",
        "turn on two-step verification for this account, make an app password (myaccount.google.com/apppasswords), and"
        " put that into smtp.password instead of the account's own",
    ),
    Known(
        GMAIL,
        r"\b5\.4\.5\b|sending limit|sending quota",
        "Gmail takes 500 messages a day (Google Workspace 2,000); run again tomorrow, and set smtp.per_hour = 20",
    ),
    Known(
        SES,
        r"\b535\b",
        "smtp.username and smtp.password are SMTP credentials made in the SES console for the region of smtp.host; the"
        " access key of the account does not do",
    ),
    Known(
        f"{SES}|identities failed the check",
        r"not verified",
        "verify the sender's domain in SES, in the region of smtp.host; an account in the sandbox mails only verified"
        " readers, so ask there for production access",
    ),
    Known(SES, r"quota exceeded|sending rate", "set smtp.per_second to the rate that SES shows; run again later"),
    Known(POSTMARK, r"\b535\b", "smtp.username and smtp.password are the Access Key and Secret Key of an SMTP token"),
    Known(
        f"{POSTMARK}|sender signature",
        r"sender signature",
        "add the sender's domain or address to Sender Signatures in Postmark and confirm it",
    ),
    Known(
        POSTMARK, r"pending approval", "until Postmark has approved the account it mails only the sender's own domain"
    ),
)


def known_mend(relay: str, said: str) -> str | None:
    """Return what to do about a refusal, or None where it is not one of the known.

    Args:
        relay: the relay's name, with its host.
        said: its reply, code and text.
    """
    words = f"{relay} {said}"
    for one in KNOWN:
        if re.search(one.who, words, re.IGNORECASE) and re.search(one.said, said, re.IGNORECASE):
            return one.mend
    return None
