"""The smaller commands, each as a person runs it."""

import json
from pathlib import Path

import pytest

from newsletter.settings import bundled
from tests.flows.command import newsletter, outbox

FIELDS = [
    "title", "arxiv_id", "abstract", "summary", "authors", "author_count", "organization", "published_on", "listed_on",
    "upvotes", "comment_count", "keywords", "repository_url", "repository_stars", "project_url", "thumbnail_url",
    "source", "url",
]  # fmt: skip


def test_importing_a_pasted_page_prints_its_papers_as_json(tmp_path: Path) -> None:
    page = f"page:{bundled('seeds/daily-papers.txt')}"
    ran = newsletter(tmp_path, "papers", "import", page, "--as-of", "2025-12-25", "--dry-run", "--json")
    papers = json.loads(ran.out)
    assert (ran.code, ran.err) == (0, "")
    assert len(papers) >= 20
    assert all(list(paper) == FIELDS for paper in papers)
    assert {paper["upvotes"] for paper in papers} == {None}
    assert {paper["listed_on"] for paper in papers} == {"2025-12-25"}
    assert list(tmp_path.iterdir()) == []


def test_the_recorded_page_reads_whole_with_and_without_its_year(shared: Path, tmp_path: Path) -> None:
    page = f"page:{shared / 'seed/daily-papers-2025-12-25.txt'}"
    told = newsletter(tmp_path, "papers", "import", page, "--as-of", "2025-12-25", "--dry-run", "--json")
    guessed = newsletter(tmp_path, "papers", "import", page, "--dry-run", "--json")
    papers = json.loads(told.out)
    assert guessed.out == told.out
    assert (told.err, len(guessed.err.splitlines())) == ("", 1)
    assert "--as-of" in guessed.fault
    assert len(papers) == 50
    assert sum(paper["author_count"] is not None for paper in papers) == 46
    only_organization = [paper for paper in papers if paper["author_count"] is None and paper["organization"]]
    assert [paper["organization"] for paper in only_organization] == ["Stanford NLP"]
    assert sum(paper["author_count"] is None and paper["organization"] is None for paper in papers) == 3
    dates = [paper["published_on"] for paper in papers if paper["published_on"]]
    assert (len(dates), sum(day.startswith("2025-") for day in dates)) == (47, 16)
    comments = [paper["comment_count"] for paper in papers if paper["comment_count"] is not None]
    assert (len(comments), sum(comments)) == (14, 28)
    assert {paper["upvotes"] for paper in papers} == {None}


def test_imported_papers_are_remembered_and_listed_in_order(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "papers", "import", f"file:{bundled('seeds')}")
    assert ran.out.endswith("31 papers of 3 list days read, 2025-12-24 to 2025-12-26.\n")
    listed = json.loads(newsletter(tmp_path, "papers", "list", "--date", "2025-12-25", "--json").out)
    assert [paper["rank"] for paper in listed] == list(range(1, 14))
    votes = [paper["upvotes"] for paper in listed]
    assert votes == sorted(votes, reverse=True)
    newest = newsletter(tmp_path, "papers", "list")
    assert "Latent Implicit Visual" in newest.out
    assert "No papers of 2020-01-01" in newsletter(tmp_path, "papers", "list", "--date", "2020-01-01").out


def test_a_pasted_page_is_an_issue_without_votes(tmp_path: Path) -> None:
    page = f"page:{bundled('seeds/daily-papers.txt')}"
    ran = newsletter(tmp_path, "build", NEWSLETTER_SOURCES=page)
    assert ran.code == 0
    text = (tmp_path / "build/issue.txt").read_text()
    assert " votes" not in text
    assert "None" not in text


def test_imported_readers_take_the_place_of_the_example(tmp_path: Path) -> None:
    (tmp_path / "readers.csv").write_text("email,name\nada@example.org,Ada\nalan@example.org,Alan\n")
    tried = newsletter(tmp_path, "subscribers", "import", "readers.csv", "--dry-run").out
    assert tried == "+ ada@example.org\n+ alan@example.org\nA dry run of 2: 2 new; nothing was written.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["readers.csv"]
    assert "2 new, 0 on" in newsletter(tmp_path, "subscribers", "import", "readers.csv").out
    assert "0 new, 2 on" in newsletter(tmp_path, "subscribers", "import", "readers.csv").out
    assert newsletter(tmp_path, "send").code == 0
    assert len(outbox(tmp_path)) == 2


def test_the_list_of_subscribers_is_file_and_imports(tmp_path: Path) -> None:
    (tmp_path / "subscribers.yaml").write_text(
        "subscribers:\n  - ada@example.org\n  - {address: al@example.org, active: no}\n"
    )
    (tmp_path / "more.csv").write_text("address\nADA@example.org\ngrace@example.org\n")
    newsletter(tmp_path, "subscribers", "import", "more.csv")
    listed = json.loads(newsletter(tmp_path, "subscribers", "list", "--json").out)
    assert [(one["address"], one["active"]) for one in listed] == [
        ("ada@example.org", True),
        ("al@example.org", False),
        ("grace@example.org", True),
    ]


def test_a_reader_taken_out_of_the_file_gets_no_more_mail(tmp_path: Path) -> None:
    (tmp_path / "subscribers.yaml").write_text("subscribers: [ada@example.org, alan@example.org]\n")
    newsletter(tmp_path, "send", "--date", "2025-12-24")
    (tmp_path / "subscribers.yaml").write_text("subscribers: [ada@example.org]\n")
    newsletter(tmp_path, "send", "--date", "2025-12-25")
    recipients = [str(message["To"]) for message in outbox(tmp_path)]
    assert (recipients.count("ada@example.org"), recipients.count("alan@example.org")) == (2, 1)


@pytest.mark.parametrize("command", ["build", "send", "status", "papers import", "papers list", "subscribers list"])
def test_every_command_explains_itself(tmp_path: Path, command: str) -> None:
    ran = newsletter(tmp_path, *command.split(), "--help")
    assert ran.code == 0
    assert f"Example: newsletter {command}" in ran.out


def test_output_that_nobody_reads_any_more_is_no_fault(tmp_path: Path) -> None:
    import subprocess
    import sys

    newsletter(tmp_path, "papers", "import", f"file:{bundled('seeds')}")
    shell = f"{sys.executable} -m newsletter papers list --json | head -1"
    ran = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.stdout, ran.stderr) == ("[\n", "")


def test_an_address_that_stands_twice_is_told_where_the_list_is_shown(tmp_path: Path) -> None:
    (tmp_path / "subscribers.yaml").write_text("subscribers:\n- ada@example.org\n- address: Ada@example.org\n")
    ran = newsletter(tmp_path, "subscribers", "list")
    assert "subscribers.yaml:3: Ada@example.org is already on line 2" in ran.fault


def test_a_page_that_would_be_of_a_day_to_come_is_warned_of(tmp_path: Path) -> None:
    page = f"page:{bundled('seeds/daily-papers.txt')}"
    ran = newsletter(tmp_path, "papers", "import", page, "--as-of", "2999-12-31", "--dry-run")
    assert ran.out.endswith("would be read, 2999-12-25.\n")
    assert "2999-12-25 is still to come" in ran.fault


def test_templates_are_checked_with_the_sample_where_no_source_can_be_read(tmp_path: Path) -> None:
    ran = newsletter(tmp_path, "lint", NEWSLETTER_SOURCES="file:nowhere.json")
    assert ran.code == 0
    assert "the templates are checked with the sample's papers" in ran.fault
    assert "0 failed" in ran.out
