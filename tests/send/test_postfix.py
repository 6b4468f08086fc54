"""A real Postfix takes what we hand it, and delivers it as it was."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme

from newsletter.bench import sample
from newsletter.errors import RelayError
from newsletter.models import Message, Outcome, Verdict
from newsletter.send.smtp import Relay, SmtpTransport
from tests.flows.command import newsletter, readers, smtp
from tests.make import a_message
from tests.postfix import Postfix, postfix_server

REFUSED = "{gone@example.org = 550 5.1.1 no such user}, {grey@example.org = 450 4.2.0 try again in 5 minutes}"


@pytest.fixture(scope="module")
def postfix(require: Callable[[str], str]) -> Iterator[Postfix]:
    require("postfix")
    refuse = f"check_recipient_access inline:{{ {REFUSED} }}"
    with postfix_server(smtpd_recipient_restrictions=refuse, message_size_limit="200000") as it:
        yield it


def send(to: Postfix, *messages: Message) -> list[Outcome]:
    relay = Relay(host="127.0.0.1", port=to.port, security="none", timeout=20)
    return list(SmtpTransport(relay).deliver(iter(messages), lambda _message: True))


def given(number: int, content: bytes, recipient: str = "ada@example.org") -> Message:
    return Message(f"p{number}@example.org", "papers@example.org", recipient, content)


HEAD = b"From: a@example.org\r\nDate: Thu, 25 Dec 2025 12:00:00 +0000\r\nMessage-ID: <%d@example.org>\r\n\r\n"


def test_messages_come_back_byte_for_byte(postfix: Postfix) -> None:
    bodies = [b".\r\n..\r\n.end\r\n", b"x" * 998 + b"\r\n", b"=2E\r\n\r\n\r\n", b"last"]
    messages = [given(n, HEAD % n + body.removesuffix(b"\r\n") + b"\r\n") for n, body in enumerate(bodies)]
    messages.append(given(9, sample.one_copy().content))
    before = len(postfix.delivered(0))
    assert [one.verdict for one in send(postfix, *messages)] == [Verdict.ACCEPTED] * len(messages)
    stored = postfix.delivered(before + len(messages))
    for message in messages:
        local = message.content.replace(b"\r\n", b"\n")
        assert sum(one.endswith(b"\n" + local) for one in stored) == 1


def test_refusals_of_each_kind_leave_the_connection_good_for_the_next(postfix: Postfix) -> None:
    before = len(postfix.delivered(0))
    outcomes = send(
        postfix,
        given(1, HEAD % 1 + b"x\r\n", "gone@example.org"),
        given(2, HEAD % 2 + b"x\r\n", "grey@example.org"),
        given(3, HEAD % 3 + b"x\r\n" * 100_000),
        given(4, HEAD % 4 + b"x\r\n"),
    )
    expected = [Verdict.REFUSED, Verdict.POSTPONED, Verdict.REFUSED, Verdict.ACCEPTED]
    assert [(one.verdict, one.code) for one in outcomes] == list(zip(expected, (550, 450, 552, 250), strict=True))
    assert outcomes[2].text.startswith("5.3.4")
    assert len(postfix.delivered(before + 1)) == before + 1


def test_a_lone_dot_in_a_body_ends_no_message(postfix: Postfix) -> None:
    before = len(postfix.delivered(0))
    trick = HEAD % 5 + b"one\r\n.\r\nMAIL FROM:<eve@example.net>\r\nRCPT TO:<ada@example.org>\r\nDATA\r\ntwo\r\n.\r\n"
    [outcome] = send(postfix, given(5, trick))
    assert outcome.verdict is Verdict.ACCEPTED
    assert len(postfix.delivered(before + 1)) == before + 1


def test_a_whole_issue_arrives_once_for_each_reader(postfix: Postfix, tmp_path: Path) -> None:
    before = set(postfix.mailbox.glob("*"))
    readers(tmp_path, 200)
    ran = newsletter(tmp_path, "send", **smtp(postfix.port, connections="4", dsn="true"))
    assert ran.code == 0
    postfix.delivered(len(before) + 200)
    fresh = [path.read_bytes() for path in set(postfix.mailbox.glob("*")) - before]
    to = sorted(one.partition(b"\nX-Original-To: ")[2].partition(b"\n")[0].decode() for one in fresh)
    assert to == sorted(f"reader{n}@example.org" for n in range(200))


def test_starttls_with_a_certificate_that_is_trusted_or_not(
    require: Callable[[str], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    require("postfix")
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    with postfix_server(
        smtpd_tls_security_level="encrypt", smtpd_tls_chain_files=str(tmp_path / "server.pem")
    ) as server:
        relay = Relay(host="127.0.0.1", port=server.port, security="starttls", timeout=20)
        with pytest.raises(RelayError, match="certificate not accepted"):
            list(SmtpTransport(relay).deliver(iter([a_message()]), lambda _message: True))
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        [outcome] = SmtpTransport(relay).deliver(iter([a_message()]), lambda _message: True)
        assert outcome.verdict is Verdict.ACCEPTED
        assert len(server.delivered(1)) == 1
