"""The built things that a run needs. wiring.py makes them from the settings; tests put others in."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

from newsletter.fetch.base import PaperSource
from newsletter.links import Links
from newsletter.models import Cadence, Message
from newsletter.periods import Late, Timetable
from newsletter.rank.base import Ranking
from newsletter.render.message import Letterhead
from newsletter.render.templates import Templates
from newsletter.send.base import Transport
from newsletter.send.mailbox import Mailbox
from newsletter.send.outcomes import DoubtPolicy
from newsletter.send.relays import Route
from newsletter.send.supply import Pace
from newsletter.settings import Settings, bundled, mailbox
from newsletter.settings.notifying import NotifySettings
from newsletter.settings.scheduling import WEEKDAYS
from newsletter.settings.serving import SignupSettings
from newsletter.store.alarms import AlarmStore
from newsletter.store.curation import CurationStore
from newsletter.store.engine import Database
from newsletter.store.enrolments import EnrolmentStore
from newsletter.store.holds import HoldStore
from newsletter.store.issues import IssueStore
from newsletter.store.ledger import Ledger
from newsletter.store.papers import PaperStore
from newsletter.store.retention import RetentionStore
from newsletter.store.slots import SlotStore
from newsletter.store.sources import SourceStore
from newsletter.store.subscribers import SubscriberStore
from newsletter.store.waiting import Jobs, WaitingStore
from newsletter.subscribers.held import Held

ROSTER = "subscribers.yaml"


@dataclass(frozen=True, kw_only=True)
class Mailing:
    """How the list presents itself, and how much it tells."""

    list_id: str
    title: str
    letterhead: Letterhead
    postal_address: str | None
    entries: int
    full: int
    min_votes: int
    only_matches: bool
    diversity: float
    max_age_days: int
    zone: ZoneInfo  # the list's own; the Date of a mail is written in it

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Read it from the settings."""
        name, address = mailbox(settings.sender)
        list_id = settings.list_id if "." in settings.list_id else f"{settings.list_id}.{address.rpartition('@')[2]}"
        letterhead = Letterhead(
            sender_name=name,
            sender_address=address,
            reply_to=mailbox(settings.reply_to)[1] if settings.reply_to else None,
            list_name=settings.title,
            list_id=list_id,
        )
        return cls(
            list_id=settings.list_id,
            title=settings.title,
            letterhead=letterhead,
            postal_address=settings.postal_address,
            entries=settings.entries,
            full=settings.full,
            min_votes=settings.min_votes,
            only_matches=settings.only_matches,
            diversity=settings.diversity,
            max_age_days=settings.max_age_days,
            zone=ZoneInfo(settings.timezone),
        )


def links_of(settings: Settings, letterhead: Letterhead, secret: str) -> Links:
    """Return the addresses of the list that the settings describe."""
    bounces = mailbox(settings.bounce_address)[1] if settings.bounce_address else None
    return Links(
        list_id=settings.list_id,
        secret=secret,
        domain=letterhead.sender_address.rpartition("@")[2],
        leave_address=bounces or letterhead.reply_to or letterhead.sender_address,
        base_url=settings.base_url,
        bounce_address=bounces,
        earlier_secrets=tuple(key.get_secret_value() for key in settings.earlier_secret_keys),
    )


def roster_of(settings: Settings, folder: Path, subscribers: SubscriberStore) -> Path | Held | None:
    """Return the subscriber list: the named file or variable, else the working folder's file, else the example.

    None where none is named and real people are on the list: the invented ones of the example are none of them.
    """
    if settings.subscribers and settings.subscribers.startswith("env:"):
        return Held(settings.subscribers.removeprefix("env:"))
    if settings.subscribers:
        return folder / settings.subscribers
    if (folder / ROSTER).exists():
        return folder / ROSTER
    return None if subscribers.count(but_file=True) else bundled("subscribers.example.yaml")


def timetable_of(settings: Settings) -> Timetable:
    """Return when the issues of the list that the settings describe are due."""
    schedule = settings.schedule
    return Timetable(
        zone=ZoneInfo(settings.timezone),
        hour=schedule.hour,
        days=frozenset(map(WEEKDAYS.index, schedule.days)),
        weekly_day=WEEKDAYS.index(schedule.weekly_day),
        monthly_day=schedule.monthly_day,
        own_day=schedule.list_day == "today",
        min_age=schedule.min_age,
        max_lateness=schedule.max_lateness,
        late=Late(schedule.late),
        fetch_every=schedule.fetch_every,
    )


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything a run works with."""

    mailing: Mailing
    sources: tuple[PaperSource, ...]
    go_on_without: bool  # when one of several sources fails
    rankings: Mapping[Cadence, Ranking]
    roster: Path | Held | None  # the subscriber list; None where only imported subscribers are on the list
    templates: Templates
    links: Links
    database: Database
    papers: PaperStore
    curation: CurationStore
    subscribers: SubscriberStore
    issues: IssueStore
    ledger: Ledger
    holds: HoldStore
    enrolments: EnrolmentStore
    retention: RetentionStore
    heard: SourceStore
    alarms: AlarmStore
    waiting: WaitingStore
    slots: SlotStore
    timetable: Timetable
    routes: tuple[Route, ...]  # where copies are handed to, at least one
    pace: Pace
    sign: Callable[[Message, datetime], Message]
    doubt: DoubtPolicy
    clock: Callable[[], datetime]
    signup: SignupSettings = field(default_factory=SignupSettings)
    notify: NotifySettings = field(default_factory=NotifySettings)
    mailbox: Mailbox | None = None  # where mail comes back to, if it is read by itself
    sleep: Callable[[float], None] = time.sleep  # seconds
    workers: bool = False  # other processes send: here copies are only queued
    jobs: Callable[[], Jobs | None] | None = None  # what these processes have to do; None where that cannot be told

    @property
    def transport(self) -> Transport:
        """The first of the relays: test copies go through it, and it is the only one if that is an outbox."""
        return self.routes[0].transport
