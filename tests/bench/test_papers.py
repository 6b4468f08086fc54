"""`newsletter bench papers` measures what it says it does."""

import json
from pathlib import Path

from tests.flows.command import newsletter


def test_a_day_and_a_year_are_measured(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "bench", "papers", "--rounds", "3", "--json")
    figures = json.loads(ran.out)
    assert (figures["day_papers"], figures["year_papers"]) == (50, 5200)
    assert figures["day_ms"] > 0
    assert figures["year_seconds"] > 0
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_lists_is_one_line(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "bench", "papers", "--folder", ".")
    assert ran.code == 3
    assert "YYYY-MM-DD" in ran.fault
