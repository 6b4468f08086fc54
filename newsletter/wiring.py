"""Settings to Parts: the only file that names concrete classes. A new source, ranking or transport is a line here."""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from newsletter.fetch.base import PaperSource
from newsletter.fetch.files import FileSource
from newsletter.fetch.page import PageSource
from newsletter.models import Cadence
from newsletter.parts import Mailing, Parts, links_of, roster_of, timetable_of
from newsletter.rank import discussed, newest, settled, trending, votes
from newsletter.rank.base import Ranking
from newsletter.render.templates import Templates
from newsletter.send.dkim import read_keys, sign_message
from newsletter.send.mailbox import open_mailbox
from newsletter.send.outbox import OutboxTransport
from newsletter.send.outcomes import DoubtPolicy
from newsletter.send.pace import Meter
from newsletter.send.relays import Route
from newsletter.send.smtp import Relay, SmtpTransport
from newsletter.send.supply import Pace
from newsletter.settings import Settings, bundled
from newsletter.store import meta
from newsletter.store.alarms import AlarmStore
from newsletter.store.bounces import Tolerance
from newsletter.store.curation import CurationStore
from newsletter.store.enrolments import EnrolmentStore
from newsletter.store.holds import HoldStore
from newsletter.store.issues import IssueStore
from newsletter.store.ledger import Ledger
from newsletter.store.limits import LimitStore
from newsletter.store.opening import open_database
from newsletter.store.papers import PaperStore
from newsletter.store.retention import RetentionStore
from newsletter.store.slots import SlotStore
from newsletter.store.sources import SourceStore
from newsletter.store.subscribers import SubscriberStore
from newsletter.store.waiting import WaitingStore

if TYPE_CHECKING:
    from newsletter.fetch.http import Manners

SAMPLE = "sample"
RECORDINGS: dict[str, type[FileSource | PageSource]] = {"file": FileSource, "page": PageSource}
RANKINGS: dict[str, Ranking] = {
    "votes": votes.VOTES,
    "settled": settled.SETTLED,
    "trending": trending.TRENDING,
    "discussed": discussed.DISCUSSED,
    "newest": newest.NEWEST,
}


def now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


def today() -> date:
    """Return the present day in UTC."""
    return now().date()


def build(settings: Settings, folder: Path, *, remember: bool = True, clock: Callable[[], datetime] = now) -> Parts:
    """Make the parts of a run; relative paths count from `folder`, and without `remember` no database is made.

    Raises:
        NewsletterError: a setting is wrong or the database cannot be used.
    """
    database = open_database(settings.database_url, folder, create=remember)
    subscribers = SubscriberStore(database, settings.list_id)
    secret = settings.secret_key.get_secret_value() if settings.secret_key else meta.secret(database, "secret_key")
    mailing, limits = Mailing.of(settings), LimitStore(database)
    links = links_of(settings, mailing.letterhead, secret)
    return Parts(
        mailing=mailing,
        sources=sources(settings, folder),
        go_on_without=settings.on_source_failure == "continue",
        rankings=_rankings(settings.ranking),
        roster=roster_of(settings, folder, subscribers),
        templates=Templates([*([folder / settings.templates] if settings.templates else []), bundled("templates")]),
        links=links,
        database=database,
        papers=PaperStore(database),
        curation=CurationStore(database, settings.list_id),
        subscribers=subscribers,
        issues=IssueStore(database, settings.list_id),
        ledger=Ledger(database, settings.list_id),
        holds=HoldStore(database, settings.list_id),
        enrolments=EnrolmentStore(database, subscribers, settings.list_id, Tolerance.of(settings.bounces)),
        retention=RetentionStore(database, settings.list_id, settings.keep_days),
        heard=SourceStore(database, settings.list_id),
        alarms=AlarmStore(database, settings.list_id),
        waiting=WaitingStore(database, settings.list_id),
        slots=SlotStore(database, settings.list_id),
        timetable=timetable_of(settings),
        signup=settings.signup,
        notify=settings.notify,
        mailbox=open_mailbox(settings.bounces, folder) if settings.bounces.mailbox else None,
        routes=_routes(settings, folder, limits),
        pace=Pace.of(settings.limits, limits, settings.list_id),
        sign=partial(sign_message, read_keys(settings.dkim, folder, links.domain)),
        doubt=DoubtPolicy.of(settings),
        clock=clock,
    )


def source(
    spec: str, folder: Path, *, as_of: date | None = None, private: bool = False, manners: "Manners | None" = None
) -> PaperSource:
    """Return the source of a spec as written in the settings or on the command line."""
    kind, _, rest = spec.partition(":")
    if kind in RECORDINGS:
        return RECORDINGS[kind](folder / rest, name=spec, as_of=as_of)
    from newsletter.fetch.http import POLITE, build_client  # who asks nobody does not wait for a quarter of a second

    asked = replace(manners or POLITE, private=private)
    if kind == "feed":
        from newsletter.fetch.feed import FeedSource

        return FeedSource(build_client(), rest, name=spec, manners=asked)
    if kind == "arxiv":
        from newsletter.fetch.arxiv import PACED, ArxivSource

        paced = replace(manners, pause=PACED.pause) if manners else PACED
        return ArxivSource(build_client(), rest.split(","), today=today, name=spec, manners=paced)
    from newsletter.fetch.huggingface import HuggingFaceSource

    mirror = os.environ.get("HF_ENDPOINT") or None
    asked = replace(asked, private=private or bool(mirror))  # who names a mirror means it, wherever it is
    return HuggingFaceSource(build_client(), endpoint=mirror, today=today, manners=asked)


def sources(settings: Settings, folder: Path, manners: "Manners | None" = None) -> tuple[PaperSource, ...]:
    """Return the sources that the settings name, the sample where they name none."""
    if not settings.sources:
        return (FileSource(bundled("seeds"), name=SAMPLE),)
    return tuple(source(one, folder, private=settings.private_sources, manners=manners) for one in settings.sources)


def _rankings(name: str | None) -> dict[Cadence, Ranking]:
    """The named one for every issue, else votes within a list day and settled votes across several."""
    default = dict.fromkeys(Cadence, RANKINGS["settled"]) | {Cadence.DAILY: RANKINGS["votes"]}
    return dict.fromkeys(Cadence, RANKINGS[name]) if name else default


def _routes(settings: Settings, folder: Path, limits: LimitStore) -> tuple[Route, ...]:
    if settings.transport != "smtp":
        return (Route(transport=OutboxTransport(folder / settings.transport.removeprefix("outbox:"))),)
    relays = [(one, SmtpTransport(Relay.of(one, folder), one.connections)) for one in settings.all_relays]
    return tuple(
        Route(transport=to, weight=one.weight, meter=Meter.of(to.name, one, limits.reserve)) for one, to in relays
    )
