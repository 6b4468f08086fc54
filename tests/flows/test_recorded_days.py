"""Every recorded list day, from the file to the mail."""

from pathlib import Path

import pytest

from newsletter import pipeline
from newsletter.models import Preferences
from newsletter.parts import Parts
from newsletter.periods import daily
from newsletter.rank.interests import choose
from newsletter.render.compiled import HTML_BUDGET
from newsletter.settings import Settings
from newsletter.wiring import build
from tests.flows.command import newsletter
from tests.make import a_reader


@pytest.fixture
def parts(shared: Path, tmp_path: Path) -> Parts:
    settings = Settings(sources=[f"file:{shared / 'hf_daily_papers'}"], database_url="sqlite://")
    return build(settings, tmp_path)


def test_every_recorded_day_reads_and_renders(parts: Parts) -> None:
    [source] = parts.sources
    listed = list(source.days(parts.clock().date()))
    subjects = set()
    for day in listed:
        issue = pipeline.prepare(parts, daily(day))
        assert issue
        message = pipeline.copy_for(parts, issue, a_reader())
        page = pipeline.compile_issue(parts, issue).page(choose(issue, Preferences()))
        assert len(page.html.encode()) <= HTML_BUDGET
        assert all(entry.paper.title.split()[0] in page.text for entry in issue.digest.entries)
        assert b"__" not in message.content.split(b"\r\n\r\n", 1)[0]
        subjects.add(page.subject)
    assert len(listed) == len(subjects) == 46


def test_the_recorded_api_error_ends_with_its_own_code_and_without_mail(shared: Path, tmp_path: Path) -> None:
    source = f"file:{shared / 'hf_malformed/api_error_object.json'}"
    ran = newsletter(tmp_path, "send", NEWSLETTER_SOURCES=source)
    assert ran.code == 3
    assert ran.fault.startswith(f"newsletter: source {source}: ")
    assert not (tmp_path / "var/outbox").exists()
