"""Sending what is frozen: runs, waits, canaries, what is in doubt, and test copies outside the ledger."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial

from newsletter.copies import Pieces, compile_issue, compose, copy_for
from newsletter.errors import RefusalsError, RelayError, UsageError
from newsletter.models import (
    HoldKind,
    Issue,
    Outcome,
    Pick,
    Preferences,
    ReportKind,
    Resolution,
    State,
    Subscriber,
    Tally,
    Verdict,
)
from newsletter.parts import Parts
from newsletter.rank.interests import chooser
from newsletter.render.compiled import CompiledIssue
from newsletter.send.outcomes import MAXIMUM_AGE, MOST_REFUSED, address_fault
from newsletter.send.sender import Progress, Sender, claimant
from newsletter.send.supply import NO_LIMIT, Supply
from newsletter.store.bounces import Bounced

TEST_MARK = "[Test] "
SHORTEST_WAIT = timedelta(seconds=1)
NO_WAIT = timedelta(0)

Watch = Callable[[Tally], Progress]  # told the sums before sending, returns what is told of each delivery
Choice = Callable[[Preferences], tuple[Pick, ...]]  # the papers of a copy
Run = Callable[..., None]  # hands over what is due, so many at most


def unwatched(_tally: Tally) -> Progress:
    """Watch nothing."""
    return lambda _delivery: None


def unfinished(parts: Parts) -> list[str]:
    """Give up copies that have waited for three days; return the issues with copies that still wait, oldest first."""
    parts.ledger.give_up(parts.clock() - MAXIMUM_AGE)
    return parts.ledger.unfinished()


def due(parts: Parts) -> list[str]:
    """Give up copies that have waited for three days; return the issues with copies to work on now, oldest first."""
    parts.ledger.give_up(parts.clock() - MAXIMUM_AGE)
    return parts.ledger.due(parts.clock())


def work_off(  # noqa: PLR0913 - what, how it is watched, and three ways of it by name
    parts: Parts,
    key: str,
    watch: Watch = unwatched,
    *,
    wait: timedelta = NO_WAIT,
    canary: int | None = None,
    opened: Callable[[Supply], None] = lambda _supply: None,
) -> Tally:
    """Send what is due of a frozen issue; nobody is added to its audience, and of a held one nothing goes out.

    Where workers send, it is left to them.

    Args:
        parts: what to work with.
        key: the issue.
        watch: told how it goes.
        wait: how long to wait for copies that were put off; what is still open then is left to the next run.
        canary: mail so many first, and go on only if nearly all of them were taken.
        opened: given what hands out the copies, before the first goes out.

    Raises:
        RefusalsError: too many copies were refused; the issue is paused.
        NewsletterError: as `pipeline.deliver`.
    """
    issue = parts.issues.find(key)
    if issue is None or parts.workers or parts.holds.find(key):
        return parts.ledger.tally(key)
    now, me = parts.clock(), claimant()
    compiled, choice = compile_issue(parts, issue, Pieces(parts.issues, key)), chooser(issue)
    with parts.ledger.presence(me), _holding_back(parts, key):
        parts.ledger.recover(
            me, now, lambda one, cause: parts.doubt.doubted(one, cause, now), sole_sender=parts.database.is_sqlite
        )
        parts.ledger.reconsider(parts.doubt.resent, now, now - MAXIMUM_AGE)
        sender = _sender(parts, compiled, choice, watch(parts.ledger.tally(key)))
        if canary:
            _try(parts, key, canary, partial(sender.run, key, me), now + wait)
        sender.run(key, me, opened=opened)
        _wait(parts, key, partial(sender.run, key, me), now + wait)
    _count_refusals(parts, key)
    return parts.ledger.tally(key)


def _sender(parts: Parts, compiled: CompiledIssue, choice: Choice, progress: Progress) -> Sender:
    return Sender(
        ledger=parts.ledger,
        routes=parts.routes,
        pace=parts.pace,
        compose=lambda one, reader: parts.sign(compose(parts, compiled, one, reader), one.due_at),
        choose=lambda reader: choice(reader.preferences),
        doubt=parts.doubt,
        clock=parts.clock,
        progress=progress,
    )


def _count_refusals(parts: Parts, key: str) -> None:
    """Count the copies of an issue that were refused because of the address, each once, however often it is asked."""
    refused = [(one.subscriber_id, one.reply or "") for one, _reader in parts.ledger.of_issue(key, [State.FAILED])]
    faults = [Bounced(who, ReportKind.HARD, f"issue:{key}", why) for who, why in refused if address_fault(why)]
    if faults:
        parts.enrolments.bounces.record(faults, parts.clock())


def _wait(parts: Parts, key: str, run: Run, until: datetime, at_once: int = NO_LIMIT) -> None:
    """Wait for what was put off, and hand it over when it is due."""
    names = [route.transport.name for route in parts.routes]
    while (due := parts.ledger.next_due(key, names)) and not parts.ledger.held(key):
        now = parts.clock()
        if max(due, now) > until:
            return
        parts.sleep(max(due - now, SHORTEST_WAIT).total_seconds())
        run(at_once)


def _try(parts: Parts, key: str, number: int, run: Run, until: datetime) -> None:
    """Mail to a few readers first.

    Raises:
        RefusalsError: more of them than the bound were refused, or had no answer when the wait was over.
    """
    before = parts.ledger.tally(key)
    run(number)
    _wait(parts, key, run, until, at_once=1)  # what was put off is drawn before what is new
    after = parts.ledger.tally(key)
    bad = sum(after[state] - before[state] for state in (State.FAILED, State.DEFERRED, State.IN_DOUBT))
    if bad > number * MOST_REFUSED:
        raise RefusalsError(f"{bad} of the first {number} copies were not taken")


@contextmanager
def _holding_back(parts: Parts, key: str) -> Iterator[None]:
    """Pause an issue whose copies are refused, and end what a cancellation found in flight."""
    try:
        yield
    except RefusalsError as fault:
        parts.holds.pause(key, str(fault), parts.clock())
        mend = f"`status {key} --not-sent` tells why, `issue resume {key}` lets it go on"
        raise RefusalsError(f"{key}: {fault}; it is paused: {mend}") from None
    finally:
        held = parts.holds.find(key)
        if held and held.kind is HoldKind.CANCELLED:
            parts.holds.cancel(key, parts.clock())


def resolve(parts: Parts, key: str, resolution: Resolution) -> int:
    """Settle by a person's word what is in doubt of an issue; return how many copies that were."""
    return parts.ledger.resolve(key, resolution, parts.clock())


def send_test(parts: Parts, issue: Issue, reader: Subscriber) -> Outcome:
    """Send one marked copy outside the ledger: it counts for nobody and changes nothing.

    Raises:
        SurroundingsError: the relay or the outbox failed.
    """
    message = parts.sign(copy_for(parts, issue, reader, mark=TEST_MARK), parts.clock())
    return next(parts.transport.deliver(iter([message]), lambda _message: True))


def send_test_to(parts: Parts, issue: Issue, address: str, preferences: Preferences | None = None) -> str:
    """Send a test copy to an address as a person typed it, made as the preferences ask; return where it went.

    Raises:
        UsageError: the address is none, or the preferences match no paper of the issue.
        RelayError: the relay did not take the copy.
        SurroundingsError: the relay or the outbox failed.
    """
    from email_validator import EmailNotValidError, validate_email

    try:
        known = validate_email(address, check_deliverability=False)
    except EmailNotValidError as fault:
        raise UsageError(f"{address}: {fault}") from None
    reader = Subscriber(address=known.ascii_email or known.normalized, id=0, preferences=preferences or Preferences())
    outcome = send_test(parts, issue, reader)
    if outcome.verdict is not Verdict.ACCEPTED:
        raise RelayError(f"{parts.transport.name}: {outcome.code or ''} {outcome.text}; the test copy was not taken")
    return f"A test copy of {issue.key} went to {address} through {parts.transport.name}."
