"""newsletter build, send, status: an issue made, mailed and accounted for."""

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import (
    DATE,
    JSON,
    load_parts,
    load_settings,
    print_json,
    print_table,
    program,
    sending,
    warn,
)

if TYPE_CHECKING:
    from newsletter.models import Issue, Subscriber, Tally
    from newsletter.parts import Parts

SHORT_LIST = 20  # readers up to which `send` shows each of them


@click.command()
@DATE
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="build", show_default=True)
@click.option("--subscriber", metavar="ADDRESS", help="Make this reader's copy.")
def build(day: date | None, out: Path, subscriber: str | None) -> None:
    """Make an issue and write it as files: issue.html, issue.txt, issue.eml and issue.json.

    Example: newsletter build --date 2025-12-25 --out build
    """
    from newsletter import pipeline
    from newsletter.cli.files import write_issue

    parts = load_parts()
    issue = _issue(parts, day)
    if issue is None:
        return
    reader = _reader(parts, subscriber) if subscriber else _sample_reader()
    message = pipeline.copy_for(parts, issue, reader)
    for path in write_issue(out, issue, message):
        click.echo(path)


@click.command()
@DATE
@click.option("--dry-run", is_flag=True, help="Say who would get it; send and write nothing.")
@click.option("--test", "test", metavar="ADDRESS", help="Send one marked copy to this address, outside the ledger.")
@click.pass_context
def send(ctx: click.Context, day: date | None, *, dry_run: bool, test: str | None) -> None:
    """Send an issue now to every reader of its period who has not got it yet.

    Safe to run twice, to interrupt, and to run again after a crash.

    Example: newsletter send --date 2025-12-25
    """
    from newsletter import pipeline

    _warn_of_defaults()
    parts = load_parts(remember=not (dry_run or test))
    issue = _issue(parts, day, remember=not (dry_run or test))
    if issue is None:
        return
    if dry_run:
        plan = pipeline.plan(parts, issue, pipeline.readers(parts))
        print_table(["Subscriber", "State", "Why"], ((reader.address, state, why) for reader, state, why in plan))
        return
    if test:
        _send_test(parts, issue, test)
        return
    with parts.database.sole_sender():
        for duplicate in pipeline.follow_roster(parts):
            warn(duplicate)
        before = parts.ledger.tally(issue.key)
        with sending() as watch:
            tally = pipeline.deliver(parts, issue, watch)
        _report(parts, issue, before, tally)
    ctx.exit(_exit_code(tally))


@click.command()
@click.argument("issue", required=False)
@click.option("--not-sent", is_flag=True, help="List who did not get it, and why.")
@JSON
def status(issue: str | None, *, not_sent: bool, as_json: bool) -> None:
    """Show the sums of an issue, or of all issues, newest first.

    Example: newsletter status daily/2025-12-25 --not-sent
    """
    from newsletter.errors import UsageError

    parts = load_parts(remember=False)
    keys = parts.issues.keys()
    if issue and issue not in keys:
        raise UsageError(f"{issue}: there is no such issue; `newsletter status` lists them")
    if not keys:
        click.echo("[]" if as_json else "Nothing was sent yet; `newsletter send` sends the first issue.")
    elif not_sent:
        _show_not_sent(parts, issue or keys[0], as_json=as_json)
    else:
        tallies = [parts.ledger.tally(key) for key in ([issue] if issue else keys)]
        _show_tallies(tallies, as_json=as_json, single=issue is not None)


def _issue(parts: "Parts", day: date | None, *, remember: bool = True) -> "Issue | None":
    """Prepare the issue of a day or of the newest; say so in one line if there is none."""
    from newsletter import pipeline

    period = pipeline.find_period(parts, day)
    issue = pipeline.prepare(parts, period, remember=remember) if period else None
    if issue is None:
        when = f"on {day}" if day else f"in the last {parts.mailing.max_age_days} days"
        click.echo(f"No new papers {when}: no issue.")
    return issue


def _reader(parts: "Parts", address: str) -> "Subscriber":
    from newsletter import pipeline
    from newsletter.errors import UsageError

    pipeline.follow_roster(parts)
    reader = parts.subscribers.find(address.casefold())
    if reader is None:
        raise UsageError(f"{address}: is not on the list; `newsletter subscribers list` shows who is")
    return reader


def _sample_reader(address: str = "reader@example.org") -> "Subscriber":
    from newsletter.models import Subscriber

    return Subscriber(address=address, id=0)


def _send_test(parts: "Parts", issue: "Issue", address: str) -> None:
    from email_validator import EmailNotValidError, validate_email

    from newsletter import pipeline
    from newsletter.errors import RelayError, UsageError
    from newsletter.models import Verdict

    try:
        known = validate_email(address, check_deliverability=False)
    except EmailNotValidError as fault:
        raise UsageError(f"--test {address}: {fault}") from None
    outcome = pipeline.send_test(parts, issue, _sample_reader(known.ascii_email or known.normalized))
    if outcome.verdict is not Verdict.ACCEPTED:
        raise RelayError(f"{parts.transport.name}: {outcome.code or ''} {outcome.text}; the test copy was not taken")
    click.echo(f"A test copy of {issue.key} went to {address} through {parts.transport.name}.")


def _warn_of_defaults() -> None:
    settings, _folder = load_settings()
    if settings.transport != "smtp":
        return
    if "sender" not in settings.model_fields_set:
        warn(
            f"sender is not set: mail goes out as {settings.sender}; set NEWSLETTER_SENDER or sender in newsletter.toml"
        )
    if not settings.sources:
        warn("sources is not set: the sample papers go out; set NEWSLETTER_SOURCES=huggingface for today's list")


def _report(parts: "Parts", issue: "Issue", before: "Tally", tally: "Tally") -> None:
    from newsletter.cli.files import write_page
    from newsletter.models import State

    if not tally.audience:
        click.echo(f"{issue.key}: the list has no active {issue.digest.period.cadence} reader; nothing to send.")
        return
    if before.audience == tally.audience and before.finished:
        click.echo(f"{issue.key}: all {tally.audience:,} copies were settled before; nothing to send.")
    elif tally.audience <= SHORT_LIST:
        _show_deliveries(parts, issue.key)
    click.echo(f"{issue.key}: " + _sums(tally))
    page = write_page(parts, issue)
    if page:
        click.echo(f"\nThe mail as it looks: {page.absolute().as_uri()}")
        click.echo(f"The messages:         mutt -f {parts.transport.name.removeprefix('outbox ')}")
        click.echo(f"Next:                 NEWSLETTER_SOURCES=huggingface {program()} send   (today's list)")
    if tally[State.FAILED] or tally[State.IN_DOUBT]:
        click.echo(f"Who did not get it:   newsletter status {issue.key} --not-sent")


def _sums(tally: "Tally") -> str:
    parts = [f"{number:,} {state.replace('_', ' ')}" for state, number in tally.counts.items() if number]
    return ", ".join(parts) + f" of {tally.audience:,}"


def _show_deliveries(parts: "Parts", key: str) -> None:
    from newsletter.models import State

    rows = []
    for delivery, reader in parts.ledger.of_issue(key):
        told = f"{len(delivery.choice or ())} papers as {delivery.format}"
        why = delivery.reply or (told if delivery.state is State.SENT else "waits for the next run")
        rows.append((reader.address, delivery.state.replace("_", " "), why))
    print_table(["Subscriber", "State", "Why"], rows)


def _show_not_sent(parts: "Parts", key: str, *, as_json: bool) -> None:
    rows = [
        {"subscriber": reader.address, "state": delivery.state.value, "why": delivery.reply or ""}
        for delivery, reader in parts.ledger.of_issue(key, sent=False)
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(["Subscriber", "State", "Why"], ([row["subscriber"], row["state"], row["why"]] for row in rows))
    else:
        click.echo(f"{key}: everybody got it.")


def _show_tallies(tallies: "list[Tally]", *, as_json: bool, single: bool) -> None:
    if as_json:
        objects = [_to_json(tally) for tally in tallies]
        print_json(objects[0] if single else objects)
        return
    states = [state for state in tallies[0].counts if single or any(tally[state] for tally in tallies)]
    headings = ["Issue", "State", "Audience", *(state.replace("_", " ").capitalize() for state in states)]
    rows = ([t.issue, t.state, f"{t.audience:,}", *(f"{t[state]:,}" for state in states)] for t in tallies)
    print_table(headings, rows, right=headings[2:])


def _to_json(tally: "Tally") -> dict[str, Any]:
    from newsletter.models import State

    at_rest = (State.SENT, State.FAILED, State.SUPPRESSED, State.SKIPPED, State.IN_DOUBT)
    moving = (State.DEFERRED, State.QUEUED, State.CLAIMED, State.SENDING)
    counts = {state.value: tally[state] for state in at_rest + moving}
    causes = {cause.value: number for cause, number in tally.causes.items()}
    return (
        {"issue": tally.issue, "state": tally.state, "audience": tally.audience} | counts | {"in_doubt_causes": causes}
    )


def _exit_code(tally: "Tally") -> int:
    from newsletter.models import State

    return 1 if tally[State.FAILED] or tally[State.IN_DOUBT] else 0
