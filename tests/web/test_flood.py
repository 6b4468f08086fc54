"""A flood of sign-ups from one client, against real processes: the pages stay up and hardly any mail goes out."""

import re
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from tests.flows.command import readers, smtp
from tests.send.servers import mail_server
from tests.web.sites import served

SIGN_UPS, CLIENTS = 1000, 20
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def test_a_thousand_sign_ups_from_one_client_are_answered_and_mail_nobody_but_a_few(tmp_path: Path) -> None:
    readers(tmp_path, 1)
    with mail_server() as (mailbox, port):
        with served(tmp_path, NEWSLETTER_SIGNUP__LEAST_SECONDS="0", **smtp(port)) as address:
            with ThreadPoolExecutor(CLIENTS) as pool:
                floods = pool.map(lambda number: flood(address, number, SIGN_UPS // CLIENTS), range(CLIENTS))
                told = Counter(status for statuses in floods for status in statuses)
            with closing(connection(address)) as client:
                page, _form = home(client)
            wait_for(lambda: len(mailbox.taken) >= told[303])
        answered = told[303]
    assert set(told) == {303, 429}
    assert 5 <= answered <= 10, "five a minute, and a minute may end meanwhile"
    assert page == 200
    assert len(mailbox.taken) == answered, "each answer is one mail"
    assert len(set(mailbox.recipients)) == answered


def flood(address: str, number: int, times: int) -> list[int]:
    """Sign up so many times on one connection, with another address each time; return the statuses."""
    statuses = []
    with closing(connection(address)) as client:
        _status, form = home(client)
        for turn in range(times):
            fields = {"form": form, "address": f"a{number}.{turn}@example.net", "period": "daily"}
            client.request("POST", "/subscribe", urlencode(fields), FORM)
            answer = client.getresponse()
            answer.read()
            statuses.append(answer.status)
    return statuses


def connection(address: str) -> HTTPConnection:
    place = urlsplit(address)
    return HTTPConnection(place.hostname or "", place.port, timeout=60)


def home(client: HTTPConnection) -> tuple[int, str]:
    """Return the status of the page with the form, and the form's token."""
    client.request("GET", "/")
    answer = client.getresponse()
    [form] = re.findall(r'name="form" value="([^"]+)"', answer.read().decode())
    return answer.status, form


def wait_for(true: Callable[[], bool], seconds: float = 30) -> None:
    """Wait until something is so, or for long enough."""
    until = time.monotonic() + seconds
    while not true() and time.monotonic() < until:
        time.sleep(0.05)
