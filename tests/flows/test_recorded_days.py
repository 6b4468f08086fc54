"""Every recorded list day, its week and its month, from the file to the mail."""

import os
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from lxml import html as parser

from newsletter import pipeline
from newsletter.models import Cadence, Issue, Preferences
from newsletter.parts import Parts
from newsletter.periods import period_of
from newsletter.rank.interests import choose
from newsletter.render.compiled import HTML_BUDGET, Page
from newsletter.render.lint import Finding, check, failed
from newsletter.render.teaser import content_words
from newsletter.render.words import preheader_of, subject_of, title_of
from tests.flows.command import newsletter
from tests.flows.recorded import days
from tests.make import a_reader

TABLE = Path(__file__).parent.parent.parent / "docs/subjects.md"
HEAD = """# Subjects and preheaders

What an inbox shows of each recorded list day. A test writes this table anew and compares
(`NEWSLETTER_TEST_WRITE=1 make test` keeps what it wrote).

| day | subject | preheader |
| --- | --- | --- |
"""


def page(parts: Parts, issue: Issue) -> Page:
    return pipeline.compile_issue(parts, issue).page(choose(issue, Preferences()))


def faults(parts: Parts, issue: Issue) -> tuple[Finding, ...]:
    return failed(check(pipeline.copy_for(parts, issue, a_reader()).content))


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
