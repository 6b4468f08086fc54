"""Our signatures, verified by two other programs."""

import re
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.errors import SettingsError
from newsletter.send.dkim import DkimKey, load_key, relaxed_body, sign
from tests.make import NOON

RSA = DkimKey("example.org", "s1", rsa.generate_private_key(65537, 2048))
ED25519 = DkimKey("example.org", "s2", ed25519.Ed25519PrivateKey.generate())
MAIL = (
    b"From: Papers <papers@example.org>\r\nSubject: A paper:\r\n two lines  of it\r\n"
    b"List-Id: Papers <papers.example.org>\r\n"
    b"List-Unsubscribe: <https://news.example.org/u/1>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nTo: Ada <ada@example.org>\r\n"
    b"Date: Thu, 25 Dec 2025 12:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n\r\n"
    b"Hello  there \r\n\tyou\r\n.\r\n\r\n\r\n"
)


def verified(mail: bytes, key: DkimKey, index: int = 0) -> bool:
    name, record = key.dns_record()
    published = {f"{name}.".encode(): record.encode()}
    try:
        return bool(dkim.DKIM(mail).verify(idx=index, dnsfunc=lambda asked, **_options: published.get(asked)))
    except dkim.ValidationError:
        return False


def pem(key: object) -> bytes:
    private, form = serialization.NoEncryption(), serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, private)  # type: ignore[attr-defined,no-any-return]


@pytest.mark.parametrize("key", [RSA, ED25519], ids=lambda key: key.algorithm)
def test_a_signature_is_verified_by_another_program(key: DkimKey) -> None:
    assert verified(sign(MAIL, [key], NOON), key)


def test_two_keys_make_two_signatures_and_both_are_good() -> None:
    signed = sign(MAIL, [RSA, ED25519], NOON)
    assert verified(signed, RSA, 0)
    assert verified(signed, ED25519, 1)


def test_opendkim_verifies_it_too(require: Callable[[str], str], tmp_path: Path) -> None:
    milter, talker = require("opendkim"), require("miltertest")
    name, record = RSA.dns_record()
    (tmp_path / "keys").write_text(f"{name} {record}\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    (tmp_path / "conf").write_text(
        f"Mode v\nSocket inet:{port}@127.0.0.1\nTestPublicKeys {tmp_path}/keys\nBackground no\n"
        f"AlwaysAddARHeader yes\nAuthservID checker\nSyslog no\n"
    )
    with subprocess.Popen([milter, "-f", "-x", str(tmp_path / "conf")]) as process:
        try:
            wait_for_port(port)
            assert "dkim=pass" in milter_says(talker, tmp_path, port, sign(MAIL, [RSA], NOON))
            assert "dkim=pass" not in milter_says(talker, tmp_path, port, sign(MAIL, [RSA], NOON)[:-2] + b"x\r\n")
        finally:
            process.terminate()


def wait_for_port(port: int) -> None:
    for _ in range(200):
        with socket.socket() as knock:
            if knock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise TimeoutError(port)


def milter_says(talker: str, folder: Path, port: int, mail: bytes) -> str:
    """Hand a mail to a filter as a mail server does, and return the header it adds."""
    head, _, body = mail.decode().partition("\r\n\r\n")
    fields = re.findall(r"([^:\r\n]+):((?:[^\r]|\r\n[ \t])*)(?:\r\n|$)", head)
    lines = [f'c = mt.connect("inet:{port}@127.0.0.1")', 'mt.conninfo(c, "relay.example.net", "192.0.2.1")']
    lines += ['mt.mailfrom(c, "papers@example.org")', 'mt.rcptto(c, "ada@example.org")']
    lines += [f"mt.header(c, {lua(name)}, {lua(value.removeprefix(' '))})" for name, value in fields]
    lines += ["mt.eoh(c)", f"mt.bodystring(c, {lua(body)})", "mt.eom(c)"]
    lines += ['print(mt.getheader(c, "Authentication-Results", 0))', "mt.disconnect(c)"]
    (folder / "talk.lua").write_text("\n".join(lines))
    return subprocess.run([talker, "-s", str(folder / "talk.lua")], capture_output=True, text=True, check=True).stdout


def lua(text: str) -> str:
    return '"' + "".join(char if char.isalnum() else f"\\{ord(char):03}" for char in text.replace("\r\n ", "\n ")) + '"'


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"Date: Thu, 25 Dec 2025 12:00:00 +0000\r\n", b"Date: Fri, 26 Dec 2025 09:00:00 +0000\r\n"),
        (b"Message-ID: <1@example.org>\r\n", b"Message-ID: <other@relay.example.net>\r\n"),
        (b"From: Papers", b"Return-Path: <bounce@relay.example.net>\r\nFrom: Papers"),
    ],
)
def test_what_relays_rewrite_is_not_signed(was: bytes, becomes: bytes) -> None:
    assert verified(sign(MAIL, [RSA], NOON).replace(was, becomes, 1), RSA)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        (b"Hello", b"Hallo"),
        (b"Subject: A", b"Subject: The"),
        (b"From: Papers", b"From: Eve <eve@example.net>\r\nFrom: Papers"),
        (b"Subject: A", b"Subject: Another\r\nSubject: A"),
        (b"List-Unsubscribe: <", b"List-Unsubscribe: <https://evil.example.net>\r\nList-Unsubscribe: <"),
        (b"MIME-Version: 1.0", b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64"),
    ],
)
def test_nothing_that_a_reader_relies_on_can_be_changed_or_added(was: bytes, becomes: bytes) -> None:
    assert not verified(sign(MAIL, [RSA], NOON).replace(was, becomes, 1), RSA)


def test_the_same_mail_at_the_same_moment_has_the_same_signature() -> None:
    assert sign(MAIL, [RSA, ED25519], NOON) == sign(MAIL, [RSA, ED25519], NOON)


def test_no_line_of_a_signature_is_longer_than_an_editor_is_wide() -> None:
    head = sign(MAIL, [RSA, ED25519], NOON).removesuffix(MAIL)
    assert max(len(line) for line in head.split(b"\r\n")) <= 78


pieces = st.lists(
    st.sampled_from([b"a", b" ", b"  ", b"\t", b"\r\n", b".", b"=20", b"\r\n\r\n", b" \r\n"]), max_size=30
)


@settings(max_examples=150, deadline=None)
@given(pieces, st.sampled_from([b"Subject: x", b"Subject:x\r\n\t y ", b"subject:  a  b", b"X-Other: 1"]))
def test_whatever_the_white_space_another_program_agrees(body: list[bytes], header: bytes) -> None:
    mail = b"From: a@example.org\r\n" + header + b"\r\n\r\n" + b"".join(body) + b"\r\n"
    assert verified(sign(mail, [ED25519], NOON), ED25519)


def test_an_empty_body_is_nothing() -> None:
    assert relaxed_body(b"\r\n\r\n") == b""


def test_a_key_is_told_by_what_it_is() -> None:
    loaded = load_key(pem(ED25519.key), domain="example.org", selector="s2", name="key.pem")
    assert loaded.algorithm == "ed25519-sha256"
    assert loaded.dns_record() == ED25519.dns_record()


def encrypted() -> bytes:
    secret = serialization.BestAvailableEncryption(b"secret")
    return RSA.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, secret)


@pytest.mark.parametrize(
    ("given_pem", "said"),
    [
        (b"no key at all", "is no private key in PEM form; make one with: openssl genrsa"),
        (pem(dsa.generate_private_key(1024)), "is neither an RSA nor an Ed25519 key"),
        (encrypted(), "has a passphrase"),
    ],
    ids=["no key", "DSA", "passphrase"],
)
def test_a_key_that_will_not_do_is_one_line(given_pem: bytes, said: str) -> None:
    with pytest.raises(SettingsError, match=f"dkim.keys.s1 key.pem: {said}"):
        load_key(given_pem, domain="example.org", selector="s1", name="key.pem")
