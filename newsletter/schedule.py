"""When: `tick` does what is due now, and the bell rings once a minute.

The truth is a row for each slot: a date on which an issue is due, decided once by whoever comes first. So a service, a
crontab and any number of either may call `tick`, late, twice or at once, and each reader gets each issue at most once.
APScheduler only rings: its cron trigger skips whole days around changes of the clocks, and two schedulers on one job
store fire twice.
"""

import logging
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Self

from apscheduler.schedulers.background import BackgroundScheduler

from newsletter import alarm, dispatch, enrolment, notices, pipeline, upkeep
from newsletter.errors import BusyError, NewsletterError, SourceError, SurroundingsError
from newsletter.fetch.collect import list_days, newest_day
from newsletter.models import Cadence, HoldKind, Period, Skipped, Tally
from newsletter.parts import Parts
from newsletter.periods import DAY, Late, Slot, daily
from newsletter.send.bounces import read_reports
from newsletter.store import meta
from newsletter.store.ledger import Wish
from newsletter.subscribers.held import Held

LOG = logging.getLogger("newsletter")
A_MINUTE = 60  # seconds between two rings
SLACK = timedelta(minutes=5)  # by which a clock may run back before it counts as set back
LOOK_BACK = timedelta(days=10)  # slots and list days before that are nobody's news any more
AHEAD = timedelta(hours=14)  # the first zone on earth is so far before UTC
WATCHED = 3  # slots of a cadence whose last readers may still be to come
LOOK_FOR_MAIL = timedelta(minutes=4)  # between two looks into the mailbox; a crontab looks every five minutes
MOST_MAILS = 500  # read in one look, so that a flood of them delays no issue
# What the database keeps for us.
SINCE, ROSTER_SEEN, FETCHED, MAIL_READ = "schedule_since", "roster_seen", "fetched_at", "mail_read_at"


@dataclass
class Ticked:
    """What a tick did: the sums of the issues that it sent of, a line for whatever else, and what went wrong.

    `passing` are faults that keep no mail from anybody: a reading of votes that failed.
    """

    sent: list[Tally] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    faults: list[NewsletterError] = field(default_factory=list)
    passing: list[NewsletterError] = field(default_factory=list)
    busy: bool = False  # another process is at it


def tick(parts: Parts, watch: dispatch.Watch = dispatch.unwatched) -> Ticked:
    """Do what is due now: follow the list, make the issues that are due, and send what may go out.

    Nothing is written where nothing is due. A fault of one step does not keep the others from their work.

    Args:
        parts: what to work with; `parts.clock` says what now is.
        watch: told how sending goes.
    """
    done, now = Ticked(), parts.clock()
    last = parts.slots.last_decided_at()
    if last and now < last - SLACK:
        fault = f"the clock was set back, from {_minute(last)} to {_minute(now)}: nothing goes out by itself till then"
        done.faults.append(SurroundingsError(f"{fault}; set it right, or send by hand with `newsletter send`"))
        alarm.tell(parts, done.faults)
        return done
    try:
        with parts.database.sole_sender():
            _work(parts, now, done, watch)
            alarm.tell(parts, done.faults + done.passing)
    except BusyError:
        done.busy = True
    except NewsletterError as fault:
        done.faults.append(fault)
    if not done.busy and not done.faults:
        alarm.ping(parts)
    return done


class Bell:
    """Rings at once, and then every minute; a ring that nobody waited for is not made up for."""

    def __init__(self, seconds: float = A_MINUTE) -> None:
        self._rung = threading.Event()
        self._scheduler = BackgroundScheduler(timezone=UTC)
        self._scheduler.add_job(
            self._rung.set,
            "interval",
            seconds=seconds,
            coalesce=True,
            max_instances=1,
            misfire_grace_time=None,
            next_run_time=datetime.now(UTC),
        )

    def __enter__(self) -> Self:
        self._scheduler.start()
        return self

    def __exit__(self, *_fault: object) -> None:
        self._scheduler.shutdown(wait=False)

    def wait(self) -> None:
        """Wait for the next ring, or return at once where it has rung since."""
        self._rung.wait()
        self._rung.clear()


def _work(parts: Parts, now: datetime, done: Ticked, watch: dispatch.Watch) -> None:
    if not _follow_list(parts, done):
        return  # a list that cannot be read is mailed by nobody until it is mended
    for cadence in Cadence:
        try:
            done.lines += _open_slots(parts, cadence, now)
        except NewsletterError as fault:
            done.faults.append(fault)
    for key in dispatch.due(parts):
        try:
            done.sent.append(dispatch.work_off(parts, key, watch))
        except NewsletterError as fault:
            done.faults.append(fault)
    for step, faults in (
        (_read_mail, done.faults),
        (notices.post, done.faults),
        (upkeep.tidy, done.faults),
        (_read_votes, done.passing),
    ):
        try:
            step(parts)
        except NewsletterError as fault:
            faults.append(fault)


def _follow_list(parts: Parts, done: Ticked) -> bool:
    """Follow the subscriber file where it has changed; return whether it could be read.

    Of several machines perhaps only one has the file: where it is not, nobody is taken off the list for that.
    """
    if parts.workers and parts.roster is None:
        return True
    seen = _fingerprint(parts.roster)
    if seen == _kept(parts, ROSTER_SEEN):
        return True
    try:
        done.lines += pipeline.follow_roster(parts)
    except NewsletterError as fault:
        done.faults.append(fault)
        return False
    _keep(parts, ROSTER_SEEN, seen)
    return True


def _fingerprint(path: Path | Held | None) -> str:
    if isinstance(path, Held):
        return path.fingerprint()
    try:
        found = path.stat() if path else None
    except OSError:
        return "unreadable"
    return f"{path} {found.st_mtime_ns} {found.st_size}" if found else ""


def _open_slots(parts: Parts, cadence: Cadence, now: datetime) -> Iterator[str]:
    """Decide the slots that have come, make their issues, and queue their copies; yield a line for each slot.

    Raises:
        NewsletterError: a source failed or a template is wrong; the slot is tried again at the next tick.
    """
    wishes = parts.subscribers.wishes(cadence)
    if not wishes:
        return
    since = _since(parts, now)
    for day in _new_days(parts, cadence, since, now):
        dues = _dues(parts, wishes, day, since)
        if not dues or min(dues.values()) > now:
            continue
        slot = parts.slots.decide(_decided(parts, cadence, day, dues, now), now)
        told = f"its issue is {slot.period.key}" if slot.period else slot.reason
        yield f"{cadence} slot of {day}: {told}"
    for slot in reversed(parts.slots.newest(cadence, WATCHED)):
        if slot.period and not slot.reason:
            yield from _fill(parts, slot, _dues(parts, wishes, slot.day, since), now)


def _since(parts: Parts, now: datetime) -> datetime:
    """Return since when issues go out by themselves: a list that begins at noon does not send this morning's."""
    kept = _kept(parts, SINCE)
    if kept is None:
        _keep(parts, SINCE, now.isoformat())
        return now
    return datetime.fromisoformat(kept)


def _new_days(parts: Parts, cadence: Cadence, since: datetime, now: datetime) -> Iterator[date]:
    newest = parts.slots.newest(cadence)
    begin = newest[0].day + DAY if newest else since.date() - DAY
    return parts.timetable.due_days(cadence, max(begin, (now - LOOK_BACK).date()), (now + AHEAD).date())


def _dues(parts: Parts, wishes: set[Wish], day: date, since: datetime) -> dict[Wish, datetime]:
    moments = {wish: parts.timetable.moment(day, *wish) for wish in wishes}
    return {wish: moment for wish, moment in moments.items() if moment >= since}


def _decided(parts: Parts, cadence: Cadence, day: date, dues: Mapping[Wish, datetime], now: datetime) -> Slot:
    """Return what is to be done about a slot that has come.

    Raises:
        SourceError: the sources cannot tell their lists.
    """
    first, last = min(dues.values()), max(dues.values())
    limit = parts.timetable.newest_list_day(first)
    over = daily(limit) if cadence is Cadence.DAILY else parts.timetable.covered_by(cadence, day)
    if parts.timetable.missed(last, now):
        skip = parts.timetable.late is Late.SKIP
        reason = f"missed, {_hours(now - last)} late; {'skipped' if skip else 'the next one catches up'}"
        return Slot(cadence=cadence, day=day, reason=reason, missed=True, covered=over.end if skip else None)
    covered = parts.slots.covered(cadence)
    period: Period | None = over
    if cadence is Cadence.DAILY:
        waits = 0 if parts.slots.missed_since_issue(cadence) else max(0, (day - DAY - limit).days)
        period = _listed(parts, covered, limit, waits)
    elif covered and covered < over.start:
        period = Period(cadence, max(covered + DAY, over.start - LOOK_BACK * 4), over.end)
    if period is None or (covered and period.end <= covered):
        return Slot(cadence=cadence, day=day, reason=f"no new list since {covered or limit}")
    return Slot(cadence=cadence, day=day, period=period, covered=period.end)


def _listed(parts: Parts, covered: date | None, limit: date, waits: int) -> Period | None:
    """Return the list days that a daily issue tells of: all that no issue told of yet, but for the newest `waits`.

    Usually that is one. Where the first reader lives so far east that a slot's list is two days old, Thursday's comes
    up for Monday together with Friday's, and nothing new for Tuesday: there one list waits, and each slot has its own.
    """
    if covered is None:
        young = limit - timedelta(days=parts.mailing.max_age_days + 1)
        days = list_days(parts.sources, young, limit, go_on_without=parts.go_on_without)
        newest = days[-1] if days else newest_day(parts.sources, limit, 0, go_on_without=parts.go_on_without)
        return daily(newest) if newest and newest <= limit else None  # a recording may be old, or of days to come
    after = max(covered, limit - LOOK_BACK)
    days = list_days(parts.sources, after, limit, go_on_without=parts.go_on_without)
    told = days[: max(1, len(days) - waits)]
    return Period(Cadence.DAILY, told[0], told[-1]) if told else None


def _fill(parts: Parts, slot: Slot, dues: Mapping[Wish, datetime], now: datetime) -> Iterator[str]:
    """Make the issue of a slot if there is none yet, and queue a copy for each reader who is owed one."""
    if slot.period is None or not dues:
        return
    frozen, hold = parts.issues.find(slot.period.key), parts.holds.find(slot.period.key)
    if hold and not frozen:
        if hold.kind is HoldKind.CANCELLED:
            parts.slots.give_up(slot, "cancelled")
        return
    if frozen is None:
        try:
            made = pipeline.prepare(parts, slot.period)
        except SourceError as fault:
            if not parts.timetable.missed(max(dues.values()), now):
                raise
            made = Skipped(slot.period.key, str(fault))
        if isinstance(made, Skipped):
            parts.slots.give_up(slot, made.reason)
            yield f"{made.key}: no issue, {made.reason}"
            return
        pipeline.freeze(parts, made)
    owed = {wish: max(moment, now) for wish, moment in dues.items() if _in_time(parts, moment, now)}
    if len(owed) < len(dues) and not parts.ledger.begun(slot.period.key):
        owed = {wish: max(moment, now) for wish, moment in dues.items()}  # they are all new to it, however late
    if owed:
        parts.ledger.freeze_by_clock(slot.period.key, slot.cadence, slot.day, owed, parts.pace.lane_of)


def _in_time(parts: Parts, moment: datetime, now: datetime) -> bool:
    """Whether a reader who has just come is sent an issue that others have: not long after it was due for them."""
    return moment >= now - parts.timetable.max_lateness


def _read_mail(parts: Parts) -> None:
    """Read the mail that came back, now and then."""
    if parts.mailbox is None or not _again_after(parts, MAIL_READ, LOOK_FOR_MAIL):
        return
    read = ended = 0
    for mail in islice(parts.mailbox.mails(), MOST_MAILS):
        ended += enrolment.take_back(parts, mail.content, read_reports(mail.content))
        mail.done()
        read += 1
    if read:
        LOG.info("%d mails came back; %d readers are mailed no more", read, ended)


def _read_votes(parts: Parts) -> None:
    """Read the votes of the newest list where a source has some that change, now and then."""
    changing = any(source.voted and source.live for source in parts.sources)
    if not changing or not _again_after(parts, FETCHED, parts.timetable.fetch_every):
        return
    period = pipeline.find_period(parts)
    for failure in pipeline.read(parts, period).failures if period else ():
        raise failure


def _again_after(parts: Parts, name: str, stretch: timedelta) -> bool:
    """Whether something was done so long ago that it is to be done again; noted at once, whether or not it works.

    Nobody asks a server that fails every minute.
    """
    kept, now = _kept(parts, name), parts.clock()
    if kept and now - datetime.fromisoformat(kept) < stretch:
        return False
    _keep(parts, name, now.isoformat())
    return True


def _kept(parts: Parts, name: str) -> str | None:
    return meta.read(parts.database, f"{name}:{parts.mailing.list_id}")


def _keep(parts: Parts, name: str, value: str) -> None:
    meta.write(parts.database, f"{name}:{parts.mailing.list_id}", value)


def _minute(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _hours(stretch: timedelta) -> str:
    return f"{round(stretch / timedelta(hours=1))} h"
