"""The flow of an issue, readable top to bottom: find the day, prepare the issue, deliver it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, timedelta

from newsletter.copies import compile_issue
from newsletter.dispatch import NO_WAIT, Watch, unwatched, work_off
from newsletter.errors import UsageError
from newsletter.fetch.collect import Collected, accept, collect, newest_day
from newsletter.models import (
    Cadence,
    Digest,
    Issue,
    Paper,
    Period,
    Preferences,
    Riser,
    Skipped,
    State,
    Subscriber,
    Tally,
)
from newsletter.parts import Parts
from newsletter.periods import period_of, week_before, weekly
from newsletter.rank.digest import build_digest
from newsletter.rank.interests import choose, chooser
from newsletter.rank.rising import risers
from newsletter.rank.sections import sectioned
from newsletter.store.ledger import NO_MATCH
from newsletter.subscribers import read_roster

SATURDAY = 5  # as date.weekday counts
# A copy of a longer period tells more papers than a daily one, by this factor.
SPREAD = {Cadence.DAILY: 1, Cadence.WEEKLY: 2, Cadence.MONTHLY: 3}


def find_period(parts: Parts, day: date | None = None, cadence: Cadence = Cadence.DAILY) -> Period | None:
    """Return the period of a wanted day, or the newest: the newest list day, or the newest week or month that is over.

    None if no source has a list to offer.

    Raises:
        SourceError: a source cannot be read.
    """
    if day:
        return period_of(cadence, day)
    today = parts.clock().date()
    span = (period_of(cadence, today).end - period_of(cadence, today).start).days
    age = parts.mailing.max_age_days + span
    found = newest_day(parts.sources, today, age, go_on_without=parts.go_on_without)
    if found is None:
        return None
    period = period_of(cadence, found)
    over = cadence is Cadence.DAILY or period.end < today
    return period if over else period_of(cadence, period.start - timedelta(days=1))


def next_issue(parts: Parts, day: date | None, cadence: Cadence, *, remember: bool = True) -> Issue | Skipped:
    """Return the issue of a wanted day's period, or the newest that is due, or why there is none; as `prepare`.

    Raises:
        SourceError: a source failed.
    """
    period = find_period(parts, day, cadence)
    if period:
        return prepare(parts, period, remember=remember)
    slot = period_of(cadence, parts.clock().date())
    reason = f"no new papers in the last {parts.mailing.max_age_days} days"
    return _skip(parts, Skipped(slot.key, reason), remember=remember)


def newest_list_day(parts: Parts) -> date:
    """Return the newest list day that the sources have, or today where they have none.

    Raises:
        SourceError: a source cannot be read.
    """
    period = find_period(parts)
    return period.end if period else parts.clock().date()


def prepare(parts: Parts, period: Period, *, remember: bool = True) -> Issue | Skipped:
    """Return the issue of a period: the frozen one if sending has begun, else one built from the sources now.

    Args:
        parts: what to work with.
        period: the period.
        remember: keep what the sources said (votes have a history) and what was skipped; False writes nothing.

    Returns:
        Why there is none, if nothing is left to tell.

    Raises:
        SourceError: a source failed; no issue is built from half of the news unless the settings allow it.
    """
    frozen = parts.issues.find(period.key)
    if frozen:
        return frozen
    collected = collect(parts.sources, period)
    accept(collected, go_on_without=parts.go_on_without)
    papers = _with_readings(parts, collected, remember=remember)
    earlier = _earlier(parts, period, remember=remember) if papers else []
    curation = parts.curation.all()
    digest = build_digest(
        papers,
        period,
        parts.rankings[period.cadence],
        already_published=parts.issues.carried(period.cadence, but=period.key),
        earlier=earlier,
        curation=curation,
        size=parts.mailing.entries,
        diversity=parts.mailing.diversity,
    )
    if not digest.entries:
        return _skip(parts, Skipped(period.key, _why_none(period, papers)), remember=remember)
    left_out = {entry.paper.key for entry in digest.entries} | curation.dropped
    monday = weekly(period.start).start
    this_week = (paper for paper in earlier if paper.listed_on and paper.listed_on >= monday)
    rising = risers(paper for paper in this_week if paper.key not in left_out)
    missing = tuple(failure.source for failure in collected.failures)
    return _issue(parts, _sectioned(parts, digest), rising, missing)


def read(parts: Parts, period: Period) -> Collected:
    """Read a period from all sources and keep what they say of it; no issue is made.

    A source that fails is among the failures, and what the others said is kept.
    """
    collected = collect(parts.sources, period)
    _with_readings(parts, collected, remember=True)
    return collected


def follow_roster(parts: Parts) -> tuple[str, ...]:
    """Bring the stored subscribers in step with the subscriber file; return a warning per ignored duplicate.

    Raises:
        SubscribersError: the file cannot be read; the stored subscribers stay as they were.
    """
    if parts.roster is None:
        parts.subscribers.follow_file(())
        return ()
    roster = read_roster(parts.roster)
    parts.subscribers.follow_file(roster.subscribers)
    return roster.duplicates


def readers(parts: Parts) -> Iterator[Subscriber]:
    """Yield who is on the list as the file and the database have it now, without writing anything; the inactive too.

    Raises:
        SubscribersError: the file cannot be read.
    """
    listed = read_roster(parts.roster).subscribers if parts.roster else ()
    yield from filter(None, map(parts.subscribers.followed, listed))
    in_file = {reader.key for reader in listed}
    yield from (reader for reader in parts.subscribers.all(of_file=False) if reader.key not in in_file)


def deliver(
    parts: Parts,
    issue: Issue,
    watch: Watch = unwatched,
    *,
    wait: timedelta = NO_WAIT,
    canary: int | None = None,
) -> Tally:
    """Freeze an issue, queue a copy for each of its readers who has none, and send what is due.

    Safe to repeat and to interrupt: whatever happened before, each reader gets the issue at most once. An issue that
    nobody reads is not frozen, nor is one that is held back. The caller holds `parts.database.sole_sender()`.

    Args:
        parts: what to work with.
        issue: the issue.
        watch: told how it goes.
        wait: as in `dispatch.work_off`.
        canary: as in `dispatch.work_off`.

    Raises:
        UsageError: a canary or a wait is wanted where workers send.
        RefusalsError: too many copies were refused; the issue is paused.
        SurroundingsError: the relay, the outbox or the database failed; nothing is lost, run again.
        TemplateError: a template is wrong; nothing was sent.
    """
    if canary and parts.workers:
        raise UsageError("--canary: workers begin with all copies at once; leave it out, or set workers = false")
    if wait and parts.workers:
        raise UsageError("--wait: workers send what was put off when it is due; leave it out, and look at `status`")
    cadence = issue.digest.period.cadence
    if parts.subscribers.count(cadence=cadence) and not parts.holds.find(issue.key):
        freeze(parts, issue)
        parts.ledger.freeze(issue.key, cadence, parts.clock(), lanes=parts.pace.lane_of)
    return work_off(parts, issue.key, watch, wait=wait, canary=canary)


def freeze(parts: Parts, issue: Issue) -> None:
    """Keep an issue for good: from now on its papers, words and bytes do not change.

    Raises:
        TemplateError: a template is wrong; nothing is kept.
    """
    everybody = choose(issue, Preferences())
    if everybody:
        compile_issue(parts, issue).page(everybody)  # a broken template shows before anything is frozen
    told = {pick.rank for pick in everybody}
    entries = (entry for entry in issue.digest.entries if entry.rank in told)
    parts.issues.freeze(issue, entries, parts.clock())


def plan(parts: Parts, issue: Issue, readers: Iterable[Subscriber]) -> Iterator[tuple[Subscriber, State, str]]:
    """Yield what `deliver` would do for each reader, without writing anything: the state and why.

    Args:
        parts: what to work with.
        issue: the issue.
        readers: who is on the list.
    """
    cut = chooser(issue)
    done = {reader.key: delivery for delivery, reader in parts.ledger.of_issue(issue.key)}
    forgotten = not done and parts.ledger.tally(issue.key).audience > 0
    for reader in readers:
        delivery = done.get(reader.key)
        if delivery and delivery.state is not State.QUEUED:
            yield reader, delivery.state, delivery.reply or "already settled"
        elif forgotten:
            yield reader, State.SKIPPED, "went out long ago; who got it is forgotten"
        elif not reader.reads:
            yield reader, State.SUPPRESSED, reader.standing if reader.standing.barred else "not active"
        elif reader.preferences.cadence is not issue.digest.period.cadence:
            yield reader, State.SKIPPED, f"reads the {reader.preferences.cadence} issue"
        elif choice := cut(reader.preferences):
            yield reader, State.QUEUED, f"{len(choice)} papers as {reader.preferences.format}"
        else:
            yield reader, State.SKIPPED, NO_MATCH


def _issue(parts: Parts, digest: Digest, rising: tuple[Riser, ...], missing: tuple[str, ...]) -> Issue:
    mailing = parts.mailing
    return Issue(
        list_id=mailing.list_id,
        title=mailing.title,
        digest=digest,
        size=min(100, mailing.entries * SPREAD[digest.period.cadence]),
        full=mailing.full,
        min_votes=mailing.min_votes,
        only_matches=mailing.only_matches,
        missing=missing,
        rising=rising,
        wording=parts.issues.wording(digest.period.key),
    )


def _sectioned(parts: Parts, digest: Digest) -> Digest:
    """Divide a week or a month by what its daily readers have not seen, and by topic; a day stays as it is."""
    if digest.period.cadence is Cadence.DAILY:
        return digest
    return replace(digest, entries=sectioned(digest.entries, told=parts.issues.carried(Cadence.DAILY)))


def _with_readings(parts: Parts, collected: Collected, *, remember: bool) -> list[Paper]:
    """Return what was read with its readings so far, this one included; kept, unless nothing is to be written."""
    now = parts.clock()
    if remember:
        parts.papers.observe(collected.read, now)
        parts.heard.note(collected.newest, now)
    return parts.papers.with_history(collected.papers, now)


def _earlier(parts: Parts, period: Period, *, remember: bool) -> list[Paper]:
    """Look again at the papers of the seven days before a day, at the sources and in memory.

    Whatever fails there, the issue itself does not need it.
    """
    if period.cadence is not Cadence.DAILY:
        return []
    before = week_before(period.start)
    voted = [source for source in parts.sources if source.voted]
    again = _with_readings(parts, collect(voted, before), remember=remember)
    seen = {paper.key for paper in again}
    return again + [paper for paper in parts.papers.remembered(before) if paper.key not in seen]


def _skip(parts: Parts, slot: Skipped, *, remember: bool) -> Skipped:
    if remember:
        parts.issues.skip(slot, parts.clock())
    return slot


def _why_none(period: Period, papers: Sequence[Paper]) -> str:
    if papers:
        return "every paper listed was told before, or dropped"
    weekend = period.cadence is Cadence.DAILY and period.start.weekday() >= SATURDAY
    return "no papers are listed on a weekend" if weekend else "no papers are listed"
