"""A stand-in for the Hugging Face API: a real HTTP server on loopback that pages, and misbehaves where it is told."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from email.message import Message
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fetch.loopback import Answer, loopback

Item = dict[str, Any]


def an_item(number: int = 1, *, paper: Mapping[str, Any] | None = None, **outer: Any) -> Item:
    """Return an item in the API's shape; `paper` and `outer` replace fields within and around the paper."""
    inside = {
        "id": f"2512.{number:05}",
        "authors": [{"_id": "1", "name": "Ada Lovelace", "hidden": False}, {"name": "Alan Turing", "hidden": True}],
        "publishedAt": "2025-12-23T23:30:00.000Z",
        "submittedOnDailyAt": "2025-12-25T00:20:37.914Z",
        "title": f"Paper number {number}",
        "summary": f"We show that\n  the number {number} matters.",
        "upvotes": 200 - number,
        "ai_summary": "A number that matters.",
        "ai_keywords": ["numbers", "meaning"],
        "githubRepo": "https://example.com/\ncode",
        "githubStars": 7,
        "projectPage": "https://example.com/project",
        "organization": {"_id": "2", "name": "example-lab", "fullname": "The Example Lab"},
    }
    around = {
        "publishedAt": "2025-12-23T18:30:00.000Z",
        "title": f"Paper number {number}",
        "thumbnail": f"https://example.com/{number}.png",
        "numComments": 2,
    }
    return {"paper": inside | dict(paper or {})} | around | outer


@dataclass
class Api:
    """What the server knows. A day that is not among `lists` has none yet, which the API tells by a 400."""

    lists: Mapping[date, list[Item]] = field(default_factory=dict)
    largest_page: int = 100
    pages: bool = True  # False: `p` is ignored
    spans: str = "known"  # what is made of `week` and `month`: "known", "refused" or "ignored"
    faults: Iterator[Answer] = field(default_factory=lambda: iter(()))  # given first, one to a request
    asked: list[dict[str, str]] = field(default_factory=list)
    agents: list[str | None] = field(default_factory=list)
    url: str = ""

    def answer(self, target: str) -> Answer:
        """Return the answer to a request's path and query."""
        address = urlsplit(target)
        query = dict(parse_qsl(address.query))
        self.asked.append(query)
        fault = next(self.faults, None)
        if fault:
            return fault
        if address.path != "/api/daily_papers":
            return Answer(404, b'{"error":"There is nothing here."}')
        items = self._items(query)
        if items is None:
            return Answer(400, b'{"error":"Invalid date"}')
        size = min(int(query["limit"]), self.largest_page)
        first = int(query["p"]) * size if self.pages else 0
        return Answer(body=json.dumps(items[first : first + size]).encode())

    def _items(self, query: Mapping[str, str]) -> list[Item] | None:
        if "date" in query:
            return self.lists.get(date.fromisoformat(query["date"]))
        if self.spans == "known":
            return [item for day, items in self.lists.items() if _in_span(day, query) for item in items]
        return self.lists[max(self.lists)] if self.spans == "ignored" else None


def _in_span(day: date, query: Mapping[str, str]) -> bool:
    year, week, _ = day.isocalendar()
    return query.get("week") == f"{year}-W{week:02}" or query.get("month") == f"{day:%Y-%m}"


@contextmanager
def hf_api(api: Api) -> Iterator[Api]:
    """Run the server; `api.url` is the endpoint to ask."""

    def answer(target: str, headers: Message) -> Answer:
        api.agents.append(headers["User-Agent"])
        return api.answer(target)

    with loopback(answer, "application/json") as api.url:
        yield api
