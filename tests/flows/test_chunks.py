"""The fault table once more, through a chunk of a worker: the same state, and the same words for the person."""

import re
from contextlib import closing
from datetime import date, timedelta
from pathlib import Path

import pytest

from newsletter import pipeline, worker
from newsletter.crew import Crew, NotNowError, patience
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


def queued(parts: Parts) -> str:
    """Queue an issue for the readers of the file; return its key."""
    pipeline.follow_roster(parts)
    issue = pipeline.prepare(parts, daily(date(2025, 12, 26)))
    assert isinstance(issue, Issue)
    assert pipeline.deliver(parts, issue)[State.QUEUED] > 0
    return issue.key


def test_a_chunk_that_comes_while_the_crew_stops_is_left_to_others(tmp_path: Path, postgresql: Server) -> None:
    readers(tmp_path, 1)
    with faulty_server({}) as server:
        parts = enlisted(postgresql.new_url(), tmp_path, server.port)
        with closing(parts.database):
            key, crew = queued(parts), Crew(parts)
            crew.stop()
            with pytest.raises(NotNowError) as raised:
                crew.send(key, worker.CHUNK)
            assert (raised.value.wait, server.taken) == (timedelta(0), [])


def test_relays_that_failed_rest_here_and_the_chunk_is_anybodys(tmp_path: Path, postgresql: Server) -> None:
    readers(tmp_path, 1)
    seconds = [1000.0]
    with faulty_server({"BANNER": "554 5.3.2 no service"}) as server:
        parts = enlisted(postgresql.new_url(), tmp_path, server.port)
        with closing(parts.database):
            key, crew = queued(parts), Crew(parts, lambda: seconds[0])
            with pytest.raises(RelayError) as fault:
                crew.send(key, worker.CHUNK)
            assert (patience(fault.value), crew.rests) == (timedelta(0), 60)
            asked = server.asked
            with pytest.raises(NotNowError):
                crew.send(key, worker.CHUNK)
            assert server.asked == asked, "the relay is left in peace"
            seconds[0] += 60
            server.faults, server.times = {}, {}
            crew.send(key, worker.CHUNK)
            assert len(server.taken) == 1


@pytest.mark.parametrize("cell", TABLE, ids=lambda cell: f"{cell.phase} {cell.fault}")
def test_each_fault_leaves_its_state(tmp_path: Path, postgresql: Server, cell: Cell) -> None:
    readers(tmp_path, 1)
    told = ""
    with faulty_server({cell.phase: cell.fault}) as server:
        parts = enlisted(postgresql.new_url(), tmp_path, server.port)
        with closing(parts.database):
            key = queued(parts)
            try:
                Crew(parts).send(key, worker.CHUNK)
            except RelayError as fault:
                told = str(fault)
            tally = parts.ledger.tally(key)
    assert {state: number for state, number in tally.counts.items() if number} == {cell.state: 1}
    assert re.search(cell.told or "^$", told), told
