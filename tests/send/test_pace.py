"""True rates: each message its own moment, shared by all who send, remembered over restarts."""

from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.send.pace import Meter, Rate
from newsletter.settings.sending import RateSettings
from newsletter.store import meta
from newsletter.store.engine import Database
from newsletter.store.limits import LimitStore

NOW = 1_766_664_000.0


class Bucket:
    """A bucket in memory, by the rule of `LimitStore`."""

    def __init__(self) -> None:
        self.free_at = 0.0

    def reserve(self, _name: str, span: float, now: float) -> float:
        start = max(self.free_at, now)
        self.free_at = start + span
        return start


def moments(meter: Meter, number: int, now: float, busy: float = 0) -> list[float]:
    """Return when so many messages go, each as soon as it may; each keeps its connection busy for so long."""
    gone = []
    for _ in range(number):
        now += max(0, meter.wait(now))
        meter.take()
        gone.append(now)
        now += busy
    return gone


@given(st.floats(0.01, 5000), st.integers(2, 200), st.floats(0, 0.5))
def test_no_two_messages_are_closer_than_the_rate_allows(per_second: float, number: int, busy: float) -> None:
    meter = Meter("all", Rate(per_second), Bucket().reserve)
    gone = moments(meter, number, NOW, busy)
    # Those late for their moment may follow one another, but never more than a reserved stretch of them.
    assert gone[-1] - gone[0] >= (number - 1 - Rate(per_second).group) / per_second - 1e-3


@given(st.floats(0.5, 500), st.integers(2, 100))
def test_waiting_alone_keeps_the_rate_exactly(per_second: float, number: int) -> None:
    gone = moments(Meter("all", Rate(per_second), Bucket().reserve), number, NOW)
    assert all(abs(later - earlier - 1 / per_second) < 1e-3 for earlier, later in pairwise(gone))


def test_two_senders_of_one_bucket_share_the_rate() -> None:
    bucket = Bucket()
    both = [moments(Meter("all", Rate(20), bucket.reserve), 10, NOW) for _ in range(2)]
    together = sorted(both[0] + both[1])
    assert together[-1] - together[0] == pytest.approx(19 / 20, abs=1e-6)


def test_after_a_rest_there_is_no_burst() -> None:
    meter = Meter("all", Rate(1), Bucket().reserve)
    first, later = moments(meter, 3, NOW), moments(meter, 3, NOW + 3600)
    assert [moment - first[0] for moment in first] == [0, 1, 2]
    assert [moment - later[0] for moment in later] == [0, 1, 2]


def test_the_slowest_of_several_limits_counts() -> None:
    assert Rate.of(RateSettings(per_second=10, per_minute=60, per_hour=7200)) == Rate(1)
    assert Rate.of(RateSettings()) is None


def test_a_bucket_is_remembered_by_whoever_opens_the_database_next(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/db"
    database = Database(url)
    meta.prepare_schema(database)
    assert LimitStore(database).reserve("all", 10, NOW) == NOW
    again = LimitStore(Database(url))
    assert again.reserve("all", 10, NOW) == NOW + 10
    assert again.reserve("other", 10, NOW) == NOW
    assert again.reserve("all", 1, NOW + 500) == NOW + 500
