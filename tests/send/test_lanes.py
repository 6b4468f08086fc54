"""A large provider goes at its own pace, and holds up nobody else."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from newsletter.models import Cadence, Outcome, State, Subscriber, Verdict
from newsletter.send.lanes import Lanes
from newsletter.send.outcomes import DoubtPolicy
from newsletter.send.pace import FREE, asks_to_slow, slower, speed
from newsletter.send.relays import Route
from newsletter.send.sender import Sender, claimant
from newsletter.send.smtp import Relay, SmtpTransport
from newsletter.send.supply import Pace
from newsletter.store.engine import Database
from newsletter.store.issues import IssueStore
from newsletter.store.ledger import Ledger
from newsletter.store.limits import LimitStore, Slowdown
from newsletter.store.meta import prepare_schema
from newsletter.store.subscribers import SubscriberStore
from tests.make import NOON, picks
from tests.send.servers import faulty_server
from tests.send.test_sender import compose
from tests.store.books import ISSUE

NOW = 1_766_664_000.0


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    with closing(Database(f"sqlite:///{tmp_path}/db")) as opened:
        prepare_schema(opened)
        yield opened


@pytest.mark.parametrize(
    ("code", "text", "asks"),
    [
        (421, "try again later", True),
        (450, "4.7.28 unusual rate of mail", True),
        (450, "4.2.0 greylisted", False),
        (550, "4.7.1 odd", False),
        (250, "2.0.0 ok", False),
    ],
)
def test_only_these_answers_ask_for_less(code: int, text: str, *, asks: bool) -> None:
    assert asks_to_slow(Outcome(Verdict.POSTPONED, code=code, text=text)) is asks


def test_a_lane_is_halved_once_and_wins_back_a_tenth_with_each_quiet_minute() -> None:
    cut = slower(None, 40, NOW)
    assert cut == Slowdown(20, 40, NOW)
    assert slower(cut, 40, NOW + 3) == cut, "what was under way complains as well"
    assert speed(cut, NOW + 60) == pytest.approx(22)
    again = slower(cut, 20, NOW + 60)
    assert again.rate == pytest.approx(11)
    assert again.full == 40
    assert speed(cut, NOW + 8 * 60) is None, "it is as fast as it was"
    assert slower(cut, 30, NOW + 3600) == Slowdown(15, 30, NOW + 3600)


def test_a_slowed_lane_is_slow_in_every_process_and_everybody_else_is_not(database: Database) -> None:
    one, other = Lanes(LimitStore(database)), Lanes(LimitStore(database))
    assert other.meter("gmail", NOW) is FREE
    one.answered("gmail", Outcome(Verdict.POSTPONED, code=421, text="4.7.0 slow down"), NOW)
    one.answered("", Outcome(Verdict.POSTPONED, code=421, text="4.7.0 slow down"), NOW)
    for process in (one, other):
        assert process.meter("gmail", NOW + 2) is not FREE
        assert process.meter("yahoo", NOW + 2) is FREE
        assert process.meter("", NOW + 2) is FREE
    assert len({row.owner for row in LimitStore(database).working(NOW + 2)}) == 2


@pytest.mark.usefixtures("offers")
def test_a_lane_that_answers_421_slows_alone(database: Database) -> None:
    names = [f"reader{n}@example.org" for n in range(60)] + [f"g{n}@gmail.com" for n in range(5)]
    SubscriberStore(database, "papers").follow_file([Subscriber(address=name) for name in names])
    IssueStore(database, "papers").freeze(ISSUE, ISSUE.digest.entries, NOON)
    ledger, pace = Ledger(database, "papers"), Pace(lanes=Lanes(LimitStore(database), "papers"))
    ledger.freeze(ISSUE.key, Cadence.DAILY, datetime.now(UTC), lanes=pace.lane_of)
    assert ledger.lanes(ISSUE.key) == ["", "gmail"]
    complaints = iter(["421 4.7.0 too fast"])
    with faulty_server({}) as server:
        server.to_each = lambda reader: next(complaints, None) if reader.endswith("gmail.com") else None
        relay = Relay(host="127.0.0.1", port=server.port, security="none", timeout=5)
        Sender(
            ledger=ledger,
            routes=[Route(transport=SmtpTransport(relay, connections=2))],
            pace=pace,
            compose=compose,
            choose=lambda _reader: picks(1),
            doubt=DoubtPolicy(),
            clock=lambda: datetime.now(UTC),
            progress=lambda _delivery: None,
        ).run(ISSUE.key, claimant())
        assert server.recipients[-1].endswith("gmail.com"), "the slow one is last"
    counts = ledger.tally(ISSUE.key).counts
    assert (counts[State.SENT], counts[State.DEFERRED]) == (64, 1)
    assert list(LimitStore(database).slowed()) == ["gmail"]
