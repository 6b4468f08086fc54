"""A polite GET: who asks whom, for how long, how often, and how much is read."""

import json
import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime

import httpx

from newsletter import __version__
from newsletter.errors import SourceError
from newsletter.fetch.clean import clean_text
from newsletter.fetch.listing import QUOTED, error_text
from newsletter.fetch.memory import Answer, Memory
from newsletter.fetch.private import addresses_of, is_public

CONNECT_TIMEOUT = 10.0  # seconds
READ_TIMEOUT = 30.0  # seconds without a byte
LONGEST_WAIT = 60.0  # seconds a source may ask us to wait
MOST_REDIRECTS = 3
ACCEPT = "application/json, application/atom+xml, application/rss+xml, application/xml;q=0.9, */*;q=0.5"
PASSING = frozenset({429, 500, 502, 503, 504})  # worth another attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How a source is asked, and when it is given up.

    Sources with the same manners (also those changed by `dataclasses.replace`) share a memory, and with it the pause.
    """

    attempts: int = 4
    seconds: float = 60.0  # all attempts and the waits between them
    size: int = 20_000_000  # bytes of an answer, decompressed
    pause: float = 0.0  # seconds from one request to the next, whatever their hosts
    private: bool = False  # whether hosts of this machine and its network may be asked
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    resolve: Callable[[str], Sequence[str]] = addresses_of
    memory: Memory = field(default_factory=Memory, repr=False, compare=False)


POLITE = Manners()


class StatusError(SourceError):
    """The source answered with a status that is no success."""

    def __init__(self, source: str, answer: Answer, fault: str, mend: str = "") -> None:
        super().__init__(source, fault, mend)
        self.status = answer.status
        self.content = answer.content


class _PrivateHostError(Exception):
    """A host, asked for or redirected to, that is not of the public internet."""


def build_client() -> httpx.Client:
    """Return a client that tells its name and waits 10 seconds for a connection, 30 for each piece of an answer."""
    return httpx.Client(
        headers={"User-Agent": f"newsletter/{__version__}", "Accept": ACCEPT},
        timeout=httpx.Timeout(READ_TIMEOUT, connect=CONNECT_TIMEOUT),
    )


def get_json(
    client: httpx.Client, url: str, params: Mapping[str, str | int], *, source: str, manners: Manners = POLITE
) -> object:
    """Return the decoded JSON at an address; asked, tried again and given up as in `get`.

    Raises:
        StatusError: the last answer had a status that is no success.
        SourceError: there was no answer in time, or it was too large or no JSON.
    """
    answer = get(client, url, params, source=source, manners=manners)
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError) as error:
        raise unreadable(answer, "JSON", source) from error


def get(
    client: httpx.Client, url: str, params: Mapping[str, str | int], *, source: str, manners: Manners = POLITE
) -> Answer:
    """Return the answer of an address, its status a success; the remembered one if nothing changed since.

    A passing fault (429, 500, 502, 503, 504, a broken connection) is tried again after 1, 2, 4 ... seconds, or after as
    many as Retry-After says. At most three redirects are followed, to http and https alone.

    Raises:
        StatusError: the last answer had a status that is no success.
        SourceError: there was no answer in time, it was too large, or its host is not public.
    """
    host = _host_of(url, source)
    deadline = manners.clock() + manners.seconds
    pauses = iter([2.0**attempt for attempt in range(manners.attempts - 1)])
    query = params or None  # {} would drop the query that the address has
    while True:
        wait = next(pauses, math.inf)
        fault: SourceError
        try:
            request = client.build_request("GET", url, params=query, timeout=_timeout(client, manners, deadline))
            answer = _ask(client, request, manners, deadline)._replace(host=host)
        except _PrivateHostError as error:
            raise SourceError(source, f"{host} {error}", "set private_sources = true if that is meant") from error
        except (httpx.UnsupportedProtocol, httpx.TooManyRedirects, httpx.DecodingError) as error:
            raise SourceError(source, f"{host} {_reason(error)}", "check the address") from error
        except httpx.TransportError as error:
            fault = SourceError(source, f"{host}: {_reason(error)}", "check the network, or try again later")
        else:
            if answer.status not in PASSING:
                return _success(answer, source, manners.size)
            fault = _status_error(answer, source)
            wait = max(wait, retry_after(answer.headers) or 0)
        if wait > LONGEST_WAIT or manners.clock() + wait >= deadline:
            raise fault
        manners.sleep(wait)


def unreadable(answer: Answer, what: str, source: str) -> SourceError:
    """Return the error of an answer that is no whole document of the kind that was asked for."""
    kind = clean_text(answer.headers.get("Content-Type", "")[:QUOTED]) or "no content type"
    fault = f"{answer.host} answered with {len(answer.content):,} bytes ({kind}) that are no whole {what}"
    return SourceError(source, fault, "check the address, or try again later")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that Retry-After (RFC 9110, section 10.2.3) asks for, or None.

    A date counts from the answer's own Date, so that a wrong clock on either side does no harm.
    """
    wanted = headers.get("Retry-After", "").strip()
    if re.fullmatch("[0-9]{1,9}", wanted):
        return float(wanted)
    try:
        wait = parsedate_to_datetime(wanted) - parsedate_to_datetime(headers.get("Date", ""))
    except (ValueError, TypeError, OverflowError):  # no date; one without a zone; one beyond the calendar
        return None
    return max(wait.total_seconds(), 0.0)


def _host_of(url: str, source: str) -> str:
    """Return host and port for messages, without the user name and password an address may hold."""
    try:
        address = httpx.URL(url)
    except httpx.InvalidURL:
        address = httpx.URL()
    if address.scheme not in {"http", "https"} or not address.host:
        raise SourceError(source, "its address is no web address", "write it as https://HOST")
    return address.netloc.decode("ascii")


def _timeout(client: httpx.Client, manners: Manners, deadline: float) -> httpx.Timeout:
    """Return the client's own timeouts, none longer than the time that is left."""
    left = max(deadline - manners.clock(), 0.001)
    limits = client.timeout.as_dict()
    return httpx.Timeout(**{phase: left if limit is None else min(limit, left) for phase, limit in limits.items()})


def _ask(client: httpx.Client, request: httpx.Request, manners: Manners, deadline: float) -> Answer:
    """Send a request. Redirects are followed here, since httpx reads the body of each whole, however large."""
    for _ in range(MOST_REDIRECTS + 1):
        _check_host(request.url, manners)
        known = manners.memory.condition(request)
        _take_turn(manners)
        response = client.send(request, stream=True, follow_redirects=False)
        try:
            if known and response.status_code == httpx.codes.NOT_MODIFIED:
                return known
            if response.next_request is None:
                content = _content(response, manners, deadline)
                answer = Answer(request.url.host, response.status_code, response.headers, content)
                if len(content) <= manners.size:
                    manners.memory.keep(request, answer)
                return answer
            request = response.next_request
        finally:
            response.close()
        if request.url.scheme not in {"http", "https"}:
            raise httpx.UnsupportedProtocol(f"redirects to {request.url.scheme}:, which is no web address")
    raise httpx.TooManyRedirects(f"redirects more than {MOST_REDIRECTS} times", request=request)


def _check_host(url: httpx.URL, manners: Manners) -> None:
    """Refuse a host that is not public.

    The name is looked up once more for the connection, so whoever runs its DNS could answer differently then. That gap
    stays: httpx offers no place to choose the address, and a proxy looks the name up by itself anyway.
    """
    if manners.private:
        return
    for address in manners.resolve(url.raw_host.decode("ascii")):
        if not is_public(address):
            raise _PrivateHostError(f"leads to {address}, which is no public address")


def _take_turn(manners: Manners) -> None:
    wait = manners.memory.asked_at + manners.pause - manners.clock()
    if manners.pause and wait > 0:
        manners.sleep(wait)
    manners.memory.asked_at = manners.clock()


def _content(response: httpx.Response, manners: Manners, deadline: float) -> bytes:
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if manners.clock() > deadline:
            raise httpx.ReadTimeout("")
        if len(content) > manners.size:
            break
    return bytes(content)


def _reason(error: Exception) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    said = clean_text(re.sub(r"^\[Errno -?\d+\] ", "", str(error))[:QUOTED])  # the number means nothing to a person
    return said or type(error).__name__


def _success(answer: Answer, source: str, size: int) -> Answer:
    if len(answer.content) > size:
        raise SourceError(source, f"{answer.host} answered with more than {size:,} bytes", "check the address")
    if not httpx.codes.is_success(answer.status):
        raise _status_error(answer, source)
    return answer


def _status_error(answer: Answer, source: str) -> StatusError:
    text = _error_text(answer.content)
    wait = retry_after(answer.headers)
    later = "try again later" if answer.status in PASSING else "check the address"
    mend = later if wait is None else f"it asks for {wait:.0f} seconds of patience, try again then"
    return StatusError(source, answer, f"{answer.host} answered {answer.status}" + (f" ({text})" if text else ""), mend)


def _error_text(content: bytes) -> str | None:
    try:
        return error_text(json.loads(content))
    except (ValueError, RecursionError):
        return None
