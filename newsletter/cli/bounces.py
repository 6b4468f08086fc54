"""newsletter bounces: what came back, and what follows from it."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli.context import JSON, load_settings, print_json

if TYPE_CHECKING:
    from newsletter.send.mailbox import Mailbox
    from newsletter.settings import Settings

KEEP = 75  # EX_TEMPFAIL of sysexits.h: a mail server keeps the mail, and hands it over again later
WORDS = {
    "hard": "final failures",
    "soft": "passing failures",
    "complaint": "complaints",
    "leave": "requests to leave",
    "other": "others",
}


@click.command()
@click.argument("path", required=False)
@click.option("--dry-run", is_flag=True, help="Tell what each mail says; count nothing.")
@JSON
@click.pass_context
def bounces(ctx: click.Context, path: str | None, *, dry_run: bool, as_json: bool) -> None:
    """Read the mail that came back, and draw the consequences.

    PATH is a Maildir, an mbox file, or - for one mail on standard input; without it, the setting bounces.mailbox. Each
    mail counts once, however often it is read. Final failures and complaints end in no more mail to that address;
    `subscribers list --bounced` tells why, `subscribers resubscribe` undoes it.

    Example: newsletter bounces /var/mail/bounces
    """
    from newsletter.errors import SurroundingsError

    try:
        told = _read(path, dry_run=dry_run, aloud=dry_run and not as_json)
    except SurroundingsError as fault:
        if path != "-":
            raise
        click.echo(f"newsletter: {fault}", err=True)
        ctx.exit(KEEP)
    if as_json:
        print_json(told)
    elif told["read"] and (dry_run or path != "-"):  # a mail server takes any output for a fault
        counts = ", ".join(f"{told[kind]:,} {words}" for kind, words in WORDS.items() if told[kind])
        ending = "nothing was counted" if dry_run else f"{told['suppressed']:,} readers are mailed no more"
        click.echo(f"{told['read']:,} read: {counts}; {ending}.")


def _read(path: str | None, *, dry_run: bool, aloud: bool) -> dict[str, int]:
    """Read what came back, and return how many mails, reports of each kind, and readers that ended."""
    from newsletter import enrolment
    from newsletter.send.bounces import read_reports
    from newsletter.wiring import build

    settings, folder = load_settings()
    mailbox = _mailbox(path, settings, folder)
    parts = build(settings, folder, remember=not dry_run)
    told = dict.fromkeys(["read", *WORDS, "suppressed"], 0)
    for mail in mailbox.mails():
        told["read"] += 1
        reports = read_reports(mail.content)
        for one in reports:
            told[one.kind.value] += 1
            if aloud:
                click.echo(f"{one.kind:9}  {one.recipient or 'somebody'}: {one.why}")
        if not dry_run:
            told["suppressed"] += enrolment.take_back(parts, mail.content, reports)
            mail.done()
    return told


def _mailbox(path: str | None, settings: "Settings", folder: Path) -> "Mailbox":
    from newsletter.send.mailbox import Stream, mailbox_at, open_mailbox

    if path == "-":
        return Stream(sys.stdin.buffer)
    return mailbox_at(Path(path)) if path else open_mailbox(settings.bounces, folder)
