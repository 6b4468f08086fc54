"""What an editor does to the papers: pins one, drops one, looks at how votes moved."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from newsletter.models import Cadence
from newsletter.store import meta
from newsletter.store.engine import Database
from newsletter.store.papers import PaperStore
from tests.fetch.hf_server import Api, an_item, hf_api
from tests.fetch.loopback import Answer
from tests.flows.command import newsletter, outbox, readers
from tests.make import a_paper

FIRST, SECOND, THIRD = "2025-12-24", "2025-12-25", "2025-12-26"
LISTS = {"NEWSLETTER_SOURCES": "file:days"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with three list days, their papers read, and one reader."""
    readers(tmp_path, 1)
    (tmp_path / "days").mkdir()
    for number, day in enumerate((FIRST, SECOND, THIRD)):
        items = [an_item(10 * number + n, paper={"submittedOnDailyAt": f"{day}T00:20:00Z"}) for n in range(1, 6)]
        (tmp_path / f"days/{day}.json").write_text(json.dumps(items))
    assert newsletter(tmp_path, "papers", "import", "file:days").code == 0
    return tmp_path


def titles(folder: Path, day: str) -> list[str]:
    assert newsletter(folder, "build", "--date", day, **LISTS).code == 0
    return [entry["paper"]["title"] for entry in json.loads((folder / "build/issue.json").read_text())["entries"]]


def test_a_pinned_paper_leads_the_issue_with_the_editors_note(folder: Path) -> None:
    pinned = newsletter(folder, "papers", "pin", "2512.00013", "--note", "Read it for <the> appendix.")
    assert pinned.out == "Paper number 13: leads the next issue that can carry it.\n"
    assert newsletter(folder, "send", "--date", SECOND, **LISTS).code == 0
    [mail] = outbox(folder)
    assert mail["Subject"] == "Paper number 13 · 4 more"
    told = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "Editor’s pick:</span> Read it for &lt;the&gt; appendix." in told
    assert "Editor’s pick: Read it for <the> appendix." in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_a_pinned_paper_of_an_earlier_day_leads_the_next_issue_and_no_later_one(folder: Path) -> None:
    assert newsletter(folder, "papers", "pin", "https://arxiv.org/abs/2512.00003v2").code == 0
    assert titles(folder, SECOND)[0] == "Paper number 3"
    assert newsletter(folder, "send", "--date", SECOND, **LISTS).code == 0
    assert "Paper number 3" not in titles(folder, THIRD)
    again = newsletter(folder, "papers", "pin", "2512.00003")
    assert again.out.endswith("leads the next issue that can carry it; told before in daily/2025-12-25.\n")
    assert "Paper number 3" not in titles(folder, THIRD)
    assert newsletter(folder, "build", "--date", FIRST, "--period", "weekly", **LISTS).code == 0
    weekly = json.loads((folder / "build/issue.json").read_text())["entries"]
    assert weekly[0]["paper"]["title"] == "Paper number 3"


def test_a_dropped_paper_is_nowhere_until_it_is_taken_back(folder: Path) -> None:
    assert newsletter(folder, "papers", "drop", "paper number 11.", "--note", "Withdrawn.").code == 0
    assert titles(folder, SECOND)[0] == "Paper number 12"
    assert "Paper number 11" not in (folder / "build/issue.html").read_text()
    assert newsletter(folder, "papers", "drop", "2512.00011", "--undo").code == 0
    assert titles(folder, SECOND)[0] == "Paper number 11"
    nothing = newsletter(folder, "papers", "drop", "2512.00011", "--undo")
    assert (nothing.code, nothing.fault) == (
        2,
        "newsletter: 2512.00011: is neither pinned nor dropped; nothing to take back",
    )


def revoted(folder: Path, day: str, number: int, votes: int) -> None:
    """Let a paper of a list have other votes than when it was read first."""
    path = folder / f"days/{day}.json"
    items = json.loads(path.read_text())
    for item in items:
        if item["title"] == f"Paper number {number}":
            item["paper"]["upvotes"] = votes
    path.write_text(json.dumps(items))


def test_a_paper_that_goes_on_gaining_is_named_as_rising_unless_it_was_dropped(folder: Path) -> None:
    revoted(folder, FIRST, 2, 230)
    titles(folder, SECOND)
    rising = "Rising since"
    assert rising in (folder / "build/issue.txt").read_text()
    assert "Paper number 2 · +32 votes" in (folder / "build/issue.txt").read_text()
    assert newsletter(folder, "papers", "drop", "2512.00002").code == 0
    titles(folder, SECOND)
    assert rising not in (folder / "build/issue.txt").read_text()


def test_a_paper_that_bloomed_after_its_day_is_told_once(folder: Path) -> None:
    revoted(folder, FIRST, 4, 500)
    assert titles(folder, SECOND)[0] == "Paper number 4"
    assert "rose by 304 after its day" in " ".join((folder / "build/issue.txt").read_text().split())
    assert newsletter(folder, "send", "--date", SECOND, **LISTS).code == 0
    assert "Paper number 4" not in titles(folder, THIRD)


def test_a_paper_nobody_read_cannot_be_pinned(folder: Path) -> None:
    ran = newsletter(folder, "papers", "pin", "2512.99999")
    assert ran.code == 2
    assert "newsletter papers fetch" in ran.fault


def test_a_day_without_papers_is_recorded_with_its_reason(folder: Path) -> None:
    assert newsletter(folder, "send", "--date", SECOND, **LISTS).code == 0
    saturday = newsletter(folder, "send", "--date", "2025-12-27", **LISTS)
    assert (saturday.code, saturday.out) == (0, "No issue daily/2025-12-27: no papers are listed on a weekend.\n")
    newsletter(folder, "send", "--date", "2025-12-29", "--dry-run", **LISTS)  # a dry run writes nothing
    listed = json.loads(newsletter(folder, "status", "--json").out)
    assert [(one["issue"], one["state"], one["audience"]) for one in listed] == [
        ("daily/2025-12-25", "finished", 1),
        ("daily/2025-12-27", "skipped", 0),
    ]
    assert listed[1]["reason"] == "no papers are listed on a weekend"
    assert "daily/2025-12-27: skipped, no papers are listed on a weekend." in newsletter(folder, "status").out
    one = newsletter(folder, "status", "daily/2025-12-27")
    assert one.out == "daily/2025-12-27: skipped, no papers are listed on a weekend.\n"


def test_a_slot_that_got_its_papers_after_all_is_skipped_no_longer(folder: Path) -> None:
    late = folder / "days/2025-12-29.json"
    assert newsletter(folder, "send", "--date", "2025-12-29", **LISTS).out.endswith("no papers are listed.\n")
    late.write_text(json.dumps([an_item(90)]))
    assert newsletter(folder, "send", "--date", "2025-12-29", **LISTS).code == 0
    assert [one["state"] for one in json.loads(newsletter(folder, "status", "--json").out)] == ["finished"]


def test_votes_are_listed_with_their_change_since_yesterday(tmp_path: Path) -> None:
    (tmp_path / "var").mkdir()
    database = Database(f"sqlite:///{tmp_path / 'var/newsletter.sqlite3'}")
    meta.prepare_schema(database)
    store, now = PaperStore(database), datetime.now(UTC)
    for back, votes in ((2, 4), (1, 10), (0, 25)):
        store.observe([a_paper(1, upvotes=votes), a_paper(2, upvotes=None)], now - timedelta(days=back))
    listed = json.loads(newsletter(tmp_path, "papers", "list", "--date", "2025-12-25", "--json").out)
    assert [(one["rank"], one["upvotes"], one["since_yesterday"]) for one in listed] == [(1, 25, 15), (2, None, None)]
    table = newsletter(tmp_path, "papers", "list").out
    assert "2 papers of the list of 2025-12-25" in table
    assert "+15" in table


def test_fetching_gives_votes_a_history_and_makes_no_issue(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    with hf_api(Api({day: [] for day in back_from(today, 9)})) as api:
        settings = {"NEWSLETTER_SOURCES": "huggingface", "HF_ENDPOINT": api.url}
        api.lists = dict(api.lists) | {today: [an_item(1)], today - timedelta(days=1): [an_item(2)]}
        first = newsletter(tmp_path, "papers", "fetch", **settings)
        api.lists = dict(api.lists) | {today: [an_item(1, paper={"upvotes": 777})]}
        second = newsletter(tmp_path, "papers", "fetch", "--days", "1", "--json", **settings)
    yesterday = today - timedelta(days=2)
    assert first.out == f"huggingface: 2 papers of 2 list days read, {yesterday} to {today}.\n"
    assert json.loads(second.out) == [{"source": "huggingface", "papers": 1, "days": [str(today)]}]
    listed = json.loads(newsletter(tmp_path, "papers", "list", "--json").out)
    assert [one["upvotes"] for one in listed] == [777]
    assert newsletter(tmp_path, "status").out.startswith("Nothing was sent yet")


def test_what_one_source_says_is_kept_when_another_fails(tmp_path: Path) -> None:
    (tmp_path / f"{SECOND}.json").write_text(json.dumps([an_item(1)]))
    with hf_api(Api(faults=iter([Answer(404)] * 9))) as api:
        settings = {"NEWSLETTER_SOURCES": f"huggingface;file:{SECOND}.json", "HF_ENDPOINT": api.url}
        ran = newsletter(tmp_path, "papers", "fetch", "--date", SECOND, **settings)
    assert ran.code == 3
    assert ran.fault.startswith("newsletter: warning: source huggingface: ")
    assert ran.out == f"file:{SECOND}.json: 1 paper of 1 list day read, 2025-12-23 to 2025-12-25.\n"
    assert len(json.loads(newsletter(tmp_path, "papers", "list", "--json").out)) == 1


def test_readers_are_told_that_a_source_could_not_be_read(tmp_path: Path) -> None:
    readers(tmp_path, 1)
    (tmp_path / f"{SECOND}.json").write_text(json.dumps([an_item(n) for n in range(1, 9)]))
    with hf_api(Api(faults=iter([Answer(404)] * 99))) as api:
        settings = {"NEWSLETTER_SOURCES": f"huggingface;file:{SECOND}.json", "HF_ENDPOINT": api.url}
        settings["NEWSLETTER_ON_SOURCE_FAILURE"] = "continue"
        assert newsletter(tmp_path, "send", "--date", SECOND, **settings).code == 0
    [mail] = outbox(tmp_path)
    assert "could not read Hugging Face this time" in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]


def test_a_reader_who_wants_only_matches_gets_no_mail_without_one(folder: Path) -> None:
    (folder / "subscribers.yaml").write_text(
        "subscribers:\n"
        "  - {address: ada@example.org, interests: {include: [quantum]}, only_matches: true}\n"
        "  - {address: bob@example.org, interests: {include: [quantum]}}\n"
        "  - {address: eve@example.org, interests: {include: [numbers]}, only_matches: true}\n"
    )
    assert newsletter(folder, "send", "--date", SECOND, **LISTS).code == 0
    told = {str(mail["To"]): mail.get_body(("plain",)).get_content() for mail in outbox(folder)}  # type: ignore[union-attr]
    assert set(told) == {"bob@example.org", "eve@example.org"}
    assert "No paper here has one of your words" in told["bob@example.org"]
    assert "your words" not in told["eve@example.org"]
    status = json.loads(newsletter(folder, "status", "daily/2025-12-25", "--not-sent", "--json").out)
    assert [(one["subscriber"], one["state"]) for one in status] == [("ada@example.org", "skipped")]
    assert "no paper of this issue matches" in status[0]["why"]


def back_from(day: date, days: int) -> list[date]:
    return [day - timedelta(days=back) for back in range(days)]


def test_the_weeks_ranking_weighs_by_age() -> None:
    from newsletter.wiring import RANKINGS, _rankings

    chosen = _rankings(None)
    assert chosen[Cadence.DAILY] is RANKINGS["votes"]
    assert chosen[Cadence.WEEKLY] is chosen[Cadence.MONTHLY] is RANKINGS["settled"]
    assert set(_rankings("newest").values()) == {RANKINGS["newest"]}
