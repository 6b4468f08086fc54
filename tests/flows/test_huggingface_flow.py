"""Today's list from a stand-in of the API, picked, rendered and sent."""

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from tests.fetch.hf_server import Api, Item, an_item, hf_api
from tests.fetch.loopback import Answer
from tests.flows.command import Ran, newsletter, outbox, readers

# The command reads the real clock, so that a list must be as old as the test says.
TODAY = datetime.now(UTC).date()


def send(folder: Path, api: Api, *arguments: str) -> Ran:
    return newsletter(folder, "send", *arguments, NEWSLETTER_SOURCES="huggingface", HF_ENDPOINT=api.url)


def test_the_newest_list_goes_out_ranked_by_votes(tmp_path: Path) -> None:
    readers(tmp_path, 2)
    yesterday = TODAY - timedelta(days=1)
    with hf_api(Api({yesterday: [an_item(n) for n in range(1, 61)]}, largest_page=50)) as api:
        first, second = send(tmp_path, api), send(tmp_path, api)
    assert (first.code, first.err, second.code) == (0, "", 0)
    assert "nothing to send" in second.out
    [message, _other] = outbox(tmp_path)
    assert message["Subject"] == "Paper number 1 · 9 more"
    page = next((tmp_path / "var/issues").iterdir()).read_text()
    assert page.count('href="https://huggingface.co/papers/') == 60


def test_a_list_that_is_too_old_is_no_news(tmp_path: Path) -> None:
    empty: dict[date, list[Item]] = {TODAY - timedelta(days=back): [] for back in range(4)}
    lists = empty | {TODAY - timedelta(days=4): [an_item()]}
    with hf_api(Api(lists)) as api:
        ran = send(tmp_path, api)
    assert (ran.code, ran.out) == (0, f"No issue daily/{TODAY}: no new papers in the last 3 days.\n")
    assert not (tmp_path / "var/outbox").exists()


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Answer(body=b'{"error":"Sorry, nothing here."}'), "Sorry, nothing here."),
        (Answer(body=b"<html>maintenance</html>", headers={"Content-Type": "text/html"}), "text/html"),
        (Answer(body=b'[{"paper":'), "no whole JSON"),
        (Answer(401, b'{"error":"Who are you?"}'), "Who are you?"),
        (Answer(503, headers={"Retry-After": "3600"}), "3600 seconds"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_an_answer_that_is_no_list_sends_nothing_and_names_the_source(
    tmp_path: Path, answer: Answer, said: str
) -> None:
    with hf_api(Api(faults=iter([answer] * 9))) as api:
        ran = send(tmp_path, api, "--date", "2025-12-25")
    assert ran.code == 3
    assert ran.fault.startswith("newsletter: source huggingface: ")
    assert said in ran.fault
    assert not (tmp_path / "var/outbox").exists()


def test_one_of_two_sources_may_fail_where_the_settings_allow_it(tmp_path: Path) -> None:
    readers(tmp_path, 1)
    (tmp_path / "2025-12-25.json").write_text(json.dumps([an_item()]))
    settings = {"NEWSLETTER_SOURCES": "huggingface;file:2025-12-25.json"}
    with hf_api(Api(faults=iter([Answer(404)] * 9))) as api:
        settings["HF_ENDPOINT"] = api.url
        stopped = newsletter(tmp_path, "send", "--date", "2025-12-25", **settings)
        assert stopped.code == 3
        assert newsletter(tmp_path, "build", **settings).code == 3
        settings["NEWSLETTER_ON_SOURCE_FAILURE"] = "continue"
        went_on = newsletter(tmp_path, "send", "--date", "2025-12-25", **settings)
        assert newsletter(tmp_path, "build", **settings).code == 0
    assert went_on.code == 0
    assert "going on without it" in went_on.fault
    assert len(outbox(tmp_path)) == 1
