"""Settings to Parts: the only file that names concrete classes. A new source, ranking or transport is a line here."""

import os
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path

from newsletter.fetch.arxiv import ArxivSource
from newsletter.fetch.base import PaperSource
from newsletter.fetch.feed import FeedSource
from newsletter.fetch.files import FileSource
from newsletter.fetch.http import POLITE, build_client
from newsletter.fetch.huggingface import HuggingFaceSource
from newsletter.fetch.listing import SITE
from newsletter.fetch.page import PageSource
from newsletter.models import Cadence
from newsletter.parts import Mailing, Parts, links_of
from newsletter.rank import discussed, newest, settled, trending, votes
from newsletter.rank.base import Ranking
from newsletter.render.templates import Templates
from newsletter.send.dkim import read_keys, sign_message
from newsletter.send.outbox import OutboxTransport
from newsletter.send.outcomes import DoubtPolicy
from newsletter.send.pace import Meter
from newsletter.send.relays import Route
from newsletter.send.smtp import Relay, SmtpTransport
from newsletter.send.supply import Pace
from newsletter.settings import Settings, bundled
from newsletter.store import meta
from newsletter.store.curation import CurationStore
from newsletter.store.engine import Database
from newsletter.store.holds import HoldStore
from newsletter.store.issues import IssueStore
from newsletter.store.ledger import Ledger
from newsletter.store.limits import LimitStore
from newsletter.store.papers import PaperStore
from newsletter.store.subscribers import SubscriberStore

SAMPLE = "sample"
ROSTER = "subscribers.yaml"
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
    database = open_database(settings, folder, create=remember)
    subscribers = SubscriberStore(database, settings.list_id)
    secret = settings.secret_key.get_secret_value() if settings.secret_key else meta.secret_key(database)
    mailing, limits = Mailing.of(settings), LimitStore(database)
    links = links_of(settings, mailing.letterhead, secret)
    return Parts(
        mailing=mailing,
        sources=_sources(settings, folder),
        go_on_without=settings.on_source_failure == "continue",
        rankings=_rankings(settings.ranking),
        roster=_roster(settings, folder, subscribers),
        templates=Templates([*([folder / settings.templates] if settings.templates else []), bundled("templates")]),
        links=links,
        database=database,
        papers=PaperStore(database),
        curation=CurationStore(database, settings.list_id),
        subscribers=subscribers,
        issues=IssueStore(database, settings.list_id),
        ledger=Ledger(database, settings.list_id),
        holds=HoldStore(database, settings.list_id),
        routes=_routes(settings, folder, limits),
        pace=Pace.of(settings.limits, limits.reserve),
        sign=partial(sign_message, read_keys(settings.dkim, folder, links.domain)),
        doubt=DoubtPolicy.of(settings),
        clock=clock,
    )


def open_database(settings: Settings, folder: Path, *, create: bool = True) -> Database:
    """Return the database, its schema made; without `create` a missing SQLite file is stood in for by memory."""
    url = settings.database_url
    found = re.fullmatch(r"sqlite(?:\+\w+)?:///([^?]+)(.*)", url)
    if found:
        path = folder / found[1]
        url = f"sqlite:///{path}{found[2]}" if create or path.exists() else "sqlite://"
    database = Database(url)
    meta.prepare_schema(database)
    return database


def source(spec: str, folder: Path, *, as_of: date | None = None, private: bool = False) -> PaperSource:
    """Return the source of a spec as written in the settings or on the command line."""
    kind, _, rest = spec.partition(":")
    mirror = os.environ.get("HF_ENDPOINT")
    match kind:
        case "file":
            return FileSource(folder / rest, name=spec, as_of=as_of)
        case "page":
            return PageSource(folder / rest, name=spec, as_of=as_of)
        case "feed":
            return FeedSource(build_client(), rest, name=spec, manners=replace(POLITE, private=private))
        case "arxiv":
            return ArxivSource(build_client(), rest.split(","), today=today, name=spec)
    manners = replace(POLITE, private=private or bool(mirror))  # who names a mirror means it, wherever it is
    return HuggingFaceSource(build_client(), endpoint=mirror or SITE, today=today, manners=manners)


def _sources(settings: Settings, folder: Path) -> tuple[PaperSource, ...]:
    if not settings.sources:
        return (FileSource(bundled("seeds"), name=SAMPLE),)
    return tuple(source(spec, folder, private=settings.private_sources) for spec in settings.sources)


def _rankings(name: str | None) -> dict[Cadence, Ranking]:
    """The named one for every issue, else votes within a list day and settled votes across several."""
    default = dict.fromkeys(Cadence, RANKINGS["settled"]) | {Cadence.DAILY: RANKINGS["votes"]}
    return dict.fromkeys(Cadence, RANKINGS[name]) if name else default


def _roster(settings: Settings, folder: Path, subscribers: SubscriberStore) -> Path | None:
    """The named file, else the working folder's, else the example, unless real people were imported."""
    if settings.subscribers:
        return folder / settings.subscribers
    if (folder / ROSTER).exists():
        return folder / ROSTER
    return None if subscribers.count("import") else bundled("subscribers.example.yaml")


def _routes(settings: Settings, folder: Path, limits: LimitStore) -> tuple[Route, ...]:
    if settings.transport != "smtp":
        return (Route(transport=OutboxTransport(folder / settings.transport.removeprefix("outbox:"))),)
    relays = [(one, SmtpTransport(Relay.of(one, folder), one.connections)) for one in settings.all_relays]
    return tuple(
        Route(transport=to, weight=one.weight, meter=Meter.of(to.name, one, limits.reserve)) for one, to in relays
    )
