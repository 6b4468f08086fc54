"""Every recorded list day, its week and its month, from the file to the mail."""

import json
import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from lxml import html as parser

from newsletter import copies, pipeline
from newsletter.models import Cadence, Issue, Preferences, Skipped
from newsletter.parts import Parts
from newsletter.periods import daily, period_of
from newsletter.rank.interests import choose
from newsletter.render import words
from newsletter.render.compiled import HTML_BUDGET, Page
from newsletter.render.lint import Finding, check, failed
from newsletter.render.teaser import content_words
from newsletter.render.words import preheader_of, subject_of, title_of
from newsletter.settings import Settings
from newsletter.wiring import build
from tests.flows.command import newsletter
from tests.flows.recorded import days
from tests.make import a_reader

DAWN = date(2025, 1, 1)
TABLE = Path(__file__).parent.parent.parent / "docs/subjects.md"
HEAD = """# Subjects and preheaders

What an inbox shows of each recorded list day. A test writes this table anew and compares
(`NEWSLETTER_TEST_WRITE=1 make test` keeps what it wrote).

| day | subject | preheader |
| --- | --- | --- |
"""


def page(parts: Parts, issue: Issue) -> Page:
    return copies.compile_issue(parts, issue).page(choose(issue, Preferences()))


def faults(parts: Parts, issue: Issue) -> tuple[Finding, ...]:
    return failed(check(copies.copy_for(parts, issue, a_reader()).content))


def entries(issue: Issue) -> Iterator[str]:
    return (title_of(entry) for entry in issue.digest.entries)


def test_every_recorded_day_reads_and_renders(parts: Parts, issues: dict[date, Issue]) -> None:
    assert len(issues) == 46
    for issue in issues.values():
        made = page(parts, issue)
        assert len(made.html.encode()) <= HTML_BUDGET
        said = " ".join(made.text.split())
        assert all(title in said for title in entries(issue))
        assert faults(parts, issue) == ()


def test_every_recorded_day_is_read_in_a_minute(parts: Parts, issues: dict[date, Issue]) -> None:
    for issue in issues.values():
        tree = parser.fromstring(page(parts, issue).html)
        body = tree.find("body")
        assert body is not None
        hidden = [node for node in body.iter("div") if "display:none" in node.get("style", "")]
        for node in hidden:
            node.clear()
        told = " ".join(map(str, body.itertext())).split("Also listed")[0]
        assert len(re.findall(r"\w[\w’'.-]*", told)) <= 350, issue.key


@pytest.mark.parametrize("cadence", [Cadence.WEEKLY, Cadence.MONTHLY])
def test_every_recorded_week_and_month_renders(parts: Parts, cadence: Cadence) -> None:
    periods = sorted({period_of(cadence, day) for day in days(parts)}, key=lambda period: period.start)
    subjects = set()
    for period in periods:
        issue = pipeline.prepare(parts, period, remember=False)
        assert isinstance(issue, Issue)
        assert faults(parts, issue) == ()
        subjects.add(page(parts, issue).subject)
    assert len(subjects) == len(periods) > 10


def test_the_table_of_subjects_and_preheaders_is_up_to_date(issues: dict[date, Issue]) -> None:
    rows = []
    for day, issue in issues.items():
        told = issue.digest.entries[: issue.size]
        cells = [str(day), subject_of(issue, told), preheader_of(issue, told)]
        rows.append(f"| {' | '.join(cell.replace('|', '&#124;') for cell in cells)} |\n")
    written = HEAD + "".join(rows)
    if os.environ.get("NEWSLETTER_TEST_WRITE"):
        TABLE.write_text(written)
    assert TABLE.read_text() == written


def test_each_inbox_line_is_its_own_whole_and_leads_with_the_paper(issues: dict[date, Issue]) -> None:
    lines = {}
    for day, issue in issues.items():
        told = issue.digest.entries[: issue.size]
        subject, preheader, lead = subject_of(issue, told), preheader_of(issue, told), title_of(told[0])
        lines[day] = subject
        shown = subject.rpartition(" · ")[0].removesuffix("…")
        assert lead.startswith(shown)
        assert lead == shown or not lead[len(shown)].isalnum()  # cut after a word
        assert len(shown) <= 60
        assert len(lead.split()[0]) <= 35
        assert 40 <= len(preheader) <= 110
        assert not content_words(preheader) & content_words(subject)
    assert len(set(lines.values())) == 46


def test_the_recorded_api_error_ends_with_its_own_code_and_without_mail(shared: Path, tmp_path: Path) -> None:
    source = f"file:{shared / 'hf_malformed/api_error_object.json'}"
    ran = newsletter(tmp_path, "send", NEWSLETTER_SOURCES=source)
    assert ran.code == 3
    assert ran.fault.startswith(f"newsletter: source {source}: ")
    assert not (tmp_path / "var/outbox").exists()


@pytest.mark.parametrize(("since", "least"), [(date(2026, 8, 12), 60), pytest.param(DAWN, 400, marks=pytest.mark.slow)])
def test_no_paper_is_told_twice_over_the_recorded_days(shared: Path, tmp_path: Path, since: date, least: int) -> None:
    settings = Settings(sources=[f"file:{shared / 'hf_daily_papers'}"])
    (tmp_path / "subscribers.yaml").write_text("subscribers: [ada@example.org]\n")
    parts = build(settings, tmp_path)
    pipeline.follow_roster(parts)
    told: dict[str, str] = {}
    named: dict[str, str] = {}
    again = {}
    for day in (day for day in days(parts) if day >= since):
        issue = pipeline.prepare(parts, daily(day))
        assert isinstance(issue, Issue)
        assert pipeline.deliver(parts, issue).finished
        for entry in issue.digest.entries:
            key = entry.paper.key
            assert key not in told, (key, told.get(key), issue.key)
            if key in named:
                again[key] = (named[key], issue.key, entry.rank)
            (told if entry.rank <= issue.size else named)[key] = issue.key
    assert len(told) > least
    # Told when they were listed again, since the issue before only named them.
    assert again == {
        "arxiv:2608.12313": ("daily/2026-08-13", "daily/2026-08-19", 5),
        "arxiv:2608.13558": ("daily/2026-08-14", "daily/2026-08-20", 5),
    }


def test_odd_days_look_right(parts: Parts, issues: dict[date, Issue]) -> None:
    christmas, thin, capped = (issues[date(*day)] for day in ((2025, 12, 25), (2026, 1, 2), (2025, 9, 30)))
    assert len(christmas.digest.entries) == 13
    assert words.voice_of(thin) == "A quiet day: three papers made the list. Enjoy the time."
    assert len(capped.digest.entries) == 50
    assert "10 of 50 papers" in page(parts, capped).text
    saturday = pipeline.prepare(parts, daily(date(2025, 12, 27)), remember=False)
    assert saturday == Skipped("daily/2025-12-27", "no papers are listed on a weekend")
    month = pipeline.prepare(parts, period_of(Cadence.MONTHLY, date(2025, 12, 25)), remember=False)
    assert isinstance(month, Issue)
    assert len(month.digest.entries) > 200
    assert page(parts, month).subject.startswith("December: ")


def test_the_pasted_page_makes_an_issue_that_says_what_it_does_not_know(shared: Path, tmp_path: Path) -> None:
    settings = {"NEWSLETTER_SOURCES": f"page:{shared / 'seed/daily-papers-2025-12-25.txt'}"}
    assert newsletter(tmp_path, "build", "--date", "2025-12-25", **settings).code == 0
    issue = json.loads((tmp_path / "build/issue.json").read_text())
    assert len(issue["entries"]) == 50
    assert all(entry["reason"].startswith("votes unknown") for entry in issue["entries"])
    comments = [entry["paper"]["comment_count"] or 0 for entry in issue["entries"]]
    assert comments == sorted(comments, reverse=True)
    mail = (tmp_path / "build/issue.html").read_text()
    assert not re.search(r"\d votes?\b", mail)
    # One abstract holds an address on a mirror of Hugging Face, which nobody should be led to.
    assert "stormocean" not in " ".join(re.findall(r'href="([^"]*)"', mail))
