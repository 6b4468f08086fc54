"""How long an issue takes to compile, and a copy to splice, beside what MJML and the plain pipeline take.

All are measured in turn within each round of one process, so that a busy machine slows them alike: read the ratios.
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from newsletter.fetch.files import FileSource
from newsletter.links import Links
from newsletter.models import Cadence, Issue, Period, Preferences, Subscriber
from newsletter.periods import monthly
from newsletter.rank.digest import build_digest
from newsletter.rank.interests import choose
from newsletter.rank.votes import VOTES
from newsletter.render.compiled import CompiledIssue
from newsletter.render.message import Letterhead
from newsletter.render.plain import plain_message_for
from newsletter.render.templates import Templates
from newsletter.settings import bundled

PAPERS = 30
COPIES = 500  # spliced in a round, each for another reader
DAY = datetime(2025, 12, 26, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class RenderFigures:
    """Medians over the rounds, in milliseconds; the ratios are medians of each round's own ratio."""

    rounds: int
    papers: int
    message_bytes: int
    mjml_ms: float
    compile_ms: float
    plain_ms: float
    splice_ms: float
    compile_vs_mjml: float
    splice_vs_plain: float


def measure(rounds: int) -> RenderFigures:
    """Measure an issue of thirty papers of the sample, with the shipped templates.

    Args:
        rounds: how often everything is done; each takes about 0.1 s.
    """
    issue, templates = sample_issue(), Templates([bundled("templates")])
    letterhead = Letterhead("Papers", "papers@example.org", None, "Trending Papers", "papers.example.org")
    links = Links("papers", "bench", "example.org", "papers@example.org", "https://news.example.org")
    readers = [Subscriber(address=f"reader{n}@example.org", name=f"Reader {n}", id=n) for n in range(1, COPIES + 1)]
    choice = choose(issue, Preferences())

    def compiled() -> CompiledIssue:
        made = CompiledIssue(issue, templates, letterhead, links)
        made.copy(choice)
        return made

    made, source = compiled(), _source(issue, templates)
    times: dict[str, list[float]] = {"mjml": [], "compile": [], "plain": [], "splice": []}
    for _ in range(rounds):
        times["mjml"].append(_timed(lambda: _to_mjml(source)))
        times["compile"].append(_timed(compiled))
        times["plain"].append(_timed(lambda: plain_message_for(made, templates, readers[0], choice, date=DAY)))
        # One at a time, as a sender does: five hundred kept at once would measure the memory they need.
        spliced = _timed(lambda: sum(len(made.message_for(reader, choice, date=DAY).content) for reader in readers))
        times["splice"].append(spliced / COPIES)
    return _figures(times, len(made.message_for(readers[0], choice, date=DAY).content))


def _figures(times: dict[str, list[float]], size: int) -> RenderFigures:
    def ratio(over: str, under: str) -> float:
        return statistics.median(a / b for a, b in zip(times[over], times[under], strict=True))

    median = {name: statistics.median(values) * 1000 for name, values in times.items()}
    return RenderFigures(
        rounds=len(times["plain"]),
        papers=PAPERS,
        message_bytes=size,
        mjml_ms=round(median["mjml"], 3),
        compile_ms=round(median["compile"], 3),
        plain_ms=round(median["plain"], 3),
        splice_ms=round(median["splice"], 5),
        compile_vs_mjml=round(ratio("compile", "mjml"), 1),
        splice_vs_plain=round(ratio("plain", "splice"), 1),
    )


def sample_issue() -> Issue:
    """Return an issue of thirty papers of the sample, ten of them told."""
    source, month = FileSource(bundled("seeds")), monthly(DAY.date())
    papers = list({paper.key: paper for paper in source.papers(month)}.values())[:PAPERS]
    day = Period(Cadence.DAILY, DAY.date(), DAY.date())
    return Issue(list_id="papers", title="Trending Papers", digest=build_digest(papers, day, VOTES), size=10)


def _source(issue: Issue, templates: Templates) -> str:
    """Return the MJML that compiling this issue hands to mjml-python."""
    sources: list[str] = []

    class Listening(Templates):
        def to_html(self, source: str, css: str) -> str:
            sources.append(source)
            return super().to_html(source, css)

    letterhead = Letterhead("Papers", "papers@example.org", None, "Trending Papers", "papers.example.org")
    CompiledIssue(issue, Listening(templates.folders), letterhead, Links("papers", "b", "example.org", "p@example.org"))
    return sources[0]


def _to_mjml(source: str) -> str:
    from mjml import mjml2html

    return str(mjml2html(source, fonts={}, disable_comments=False))


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start
