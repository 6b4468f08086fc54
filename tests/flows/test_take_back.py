"""What came back, from the bytes of a mail to who is mailed no more: each with the books of a real list."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from newsletter import enrolment, roster
from newsletter.models import Subscriber
from newsletter.send.bounces import read_reports
from tests.flows.command import newsletter, smtp
from tests.make import NOON
from tests.send.returned import ORIGINAL, answer, complaint, mail, report
from tests.send.servers import faulty_server
from tests.web.sites import Site

ADA, BO = "ada@example.com", "bo@example.com"
ELSEWHERE = "forwarded@where.example.com"
NO_CLUE = "From: Papers <papers@example.org>\nSubject: The papers of today\n\nThree papers.\n"


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return open_site(tmp_path, "bounces@example.org")


def open_site(folder: Path, bounce_address: str | None) -> Site:
    site = Site(folder, bounce_address=bounce_address, bounces={"hard": 2, "soft": 3, "decay_days": 30})
    site.parts.subscribers.add([Subscriber(address=ADA), Subscriber(address=BO)], NOON)
    return site


def take_back(site: Site, content: bytes) -> int:
    return enrolment.take_back(site.parts, content, read_reports(content))


def came_back(site: Site, content: bytes) -> int:
    """Take back what came to the return path of Ada's copy."""
    path = site.parts.links.return_path(number_of(site))
    assert path
    return take_back(site, content.replace(b"To: bounces@example.org", b"To: " + path.encode()))


def number_of(site: Site, address: str = ADA) -> int:
    reader = site.parts.subscribers.find(address)
    assert reader
    assert reader.id
    return reader.id


def counted(site: Site, address: str = ADA) -> list[str]:
    return [str(row["kind"]) for row in site.parts.enrolments.bounces.of(number_of(site, address))]


def bounce(code: str, said: str, *, address: str = ADA, action: str = "failed", returned: str = NO_CLUE) -> bytes:
    """Return a notification that names a recipient, and holds no other clue."""
    fields = f"Final-Recipient: rfc822; {address}\nAction: {action}\nStatus: {code}\nDiagnostic-Code: smtp; {said}\n"
    return report(fields, returned=returned).replace(b"bounces+7-0123456789abcdef@", b"bounces@")


def hard(number: int = 1, address: str = ADA, returned: str = NO_CLUE) -> bytes:
    return bounce("5.1.1", f"550 5.1.1 user unknown, said {number} times", address=address, returned=returned)


def by_return_path(site: Site) -> bytes:
    path = site.parts.links.return_path(number_of(site))
    assert path
    return hard(address=ELSEWHERE).replace(b"To: bounces@example.org", b"To: " + path.upper().encode())


def by_message_id(site: Site) -> bytes:
    site.send()
    message_id = site.parts.links.message_id("daily/2025-12-25", number_of(site))
    return hard(address=ELSEWHERE, returned=f"Message-ID: <{message_id}>\n{NO_CLUE}")


def by_token(site: Site) -> bytes:
    token = site.token_of(ADA)
    return hard(address=ELSEWHERE, returned=NO_CLUE + f"Leave: https://news.example.org/unsubscribe/{token}\n")


def by_header(site: Site) -> bytes:
    site.send()
    [copy] = [one for one in site.mails() if one["To"] == ADA]
    head = "".join(f"{name}: {value}\n" for name, value in copy.items() if name.casefold() != "message-id")
    return hard(address=ELSEWHERE, returned=head + "\nThree papers.\n")


@pytest.mark.parametrize("clue", [by_return_path, by_message_id, by_token, by_header])
def test_each_clue_finds_the_reader_whose_copy_came_back(site: Site, clue: Callable[[Site], bytes]) -> None:
    take_back(site, clue(site))
    assert (counted(site), counted(site, BO)) == (["hard"], [])


def test_a_failure_that_only_names_a_reader_proves_nothing_where_true_ones_have_a_mark(site: Site) -> None:
    assert sum(take_back(site, hard(number)) for number in range(5)) == 0
    assert (site.standing(ADA), counted(site)) == ("active", [])


def test_where_bounces_have_no_mark_a_failure_that_only_names_a_reader_counts_once_a_day(tmp_path: Path) -> None:
    site = open_site(tmp_path, None)
    assert sum(take_back(site, hard(number, address=ADA.upper())) for number in range(5)) == 0
    assert (site.standing(ADA), counted(site)) == ("active", ["hard"])
    site.clock.now += timedelta(days=1)
    assert take_back(site, hard(9)) == 1


def test_a_bounce_of_nobody_of_ours_changes_nothing(site: Site) -> None:
    assert take_back(site, hard(address=ELSEWHERE)) == 0
    forged = hard(address=ELSEWHERE).replace(
        b"To: bounces@", f"To: bounces+{number_of(site)}-0123456789abcdef@".encode()
    )
    assert take_back(site, forged) == 0
    assert (counted(site), counted(site, BO)) == ([], [])


def test_an_address_that_fails_for_good_is_mailed_no_more_after_as_many_as_the_setting(site: Site) -> None:
    assert came_back(site, hard(1)) == 0
    assert came_back(site, hard(1)) == 0, "the same mail, read twice, counts once"
    assert site.standing(ADA) == "active"
    assert came_back(site, hard(2)) == 1
    assert site.standing(ADA) == "bounced"
    site.send()
    assert [one["To"] for one in site.mails()] == [BO, "reader@example.org"]


def test_a_passing_failure_counts_more_slowly_and_is_forgiven_in_time(site: Site) -> None:
    for n in range(2):
        came_back(site, bounce("4.2.2", f"452 4.2.2 mailbox full, day {n}"))
    site.clock.now += timedelta(days=31)
    came_back(site, bounce("5.2.2", "552 5.2.2 mailbox full, at last"))
    assert site.standing(ADA) == "active"
    for n in range(2):
        site.clock.now += timedelta(days=1)
        came_back(site, bounce("4.4.1", f"connection timed out, day {n}"))
    assert site.standing(ADA) == "bounced"


def test_a_final_failure_of_long_ago_is_forgiven_too(site: Site) -> None:
    came_back(site, hard(1))
    site.clock.now += timedelta(days=31)
    came_back(site, hard(2))
    assert (site.standing(ADA), counted(site)) == ("active", ["hard", "hard"])


NOTHING = {
    "delayed": bounce("4.4.1", "connection timed out", action="delayed"),
    "delivered": bounce("2.0.0", "250 ok", action="delivered"),
    "a policy": bounce("5.7.1", "550 5.7.1 rejected by policy"),
    "too large": bounce("5.2.3", "552 5.2.3 message too large"),
    "vacation": answer("Out of Office: papers", Auto_Submitted="auto-replied"),
    "a report on authentication": complaint("auth-failure"),
    "not spam": complaint("not-spam"),
}


@pytest.mark.parametrize("content", NOTHING.values(), ids=[*NOTHING])
def test_what_is_no_failure_of_the_address_never_counts(site: Site, content: bytes) -> None:
    path = site.parts.links.return_path(number_of(site))
    assert path
    for n in range(5):
        again = content.replace(b"bounces@example.org", path.encode()).replace(
            b"bounces+7-0123456789abcdef@example.org", path.encode()
        )
        assert take_back(site, again + f"\r\n{n}".encode()) == 0
    assert (site.standing(ADA), counted(site)) == ("active", [])


def test_a_complaint_counts_at_once(site: Site) -> None:
    copy = ORIGINAL.partition("List-Unsubscribe")[0]
    header = f"List-Unsubscribe: <https://news.example.org/unsubscribe/{site.token_of(ADA)}>\n\nPapers.\n"
    assert take_back(site, complaint("abuse", returned=copy + header)) == 1
    assert (site.standing(ADA), site.standing(BO)) == ("complained", "active")
    [row] = site.parts.enrolments.bounces.newest_first()
    assert (row["address"], row["why"]) == (ADA, "feedback: abuse")


def test_a_recipient_that_a_complaint_only_names_is_taken_off_by_nobody(site: Site) -> None:
    forged = complaint("abuse", returned=NO_CLUE).replace(
        b"Version: 1", f"Version: 1\r\nOriginal-Rcpt-To: {ADA}\r\nRemoval-Recipient: {ADA}".encode()
    )
    assert take_back(site, forged) == 0
    assert (site.standing(ADA), counted(site)) == ("active", [])


def test_a_mail_takes_off_the_reader_whose_token_it_has(site: Site) -> None:
    token = site.token_of(ADA)
    assert take_back(site, mail("", From=f"Bo <{BO}>", To="bounces@example.org", Subject=f"unsubscribe {token}")) == 1
    assert (site.standing(ADA), site.standing(BO)) == ("unsubscribed", "active")
    assert take_back(site, mail("", From=BO, To="bounces@example.org", Subject=f"unsubscribe {token[:-3]}abc")) == 0
    assert take_back(site, mail("", From=f"Bo <{BO}>", To="bounces@example.org", Subject="Unsubscribe")) == 1
    assert [row["event"] for row in site.parts.enrolments.history(number_of(site))] == ["imported", "left"]


def test_who_is_taken_in_again_begins_anew_and_the_old_mails_count_no_more(site: Site) -> None:
    for n in range(2):
        came_back(site, hard(n))
    assert roster.take_in_again(site.parts, ADA).standing == "bounced"
    for n in range(2):
        assert came_back(site, hard(n)) == 0
    assert came_back(site, hard(3)) == 0
    assert (site.standing(ADA), sorted(counted(site))) == ("active", ["hard", "other", "other"])
    assert came_back(site, hard(4)) == 1


def test_a_report_that_comes_after_one_was_erased_writes_nothing_of_them(site: Site) -> None:
    late = by_return_path(site).replace(ELSEWHERE.encode(), ADA.encode())
    roster.erase(site.parts, ADA)
    assert take_back(site, late) == 0
    assert list(site.parts.enrolments.bounces.newest_first()) == []


REPLIES = [
    ("550 5.1.1 no such user", "bounced"),
    ("550 no such user here", "bounced"),
    ("552 5.2.3 message too large", "active"),
    ("550 5.7.1 blocked by policy", "active"),
]


@pytest.mark.parametrize(("reply", "standing"), REPLIES)
def test_a_refusal_while_sending_counts_once_an_issue_and_only_if_the_address_is_at_fault(
    tmp_path: Path, reply: str, standing: str
) -> None:
    (tmp_path / "subscribers.yaml").write_text(f"subscribers: [{ADA}, {BO}]\n")
    at_fault = standing == "bounced"

    def bounced() -> list[dict[str, str]]:
        return list(json.loads(newsletter(tmp_path, "subscribers", "list", "--bounced", "--json").out))

    with faulty_server({}) as server:
        server.to_each = lambda address: reply if address == ADA else None
        for _ in range(2):
            newsletter(tmp_path, "send", "--date", "2025-12-24", **smtp(server.port))
        assert [(row["address"], row["standing"]) for row in bounced()] == [(ADA, "active")] * at_fault
        newsletter(tmp_path, "send", "--date", "2025-12-25", **smtp(server.port))
    assert [(row["standing"], row["why"]) for row in bounced()] == [(standing, reply)] * 2 * at_fault
    assert server.recipients == [BO, BO]
