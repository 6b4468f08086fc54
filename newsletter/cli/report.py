"""What became of an issue, in words, tables and JSON."""

from typing import TYPE_CHECKING, Any

import click

from newsletter.cli.context import print_json, print_table, program

if TYPE_CHECKING:
    from newsletter.models import Delivery, Issue, Skipped, Tally
    from newsletter.parts import Parts

SHORT_LIST = 20  # readers up to which `send` shows each of them
HEADINGS = ["Subscriber", "State", "Why"]
RESOLVED = {"sent": "now counted as sent", "resend": "sent once more"}


def show_sent(parts: "Parts", issue: "Issue", before: "Tally", tally: "Tally") -> None:
    """Say what `send` did, where to look at it, and what to do next."""
    from newsletter.cli.files import write_page
    from newsletter.models import State
    from newsletter.wiring import SAMPLE

    _tell_of_other_cadences(parts, issue)
    if tally.hold:
        click.echo(f"{issue.key}: {held(tally)}")
    if not tally.audience and tally.hold:
        return
    if not tally.audience:
        click.echo(f"{issue.key}: the list has no active {issue.digest.period.cadence} reader; nothing to send.")
        return
    if tally.finished and before == tally:
        click.echo(f"{issue.key}: all {tally.audience:,} copies were settled before; nothing to send.")
    elif tally.audience <= SHORT_LIST:
        rows = parts.ledger.of_issue(issue.key)
        print_table(HEADINGS, ((reader.address, words(one.state), why(one)) for one, reader in rows))
    click.echo(f"{issue.key}: {sums(tally)}")
    page = write_page(parts, issue) if tally[State.SENT] else None
    if page:
        click.echo(f"\nThe mail as it looks: {page.absolute().as_uri()}")
        click.echo(f"The messages:         mutt -f {parts.transport.name.removeprefix('outbox ')}")
    if page and [source.name for source in parts.sources] == [SAMPLE]:
        click.echo(f"Next:                 NEWSLETTER_SOURCES=huggingface {program()} send   (today's list)")
    if tally[State.IN_DOUBT]:
        click.echo(calm_words(tally[State.IN_DOUBT]))
    if tally[State.FAILED] or tally[State.IN_DOUBT]:
        click.echo(f"Who did not get it:   {program()} status {issue.key} --not-sent")


def show_not_sent(parts: "Parts", key: str, *, as_json: bool) -> None:
    """List who did not get an issue, and why."""
    from newsletter.models import State

    rows = [
        (reader.address, one.state, why(one)) for one, reader in parts.ledger.of_issue(key, set(State) - {State.SENT})
    ]
    if as_json:
        print_json([{"subscriber": address, "state": state.value, "why": said} for address, state, said in rows])
    elif rows:
        print_table(HEADINGS, ((address, words(state), said) for address, state, said in rows))
    elif (tally := parts.ledger.tally(key)).audience > tally[State.SENT]:
        click.echo(f"{key}: {sums(tally)}; who they were is forgotten by now (keep_days).")
    else:
        click.echo(f"{key}: everybody got it.")


def show_in_doubt(parts: "Parts", keys: "list[str]", *, as_json: bool) -> None:
    """List the copies that may or may not have arrived."""
    from newsletter.models import State

    rows = [
        {
            "issue": key,
            "subscriber": reader.address,
            "cause": one.cause or "",
            "relay": one.relay or "",
            "why": why(one),
        }
        for key in keys
        for one, reader in parts.ledger.of_issue(key, [State.IN_DOUBT])
    ]
    if as_json:
        print_json(rows)
    elif rows:
        print_table(["Issue", "Subscriber", "Why"], ((row["issue"], row["subscriber"], row["why"]) for row in rows))
        click.echo(calm_words(len(rows)))
    else:
        click.echo("Nothing is in doubt.")


def calm_words(number: int) -> str:
    """Return what it means that so many copies are in doubt, and what can be done."""
    these = "One copy was" if number == 1 else f"{number:,} copies were"
    return (
        f"{these} cut off while going out: nearly always such a copy has arrived, so it is not sent twice unless you"
        f" say so with `{program()} send --resolve-in-doubt resend` (or `sent`, to close the matter)."
    )


def held(tally: "Tally") -> str:
    """Return how and why an issue is held back."""
    from newsletter.models import HoldKind

    if tally.hold is None:
        return ""
    if tally.hold.kind is HoldKind.CANCELLED:
        return "cancelled; nothing more of it goes out."
    because = f" ({tally.hold.reason})" if tally.hold.reason else ""
    return f"paused{because}; `{program()} issue resume {tally.issue}` lets it go on."


def show_issue(tally: "Tally", *, as_json: bool) -> None:
    """Show the sums of one issue, a line each."""
    if as_json:
        print_json(_to_json(tally))
        return
    click.echo(f"{tally.issue}: {held(tally) or tally.state}")
    rows = [("audience", tally.audience), *((words(state), number) for state, number in tally.counts.items())]
    rows += [(f"in doubt by {cause}", number) for cause, number in tally.causes.items() if number]
    print_table(["Copies", "Number"], ((name, f"{number:,}") for name, number in rows), right=["Number"])


def show_skipped(slot: "Skipped", *, as_json: bool) -> None:
    """Say why a slot has no issue."""
    if as_json:
        print_json(_skipped_to_json(slot))
    else:
        click.echo(f"{slot.key}: skipped, {slot.reason}.")


def show_issues(tallies: "list[Tally]", skipped: "list[Skipped]", *, as_json: bool) -> None:
    """Show the sums of several issues, a row each, and below them the newest slots that have none.

    States that hold nobody are left out.
    """
    if as_json:
        print_json([*map(_to_json, tallies), *map(_skipped_to_json, skipped)])
        return
    if tallies:
        _show_sums(tallies)
    for slot in skipped[:SHORT_LIST]:
        show_skipped(slot, as_json=False)


def _show_sums(tallies: "list[Tally]") -> None:
    states = [state for state in tallies[0].counts if any(tally[state] for tally in tallies)]
    headings = ["Issue", "State", "Audience", *(words(state).capitalize() for state in states)]
    rows = ([t.issue, t.state, f"{t.audience:,}", *(f"{t[state]:,}" for state in states)] for t in tallies)
    print_table(headings, rows, right=headings[2:])


def sums(tally: "Tally") -> str:
    """Return an issue's sums as one line; states that hold nobody are left out."""
    parts = [f"{number:,} {words(state)}" for state, number in tally.counts.items() if number]
    return ", ".join(parts) + f" of {tally.audience:,}"


def exit_code(tally: "Tally") -> int:
    """Return 1 if some copies failed or are in doubt, else 0."""
    from newsletter.models import State

    return 1 if tally[State.FAILED] or tally[State.IN_DOUBT] else 0


def words(name: str) -> str:
    """Return the name of a state as a person writes it."""
    return name.replace("_", " ")


def why(one: "Delivery") -> str:
    """Return why a delivery stands where it does."""
    from newsletter.models import State

    again = f"next try after {one.next_attempt_at:%Y-%m-%d %H:%M} UTC" if one.next_attempt_at else ""
    match one.state:
        case State.SENT:
            return one.reply or f"{len(one.choice or ())} papers as {one.format}"
        case State.IN_DOUBT:
            return f"{_doubt(one)}; {again or 'held'}"
        case State.QUEUED:
            return "waits to be sent"
        case State.CLAIMED | State.SENDING:
            return "a sender has it in hand; if that was killed, the next one settles it"
        case _:
            return "; ".join(filter(None, [one.reply, again]))


def _doubt(one: "Delivery") -> str:
    from newsletter.models import Cause

    said = {
        Cause.PROCESS: "its sender was cut off just as the message went out; it almost always arrived",
        Cause.NETWORK: "the relay had the message and did not answer",
        Cause.POWER: "the machine went down while the message was in hand",
    }
    return said[one.cause] if one.cause else "nobody knows whether it arrived"


def _tell_of_other_cadences(parts: "Parts", issue: "Issue") -> None:
    from newsletter.models import Cadence

    for cadence in (Cadence.WEEKLY, Cadence.MONTHLY):
        number = parts.subscribers.count(cadence=cadence)
        if number and issue.digest.period.cadence is Cadence.DAILY:
            readers = "reader gets theirs" if number == 1 else "readers get theirs"
            click.echo(f"{number:,} {cadence} {readers} from: {program()} send --period {cadence}", err=True)


def _skipped_to_json(slot: "Skipped") -> dict[str, Any]:
    from newsletter.models import Tally

    return _to_json(Tally.of(slot.key, {}, {})) | {"state": "skipped", "reason": slot.reason}


def _to_json(tally: "Tally") -> dict[str, Any]:
    from newsletter.models import State

    at_rest = (State.SENT, State.FAILED, State.SUPPRESSED, State.SKIPPED, State.IN_DOUBT)
    moving = (State.DEFERRED, State.QUEUED, State.CLAIMED, State.SENDING)
    counts = {state.value: tally[state] for state in at_rest + moving}
    causes = {cause.value: number for cause, number in tally.causes.items()}
    return (
        {"issue": tally.issue, "state": tally.state, "audience": tally.audience} | counts | {"in_doubt_causes": causes}
    )
