"""The ways of sending, and the recorded days made into issues once, for the tests that look at all of them."""

from datetime import date
from pathlib import Path

import pytest

from newsletter import pipeline
from newsletter.models import Issue
from newsletter.parts import Parts
from newsletter.periods import daily
from newsletter.settings import Settings
from newsletter.wiring import build
from tests.flows.recorded import days
from tests.flows.ways import Way


@pytest.fixture(scope="module")
def parts(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Parts:
    settings = Settings(sources=[f"file:{shared / 'hf_daily_papers'}"], database_url="sqlite://")
    return build(settings, tmp_path_factory.mktemp("recorded"))


@pytest.fixture(scope="module")
def issues(parts: Parts) -> dict[date, Issue]:
    made = {day: pipeline.prepare(parts, daily(day), remember=False) for day in days(parts)}
    return {day: issue for day, issue in made.items() if isinstance(issue, Issue)}


@pytest.fixture(params=["sqlite", "postgresql", "workers"])
def way(request: pytest.FixtureRequest) -> Way:
    """Return each way in which an issue goes out."""
    if request.param == "sqlite":
        return Way()
    settings = {"NEWSLETTER_DATABASE_URL": request.getfixturevalue("postgresql").new_url()}
    return Way(settings | ({"NEWSLETTER_WORKERS": "true"} if request.param == "workers" else {}))
