"""What is remembered of papers: every reading with its time, whoever told of them."""

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from newsletter.models import Observation
from newsletter.periods import daily
from newsletter.store import meta
from newsletter.store.curation import DROP, PIN, CurationStore
from newsletter.store.engine import Database
from newsletter.store.papers import PaperStore
from newsletter.store.tables import paper
from tests.make import DAY, NOON, a_paper

LATER = NOON + timedelta(hours=1)


@pytest.fixture
def database(new_url: Callable[[], str]) -> Iterator[Database]:
    database = Database(new_url())
    meta.prepare_schema(database)
    yield database
    database.close()


@pytest.fixture
def papers(database: Database) -> PaperStore:
    return PaperStore(database)


def test_each_reading_is_kept_with_its_time(papers: PaperStore) -> None:
    papers.observe([a_paper(upvotes=3, comment_count=1, repository_stars=7)], NOON)
    papers.observe([a_paper(upvotes=5, comment_count=1)], LATER)
    [paper] = papers.remembered(daily(DAY))
    assert paper == a_paper(upvotes=5, comment_count=1)
    assert paper.observations == (Observation(NOON, 3, 1, 7), Observation(LATER, 5, 1, None))


def test_a_paper_just_read_comes_with_its_history_written_or_not(papers: PaperStore) -> None:
    papers.observe([a_paper(upvotes=3)], NOON)
    [unwritten] = papers.with_history([a_paper(upvotes=5)], LATER)
    papers.observe([a_paper(upvotes=5)], LATER)
    [written] = papers.with_history([a_paper(upvotes=5)], LATER)
    assert unwritten.observations == written.observations
    assert [seen.upvotes for seen in written.observations] == [3, 5]


def test_what_two_sources_tell_at_one_moment_is_one_reading(papers: PaperStore) -> None:
    papers.observe([a_paper(upvotes=3, source="huggingface"), a_paper(upvotes=None, source="arxiv:cs.CL")], NOON)
    [paper] = papers.remembered(daily(DAY))
    assert [seen.upvotes for seen in paper.observations] == [3]


def test_a_paper_is_found_by_its_key(papers: PaperStore) -> None:
    papers.observe([a_paper(1), a_paper(2, arxiv_id=None, title="No id")], NOON)
    assert papers.find(a_paper(1).key) == a_paper(1)
    assert papers.find("title:noid") is not None
    assert papers.find("arxiv:0000.00000") is None


def test_a_month_of_papers_comes_back_whole(papers: PaperStore) -> None:
    many = [a_paper(number) for number in range(2000)]
    papers.observe(many, NOON)
    assert len(papers.remembered(daily(DAY))) == 2000
    assert all(len(paper.observations) == 1 for paper in papers.with_history(many, NOON))


def test_a_reading_sees_one_state_of_the_database_whatever_is_written_meanwhile(database: Database) -> None:
    papers = PaperStore(database)
    papers.observe([a_paper(1)], NOON)
    with database.reading() as connection:
        before = connection.execute(select(func.count()).select_from(paper)).scalar()
        papers.observe([a_paper(2)], NOON)
        assert connection.execute(select(func.count()).select_from(paper)).scalar() == before
    assert len(papers.remembered(daily(DAY))) == 2


def test_of_two_decisions_about_a_paper_the_last_counts_and_may_be_taken_back(database: Database) -> None:
    mine, others = CurationStore(database, "papers"), CurationStore(database, "others")
    mine.decide("arxiv:1", PIN, "Read it.", NOON)
    mine.decide("arxiv:2", PIN, "", NOON)
    mine.decide("arxiv:2", DROP, "Withdrawn.", LATER)
    assert mine.all().pinned == {"arxiv:1": "Read it."}
    assert mine.all().dropped == {"arxiv:2"}
    assert others.all().pinned == {}
    assert mine.forget("arxiv:1")
    assert not mine.forget("arxiv:1")
    assert mine.all().pinned == {}
