"""What a mail that came back is read as."""

import ast
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.models import ReportKind
from newsletter.send.bounces import read_reports
from newsletter.send.outcomes import address_fault
from tests.send.returned import ORIGINAL, SAMPLES, TOKEN, VERP, answer, complaint, report, status

ENDS_MAIL = {ReportKind.HARD, ReportKind.COMPLAINT, ReportKind.LEAVE}

# Published as final failures, and none of the reader's address for good: why we count them otherwise or not at all.
LESS_THAN_FINAL = {
    "full": (
        *("postfix_04", "simple_01", "newmailru_01", "hotpop_01", "simple_07", "simple_09", "simple_38", "simple_45"),
        *("qmail_06", "yahoo_02", "yahoo_04"),
    ),
    "expired on the way": ("dsn_02",),
    "too large": ("dsn_03",),
    "taken for spam": ("simple_42",),
}


@pytest.mark.parametrize(("content", "kind"), SAMPLES.values(), ids=[*SAMPLES])
def test_each_mail_is_read_for_what_it_is(content: bytes, kind: ReportKind) -> None:
    kinds = {one.kind for one in read_reports(content)}
    assert kinds == {kind}


def test_the_clues_are_the_return_path_the_token_and_the_message_id() -> None:
    [one] = read_reports(status("5.1.1", "550 5.1.1 user unknown", address="else@where.example.com"))
    assert one.came_to[0] == VERP
    assert one.tokens == (TOKEN,)
    assert one.message_ids == ("0123456789abcdef0123456789abcdef@example.org",)
    assert one.recipient == "else@where.example.com"


def test_a_redacted_complaint_still_tells_whose_it_is_by_the_token() -> None:
    [one] = read_reports(complaint("abuse", returned=ORIGINAL.replace("ada@example.com", "redacted")))
    assert (one.kind, one.recipient, one.tokens) == (ReportKind.COMPLAINT, None, (TOKEN,))


def test_a_request_to_leave_carries_the_token_of_its_subject_alone() -> None:
    [one] = read_reports(answer(f"unsubscribe {TOKEN}", body=ORIGINAL.replace("WyJwYX", "XXXXXX")))
    assert one.tokens == (TOKEN,)


def test_each_recipient_of_a_report_is_a_report() -> None:
    fields = "\n\n".join(
        f"Final-Recipient: rfc822; {name}@example.com\nAction: failed\nStatus: {code}"
        for name, code in (("ada", "5.1.1"), ("bob", "4.4.1"))
    )
    reports = read_reports(report(fields))
    assert [(one.recipient, one.kind) for one in reports] == [
        ("ada@example.com", ReportKind.HARD),
        ("bob@example.com", ReportKind.SOFT),
    ]


@pytest.mark.parametrize(
    ("reply", "fault"),
    [
        ("550 5.1.1 no such user", True),
        ("550 5.2.1 disabled", True),
        ("550 No such user here", True),
        ("550 5.0.0 unknown user", True),
        ("550 5.7.1 no such user", False),  # the code decides
        ("552 5.2.2 mailbox full", False),
        ("550 rejected", False),
        ("451 4.1.1 no such user yet", False),
        ("", False),
    ],
)
def test_a_refusal_counts_as_a_bounce_only_when_it_is_about_the_address(reply: str, *, fault: bool) -> None:
    assert address_fault(reply) is fault


@given(st.binary(max_size=2000))
def test_whatever_the_bytes_there_is_a_report(content: bytes) -> None:
    assert read_reports(content)


@given(st.sampled_from([content for content, _ in SAMPLES.values()]), st.data())
def test_a_damaged_mail_is_read_too(content: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(content)))
    length = data.draw(st.integers(0, 60))
    assert read_reports(content[:at] + data.draw(st.binary(max_size=20)) + content[at + length :])


@given(st.text(max_size=300), st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=60))
def test_an_answer_of_a_person_never_ends_anybodys_mail(body: str, subject: str) -> None:
    for one in read_reports(answer(f"Re: {subject}", f"{body}\n> 550 5.1.1 <ada@example.com>: user unknown")):
        assert one.kind not in ENDS_MAIL or "unsubscribe" in subject.casefold()


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, missing: Callable[[str], NoReturn]) -> Path:
    """Fetch the source distribution of flufl.bounce, whose tests hold real bounces; return the folder of its tests."""
    folder = tmp_path_factory.mktemp("flufl")
    fetch = ["download", "--quiet", "--no-deps", "--no-build-isolation", "--no-binary", ":all:", "flufl.bounce==6.0.0"]
    subprocess.run([sys.executable, "-m", "pip", *fetch, "--dest", str(folder)], check=False, capture_output=True)
    packed = next(folder.glob("*.tar.gz"), None)
    if packed is None:
        missing("the source distribution of flufl.bounce cannot be fetched: pip download --no-binary")
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return next(folder.glob("*/tests"))


def test_the_real_bounces_of_flufl_are_read_as_published(corpus: Path) -> None:
    tree = ast.parse((corpus / "test_detectors.py").read_text())
    tables = [node.value for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign) and node.value]
    published = next(
        ast.literal_eval(table) for table in tables if isinstance(table, ast.List) and len(table.elts) > 50
    )
    assert len(published) >= 110
    excused = {name for names in LESS_THAN_FINAL.values() for name in names}
    for _detector, file, addresses, temporary in published:
        reports = read_reports((corpus / "data" / file).read_bytes())
        kinds = {(one.recipient or "").casefold(): one.kind for one in reports}
        for address in (one.decode().casefold() for one in addresses):
            assert address in kinds, file
            if temporary:
                assert kinds[address] is not ReportKind.HARD, file
            elif file.removesuffix(".txt") not in excused:
                assert kinds[address] is ReportKind.HARD, file
