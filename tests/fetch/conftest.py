"""Who asks, how politely, and by which clock."""

from collections.abc import Iterator

import httpx
import pytest

from newsletter.fetch.http import Manners, build_client
from tests.fetch.loopback import Clock


@pytest.fixture(scope="module")
def client() -> Iterator[httpx.Client]:
    with build_client() as client:
        yield client


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def manners(clock: Clock) -> Manners:
    """Return manners that may ask this machine and wait in no time."""
    return Manners(private=True, sleep=clock.sleep, clock=clock)
