"""The SMTP transport against real servers on loopback."""

import socket
import ssl
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import trustme

from newsletter.errors import RelayError
from newsletter.models import Message, Outcome, Verdict
from newsletter.send.sender import _mend
from newsletter.send.smtp import Relay, SmtpTransport, connect
from tests.make import a_message
from tests.send.servers import PASSWORD, USER, FaultyServer, faulty_server, mail_server

pytestmark = pytest.mark.usefixtures("offers")

GO = lambda _message: True  # noqa: E731 - reads as the answer it gives


def relay(port: int, **options: object) -> Relay:
    plain = Relay(host="127.0.0.1", port=port, security="none", timeout=5)
    return replace(plain, **options)  # type: ignore[arg-type]  # options are Relay's own fields


def send(to: Relay, *messages: Message | None) -> list[Outcome]:
    return list(SmtpTransport(to).deliver(iter(messages), GO))


@pytest.fixture
def tls(authority: trustme.CA) -> ssl.SSLContext:
    return server_context(authority)


def server_context(authority: trustme.CA, host: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(host).configure_cert(context)
    return context


def test_messages_arrive_byte_for_byte_on_one_connection() -> None:
    dotted = a_message(2, b"Subject: dots\r\n\r\n.\r\n..two\r\n.end\r\n")
    with mail_server() as (mailbox, port):
        outcomes = send(relay(port), a_message(1), None, dotted)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.ACCEPTED] * 2
    assert mailbox.contents == [a_message(1).content, dotted.content]
    assert mailbox.recipients == ["reader1@example.org", "reader2@example.org"]


def test_starttls_and_login_work_together(tls: ssl.SSLContext) -> None:
    with mail_server(tls, login=True) as (mailbox, port):
        to = relay(port, security="starttls", username=USER.decode(), password=PASSWORD.decode())
        [outcome] = send(to, a_message())
    assert outcome.verdict is Verdict.ACCEPTED
    assert mailbox.logins == [True]


def test_a_wrong_password_is_one_line_with_the_mend(tls: ssl.SSLContext) -> None:
    with mail_server(tls, login=True) as (mailbox, port):
        to = relay(port, security="starttls", username=USER.decode(), password="battery staple")
        with pytest.raises(RelayError, match=r"refuses user mailer: 535.*check smtp\.username and smtp\.password"):
            send(to, a_message())
    assert mailbox.taken == []


def test_the_password_shows_in_no_repr() -> None:
    assert "horse" not in repr(relay(25, username="mailer", password="correct horse"))


def test_starttls_never_falls_back_to_plain_text() -> None:
    with mail_server() as (mailbox, port), pytest.raises(RelayError, match="does not offer STARTTLS"):
        send(relay(port, security="starttls"), a_message())
    assert mailbox.taken == []


def test_a_certificate_of_another_host_is_refused(authority: trustme.CA) -> None:
    server = mail_server(server_context(authority, "other.example.org"))
    with server as (mailbox, port), pytest.raises(RelayError, match="certificate not accepted"):
        send(relay(port, security="starttls"), a_message())
    assert mailbox.taken == []


def test_tls_on_a_port_that_speaks_plain_text_says_which_port_is_for_what() -> None:
    with mail_server() as (_mailbox, port), pytest.raises(RelayError, match=r"TLS failed.*465"):
        send(relay(port, security="tls"), a_message())


def test_a_login_that_is_not_offered_is_named() -> None:
    with faulty_server({}) as server, pytest.raises(RelayError, match="offers no login"):
        send(relay(server.port, username="mailer", password="x"), a_message())


def test_an_unreachable_relay_is_named_with_its_port() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(RelayError, match=f"relay 127.0.0.1:{port}: nothing answers there"):
        send(relay(port), a_message())


def test_an_unknown_host_is_named() -> None:
    with pytest.raises(RelayError, match=r"relay no-such-host\.invalid:25: no such host"):
        send(relay(25, host="no-such-host.invalid"), a_message())


# What a fault in a phase means for the message that it meets; 2xx and 3xx out of place are no answer at all.
FAULTS = [
    ({"MAIL": "451 4.3.0 busy"}, Verdict.POSTPONED),
    ({"MAIL": "550 5.1.8 bad sender"}, Verdict.BARRED),
    ({"MAIL": "421 4.7.0 slow down"}, Verdict.POSTPONED),
    ({"MAIL": "drop"}, Verdict.POSTPONED),
    ({"MAIL": "what is this"}, Verdict.POSTPONED),
    ({"RCPT": "450 4.2.0 greylisted"}, Verdict.POSTPONED),
    ({"RCPT": "550 5.1.1 no such user"}, Verdict.REFUSED),
    ({"RCPT": "550 5.7.1 denied"}, Verdict.SUSPECT),
    ({"RCPT": "drop"}, Verdict.POSTPONED),
    ({"DATA": "554 no"}, Verdict.REFUSED),
    ({"DATA": "drop"}, Verdict.POSTPONED),
    ({"BODY": "drop"}, Verdict.POSTPONED),
    ({"DOT": "552 5.3.4 too big"}, Verdict.REFUSED),
    ({"DOT": "451 4.3.0 busy"}, Verdict.POSTPONED),
    ({"DOT": "421 4.3.2 going down"}, Verdict.POSTPONED),
    ({"DOT": "drop"}, Verdict.UNKNOWN),
    ({"DOT": "drop-after"}, Verdict.UNKNOWN),
    ({"DOT": "garbage"}, Verdict.UNKNOWN),
    ({"RCPT": "252 who knows"}, Verdict.POSTPONED),
    ({"DATA": "250 what"}, Verdict.POSTPONED),
    ({"DOT": "354 more"}, Verdict.UNKNOWN),
]


@pytest.mark.parametrize(("faults", "verdict"), FAULTS, ids=str)
def test_each_fault_in_each_phase_has_its_verdict(faults: dict[str, str], verdict: Verdict) -> None:
    with faulty_server(faults) as server:
        # Longer than the kernel buffers, so that a connection dropped inside the body is noticed inside it.
        long = a_message(content=b"Subject: long\r\n\r\n" + (b"x" * 998 + b"\r\n") * 20_000)
        message = long if "BODY" in faults else a_message()
        assert send(relay(server.port), message)[0].verdict is verdict


@pytest.mark.parametrize("faults", [{"BANNER": "554 no service"}, {"BANNER": "421 busy"}, {"BANNER": "drop"}], ids=str)
def test_a_refused_connection_is_one_line(faults: dict[str, str]) -> None:
    with faulty_server(faults) as server, pytest.raises(RelayError, match=r"^relay 127.0.0.1:\d+: .*run again later$"):
        send(relay(server.port), a_message())


def test_a_relay_that_knows_only_helo_is_used_all_the_same() -> None:
    with faulty_server({"EHLO": "502 what?"}) as server:
        assert send(relay(server.port), a_message())[0].verdict is Verdict.ACCEPTED


def test_after_a_refusal_the_connection_carries_the_next_message() -> None:
    with faulty_server({"RCPT": "550 5.1.1 no such user"}, times=1) as server:
        outcomes = send(relay(server.port), a_message(1), a_message(2))
    assert [outcome.verdict for outcome in outcomes] == [Verdict.REFUSED, Verdict.ACCEPTED]
    assert len(server.taken) == 1


def test_a_lost_connection_ends_the_delivery_and_leaves_the_rest_undrawn(offers: str) -> None:
    waiting: Iterator[Message] = iter([a_message(1), a_message(2), a_message(3)])
    with faulty_server({"DOT": "drop-after"}) as server:
        outcomes = list(SmtpTransport(relay(server.port)).deliver(waiting, GO))
    if offers == "pipelined":  # the next envelope rode with the dot
        assert [outcome.verdict for outcome in outcomes] == [Verdict.UNKNOWN, Verdict.UNTRIED]
        assert next(waiting) == a_message(3)
    else:
        assert [outcome.verdict for outcome in outcomes] == [Verdict.UNKNOWN]
        assert next(waiting) == a_message(2)


def test_a_fenced_message_never_gets_its_dot() -> None:
    with faulty_server({}) as server:
        [outcome] = SmtpTransport(relay(server.port)).deliver(iter([a_message()]), lambda _message: False)
    assert outcome.verdict is Verdict.UNTRIED
    assert server.taken == []


def test_silence_after_the_dot_is_unknown_once_the_wait_is_over() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        import threading

        def talk() -> None:
            connection, _address = listener.accept()
            with connection:
                connection.sendall(b"220 a\r\n250 b\r\n250 c\r\n250 d\r\n354 e\r\n")
                while connection.recv(65536):
                    pass

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        [outcome] = send(relay(listener.getsockname()[1], timeout=0.3), a_message())
        thread.join(5)
    assert outcome.verdict is Verdict.UNKNOWN


@pytest.mark.parametrize("ended", ["drop", "421 4.7.0 too many messages on this connection"])
def test_a_connection_that_ends_between_two_messages_leaves_the_second_untried(ended: str) -> None:
    with faulty_server({"MAIL": ended}) as server:
        assert verdicts_of_two(server) == [Verdict.ACCEPTED, Verdict.UNTRIED]


def verdicts_of_two(server: FaultyServer) -> list[Verdict]:
    """Send two messages; the server's faults begin once all but the dot of the first is out."""
    faults = dict(server.times)
    server.times = dict.fromkeys(faults, 0)

    def begin(message: Message) -> bool:
        if message == a_message(1):
            server.times = faults
        return True

    pair = iter([a_message(1), a_message(2)])
    return [outcome.verdict for outcome in SmtpTransport(relay(server.port)).deliver(pair, begin)]


@pytest.mark.parametrize(
    ("faults", "verdict"), [case for case in FAULTS if not {"DOT", "BODY"} & case[0].keys()], ids=str
)
def test_a_fault_at_the_second_envelope_is_the_second_messages_own(faults: dict[str, str], verdict: Verdict) -> None:
    between = faults in ({"MAIL": "drop"}, {"MAIL": "421 4.7.0 slow down"}, {"MAIL": "what is this"})
    with faulty_server(faults) as server:
        assert verdicts_of_two(server) == [Verdict.ACCEPTED, Verdict.UNTRIED if between else verdict]
    assert len(server.taken) == 1


def test_the_next_envelope_rides_with_the_dot() -> None:
    """A relay that answers the dot only once it has seen the next DATA: who waits for the answer waits for ever."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        import threading

        def talk() -> None:
            connection, _address = listener.accept()
            with connection, connection.makefile("rwb") as lines:
                say(lines, "220 a")
                for replies in (["250-b", "250 PIPELINING"], ["250 c"], ["250 d"], ["354 e"]):
                    lines.readline()
                    say(lines, *replies)
                for _message in (1, 2):
                    while lines.readline() != b".\r\n":
                        pass
                    said = [] if _message == 2 else [lines.readline() for _command in ("MAIL", "RCPT", "DATA")]
                    say(lines, "250 taken", *["250 f", "250 g", "354 h"][: len(said)])
                lines.readline()
                say(lines, "221 bye")

        thread = threading.Thread(target=talk, daemon=True)
        thread.start()
        outcomes = send(relay(listener.getsockname()[1], timeout=3), a_message(1), a_message(2))
        thread.join(5)
    assert [outcome.verdict for outcome in outcomes] == [Verdict.ACCEPTED, Verdict.ACCEPTED]


def say(lines: Any, *replies: str) -> None:
    lines.write("".join(f"{reply}\r\n" for reply in replies).encode())
    lines.flush()


def test_the_size_is_told_where_the_relay_wants_to_know_it(offers: str) -> None:
    with faulty_server({}) as server:
        assert send(relay(server.port), a_message())[0].verdict is Verdict.ACCEPTED
    told = f" SIZE={len(a_message().content)}" if offers == "pipelined" else ""
    assert f"MAIL FROM:<news@example.org>{told}" in server.commands


def test_a_relay_that_wants_tls_is_told_of_with_the_right_mend() -> None:
    assert _mend(Outcome(Verdict.BARRED, 530, "5.7.0 Must issue a STARTTLS command first")).startswith(
        "set smtp.security"
    )
    assert "username" in _mend(Outcome(Verdict.BARRED, 530, "5.7.0 Authentication required"))


def test_a_name_that_is_no_host_is_one_line() -> None:
    with pytest.raises(RelayError, match=r"is no host name; check smtp\.host"):
        connect(Relay(host="smtp..example.org", port=25, security="none"))


def test_a_silent_goodbye_holds_nobody_up() -> None:
    with faulty_server({"QUIT": "drop"}) as server:
        assert send(relay(server.port), a_message())[0].verdict is Verdict.ACCEPTED


ABROAD = Message(
    "m9@example.org", "news@example.org", "jürgen@example.org", "To: jürgen@example.org\r\n\r\nx\r\n".encode()
)


def test_an_address_outside_ascii_goes_to_a_relay_that_takes_such() -> None:
    offers = "250-here\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SMTPUTF8"
    with faulty_server({"EHLO": offers}) as server:
        outcomes = send(relay(server.port), a_message(1), ABROAD, a_message(2))
    assert [outcome.verdict for outcome in outcomes] == [Verdict.ACCEPTED] * 3
    assert "MAIL FROM:<news@example.org> BODY=8BITMIME SMTPUTF8" in server.commands
    assert server.recipients[1] == "jürgen@example.org"


def test_elsewhere_it_fails_alone_and_nothing_of_it_is_said() -> None:
    with faulty_server({}) as server:
        outcomes = send(relay(server.port), a_message(1), ABROAD, a_message(2))
    verdicts = [Verdict.ACCEPTED, Verdict.REFUSED, Verdict.ACCEPTED]
    assert [outcome.verdict for outcome in outcomes] == verdicts
    assert "outside ASCII" in outcomes[1].text
    assert not any("jürgen" in command for command in server.commands)
