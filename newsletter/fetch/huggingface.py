"""The Hugging Face Daily Papers list, over its API."""

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import date, timedelta
from http import HTTPStatus

import httpx

from newsletter.errors import SourceError
from newsletter.fetch.http import POLITE, Manners, StatusError, get_json
from newsletter.fetch.listing import SITE, papers_of
from newsletter.models import Cadence, Paper, Period
from newsletter.periods import days_of

NOT_KNOWN = {HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND, HTTPStatus.UNPROCESSABLE_ENTITY}
PAGE_SIZE = 100  # papers asked for at once; the server may give fewer
MOST_PAGES = 40


class HuggingFaceSource:
    """The daily lists of an endpoint; a paper's own page is on huggingface.co, whichever mirror told of it.

    Args:
        client: from `build_client`.
        today: returns the present day in UTC.
        endpoint: where `/api/daily_papers` is.
        manners: how often and how long the endpoint is asked.
    """

    name = "huggingface"
    live = True
    voted = True

    def __init__(
        self, client: httpx.Client, *, today: Callable[[], date], endpoint: str | None = None, manners: Manners = POLITE
    ) -> None:
        self._client = client
        self._today = today
        self._url = (SITE if endpoint is None else endpoint).rstrip("/") + "/api/daily_papers"
        self._manners = manners

    def days(self, today: date) -> Iterator[date]:
        """Yield today and every day before it; weekends and holidays turn out empty."""
        return (today - timedelta(days=back) for back in range((today - date.min).days + 1))

    def papers(self, period: Period) -> tuple[Paper, ...]:
        """Return the papers listed within the period, oldest day first, each day in the list's order.

        A whole week or month is asked for at once; a server that does not know how to answer is asked day by day.

        Raises:
            SourceError: no answer in time, or an answer that is no list of papers.
        """
        if period.cadence is Cadence.DAILY:
            return tuple(paper for day in days_of(period) for paper in self._list(day))
        return self._span(period) or self.papers(replace(period, cadence=Cadence.DAILY))

    def _span(self, period: Period) -> tuple[Paper, ...]:
        """Read a week or a month; what is not listed within it was an answer to another question."""
        year, week, _ = period.start.isocalendar()
        name = "week" if period.cadence is Cadence.WEEKLY else "month"
        query = {"week": f"{year}-W{week:02}", "month": f"{period.start:%Y-%m}"}[name]
        try:
            papers = self._pages({name: query}, None, none=NOT_KNOWN)
        except StatusError:
            raise
        except SourceError:
            return ()  # lists before March 2025 do not tell their day, for one
        within = [(paper.listed_on, paper) for paper in papers if paper.listed_on]
        ordered = sorted(within, key=lambda pair: pair[0])
        return tuple(paper for day, paper in ordered if period.start <= day <= period.end)

    def _list(self, day: date) -> list[Paper]:
        # 400 is the API's word for a day that has no list yet; of a day gone by it is a fault.
        none = {HTTPStatus.BAD_REQUEST} if day >= self._today() else frozenset()
        return self._pages({"date": day.isoformat()}, day, none=none)

    def _pages(self, query: dict[str, str], day: date | None, *, none: AbstractSet[int]) -> list[Paper]:
        """Read pages until one brings nothing new: the server may give fewer than asked, or may not know of pages.

        A first page refused with one of the statuses in `none` is an empty list.
        """
        found: dict[str | None, Paper] = {}
        for number in range(MOST_PAGES):
            params: dict[str, str | int] = {**query, "limit": PAGE_SIZE, "p": number}
            try:
                payload = get_json(self._client, self._url, params, source=self.name, manners=self._manners)
            except StatusError as error:
                if error.status in none and number == 0:
                    return []
                raise
            page = papers_of(payload, day=day, source=self.name)
            fresh = {paper.arxiv_id: paper for paper in page if paper.arxiv_id not in found}
            if not fresh:
                return list(found.values())
            found |= fresh
        fault = f"the list of {' '.join(query.values())} has no end after {MOST_PAGES} pages"
        raise SourceError(self.name, fault, "check the endpoint")
