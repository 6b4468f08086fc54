"""`newsletter bench ranking`: the figures it prints are those of its files."""

import json
from pathlib import Path

import pytest

from newsletter.bench.ranking import FITTED_UNTIL, fit_curve, measure
from newsletter.bench.readings import SHIPPED, read_records
from newsletter.rank.evaluate import mean, precision_at
from newsletter.rank.settled import CURVE
from newsletter.wiring import RANKINGS
from tests.flows.command import Ran, newsletter

VOTES = "arxiv_id,list_date,seen_at,upvotes_seen,comments_seen,stars_seen,next_seen_at,upvotes_next,upvotes_late_ge5d\n"
SNAPSHOTS = "arxiv_id,list_date,seen_at,upvotes\n"


def run(folder: Path, *arguments: str) -> Ran:
    return newsletter(folder, "bench", "ranking", *arguments)


def test_a_hit_reaches_the_votes_of_the_last_of_the_best() -> None:
    assert precision_at(2, [9, 1, 5, 3]) == 0.5
    assert precision_at(2, [5, 9, 5]) == 1.0  # level with the second best
    with pytest.raises(ValueError, match="2 papers have no 3 best"):
        precision_at(3, [1, 2])


def test_a_mean_tells_its_interval_and_nothing_is_not_a_number() -> None:
    assert mean([0.5, 1.0]) == pytest.approx((0.75, 1.96 * 0.25, 2), abs=1e-3)
    assert mean([]).value is None


def test_the_default_within_a_day_names_85_of_100_of_the_next_days_top_five() -> None:
    figures = measure(read_records(), RANKINGS)
    assert (figures["votes"].daily.value or 0) >= 0.85
    assert figures["votes"].daily.number == 116


def test_settled_is_not_below_raw_votes_on_weeks_it_was_not_fitted_on() -> None:
    figures = measure(read_records(), RANKINGS)["settled"]
    assert figures.unfitted.number == 18
    assert figures.gain.value is not None
    assert figures.gain.value >= 0


def test_the_curve_in_the_code_is_the_one_that_the_figures_give() -> None:
    fitted = fit_curve(read_records(), FITTED_UNTIL)
    assert CURVE[:-1] == fitted
    assert CURVE[-1] == (240.0, 1.0)


def test_the_shipped_figures_are_the_recorded_ones(shared: Path) -> None:
    for ours, recorded in (("votes.csv", "votes_2025.csv"), ("snapshots.csv", "snapshots_2025.csv")):
        assert (SHIPPED / ours).read_bytes() == (shared / "ranking" / recorded).read_bytes()


def test_other_files_of_the_same_columns_are_measured(tmp_path: Path) -> None:
    votes, snapshots = tmp_path / "votes.csv", tmp_path / "snapshots.csv"
    rows = [f"2601.{n:05},2026-01-05,2026-01-05T08:00:00Z,{n},,,2026-01-06T00:00:00Z,{n},{20 - n}" for n in range(15)]
    votes.write_text(VOTES + "\n".join(rows))
    # On Friday they stand as they will in the end; a reading after that evening is not looked at.
    friday = [f"2601.{n:05},2026-01-05,2026-01-09T10:00:00Z,{20 - n}" for n in range(15)]
    late = [f"2601.{n:05},2026-01-05,2026-01-09T20:00:00Z,{n}" for n in range(15)]
    snapshots.write_text(SNAPSHOTS + "\n".join(friday + late))
    result = run(tmp_path, "--votes", str(votes), "--snapshots", str(snapshots), "--json")
    figures = json.loads(result.out)
    assert (figures["daily"]["votes"], figures["weekly"]["votes"]) == (1.0, 1.0)
    assert set(figures["daily"]) == set(figures["weekly"]) == {*RANKINGS, "hacker_news"}


def test_too_few_papers_give_no_figure_instead_of_a_wrong_one(tmp_path: Path) -> None:
    votes = tmp_path / "votes.csv"
    votes.write_text(VOTES + "2601.00001,2026-01-05,2026-01-05T08:00:00Z,1,,,,,")
    assert json.loads(run(tmp_path, "--votes", str(votes), "--json").out)["daily"]["votes"] is None
    assert run(tmp_path, "--votes", str(votes)).code == 0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"\xff\xfe", "cannot be read"),
        (b"a,b\n1,2\n", "line 2: arxiv_id: Field required"),
        ((VOTES + "2601.00001,2026-01-05,soon,1,,,,,\n").encode(), "line 2: seen_at: "),
        ((VOTES + "2601.00001,2026-01-05,2026-01-05T08:00:00Z,-1,,,,,\n").encode(), "line 2: upvotes_seen: "),
    ],
)
def test_a_file_that_is_none_is_one_line_with_its_place(tmp_path: Path, content: bytes | None, said: str) -> None:
    path = tmp_path / "votes.csv"
    if content is not None:
        path.write_bytes(content)
    result = run(tmp_path, "--votes", str(path))
    assert result.code == 2
    assert said in result.fault
