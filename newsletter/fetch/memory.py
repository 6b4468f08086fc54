"""What one request leaves for the next: an answer to ask after, and the moment of asking."""

import math
from dataclasses import dataclass, field
from typing import NamedTuple

import httpx

MOST_REMEMBERED = 64  # answers
VALIDATORS = {"ETag": "If-None-Match", "Last-Modified": "If-Modified-Since"}  # RFC 9110, sections 8.8 and 13.1


class Answer(NamedTuple):
    """What a source answered; `host` is whom it was asked of, for messages."""

    host: str
    status: int
    headers: httpx.Headers
    content: bytes  # a little more than the size asked for, if there was more


@dataclass(slots=True)
class Memory:
    """The answers by address, the longest untouched first, and when anything was asked last."""

    answers: dict[str, Answer] = field(default_factory=dict)
    asked_at: float = -math.inf

    def condition(self, request: httpx.Request) -> Answer | None:
        """Ask for another answer than the remembered one, which is returned; a status of 304 then means that one.

        The address of each redirect is asked after by itself: the same ETag elsewhere means something else.
        """
        known = self.answers.get(str(request.url))
        for name, condition in VALIDATORS.items():
            request.headers.pop(condition, None)
            if known and name in known.headers:
                request.headers[condition] = known.headers[name]
        return known

    def keep(self, request: httpx.Request, answer: Answer) -> None:
        """Remember an answer that can be asked after, in place of the one before it.

        Where the sender did not tell its length, it may have been cut on the way; remembered, it would stay cut.
        """
        self.answers.pop(str(request.url), None)
        measured = "Content-Length" in answer.headers or "Transfer-Encoding" in answer.headers
        if answer.status == httpx.codes.OK and measured and any(name in answer.headers for name in VALIDATORS):
            self.answers[str(request.url)] = answer
        for oldest in [*self.answers][:-MOST_REMEMBERED]:
            del self.answers[oldest]
