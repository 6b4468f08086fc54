"""The script that most newsletters begin with: per reader, render the templates, compose the mail, hand it over.

Jinja, MJML and premailer make each copy, the standard library's `EmailMessage` its parts, `smtplib` sends it on one
connection that is kept open, and dkimpy signs where signing is asked for. Only what differs from reader to reader is in
the loop: the issue, the templates and the connection are made once, as any sensible script would.
"""

import base64
import json
import smtplib
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from importlib import import_module
from pathlib import Path
from typing import Any

from newsletter.bench import sample
from newsletter.bench.peers import Load, Reading
from newsletter.bench.render import DAY
from newsletter.models import Subscriber
from newsletter.render.compiled import CompiledIssue
from newsletter.render.fragments import Plain
from newsletter.render.templates import Templates
from newsletter.render.view import reader_view

ED25519_SEED = 32  # bytes: the end of an Ed25519 key in PKCS #8 (RFC 8410)


def main() -> None:
    """Send until all have their copy or the seconds are over, and write what was measured."""
    load, templates = Load.read(), sample.templates()
    issue, sign = sample.compiled(templates), _signer(load)
    _mail(issue, templates, next(sample.readers(1)))  # templates are read and compiled before the clock starts
    sent, cpu, start = 0, time.process_time(), time.perf_counter()
    with smtplib.SMTP(load.host, load.port) as server:
        for reader in sample.readers(load.recipients):
            _send(server, _mail(issue, templates, reader), sign)
            sent += 1
            if time.perf_counter() - start > load.seconds:
                break
        seconds = time.perf_counter() - start
    sys.stdout.write(json.dumps(asdict(Reading(sent, seconds, time.process_time() - cpu))))


def _mail(issue: CompiledIssue, templates: Templates, reader: Subscriber) -> EmailMessage:
    """Return a reader's copy, rendered and composed for this reader alone."""
    token = issue.links.unsubscribe_token(reader.id or 0)
    view = issue.view_of(issue.copy(sample.choice(issue.issue)).arrangement)
    own = reader_view(reader.address, token, issue.links, issue.issue.key)
    mail = EmailMessage(policy=SMTP)
    mail["From"], mail["To"] = f"Papers <{issue.letterhead.sender_address}>", reader.address
    mail["Subject"], mail["Date"] = view.subject, format_datetime(DAY)
    mail["Message-ID"] = f"<{issue.links.message_id(issue.issue.key, reader.id or 0)}>"
    mail["List-Unsubscribe"] = f"<{issue.links.unsubscribe_url(token)}>"
    mail.set_content(templates.issue_text(view, own, Plain()), cte="quoted-printable")
    mail.add_alternative(templates.issue_html(view, own, Plain()), subtype="html", cte="quoted-printable")
    return mail


def _send(server: smtplib.SMTP, mail: EmailMessage, sign: Callable[[bytes], bytes] | None) -> None:
    if sign is None:
        server.send_message(mail)
        return
    content = mail.as_bytes()
    server.sendmail(str(mail["From"]), str(mail["To"]), sign(content) + content)


def _signer(load: Load) -> Callable[[bytes], bytes] | None:
    """Return what makes the DKIM-Signature of a mail, or None where none is asked for."""
    if load.key is None:
        return None
    dkim: Any = import_module("dkim")  # no dependency of ours: measured where it is installed
    key = Path(load.key).read_bytes()
    if load.dkim == "ed25519":  # dkimpy wants the bare seed
        der = base64.b64decode(b"".join(key.splitlines()[1:-1]))
        key = base64.b64encode(der[-ED25519_SEED:])
    algorithm = {"rsa": b"rsa-sha256", "ed25519": b"ed25519-sha256"}[load.dkim]
    domain = sample.LETTERHEAD.sender_address.rpartition("@")[2].encode()
    return lambda content: bytes(dkim.sign(content, b"bench", domain, key, signature_algorithm=algorithm))


if __name__ == "__main__":
    main()
