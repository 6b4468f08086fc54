"""What is asked again, of whom, and how soon; the stumbling and lying is in test_huggingface."""

from collections.abc import Iterator
from dataclasses import replace

import httpx
import pytest

from newsletter.errors import SourceError
from newsletter.fetch.http import Manners, get, get_json
from newsletter.fetch.memory import MOST_REMEMBERED
from newsletter.fetch.private import addresses_of, is_public
from tests.fetch.feed_server import Site, web_site
from tests.fetch.loopback import Answer, Clock

TAGGED = Answer(body=b"one", headers={"ETag": '"1"'})
DATED = Answer(body=b"one", headers={"Last-Modified": "Thu, 25 Dec 2025 10:00:00 GMT"})


@pytest.fixture
def site() -> Iterator[Site]:
    with web_site(Site()) as site:
        yield site


def fetch(client: httpx.Client, url: str, manners: Manners) -> bytes:
    return get(client, url, {}, source="feed", manners=manners).content


# Asking only for what changed.


@pytest.mark.parametrize("answer", [TAGGED, DATED])
def test_what_has_not_changed_is_not_sent_again(
    client: httpx.Client, site: Site, manners: Manners, answer: Answer
) -> None:
    site.pages["/"] = answer
    assert [fetch(client, site.url, manners) for _ in range(3)] == [b"one"] * 3
    assert site.told == [200, 304, 304]


def test_what_has_changed_is_sent_and_remembered_in_its_place(
    client: httpx.Client, site: Site, manners: Manners
) -> None:
    site.pages["/"] = TAGGED
    fetch(client, site.url, manners)
    site.pages["/"] = Answer(body=b"two", headers={"ETag": '"2"'})
    assert [fetch(client, site.url, manners) for _ in range(2)] == [b"two"] * 2
    assert site.told == [200, 200, 304]


def test_other_parameters_are_another_answer(client: httpx.Client, site: Site, manners: Manners) -> None:
    site.pages["/"] = TAGGED
    for page in (1, 2, 1):
        get(client, site.url + "/?a=b", {"p": page}, source="feed", manners=manners)
    assert site.told == [200, 200, 304]


def test_the_query_of_an_address_is_kept(client: httpx.Client, site: Site, manners: Manners) -> None:
    site.pages["/"] = TAGGED
    fetch(client, site.url + "/?tag=nlp", manners)
    assert site.asked[0].query == {"tag": "nlp"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"one"),
        Answer(404, b"one", {"ETag": '"1"'}),
        Answer(body=b"one", headers={"ETag": '"1"', "Content-Length": ""}),  # ended by hanging up: perhaps cut
        Answer(body=b"one" * 9, headers={"ETag": '"1"'}),
    ],
)
def test_some_answers_are_not_remembered(client: httpx.Client, site: Site, manners: Manners, answer: Answer) -> None:
    site.pages["/"] = answer
    brief = replace(manners, size=10)
    for _ in range(2):
        try:
            fetch(client, site.url, brief)
        except SourceError:
            assert len(answer.body) > brief.size or answer.status == 404
    assert 304 not in site.told
    assert manners.memory.answers == {}


def test_a_redirect_is_asked_after_by_its_own_address(client: httpx.Client, site: Site, manners: Manners) -> None:
    site.pages = {"/latest": Answer(302, headers={"Location": "/monday"}), "/monday": TAGGED}
    assert [fetch(client, site.url + "/latest", manners) for _ in range(2)] == [b"one"] * 2
    site.pages |= {"/latest": Answer(302, headers={"Location": "/tuesday"}), "/tuesday": replace(TAGGED, body=b"two")}
    assert fetch(client, site.url + "/latest", manners) == b"two"
    assert site.told == [302, 200, 302, 304, 302, 200]


def test_the_oldest_answers_are_forgotten(client: httpx.Client, site: Site, manners: Manners) -> None:
    site.pages["/"] = TAGGED
    for page in range(MOST_REMEMBERED + 1):
        get(client, site.url, {"p": page}, source="feed", manners=manners)
    assert len(manners.memory.answers) == MOST_REMEMBERED
    get(client, site.url, {"p": 0}, source="feed", manners=manners)
    get(client, site.url, {"p": MOST_REMEMBERED}, source="feed", manners=manners)
    assert site.told[-2:] == [200, 304]


def test_a_304_that_nobody_asked_for_is_a_fault(client: httpx.Client, site: Site, manners: Manners) -> None:
    site.pages["/"] = Answer(304, b"")
    with pytest.raises(SourceError, match="answered 304"):
        fetch(client, site.url, manners)


# Whom.


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "127.1", "2130706433"])
def test_this_machine_is_not_asked_unless_that_is_meant(client: httpx.Client, site: Site, name: str) -> None:
    site.pages["/"] = TAGGED
    url = site.url.replace("127.0.0.1", name)
    with pytest.raises(SourceError) as caught:
        get_json(client, url, {}, source="feed", manners=Manners())
    assert str(caught.value).startswith(f"source feed: {url.removeprefix('http://')} leads to ")
    assert str(caught.value).endswith("is no public address; set private_sources = true if that is meant")
    assert site.asked == []


def test_a_redirect_into_this_machine_is_not_followed(client: httpx.Client, site: Site, clock: Clock) -> None:
    site.pages = {"/": Answer(302, headers={"Location": "http://127.0.0.1:1/secret"}), "/secret": TAGGED}
    elsewhere = {"localhost": ["192.0.0.9"], "127.0.0.1": ["127.0.0.1"]}  # a public one of RFC 7723
    manners = Manners(resolve=elsewhere.__getitem__, sleep=clock.sleep, clock=clock)
    with pytest.raises(SourceError, match=r"leads to 127\.0\.0\.1, which is no public address"):
        fetch(client, site.url.replace("127.0.0.1", "localhost"), manners)
    assert site.told == [302]


def test_one_private_address_among_public_ones_is_enough(client: httpx.Client) -> None:
    manners = Manners(resolve=lambda _host: ["8.8.8.8", "fe80::1%eth0"])
    with pytest.raises(SourceError, match="leads to fe80::1%eth0"):
        fetch(client, "https://example.org/", manners)


def test_a_name_that_leads_nowhere_has_no_address() -> None:
    assert addresses_of("nowhere.invalid") == ()
    assert addresses_of("a..b") == ()
    assert addresses_of("127.0.0.1") == ("127.0.0.1",)


@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "10.0.0.1",
            "172.16.0.1",
            "192.168.0.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
        ),
        *("255.255.255.255", "192.0.2.1", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fec0::1", "ff0e::1"),
        *("2001:db8::1", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::10.0.0.1", "2002:7f00:1::"),
    ],
)
def test_an_address_of_no_single_public_host_is_told(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8", "2002:808:808::"]
)
def test_a_public_address_may_be_asked(address: str) -> None:
    assert is_public(address)


# How soon.


def test_requests_keep_their_distance(client: httpx.Client, site: Site, clock: Clock, manners: Manners) -> None:
    site.pages = {"/": Answer(302, headers={"Location": "/there"}), "/there": TAGGED}
    slow = replace(manners, pause=3)
    fetch(client, site.url, slow)
    clock.now += 1
    fetch(client, site.url, replace(slow, size=99))
    assert clock.slept == [3, 2, 3]
    clock.now += 3
    fetch(client, site.url + "/there", slow)
    assert clock.slept == [3, 2, 3]


def test_attempts_keep_the_same_distance(client: httpx.Client, site: Site, clock: Clock, manners: Manners) -> None:
    site.pages["/"] = Answer(503, b"")
    with pytest.raises(SourceError):
        fetch(client, site.url, replace(manners, pause=3))
    assert clock.slept == [1, 2, 2, 1, 4]
