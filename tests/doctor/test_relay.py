"""What a relay is asked up to its login: a real Postfix with good and bad TLS, and servers that break."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import trustme

from newsletter.doctor import relay
from newsletter.doctor.check import Check, exit_code
from tests.doctor.installations import installation, mailing, only, server_context
from tests.name_server import closed_port
from tests.postfix import postfix_server
from tests.send.servers import PASSWORD, USER, faulty_server, mail_server

COPY = 40_000  # bytes
LOGIN: dict[str, Any] = {"username": USER.decode(), "password": PASSWORD.decode(), "security": "starttls"}


def checks(folder: Path, port: int, *, copy: int = COPY, **smtp: Any) -> list[Check]:
    it = installation(folder, **mailing(port, **smtp))
    return [check for name, one in relay.named(it) for check in relay.checks(it, one, name, copy)]


def states(found: list[Check]) -> dict[str, str]:
    return {one.name.removeprefix("relay").strip() or "relay": one.state for one in found}


def test_a_postfix_with_good_tls_is_looked_through_and_gets_no_mail(
    require: Callable[[str], str], authority: trustme.CA, tmp_path: Path
) -> None:
    require("postfix")
    authority.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    tls = {"smtpd_tls_security_level": "encrypt", "smtpd_tls_chain_files": str(tmp_path / "server.pem")}
    with postfix_server(message_size_limit="50000", **tls) as server:
        found = checks(tmp_path, server.port, security="starttls")
        small = checks(tmp_path, server.port, copy=50_001, security="starttls")
        assert server.delivered(0) == []
    assert states(found) == dict.fromkeys(["relay", "certificate", "size", "pipelining", "8bitmime"], "ok") | {
        "login": "skip"
    }
    assert only(found, "relay").detail == f"127.0.0.1:{server.port} answers, TLSv1.3"
    assert only(found, "relay certificate").detail.startswith("verified, ")
    assert only(found, "relay size").detail == "takes 50,000 bytes; the largest of ours has 40,000"
    assert only(small, "relay size").state == "fail"


def test_a_postfix_whose_certificate_nobody_signed_is_told_by_name(
    require: Callable[[str], str], tmp_path: Path
) -> None:
    require("postfix")
    stranger = trustme.CA()
    stranger.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    tls = {"smtpd_tls_security_level": "encrypt", "smtpd_tls_chain_files": str(tmp_path / "server.pem")}
    with postfix_server(**tls) as server:
        found = checks(tmp_path, server.port, security="starttls")
    assert (only(found, "relay").state, only(found, "relay certificate").state) == ("ok", "fail")
    assert only(found, "relay certificate").mend == "trust its authority through SSL_CERT_FILE"


def test_a_postfix_without_tls_is_no_relay_for_starttls(require: Callable[[str], str], tmp_path: Path) -> None:
    require("postfix")
    with postfix_server(smtpd_tls_security_level="none") as server:
        [first, *others] = checks(tmp_path, server.port, security="starttls")
    assert first.detail == f"relay 127.0.0.1:{server.port}: does not offer STARTTLS"
    assert {(one.state, one.detail) for one in others} == {("skip", "no connection")}


@pytest.mark.parametrize(
    ("name", "days", "state", "told", "mend"),
    [
        ("127.0.0.1", 90, "ok", "verified, 90 days left", ""),
        ("127.0.0.1", 21, "ok", "verified, 21 days left", ""),
        ("127.0.0.1", 20, "warn", "verified, 20 days left", "see that it is renewed in time"),
        ("127.0.0.1", -2, "fail", "certificate has expired", "have the relay's certificate renewed"),
        ("mx.example.org", 90, "fail", "IP address mismatch", "use the name in its certificate as smtp.host"),
    ],
)
@pytest.mark.parametrize("security", ["starttls", "tls"])
def test_a_certificate_is_verified_and_its_days_are_counted(  # noqa: PLR0913, PLR0917 - a table and its fixtures
    authority: trustme.CA, tmp_path: Path, security: str, name: str, days: int, state: str, told: str, mend: str
) -> None:
    context = server_context(authority, name, days=days)
    with tls_server(context, security) as port:
        found = only(checks(tmp_path, port, security=security), "relay certificate")
    assert (found.state, told in found.detail) == (state, True), found
    assert found.mend.startswith(mend)
    assert bool(found.mend) == (state != "ok")


def test_a_login_is_tried(authority: trustme.CA, tmp_path: Path) -> None:
    with mail_server(server_context(authority), login=True) as (mailbox, port):
        good = checks(tmp_path, port, **LOGIN)
        bad = checks(tmp_path, port, **LOGIN | {"password": "wrong"})
    assert only(good, "relay login").detail == "accepts mailer"
    assert only(bad, "relay login").state == "fail"
    assert "refuses user mailer: 535" in only(bad, "relay login").detail
    assert only(bad, "relay login").mend == "check smtp.username and smtp.password"
    assert "wrong" not in str(bad)
    assert exit_code(bad) == 5
    assert mailbox.taken == []


def test_a_relay_without_extensions_costs_time_and_no_mail(tmp_path: Path) -> None:
    with faulty_server({"EHLO": "250 here"}) as server:
        found = checks(tmp_path, server.port)
    assert states(found) == {
        "relay": "ok", "certificate": "skip", "login": "skip", "size": "ok", "pipelining": "warn", "8bitmime": "ok",
    }  # fmt: skip
    assert "MAIL" not in {command[:4].upper() for command in server.commands}
    assert server.commands[-1].upper() == "QUIT"


def test_each_of_several_relays_has_its_own_lines(tmp_path: Path) -> None:
    with mail_server() as (_mailbox, port):
        given = {"relays": [{"host": "127.0.0.1", "port": port}, {"host": "127.0.0.1", "port": closed_port()}]}
        it = installation(tmp_path, **mailing(port) | given)
        found = [check for name, one in relay.named(it) for check in relay.checks(it, one, name, COPY)]
    assert (only(found, "relay 1").state, only(found, "relay 2").state) == ("ok", "fail")
    assert only(found, "relay 2 login").state == "skip"


def test_a_password_file_that_is_not_there_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    found = checks(tmp_path, 25, username="mailer", password_file="gone")
    assert only(found, "relay").mend == "name a file that holds the password"
    assert exit_code(found) == 2


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ({"BANNER": "554 5.7.1 go away; really"}, "refuses the connection: 554 5.7.1 go away; really"),
        ({"BANNER": "421 4.7.0 busy"}, "refuses the connection: 421"),
        ({"BANNER": "drop"}, "connection failed"),
    ],
)
def test_a_relay_that_will_not_talk_is_one_line(tmp_path: Path, fault: dict[str, str], told: str) -> None:
    with faulty_server(fault) as server:
        found = checks(tmp_path, server.port)
    assert told in only(found, "relay").detail
    assert only(found, "relay").mend == "run again later"


@contextmanager
def tls_server(context: ssl.SSLContext, security: str) -> Iterator[int]:
    """Run a server with this certificate that speaks TLS when asked, or from the first byte; yields its port."""
    if security == "starttls":
        with mail_server(context) as (_mailbox, port):
            yield port
    else:
        with faulty_server({}) as server:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            yield server.port
