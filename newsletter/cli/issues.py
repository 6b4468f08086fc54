"""newsletter build, send, status: an issue made, mailed and accounted for."""

from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import click

from newsletter.cli import report
from newsletter.cli.brief import send_briefly
from newsletter.cli.context import DATE, DURATION, JSON, PERIOD, load_parts, load_settings, print_table, sending, warn
from newsletter.cli.run import send_due

if TYPE_CHECKING:
    from newsletter.models import Issue, Subscriber
    from newsletter.parts import Parts


@click.command()
@DATE
@PERIOD
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default="build", show_default=True)
@click.option("--subscriber", metavar="ADDRESS", help="Make this reader's copy.")
def build(day: date | None, cadence: str, out: Path, subscriber: str | None) -> None:
    """Make an issue and write it as files: issue.html, issue.txt, issue.eml and issue.json.

    Example: newsletter build --date 2025-12-25 --out build
    """
    from newsletter import copies
    from newsletter.cli.files import write_issue

    parts = load_parts()
    issue = prepared(parts, day, cadence)
    if issue is None:
        return
    reader = _reader(parts, subscriber) if subscriber else _sample_reader()
    message = copies.copy_for(parts, issue, reader)
    for path in write_issue(out, issue, message):
        click.echo(path)


@click.command()
@DATE
@PERIOD
@click.option("--due", is_flag=True, help="Send what is due by itself, each reader at their own hour; for crontabs.")
@click.option("--brief", is_flag=True, help="Print one line without addresses, `Sent N`; for logs that others read.")
@click.option("--dry-run", is_flag=True, help="Say who would get it; send and write nothing.")
@click.option("--test", "test", metavar="ADDRESS", help="Send one marked copy to this address, outside the ledger.")
@click.option(
    "--wait", type=DURATION, default="0", metavar="TIME", help="Wait so long for copies put off: 90, 10m, 2h."
)
@click.option(
    "--canary", type=click.IntRange(1), metavar="N", help="Mail N readers first; go on only if nearly all were taken."
)
@click.option(
    "--resolve-in-doubt",
    "resolution",
    type=click.Choice(["sent", "resend"]),
    help="Count what is in doubt as sent, or send it once more; nothing else is sent.",
)
@click.pass_context
def send(  # noqa: PLR0913 - the options of the command
    ctx: click.Context,
    day: date | None,
    cadence: str,
    *,
    due: bool,
    brief: bool,
    dry_run: bool,
    test: str | None,
    wait: timedelta,
    canary: int | None,
    resolution: str | None,
) -> None:
    """Send an issue now to every reader of its period who has not got it yet.

    Safe to run twice, to interrupt, and to run again after a crash. Without --date it takes the newest list day, and
    first works off the copies of older issues that still wait for another try.

    Example: newsletter send --date 2025-12-25 --canary 50 --wait 10m
    """
    if sum((due, dry_run, bool(test), bool(resolution))) > 1:
        raise click.UsageError("--due, --dry-run, --test and --resolve-in-doubt each do something else; choose one")
    if due and (day or canary or wait):
        raise click.UsageError("--due goes by the schedule; leave out --date, --canary and --wait")
    if brief and (dry_run or test or resolution or canary or wait):
        raise click.UsageError("--brief goes with --due, --date and --period alone")
    if brief:
        ctx.exit(send_briefly(load_parts, day, cadence, due=due))
    for_real = not (dry_run or test)
    parts = load_parts(remember=for_real)
    _warn_of_defaults(parts)
    if due:
        ctx.exit(send_due(parts))
    if resolution:
        ctx.exit(_resolve(parts, day, cadence, resolution))
    issue = prepared(parts, day, cadence, remember=for_real)
    if for_real:
        ctx.exit(_send_all(parts, issue, older=day is None, wait=wait, canary=canary))
    elif issue and test:
        _send_test(parts, issue, test)
    elif issue:
        _show_plan(parts, issue)


@click.command()
@click.argument("issue", required=False)
@click.option(
    "--not-sent", is_flag=True, help="List who did not get it, and why; of the newest issue if none is named."
)
@click.option(
    "--in-doubt", is_flag=True, help="List the copies that may or may not have arrived, of all issues or one."
)
@click.option("--now", is_flag=True, help="Show only what comes next, what waits, and when the sources answered last.")
@JSON
def status(issue: str | None, *, not_sent: bool, in_doubt: bool, now: bool, as_json: bool) -> None:
    """Show the sums of an issue, or of all issues, newest first, and how the list stands.

    Example: newsletter status daily/2025-12-25 --not-sent
    """
    from newsletter.cli.stand import show_standing
    from newsletter.errors import UsageError
    from newsletter.standing import standing

    parts = load_parts(remember=False)
    if now:
        show_standing(standing(parts), as_json=as_json)
        return
    keys, skipped = parts.issues.keys(), parts.issues.skipped()
    without = next((slot for slot in skipped if slot.key == issue), None)
    if issue and issue not in keys and not without:
        raise UsageError(f"{issue}: there is no such issue; `newsletter status` lists them")
    if without:
        report.show_skipped(without, as_json=as_json)
    elif not keys and not skipped:
        click.echo("[]" if as_json else "Nothing was sent yet; `newsletter send` sends the first issue.")
    elif in_doubt:
        report.show_in_doubt(parts, [issue] if issue else parts.ledger.in_doubt(), as_json=as_json)
    elif not_sent and keys:
        report.show_not_sent(parts, issue or keys[0], as_json=as_json)
    elif issue:
        report.show_issue(parts.ledger.tally(issue), as_json=as_json)
    else:
        report.show_issues([parts.ledger.tally(key) for key in keys], skipped, as_json=as_json)
        if not as_json:
            show_standing(standing(parts), as_json=False)


def prepared(parts: "Parts", day: date | None, cadence: str, *, remember: bool = True) -> "Issue | None":
    """Prepare the issue of a day's period or the newest; say so in one line if there is none."""
    from newsletter import pipeline
    from newsletter.models import Cadence, Skipped

    issue = pipeline.next_issue(parts, day, Cadence(cadence), remember=remember)
    if isinstance(issue, Skipped):
        click.echo(f"No issue {issue.key}: {issue.reason}.")
        return None
    return issue


def _reader(parts: "Parts", address: str) -> "Subscriber":
    from newsletter import pipeline
    from newsletter.errors import UsageError

    pipeline.follow_roster(parts)
    reader = parts.subscribers.find(address.casefold())
    if reader is None:
        raise UsageError(f"{address}: is not on the list; `newsletter subscribers list` shows who is")
    return reader


def _sample_reader() -> "Subscriber":
    from newsletter.models import Subscriber

    return Subscriber(address="reader@example.org", id=0)


def _send_all(parts: "Parts", issue: "Issue | None", *, older: bool, wait: timedelta, canary: int | None) -> int:
    """Send what waits of older issues if asked so, then this one; return the exit code."""
    from newsletter import dispatch, notices, pipeline, upkeep

    codes = [0]
    with parts.database.sole_sender():
        for duplicate in pipeline.follow_roster(parts):
            warn(duplicate)
        for key in dispatch.unfinished(parts) if older else []:
            if issue is None or key != issue.key:
                with sending() as watch:
                    tally = dispatch.work_off(parts, key, watch)
                click.echo(f"{key}, still open: {report.sums(tally)}")
                codes.append(report.exit_code(tally))
        if issue:
            before = parts.ledger.tally(issue.key)
            with sending() as watch:
                tally = pipeline.deliver(parts, issue, watch, wait=wait, canary=canary)
            report.show_sent(parts, issue, before, tally)
            codes.append(report.exit_code(tally))
    if welcomed := notices.post(parts):
        click.echo(f"{welcomed:,} welcomes and confirmations sent.")
    upkeep.tidy(parts)
    return max(codes)


def _resolve(parts: "Parts", day: date | None, cadence: str, resolution: str) -> int:
    """Settle what is in doubt as the operator says, of one issue or of all; return the exit code."""
    from newsletter import dispatch
    from newsletter.models import Cadence, Resolution
    from newsletter.periods import period_of

    keys = [period_of(Cadence(cadence), day).key] if day else parts.ledger.in_doubt()
    if not keys:
        click.echo("Nothing is in doubt.")
    codes = [0]
    with parts.database.sole_sender():
        for key in keys:
            resolved = dispatch.resolve(parts, key, Resolution(resolution))
            with sending() as watch:
                tally = dispatch.work_off(parts, key, watch) if resolution == "resend" else parts.ledger.tally(key)
            click.echo(f"{key}: {resolved:,} in doubt {report.RESOLVED[resolution]}: {report.sums(tally)}")
            codes.append(report.exit_code(tally))
    return max(codes)


def _send_test(parts: "Parts", issue: "Issue", address: str) -> None:
    from newsletter import dispatch
    from newsletter.errors import UsageError

    try:
        click.echo(dispatch.send_test_to(parts, issue, address))
    except UsageError as fault:
        raise UsageError(f"--test {fault}") from None


def _show_plan(parts: "Parts", issue: "Issue") -> None:
    from newsletter import pipeline

    planned = list(pipeline.plan(parts, issue, pipeline.readers(parts)))
    due = sum(state == "queued" for _reader, state, _why in planned)
    click.echo(f"{issue.key}, a dry run: {due:,} of {len(planned):,} on the list would get it now; nothing was sent.")
    print_table(report.HEADINGS, ((reader.address, report.words(state), why) for reader, state, why in planned))


def _warn_of_defaults(parts: "Parts") -> None:
    from newsletter.settings import bundled

    settings, _folder = load_settings()
    if settings.transport != "smtp":
        return
    if "sender" not in settings.model_fields_set:
        warn(
            f"sender is not set: mail goes out as {settings.sender}; set NEWSLETTER_SENDER or sender in newsletter.toml"
        )
    if not settings.sources:
        warn("sources is not set: the sample papers go out; set NEWSLETTER_SOURCES=huggingface for today's list")
    if parts.roster == bundled("subscribers.example.yaml"):
        warn("there is no subscribers.yaml: the invented readers of the example are mailed; write your own list")
