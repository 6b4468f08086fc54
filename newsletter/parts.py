"""The built things that a run needs. wiring.py makes them from the settings; tests put others in."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self
from zoneinfo import ZoneInfo

from newsletter.fetch.base import PaperSource
from newsletter.links import Links
from newsletter.models import Cadence, Message
from newsletter.rank.base import Ranking
from newsletter.render.message import Letterhead
from newsletter.render.templates import Templates
from newsletter.send.base import Transport
from newsletter.send.outcomes import DoubtPolicy
from newsletter.send.relays import Route
from newsletter.send.supply import Pace
from newsletter.settings import Settings, mailbox
from newsletter.store.curation import CurationStore
from newsletter.store.engine import Database
from newsletter.store.holds import HoldStore
from newsletter.store.issues import IssueStore
from newsletter.store.ledger import Ledger
from newsletter.store.papers import PaperStore
from newsletter.store.subscribers import SubscriberStore


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
    return Links(
        list_id=settings.list_id,
        secret=secret,
        domain=letterhead.sender_address.rpartition("@")[2],
        leave_address=letterhead.reply_to or letterhead.sender_address,
        base_url=settings.base_url,
        bounce_address=mailbox(settings.bounce_address)[1] if settings.bounce_address else None,
    )


@dataclass(frozen=True, kw_only=True)
class Parts:
    """Everything a run works with."""

    mailing: Mailing
    sources: tuple[PaperSource, ...]
    go_on_without: bool  # when one of several sources fails
    rankings: Mapping[Cadence, Ranking]
    roster: Path | None  # the subscriber file; None where only imported subscribers are on the list
    templates: Templates
    links: Links
    database: Database
    papers: PaperStore
    curation: CurationStore
    subscribers: SubscriberStore
    issues: IssueStore
    ledger: Ledger
    holds: HoldStore
    routes: tuple[Route, ...]  # where copies are handed to, at least one
    pace: Pace
    sign: Callable[[Message, datetime], Message]
    doubt: DoubtPolicy
    clock: Callable[[], datetime]
    sleep: Callable[[float], None] = time.sleep  # seconds

    @property
    def transport(self) -> Transport:
        """The first of the relays: test copies go through it, and it is the only one if that is an outbox."""
        return self.routes[0].transport
