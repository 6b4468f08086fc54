"""The pages everybody may read, what surrounds each answer, and that no request whatever breaks them."""

import json
import re
import xml.etree.ElementTree as ET
from datetime import date
from pathlib import Path
from typing import Any

import feedparser
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from newsletter import copies
from newsletter.models import Cadence, Preferences, Subscriber
from newsletter.periods import daily, weekly
from newsletter.rank.interests import choose
from tests.make import NOON
from tests.web.sites import BASE, Site

LEAD = "Latent Implicit Visual Reasoning"  # of the sample's newest day
DAYS = [date(2025, 12, day) for day in (24, 25, 26)]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    site = Site(tmp_path_factory.mktemp("site"))
    weekly_reader = Subscriber(address="week@example.org", preferences=Preferences(cadence=Cadence.WEEKLY))
    site.parts.subscribers.add([weekly_reader], NOON)
    for day in DAYS:
        site.send(daily(day))
    site.send(weekly(DAYS[0]))
    return site


def test_the_archive_has_every_issue_newest_first(site: Site) -> None:
    page = site.client.get("/archive").text
    found = re.findall(r'href="/issues/(\w+/[\d-]+)"', page)
    assert found == ["weekly/2025-12-22", "daily/2025-12-26", "daily/2025-12-25", "daily/2025-12-24"]
    assert LEAD in page


def test_a_long_archive_has_pages_older_and_newer(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.web.archive.ON_A_PAGE", 2)
    first, second = (site.client.get(f"/archive?page={number}").text for number in (1, 2))
    assert 'href="/archive?page=2" rel="next"' in first
    assert 'href="/archive?page=1" rel="prev"' in second
    assert site.client.get("/archive?page=3").status_code == 404


def test_an_issues_page_is_the_mail_that_went_out_but_for_what_was_a_readers_own(site: Site) -> None:
    page = site.client.get("/issues/daily/2025-12-26").text
    issue = site.parts.issues.find("daily/2025-12-26")
    assert issue
    kept = copies.Pieces(site.parts.issues, issue.key, read_only=True)
    mail = copies.compile_issue(site.parts, issue, kept).page(choose(issue, Preferences())).html
    assert mail.partition("<body")[2].partition(">")[2].rpartition("</body>")[0] in page
    assert "/unsubscribe/" not in page
    assert "reader@example.org" not in page


def test_issues_lead_to_those_before_and_after_of_their_kind(site: Site) -> None:
    page = site.client.get("/issues/daily/2025-12-25").text
    assert re.findall(r'href="/issues/(\S+)" rel="(\w+)"', page) == [
        ("daily/2025-12-24", "prev"),
        ("daily/2025-12-26", "next"),
    ]
    assert 'rel="prev"' not in site.client.get("/issues/weekly/2025-12-22").text


def test_an_issue_that_goes_out_later_joins_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("newsletter.web.archive.FRESH", 0)
    site = Site(tmp_path)
    assert "No issue has gone out yet" in site.client.get("/archive").text
    assert site.client.get("/issues/daily/2025-12-25").status_code == 404
    site.send()
    assert "/issues/daily/2025-12-25" in site.client.get("/archive").text


def test_the_feeds_are_valid_and_tell_the_same(site: Site) -> None:
    atom = feedparser.parse(site.client.get("/feed.atom").data)
    assert not atom.bozo
    feed = json.loads(site.client.get("/feed.json").text)
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert [item["url"] for item in feed["items"]] == [entry.link for entry in atom.entries]
    assert feed["items"][1]["url"] == f"{BASE}/issues/daily/2025-12-26"
    assert LEAD in atom.entries[1].title
    assert LEAD in feed["items"][1]["content_html"]


def test_an_empty_list_has_valid_feeds_too(tmp_path: Path) -> None:
    site = Site(tmp_path)
    assert not feedparser.parse(site.client.get("/feed.atom").data).bozo
    assert json.loads(site.client.get("/feed.json").text)["items"] == []


def test_search_engines_learn_what_to_read_and_what_not(site: Site) -> None:
    robots = site.client.get("/robots.txt").text
    assert "Disallow: /unsubscribe/" in robots
    assert f"Sitemap: {BASE}/sitemap.xml" in robots
    tree = ET.fromstring(site.client.get("/sitemap.xml").data)
    assert f"{BASE}/issues/daily/2025-12-25" in [element.text for element in tree.iter() if element.text]
    assert '<meta name="robots" content="noindex">' in site.client.get("/check-your-mail").text


def test_what_has_not_changed_is_not_sent_again(site: Site) -> None:
    tag = site.client.get("/archive").headers["ETag"]
    answer = site.client.get("/archive", headers={"If-None-Match": tag})
    assert (answer.status_code, answer.data) == (304, b"")


PAGES = ["/", "/archive", "/issues/daily/2025-12-25", "/feed.atom", "/check-your-mail", "/nowhere", "/assets/site.css"]


@pytest.mark.parametrize("path", PAGES)
def test_every_answer_is_guarded_and_sets_no_cookie(site: Site, path: str) -> None:
    headers = site.client.get(path).headers
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Strict-Transport-Security"].startswith("max-age=")
    assert "Set-Cookie" not in headers


def test_a_readers_own_page_is_kept_by_no_cache(site: Site) -> None:
    answer = site.client.get(f"/preferences/{site.token_of('reader@example.org')}")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "reader@example.org" not in answer.text, "a forwarded link tells nobody the address"


def test_a_body_beyond_the_bound_is_refused(site: Site) -> None:
    assert site.client.post("/subscribe", data={"address": "x" * 100_000}).status_code == 413


def test_headers_of_a_proxy_count_only_where_the_settings_trust_one(tmp_path: Path) -> None:
    from newsletter.settings.serving import WebSettings
    from newsletter.web.site import create_site

    site = Site(tmp_path)
    behind = create_site(site.parts, WebSettings(proxies=1)).test_client()
    for client, statuses in ((site.client, [303] * 5 + [429] * 2), (behind, [303] * 7)):
        data = {"form": site.form(), "address": "ada@example.org", "period": "daily"}
        said = [
            client.post("/subscribe", data=data, headers={"X-Forwarded-For": f"192.0.2.{n}"}).status_code
            for n in range(7)
        ]
        assert said == statuses


ROUTES = [
    *("/", "/archive", "/feed.atom", "/feed.json", "/robots.txt", "/sitemap.xml", "/healthz", "/subscribe"),
    *(
        "/check-your-mail",
        "/issues/{}/{}",
        "/confirm/{}",
        "/preferences/{}",
        "/unsubscribe/{}",
        "/assets/{}.css",
        "/{}",
    ),
]
TEXT = st.text(max_size=60)
OWN = "the reader's own token"


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    route=st.sampled_from(ROUTES),
    words=st.lists(TEXT | st.sampled_from([OWN, "daily", "2025-12-25", "2025-13-45", "site"]), min_size=2, max_size=2),
    method=st.sampled_from(["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"]),
    query=st.dictionaries(st.sampled_from(["page", "x"]), TEXT | st.integers().map(str), max_size=2),
    fields=st.dictionaries(
        st.sampled_from(
            ["address", "form", "period", "format", "hour", "papers", "timezone", "paused_until", "include"]
        )
        | st.sampled_from(["website", "reason", "List-Unsubscribe", "only_matches"])
        | TEXT,
        TEXT | st.sampled_from(["daily", "html", "ada@example.org", "2026-01-01", "7"]),
        max_size=6,
    ),
    headers=st.dictionaries(
        st.sampled_from(["Origin", "Host", "X-Forwarded-For", "If-None-Match", "Content-Type", "Accept", "Cookie"]),
        st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=30),
        max_size=3,
    ),
)
def test_no_request_whatever_ends_in_a_fault_of_ours(  # noqa: PLR0913, PLR0917 - the parts of a request
    site: Site,
    route: str,
    words: list[str],
    method: str,
    query: dict[str, str],
    fields: dict[str, str],
    headers: dict[str, str],
) -> None:
    token = site.token_of("reader@example.org")
    path = route.format(*(token if word == OWN else word for word in words))
    given: dict[str, Any] = {"data": fields} if method in {"POST", "PUT", "PATCH"} else {}
    answer = site.client.open(
        path if path.startswith("/") else "/", method=method, query_string=query, headers=headers, **given
    )
    assert answer.status_code < 500, answer.text
