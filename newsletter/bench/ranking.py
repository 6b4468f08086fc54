"""How well each ranking agrees with the votes that papers got later, on recorded days and weeks.

Within a day: the list as it was first read, judged by the votes of the next day's first reading. Across a week: its
papers as they were last read before Friday, 20:00 UTC, judged by their votes five or more days after their day. The
truth is votes again, and holds the early ones: this measures agreement with the community, not the worth of papers.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from newsletter.bench.readings import Recorded
from newsletter.models import Paper, Period
from newsletter.periods import daily, weekly
from newsletter.rank.base import Merit, MeritRanking, Ranking, age_in_hours
from newsletter.rank.evaluate import Mean, mean, precision_at
from newsletter.rank.settled import CURVE

FITTED_UNTIL = date(2025, 8, 31)  # list days up to here made the curve of `settled`; the weeks after them test it
LEAST_OF_A_DAY, TOP_OF_A_DAY = 12, 5  # papers
LEAST_OF_A_WEEK, TOP_OF_A_WEEK = 15, 10  # papers
FRIDAY_EVENING = timedelta(days=4, hours=20)
BIN_EDGES = (4, 14, 20, 36, 60, 84, 108, 132, 156, 180, 204)  # hours; readings were once a day, soon after midnight

Scores = dict[date, float]  # precision by day, or by a week's Monday


@dataclass(frozen=True, slots=True)
class RankingFigures:
    """Precision of one ranking; `unfitted` holds the weeks after the curve was fitted, `gain` these less `votes`."""

    daily: Mean
    weekly: Mean
    unfitted: Mean
    gain: Mean


def measure(records: Sequence[Recorded], rankings: Mapping[str, Ranking]) -> dict[str, RankingFigures]:
    """Return the figures of each ranking by its name, and those of Hacker News' formula.

    Args:
        records: recorded papers.
        rankings: by name; `votes` is what the others are compared with.
    """
    days, weeks = _days(records), _weeks(records)
    scores = {
        name: (_scores(ranking, days, daily, TOP_OF_A_DAY), _scores(ranking, weeks, weekly, TOP_OF_A_WEEK))
        for name, ranking in {**rankings, "hacker_news": HACKER_NEWS}.items()
    }
    plain = scores["votes"][1]
    return {name: _figures(by_day, by_week, plain) for name, (by_day, by_week) in scores.items()}


def fit_curve(records: Iterable[Recorded], until: date = FITTED_UNTIL) -> tuple[tuple[float, float], ...]:
    """Return mean age in hours and share of the late votes for each bin of ages, from list days up to `until`."""
    bins: dict[int, list[tuple[float, int, int]]] = defaultdict(list)
    for record in records:
        day = record.paper.listed_on
        if not record.late_votes or not day or day > until:
            continue
        for seen in record.paper.observations:
            age = (seen.seen_at - datetime.combine(day, time(), UTC)) / timedelta(hours=1)
            number = sum(age >= edge for edge in BIN_EDGES)
            if 0 < number < len(BIN_EDGES):
                bins[number].append((age, seen.upvotes or 0, record.late_votes))
    return tuple((round(_mean_age(bins[number]), 1), round(_share(bins[number]), 3)) for number in sorted(bins))


def hacker_news(paper: Paper) -> Merit:
    """Return Hacker News' gravity of a paper, a baseline.

    Formula: (votes - 1) ** 0.8 / (age in hours + 2) ** 1.8.
    """
    age = age_in_hours(paper)
    if paper.upvotes is None or age is None:
        return None
    return (max(paper.upvotes - 1, 0) ** 0.8 / (age + 2) ** 1.8,)


HACKER_NEWS = MeritRanking(hacker_news, lambda _paper: "by gravity")

# The papers of a day or week as they stood then, each with the votes that decide.
Slots = Mapping[date, Sequence[tuple[Paper, int]]]


def _days(records: Iterable[Recorded]) -> Slots:
    slots: dict[date, list[tuple[Paper, int]]] = defaultdict(list)
    for record in records:
        if record.next_votes is not None and record.paper.listed_on:
            slots[record.paper.listed_on].append((record.first_seen(), record.next_votes))
    return {day: slots[day] for day in sorted(slots) if len(slots[day]) >= LEAST_OF_A_DAY}


def _weeks(records: Iterable[Recorded]) -> Slots:
    slots: dict[date, dict[str, tuple[Paper, int]]] = defaultdict(dict)
    for record in records:
        if record.late_votes is None or not record.paper.listed_on:
            continue
        monday = weekly(record.paper.listed_on).start
        seen = record.seen(datetime.combine(monday, time(), UTC) + FRIDAY_EVENING)
        if seen:
            slots[monday].setdefault(seen.key, (seen, record.late_votes))  # listed twice in a week: once
    return {day: [*slots[day].values()] for day in sorted(slots) if len(slots[day]) >= LEAST_OF_A_WEEK}


def _scores(ranking: Ranking, slots: Slots, period: Callable[[date], Period], top: int) -> Scores:
    scores = {}
    for day, judged in slots.items():
        truths = {paper.key: truth for paper, truth in judged}
        entries = ranking.rank([paper for paper, _truth in judged], period(day))
        scores[day] = precision_at(top, [truths[entry.paper.key] for entry in entries])
    return scores


def _figures(by_day: Scores, by_week: Scores, plain: Scores) -> RankingFigures:
    later = [monday for monday in by_week if monday > FITTED_UNTIL]
    return RankingFigures(
        daily=mean([*by_day.values()]),
        weekly=mean([*by_week.values()]),
        unfitted=mean([by_week[monday] for monday in later]),
        gain=mean([by_week[monday] - plain[monday] for monday in later]),
    )


def _mean_age(readings: Sequence[tuple[float, int, int]]) -> float:
    return sum(age for age, _now, _late in readings) / len(readings)


def _share(readings: Sequence[tuple[float, int, int]]) -> float:
    return sum(now for _age, now, _late in readings) / sum(late for _age, _now, late in readings)


def drawn_curve(width: int = 40) -> list[str]:
    """Return the curve of `settled` as lines of text: age, share, and a bar."""
    return [f"{age / 24:4.1f} days  {share:4.0%}  {'█' * round(share * width)}" for age, share in CURVE]
