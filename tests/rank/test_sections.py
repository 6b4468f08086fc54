"""Weekly and monthly issues: what rose, what was missed, topics; and what goes on rising."""

from newsletter.models import Entry
from newsletter.rank.rising import risers
from newsletter.rank.sections import MISSED, REST, ROSE, sectioned, topic_of
from tests.make import DAY, a_paper


def entries(*titles: str, upvotes: int = 50) -> list[Entry]:
    papers = [a_paper(n, title=title, abstract="", upvotes=upvotes) for n, title in enumerate(titles, start=1)]
    return [Entry(paper, rank, "") for rank, paper in enumerate(papers, start=1)]


def test_a_papers_topic_is_told_by_its_title_then_its_keywords_then_its_text() -> None:
    assert topic_of(a_paper(title="A robot that draws pictures of images")) == "Robots and embodied agents"
    assert topic_of(a_paper(title="Prisms", keywords=("protein folding",))) == "Science and medicine"
    assert topic_of(a_paper(title="Prisms", summary="Faster video.")) == "Video and images"
    assert topic_of(a_paper(title="Prisms", abstract="Glass.")) == REST


def test_a_topic_of_one_paper_is_none() -> None:
    made = sectioned(entries("Agents", "More agents", "Robots", "Glass"), told=frozenset(), seen={})
    assert [entry.section for entry in made] == ["Agents", "Agents", REST, REST]


def test_what_no_daily_issue_told_is_called_missed() -> None:
    listed = entries("Agents", "Robots", "Glass")
    made = sectioned(listed, told={listed[0].paper.key}, seen={})
    assert [entry.section for entry in made] == [REST, MISSED, MISSED]


def test_what_gained_most_of_its_votes_after_its_day_rose() -> None:
    listed = entries("Agents", "Robots")
    keys = [entry.paper.key for entry in listed]
    made = sectioned(listed * 2, told={*keys}, seen={keys[0]: 20, keys[1]: 45})
    assert [entry.section for entry in made[:1]] == [ROSE]
    assert made[0].remark == "rose by 30 after its day"
    assert made[1].remark == ""


def test_the_papers_that_gained_most_since_they_were_seen_are_rising() -> None:
    papers = [a_paper(n, title=f"Paper {n}", upvotes=votes) for n, votes in enumerate([30, 90, 34, 20, 60], start=1)]
    seen = {paper.key: (DAY, 20) for paper in papers[:4]}
    assert [(riser.paper.title, riser.gained) for riser in risers(papers, seen)] == [
        ("Paper 2", 70),
        ("Paper 3", 14),
        ("Paper 1", 10),
    ]


def test_unknown_votes_rise_nowhere() -> None:
    assert risers([a_paper(upvotes=None)], {a_paper().key: (DAY, 3)}) == ()
