"""The fault table once more, through a chunk of a worker: the same state, and the same words for the person."""

import re
from contextlib import closing
from datetime import date
from pathlib import Path

import pytest

from newsletter import pipeline, worker
from newsletter.crew import Crew
from newsletter.errors import RelayError
from newsletter.models import Issue, State
from newsletter.parts import Parts
from newsletter.periods import daily
from newsletter.settings import Settings
from newsletter.settings.sending import SmtpSettings
from newsletter.wiring import build
from tests.flows.command import readers
from tests.postgres import Server
from tests.send.servers import faulty_server
from tests.send.test_fault_table import TABLE, Cell


def enlisted(url: str, folder: Path, port: int) -> Parts:
    relay = SmtpSettings(host="127.0.0.1", port=port, security="none", timeout=0.3)
    sender = "Papers <papers@example.org>"
    return worker.enlisted(
        build(Settings(database_url=url, workers=True, transport="smtp", sender=sender, smtp=relay), folder)
    )


@pytest.mark.parametrize("cell", TABLE, ids=lambda cell: f"{cell.phase} {cell.fault}")
def test_each_fault_leaves_its_state(tmp_path: Path, postgresql: Server, cell: Cell) -> None:
    readers(tmp_path, 1)
    told = ""
    with faulty_server({cell.phase: cell.fault}) as server:
        parts = enlisted(postgresql.new_url(), tmp_path, server.port)
        with closing(parts.database):
            pipeline.follow_roster(parts)
            issue = pipeline.prepare(parts, daily(date(2025, 12, 26)))
            assert isinstance(issue, Issue)
            assert pipeline.deliver(parts, issue)[State.QUEUED] == 1
            try:
                Crew(parts).send(issue.key, worker.CHUNK)
            except RelayError as fault:
                told = str(fault)
            tally = parts.ledger.tally(issue.key)
    assert {state: number for state, number in tally.counts.items() if number} == {cell.state: 1}
    assert re.search(cell.told or "^$", told), told
