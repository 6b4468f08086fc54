"""Several sources as one: merged papers, failures decided on, the newest day found."""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta

import pytest

from newsletter.errors import SourceError
from newsletter.fetch.collect import accept, collect, days_of_interest, merge, newest_day
from newsletter.models import Paper, Period
from newsletter.periods import daily
from tests.make import DAY, a_paper


@dataclass
class Shelf:
    """A source in memory; one without papers fails."""

    name: str
    by_day: dict[date, list[Paper]] | None
    live: bool = False
    voted: bool = True
    asked: list[date] = field(default_factory=list)

    def days(self, today: date) -> Iterable[date]:
        if self.by_day is None:
            raise SourceError(self.name, "answers 500")
        if self.live:
            return (today - timedelta(days=back) for back in range(1000))
        return sorted(self.by_day, reverse=True)

    def papers(self, period: Period) -> Iterable[Paper]:
        self.asked.append(period.start)
        if self.by_day is None:
            raise SourceError(self.name, "answers 500")
        return self.by_day.get(period.start, [])


BROKEN = Shelf("broken", None)


def test_a_field_that_one_source_does_not_know_is_filled_from_the_next() -> None:
    page = a_paper(arxiv_id=None, title="Same Title", upvotes=None, comment_count=4, url=None)
    listed = a_paper(arxiv_id=None, title="same title", upvotes=7, comment_count=1)
    [merged] = merge([page, listed])
    assert (merged.upvotes, merged.comment_count, merged.url) == (7, 4, listed.url)


def test_a_paper_without_id_is_the_one_with_that_title_whichever_comes_first() -> None:
    page = a_paper(arxiv_id=None, title="Same Title", upvotes=None, comment_count=4, authors=None, author_count=3)
    listed = a_paper(title="same title!", upvotes=7, comment_count=None)
    for read in ([page, listed], [listed, page]):
        [merged] = merge(read)
        assert (merged.key, merged.upvotes, merged.comment_count) == (listed.key, 7, 4)


def test_papers_with_different_ids_stay_two_whatever_their_titles() -> None:
    assert len(merge([a_paper(1, title="Same"), a_paper(2, title="Same"), a_paper(arxiv_id=None, title="same")])) == 2


def test_the_longer_abstract_and_the_whole_list_of_authors_win() -> None:
    short = a_paper(abstract="We show ...", authors=("Ada",), author_count=None)
    whole = a_paper(abstract="We show that it matters.", authors=("Ada", "Alan"), author_count=2, upvotes=99)
    [merged] = merge([short, whole])
    assert (merged.abstract, merged.authors, merged.author_count) == (whole.abstract, ("Ada", "Alan"), 2)
    assert merged.upvotes == short.upvotes


def test_votes_that_no_source_knows_stay_unknown() -> None:
    assert merge([a_paper(upvotes=None), a_paper(upvotes=None)])[0].upvotes is None


def test_a_source_that_fails_stops_the_issue_unless_the_settings_let_it_go_on(caplog: pytest.LogCaptureFixture) -> None:
    collected = collect([BROKEN, Shelf("good", {DAY: [a_paper()]})], daily(DAY))
    with pytest.raises(SourceError, match="source broken: answers 500"):
        accept(collected, go_on_without=False)
    with caplog.at_level(logging.WARNING, "newsletter"):
        assert accept(collected, go_on_without=True) == (a_paper(),)
    assert "going on without it" in caplog.text


def test_when_every_source_fails_there_is_no_issue_to_go_on_with() -> None:
    with pytest.raises(SourceError):
        accept(collect([BROKEN, BROKEN], daily(DAY)), go_on_without=True)


def test_an_empty_list_is_no_failure() -> None:
    assert accept(collect([Shelf("empty", {DAY: []})], daily(DAY)), go_on_without=False) == ()


def test_the_newest_day_is_the_newest_that_has_papers() -> None:
    older = Shelf("older", {DAY - timedelta(days=2): [a_paper()]})
    newer = Shelf("newer", {DAY - timedelta(days=1): [a_paper()], DAY: []})
    assert newest_day([older, newer], DAY, 3) == DAY - timedelta(days=1)


def test_the_newest_day_is_found_without_a_broken_source_where_the_settings_say_so() -> None:
    sources = [BROKEN, Shelf("good", {DAY: [a_paper()]})]
    assert newest_day(sources, DAY, 3, go_on_without=True) == DAY
    with pytest.raises(SourceError):
        newest_day(sources, DAY, 3)
    with pytest.raises(SourceError):
        newest_day([BROKEN], DAY, 3, go_on_without=True)


def test_a_recording_may_be_however_old() -> None:
    assert newest_day([Shelf("old", {DAY: [a_paper()]})], DAY + timedelta(days=900), 3) == DAY


def test_a_live_list_that_is_too_old_is_not_news() -> None:
    live = Shelf("live", {DAY: [a_paper()]}, live=True)
    assert newest_day([live], DAY + timedelta(days=3), 3) == DAY
    live.asked.clear()
    assert newest_day([live], DAY + timedelta(days=4), 3) is None
    assert len(live.asked) == 4


def test_a_recording_is_read_whole_and_a_live_source_for_its_newest_day() -> None:
    days = {DAY - timedelta(days=back): [a_paper(back)] for back in range(3)}
    assert days_of_interest(Shelf("r", days), DAY, 3) == sorted(days)
    assert days_of_interest(Shelf("l", days, live=True), DAY, 3) == [max(days)]
