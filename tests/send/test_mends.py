"""What well-known relays refuse, in their own words, is told with the mend that fits them."""

from pathlib import Path

import pytest

from newsletter.models import Verdict
from newsletter.send.mends import known_mend
from newsletter.send.outcomes import verdict_of
from tests.send.test_fault_table import LOGIN, QUEUED, Cell, run

GMAIL = "535 5.7.8 Username and Password not accepted. For more information, go to https://support.google.com/mail/"
SES = (
    "554 Message rejected: Email address is not verified. The following identities failed the check in region"
    " EU-WEST-1: papers@example.org"
)
POSTMARK = "550 5.7.1 The 'From' address you supplied (papers@example.org) is not a Sender Signature on your account."


@pytest.mark.parametrize(
    ("relay", "said", "mend"),
    [
        ("relay smtp.gmail.com:587", "535 5.7.8 Username and Password not accepted", "app password"),
        ("relay smtp.gmail.com:465", "534 5.7.9 Application-specific password required", "two-step verification"),
        ("relay smtp.gmail.com:587", "550 5.4.5 Daily user sending limit exceeded", "500 messages a day"),
        ("relay mail.example.org:587", GMAIL, "app password"),
        ("relay email-smtp.eu-west-1.amazonaws.com:587", "535 Authentication Credentials Invalid", "SES console"),
        ("relay email-smtp.eu-west-1.amazonaws.com:587", SES, "sandbox"),
        (
            "relay email-smtp.eu-west-1.amazonaws.com:587",
            "454 Throttling failure: Daily message quota exceeded",
            "rate",
        ),
        ("relay smtp-broadcasts.postmarkapp.com:587", "535 5.7.8 Authentication failed", "SMTP token"),
        ("relay smtp-broadcasts.postmarkapp.com:587", POSTMARK, "Sender Signatures"),
        ("relay smtp-broadcasts.postmarkapp.com:587", "550 your account is pending approval", "own domain"),
    ],
)
def test_a_known_refusal_has_its_mend(relay: str, said: str, mend: str) -> None:
    assert mend in (known_mend(relay, said) or "")


@pytest.mark.parametrize(
    "said", ["535 5.7.8 Authentication credentials invalid", "550 5.1.1 no such user", "550 5.7.1 denied"]
)
def test_any_other_relay_has_none(said: str) -> None:
    assert known_mend("relay mail.example.org:587", said) is None


@pytest.mark.parametrize("said", [SES, POSTMARK, "550 your account is pending approval"])
def test_what_is_about_the_sender_strikes_nobody_off(said: str) -> None:
    code, _, text = said.partition(" ")
    assert verdict_of("dot", int(code), text) is Verdict.SUSPECT
    assert verdict_of("mail", int(code), text) is Verdict.BARRED


@pytest.mark.parametrize(
    ("cell", "options", "mend"),
    [
        (Cell("AUTH", GMAIL, QUEUED), LOGIN, "make an app password"),
        (Cell("MAIL", SES, QUEUED), {}, "ask there for production access"),
        (Cell("MAIL", POSTMARK, QUEUED), {}, "Sender Signatures in Postmark"),
    ],
    ids=["Gmail", "SES", "Postmark"],
)
def test_a_run_that_meets_one_ends_with_its_line(
    tmp_path: Path, cell: Cell, options: dict[str, object], mend: str
) -> None:
    login = {"EHLO": "250-here\r\n250 AUTH PLAIN"} if options else {}
    books, told = run(tmp_path, cell, login, **options)
    assert books.states() == {cell.state: 1}
    assert mend in told
    assert len(told.splitlines()) == 1
