"""What `send --brief` prints: one line with a number and no address, for logs that strangers read."""

from collections.abc import Callable
from datetime import date
from typing import TYPE_CHECKING, Any

import click

from newsletter.cli import report

if TYPE_CHECKING:
    from newsletter.dispatch import Watch
    from newsletter.models import Delivery, Tally
    from newsletter.parts import Parts

UNEXPECTED = 5  # the exit code


def send_briefly(load: "Callable[[], Parts]", day: date | None, cadence: str, *, due: bool) -> int:
    """Send what is due, or the issue of a day; print one line, `Sent N`, and where N is 0 or less than all, why.

    Returns:
        The exit code. A fault is in the line, so that whoever reads only that knows it.
    """
    from newsletter.errors import NewsletterError

    sent = _Sent()
    try:
        why, code = _what_is_due(load(), sent) if due else _issue(load(), sent, day, cadence)
    except NewsletterError as fault:
        why, code = str(fault), fault.exit_code
    except Exception as fault:  # noqa: BLE001 - what an unexpected fault says may hold an address
        why, code = f"unexpected fault, please report it: {type(fault).__name__}", UNEXPECTED
    told = " ".join(without_addresses(why).splitlines())
    click.echo(f"Sent {sent.number:,}" + (f": {told}" if told else ""))
    return code


def without_addresses(text: str) -> str:
    """Return a text with whatever looks like an address left out; rather too much than too little."""
    import re

    return re.sub(r'(?:"[^"]*"|[^\s<>"])*@[^\s<>]+', "(address)", text)


class _Sent:
    """Counts the copies that were taken while sending goes on, in several threads."""

    def __init__(self) -> None:
        self._taken: list[None] = []

    @property
    def number(self) -> int:
        return len(self._taken)

    @property
    def watch(self) -> "Watch":
        from newsletter.models import State

        def progress(delivery: "Delivery") -> Any:
            if delivery.state is State.SENT:
                self._taken.append(None)

        return lambda _tally: progress


def _what_is_due(parts: "Parts", sent: _Sent) -> tuple[str, int]:
    from newsletter.errors import BusyError
    from newsletter.schedule import tick
    from newsletter.standing import next_dues

    done = tick(parts, sent.watch)
    if done.busy:
        return "another run has the work in hand", BusyError.exit_code
    said = [str(fault) for fault in done.faults] + [f"{tally.issue}: {report.sums(tally)}" for tally in done.sent]
    if not sent.number:
        said += done.lines
    if not said:
        dues = ", ".join(f"{cadence} {moment:%Y-%m-%d %H:%M} UTC" for cadence, moment in next_dues(parts).items())
        said.append(f"nothing is due; next {dues}" if dues else "nobody is on the list")
    codes = [fault.exit_code for fault in done.faults] + [report.exit_code(tally) for tally in done.sent]
    return "; ".join(said), max(codes, default=0)


def _issue(parts: "Parts", sent: _Sent, day: date | None, cadence: str) -> tuple[str, int]:
    from newsletter import dispatch, notices, pipeline, upkeep
    from newsletter.models import Cadence, Skipped

    issue = pipeline.next_issue(parts, day, Cadence(cadence))
    said, codes = [], [0]
    with parts.database.sole_sender():
        pipeline.follow_roster(parts)
        for key in dispatch.unfinished(parts) if day is None else []:
            if isinstance(issue, Skipped) or key != issue.key:
                tally = dispatch.work_off(parts, key, sent.watch)
                codes.append(report.exit_code(tally))
        if isinstance(issue, Skipped):
            said.append(f"no issue {issue.key}, {issue.reason}")
        else:
            tally = pipeline.deliver(parts, issue, sent.watch)
            codes.append(report.exit_code(tally))
            said.append(_of_issue(tally, sent.number, cadence))
    notices.post(parts)
    upkeep.tidy(parts)
    return "; ".join(said), max(codes)


def _of_issue(tally: "Tally", sent: int, cadence: str) -> str:
    if tally.hold:
        return f"{tally.issue}: {report.held(tally)}"
    if not tally.audience:
        return f"{tally.issue}: the list has no active {cadence} reader"
    if tally.finished and not sent:
        return f"{tally.issue}: every reader's copy was settled before ({report.sums(tally)})"
    return f"{tally.issue}: {report.sums(tally)}"
