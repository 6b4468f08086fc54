"""The Hugging Face Daily Papers list, over its API."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from http import HTTPStatus

import httpx

from newsletter.errors import SourceError
from newsletter.fetch.http import POLITE, Manners, StatusError, get_json
from newsletter.fetch.listing import SITE, papers_of
from newsletter.models import Paper, Period
from newsletter.periods import days_of

PAGE_SIZE = 100  # papers asked for at once; the server may give fewer
MOST_PAGES = 20


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

    def __init__(
        self, client: httpx.Client, *, today: Callable[[], date], endpoint: str = SITE, manners: Manners = POLITE
    ) -> None:
        self._client = client
        self._today = today
        self._url = endpoint.rstrip("/") + "/api/daily_papers"
        self._manners = manners

    def days(self, today: date) -> Iterator[date]:
        """Yield today and every day before it; weekends and holidays turn out empty."""
        return (today - timedelta(days=back) for back in range((today - date.min).days + 1))

    def papers(self, period: Period) -> tuple[Paper, ...]:
        """Return the papers listed within the period, oldest day first, each day in the list's order.

        Raises:
            SourceError: no answer in time, or an answer that is no list of papers.
        """
        return tuple(paper for day in days_of(period) for paper in self._list(day))

    def _list(self, day: date) -> list[Paper]:
        """Read pages until one brings nothing new: the server may give fewer than asked, or may not know of pages."""
        found: dict[str | None, Paper] = {}
        for number in range(MOST_PAGES):
            fresh = {paper.arxiv_id: paper for paper in self._page(day, number) if paper.arxiv_id not in found}
            if not fresh:
                return list(found.values())
            found |= fresh
        fault = f"the list of {day} has no end after {MOST_PAGES} pages"
        raise SourceError(self.name, fault, "check the endpoint")

    def _page(self, day: date, number: int) -> tuple[Paper, ...]:
        params: dict[str, str | int] = {"date": day.isoformat(), "limit": PAGE_SIZE, "p": number}
        try:
            payload = get_json(self._client, self._url, params, source=self.name, manners=self._manners)
        except StatusError as error:
            # 400 is the API's word for a day that has no list yet; of a day gone by it is a fault.
            if error.status == HTTPStatus.BAD_REQUEST and number == 0 and day >= self._today():
                return ()
            raise
        return papers_of(payload, day=day, source=self.name)
