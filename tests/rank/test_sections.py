"""Weekly and monthly issues: what rose, what was missed, topics; and what goes on rising."""

from datetime import timedelta

from newsletter.models import Entry, Observation, Paper
from newsletter.rank.rising import risers
from newsletter.rank.sections import MISSED, REST, ROSE, sectioned, topic_of
from tests.make import DAY, NOON, a_paper


def entries(*titles: str, upvotes: int = 50) -> list[Entry]:
    papers = [a_paper(n, title=title, abstract="", upvotes=upvotes) for n, title in enumerate(titles, start=1)]
    return [Entry(paper, rank, "") for rank, paper in enumerate(papers, start=1)]


def test_a_papers_topic_is_told_by_its_title_then_its_keywords_then_its_text() -> None:
    assert topic_of(a_paper(title="A robot that draws pictures of images")) == "Robots and embodied agents"
    assert topic_of(a_paper(title="Prisms", keywords=("protein folding",))) == "Science and medicine"
    assert topic_of(a_paper(title="Prisms", summary="Faster video.")) == "Video and images"
    assert topic_of(a_paper(title="Prisms", abstract="Glass.")) == REST


def test_one_thing_under_several_names_is_one_topic() -> None:
    names = ["LLMs at sea", "An LLM", "Large Language Models", "large language-model zoo", "Fine-tuning", "finetuned"]
    assert {topic_of(a_paper(title=name, abstract="")) for name in names} == {"Language models"}
    assert topic_of(a_paper(title="RL", abstract="")) == topic_of(a_paper(title="Reinforcement-learning", abstract=""))


def test_a_topic_of_one_paper_is_none() -> None:
    made = sectioned(entries("Agents", "More agents", "Robots", "Glass"), told=frozenset())
    assert [entry.section for entry in made] == ["Agents", "Agents", REST, REST]


def test_what_no_daily_issue_told_is_called_missed() -> None:
    listed = entries("Agents", "Robots", "Glass")
    made = sectioned(listed, told={listed[0].paper.key})
    assert [entry.section for entry in made] == [REST, MISSED, MISSED]


def risen(number: int, before: int, now: int) -> Paper:
    """Return a paper whose votes grew from its first reading to its last."""
    seen = (Observation(NOON, before), Observation(NOON + timedelta(days=1), now))
    return a_paper(number, title=f"Paper {number}", abstract="", upvotes=now, observations=seen)


def test_what_gained_most_of_its_votes_after_its_day_rose() -> None:
    listed = [Entry(paper, rank, "") for rank, paper in enumerate([risen(1, 20, 50), risen(2, 45, 50)] * 2, start=1)]
    made = sectioned(listed, told={entry.paper.key for entry in listed})
    assert [entry.section for entry in made[:2]] == [ROSE, REST]
    assert [entry.remark for entry in made[:2]] == ["rose by 30 after its day", ""]


def test_the_papers_that_gained_most_since_they_were_seen_are_rising() -> None:
    papers = [risen(1, 20, 30), risen(2, 20, 90), risen(3, 20, 34), risen(4, 20, 20), a_paper(5, upvotes=60)]
    named = [(riser.paper.title, riser.gained, riser.since) for riser in risers(papers)]
    assert named == [("Paper 2", 70, DAY), ("Paper 3", 14, DAY), ("Paper 1", 10, DAY)]


def test_unknown_votes_rise_nowhere() -> None:
    assert risers([a_paper(upvotes=None, observations=(Observation(NOON, 3),))]) == ()
