"""Mail that came back, in our own words: what servers, providers and people's machines write."""

from newsletter.models import ReportKind

HARD, SOFT, COMPLAINT, LEAVE, OTHER = ReportKind
TOKEN = "WyJwYXBlcnMiLDdd.b40StQMltG9lbQf7-eqlBA1m1FkL_kKd5rdjci4vAKU"
VERP = "bounces+7-0123456789abcdef@example.org"
ORIGINAL = f"""\
From: Papers <papers@example.org>
To: ada@example.com
Subject: The papers of today
Message-ID: <0123456789abcdef0123456789abcdef@example.org>
List-Unsubscribe: <https://news.example.org/unsubscribe/{TOKEN}>,
 <mailto:bounces@example.org?subject=unsubscribe%20{TOKEN}>

Three papers.
"""


def mail(body: str, kind: str = "text/plain; charset=utf-8", **headers: str) -> bytes:
    """Return a mail to our bounce address; an underscore in a header's name stands for a hyphen."""
    given = {"From": "MAILER-DAEMON@mx.example.net", "To": VERP, "Subject": "Undelivered Mail Returned to Sender"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\n" for name, value in given.items() if value)
    return f"{head}MIME-Version: 1.0\nContent-Type: {kind}\n\n{body}".replace("\n", "\r\n").encode()


def report(fields: str, *, words: str = "I am sorry.", outer: str = "report", returned: str = ORIGINAL) -> bytes:
    """Return a delivery status notification with these fields of a recipient (RFC 3464)."""
    parts = [
        f"Content-Type: text/plain; charset=us-ascii\n\n{words}\n",
        f"Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example.net\n\n{fields}\n",
    ]
    parts += [f"Content-Type: message/rfc822\n\n{returned}"] if returned else []
    body = "".join(f"--cut\n{part}\n" for part in parts) + "--cut--\n"
    kind = f'multipart/{outer}; report-type=delivery-status; boundary="cut"'
    return mail(body, kind, Auto_Submitted="auto-replied")


def status(code: str, said: str, action: str = "failed", address: str = "ada@example.com") -> bytes:
    """Return a notification as Postfix writes them."""
    lines = [f"Final-Recipient: rfc822; {address}", f"Original-Recipient: rfc822;{address}", f"Action: {action}"]
    return report("\n".join([*lines, f"Status: {code}", f"Diagnostic-Code: smtp; {said}"]))


def complaint(kind: str, *, outer: str = "report", returned: str = ORIGINAL) -> bytes:
    """Return a feedback report (RFC 5965)."""
    fields = f"Feedback-Type: {kind}\nUser-Agent: Loop/1.0\nVersion: 1\nSource-IP: 192.0.2.1\n"
    body = (
        "--cut\nContent-Type: text/plain\n\nThis is a report about a mail that came from you.\n"
        f"--cut\nContent-Type: message/feedback-report\n\n{fields}\n"
        f"--cut\nContent-Type: message/rfc822\n\n{returned}\n--cut--\n"
    )
    kinds = f'multipart/{outer}; report-type=feedback-report; boundary="cut"'
    return mail(body, kinds, From="feedback@provider.example.net", Subject="FW: The papers of today")


def answer(subject: str, body: str = "I read mail again on Monday.", **headers: str) -> bytes:
    """Return what somebody's machine, or somebody, writes back."""
    return mail(body, Subject=subject, From="Ada <ada@example.com>", **headers)


QMAIL = """\
Hi. This is the qmail-send program at mx.example.net.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<ada@example.com>:
{}

--- Below this line is a copy of the message.

"""
EXIM = """\
This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  ada@example.com
    {}
"""
MDN = """\
--cut
Content-Type: text/plain

Your message was read.
--cut
Content-Type: message/disposition-notification

Final-Recipient: rfc822; ada@example.com
Disposition: manual-action/MDN-sent-manually; displayed
--cut--
"""

# Each mail, and what it says of ada@example.com.
SAMPLES: dict[str, tuple[bytes, ReportKind]] = {
    "no such user": (status("5.1.1", "550 5.1.1 <ada@example.com>: Recipient address rejected"), HARD),
    "no such user, only in words": (status("5.0.0", "550 No such user here"), HARD),
    "moved": (status("5.1.6", "551 5.1.6 mailbox has moved"), HARD),
    "disabled": (status("5.2.1", "550 5.2.1 The account is disabled"), HARD),
    "null MX": (status("5.1.10", "556 5.1.10 Recipient address has null MX"), HARD),
    "no such host": (status("5.4.4", "Host or domain name not found. Name service error"), HARD),
    "no such host, by code": (status("5.1.2", "550 5.1.2 bad destination system"), HARD),
    "a status without words": (report("Final-Recipient: rfc822;ada@example.com\nAction: failed\nStatus: 5.1.1"), HARD),
    "a report in multipart/mixed": (
        report("Final-Recipient: rfc822; ada@example.com\nAction: Failed\nStatus: 5.1.1", outer="mixed"),
        HARD,
    ),
    "Exchange": (
        report(
            "Original-Recipient: rfc822;ada@example.com\nFinal-Recipient: rfc822;ada@example.com\nAction: failed\n"
            "Status: 5.1.10\nX-Supplementary-Info: <RESOLVER.ADR.RecipientNotFound>\n"
            "Diagnostic-Code: smtp;550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient not found by lookup",
            words="Your message could not be delivered.",
        ),
        HARD,
    ),
    "full": (status("5.2.2", "552 5.2.2 mailbox full"), SOFT),
    "over its quota": (status("5.0.0", "552 ada@example.com has exceeded the storage quota"), SOFT),
    "given up after days": (status("4.4.1", "connect to mx.example.com: Connection timed out"), SOFT),
    "greylisted for ever": (status("4.7.1", "451 4.7.1 Greylisting in action, please come back later"), SOFT),
    "expired": (status("5.4.7", "delivery time expired"), SOFT),
    "a policy": (status("5.7.1", "550 5.7.1 Message rejected due to local policy"), OTHER),
    "taken for spam": (status("5.0.0", "554 Your message looks like spam"), OTHER),
    "a blocked network": (status("5.7.606", "550 5.7.606 Access denied, banned sending IP"), OTHER),
    "no DMARC": (status("5.7.26", "550-5.7.26 Unauthenticated email from example.org is not accepted"), OTHER),
    "our own quota": (status("5.4.5", "550 5.4.5 Daily user sending limit exceeded"), OTHER),
    "too large": (status("5.3.4", "552 5.3.4 Message size exceeds fixed limit"), OTHER),
    "bad content": (status("5.6.0", "554 5.6.0 content conversion failed"), OTHER),
    "delayed": (status("4.4.1", "Connection timed out", action="delayed"), OTHER),
    "delayed, with a permanent code": (status("5.1.1", "550 user unknown", action="delayed"), OTHER),
    "relayed": (status("2.0.0", "250 ok", action="relayed"), OTHER),
    "delivered": (status("2.0.0", "250 ok", action="delivered"), OTHER),
    "expanded": (status("2.0.0", "250 ok", action="expanded"), OTHER),
    "qmail, no such user": (mail(QMAIL.format("Sorry, no mailbox here by that name. (#5.1.1)")), HARD),
    "qmail, full": (mail(QMAIL.format("The user is over quota. (#5.2.2)")), SOFT),
    "Exim, no such user": (
        mail(EXIM.format("Unrouteable address: user unknown"), X_Failed_Recipients="ada@example.com"),
        HARD,
    ),
    "Exim, taken for spam": (
        mail(EXIM.format("550 this message was blocked as spam"), X_Failed_Recipients="ada@example.com"),
        OTHER,
    ),
    "Exim, still trying": (
        mail(
            "A message has not yet been delivered. No action is required on your part. Delivery attempts will continue."
            "\n\nThe address to which the message has not yet been delivered is:\n\n  ada@example.com\n",
            Subject="Warning: message delayed 24 hours",
        ),
        OTHER,
    ),
    "sendmail, still trying": (
        mail("** THIS IS A WARNING MESSAGE ONLY **\n** YOU DO NOT NEED TO RESEND **\n\n<ada@example.com>\n"),
        OTHER,
    ),
    "spam, says the reader": (complaint("abuse"), COMPLAINT),
    "fraud": (complaint("fraud"), COMPLAINT),
    "opt-out": (complaint("opt-out"), COMPLAINT),
    "abuse, in multipart/mixed": (complaint("abuse", outer="mixed"), COMPLAINT),
    "not spam": (complaint("not-spam"), OTHER),
    "authentication failed": (complaint("auth-failure"), OTHER),
    "DMARC": (complaint("dmarc"), OTHER),
    "a virus": (complaint("virus"), OTHER),
    "vacation": (answer("Out of Office: The papers of today", Auto_Submitted="auto-replied"), OTHER),
    "vacation, to a bounce's path": (answer("Automatic reply: papers", Return_Path="<>"), OTHER),
    "vacation in German": (answer("Abwesenheitsnotiz", "Ich bin bis Montag nicht da.", Return_Path="<>"), OTHER),
    "vacation of old": (answer("I am away", Precedence="auto_reply"), OTHER),
    "vacation that speaks of failure": (
        answer("I have left", "ada@example.com does not exist any more. 550 user unknown", X_Autoreply="yes"),
        OTHER,
    ),
    "a challenge": (answer("Please confirm your message", "Click here, ada@example.com is protected."), OTHER),
    "a ticket": (answer("[Ticket 7] Received", Auto_Submitted="auto-replied"), OTHER),
    "a receipt": (
        mail(MDN, 'multipart/report; report-type=disposition-notification; boundary="cut"', From="ada@example.com"),
        OTHER,
    ),
    "a person who quotes a bounce": (
        answer("Re: Undelivered Mail Returned to Sender", "> <ada@example.com>: 550 5.1.1 user unknown\n\nWhat is it?"),
        OTHER,
    ),
    "a person who writes": (answer("About your newsletter", "I like it. My friend is bob@example.com."), OTHER),
    "to leave": (answer(f"unsubscribe {TOKEN}"), LEAVE),
    "to leave, forwarded": (answer(f"Fwd: Re: UNSUBSCRIBE  {TOKEN}"), LEAVE),
    "to leave, by hand": (answer("Unsubscribe"), LEAVE),
    "a machine that says unsubscribe": (answer("unsubscribe", Auto_Submitted="auto-generated"), OTHER),
    "nothing": (b"", OTHER),
    "no mail at all": (b"\xff\x00\xfe not a mail", OTHER),
    "a report of nothing": (report("", returned=""), OTHER),
}
