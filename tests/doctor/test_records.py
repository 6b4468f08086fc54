"""What the DNS says of a sender, asked of a real name server on loopback."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from newsletter.doctor import records, senders
from newsletter.doctor.check import Check, exit_code
from newsletter.doctor.senders import organisation
from newsletter.send.dkim import load_key
from tests.doctor.installations import installation, mailing, only
from tests.name_server import Records, name_server, quoted

OURS = "192.0.2.25"
GOOD: dict[tuple[str, str], Sequence[str]] = {
    ("example.com", "TXT"): ['"v=spf1 ip4:192.0.2.0/24 -all"', '"something=else"'],
    ("example.com", "MX"): ["10 mx.example.com."],
    ("mx.example.com", "A"): [OURS],
    ("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=reject; rua=mailto:dmarc@example.com"'],
    ("25.2.0.192.in-addr.arpa", "PTR"): ["mx.example.com."],
}
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def pem(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = RSA) -> bytes:
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def published(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey = RSA) -> str:
    return load_key(pem(key), domain="example.com", selector="s1", name="s1.pem").dns_record()[1]


def checks(
    folder: Path, zone: Mapping[tuple[str, str], Sequence[str]], *, host: str = "127.0.0.1", **given: Any
) -> list[Check]:
    """Ask about papers@example.com, which is mailed through an own relay at OURS unless told otherwise."""
    with name_server(zone) as known:
        return asked_of(known, folder, host=host, **given)


def asked_of(known: Records, folder: Path, *, host: str = "127.0.0.1", **given: Any) -> list[Check]:
    wanted = mailing(25, host=host) | {"address": OURS} | given
    return [*records.checks(installation(folder, nameserver=known.address, **wanted))]


def signing(folder: Path) -> dict[str, Any]:
    (folder / "s1.pem").write_bytes(pem())
    return {"dkim": {"keys": {"s1": "s1.pem"}}}


def key_zone(*texts: str) -> dict[tuple[str, str], Sequence[str]]:
    return GOOD | {("s1._domainkey.example.com", "TXT"): [quoted(text) for text in texts]}


def test_a_sender_whose_records_are_in_order_has_nothing_to_mend(tmp_path: Path) -> None:
    found = checks(tmp_path, key_zone(published()), **signing(tmp_path))
    assert [(one.name, one.state, one.mend) for one in found] == [(name, "ok", "") for name in records.NAMES]
    assert only(found, "SPF").detail == "192.0.2.25 may send for example.com (ip4:192.0.2.0/24 of example.com)"
    assert only(found, "DMARC").detail.endswith("From agrees by DKIM (example.com) and SPF (example.com)")


def test_missing_records_are_told_one_by_one_with_what_to_publish(tmp_path: Path) -> None:
    found = checks(tmp_path, {("example.net", "A"): [OURS]}, **signing(tmp_path))
    assert [one.state for one in found] == ["fail", "fail", "warn", "fail", "fail"]
    assert only(found, "SPF").mend == 'publish a TXT record at example.com: "v=spf1 ip4:192.0.2.25 ~all"'
    assert only(found, "DKIM").mend == f'publish a TXT record at s1._domainkey.example.com: "{published()}"'
    assert only(found, "DMARC").mend.startswith('publish a TXT record at _dmarc.example.com: "v=DMARC1; p=none;')
    assert only(found, "MX").detail == "example.com has none: answers and bounces find no way"
    assert only(found, "PTR").detail == "192.0.2.25 has no name"
    assert exit_code(found) == 5


# SPF.


@pytest.mark.parametrize(
    ("record", "state", "told"),
    [
        ("v=spf1 ip4:192.0.2.0/24 -all", "ok", "may send"),
        ("v=spf1 mx -all", "ok", "(mx of example.com)"),
        ("v=spf1 include:_spf.example.net -all", "ok", "(include:_spf.example.net of example.com)"),
        ("v=spf1 ip4:198.51.100.1 -all", "fail", "fail for 192.0.2.25 (127.0.0.1): -all of example.com"),
        ("v=spf1 ip4:198.51.100.1 ~all", "fail", "softfail for 192.0.2.25"),
        ("v=spf1 ip4:198.51.100.1", "fail", "neutral for 192.0.2.25 (127.0.0.1): no term of example.com matches"),
        ("v=spf1 ipv4:192.0.2.25 -all", "fail", "the record is wrong: 'ipv4:192.0.2.25' is no term of SPF"),
        ("v=spf1 include:broken.example.net ?all", "fail", "broken.example.net TXT"),
    ],
)
def test_the_record_lets_this_sender_send_or_not(tmp_path: Path, record: str, state: str, told: str) -> None:
    zone = GOOD | {
        ("example.com", "TXT"): [f'"{record}"'],
        ("_spf.example.net", "TXT"): [f'"v=spf1 ip4:{OURS} -all"'],
    }
    with name_server(zone) as known:
        known.broken.add("broken.example.net")
        found = only(asked_of(known, tmp_path), "SPF")
    assert found.state == state
    assert told in found.detail
    assert bool(found.mend) == (state == "fail")


def test_the_mend_names_the_term_that_is_missing(tmp_path: Path) -> None:
    zone = GOOD | {("example.com", "TXT"): ['"v=spf1 -all"']}
    assert only(checks(tmp_path, zone), "SPF").mend == (
        "add ip4:192.0.2.25 to the TXT record of example.com, before its all"
    )


def test_bounces_to_another_domain_are_judged_by_that_ones_record(tmp_path: Path) -> None:
    zone = GOOD | {
        ("bounces.example.com", "TXT"): ['"v=spf1 -all"'],
        ("bounces.example.com", "MX"): ["5 mx.example.com."],
    }
    found = checks(tmp_path, zone, bounce_address="b@bounces.example.com")
    assert "-all of bounces.example.com" in only(found, "SPF").detail
    assert [one.detail for one in found if one.name == "MX"] == [
        "mx.example.com for example.com",
        "mx.example.com for bounces.example.com",
    ]
    assert only(found, "DMARC").state == "ok", "relaxed alignment looks at the organisation"


@pytest.mark.parametrize(
    ("host", "record", "state", "told"),
    [
        ("smtp.gmail.com", "v=spf1 include:_spf.google.com ~all", "ok", "includes Gmail (_spf.google.com)"),
        ("smtp.gmail.com", "v=spf1 mx ~all", "fail", "does not include Gmail"),
        ("email-smtp.eu-west-1.amazonaws.com", "v=spf1 mx ~all", "skip", "Amazon SES decides it"),
        ("email-smtp.eu-west-1.amazonaws.com", "", "skip", "Amazon SES decides it"),
        ("smtp.postmarkapp.com", "v=spf1 include:spf.mtasv.net ~all", "ok", "Postmark (spf.mtasv.net)"),
    ],
)
def test_a_smart_host_decides_by_itself_which_addresses_send(
    tmp_path: Path, host: str, record: str, state: str, told: str
) -> None:
    zone = GOOD | {
        ("example.com", "TXT"): [f'"{record}"'],
        ("_spf.google.com", "TXT"): ['"v=spf1 ip4:198.51.100.0/24 ~all"'],
        ("spf.mtasv.net", "TXT"): ['"v=spf1 ip4:198.51.100.0/24 ~all"'],
    }
    found = checks(tmp_path, zone, host=host)
    assert (only(found, "SPF").state, told in only(found, "SPF").detail) == (state, True), found
    assert only(found, "PTR").state == "skip"
    assert only(found, "DKIM").detail == "dkim.keys is empty: the relay signs, by what is set up there"


def test_a_relay_of_somebody_unknown_may_send_from_other_addresses(tmp_path: Path) -> None:
    zone = GOOD | {("relay.example.net", "A"): ["93.184.215.14"], ("example.com", "TXT"): ['"v=spf1 mx ~all"']}
    found = checks(tmp_path, zone, host="relay.example.net")
    assert only(found, "SPF").state == "warn"
    assert only(found, "SPF").mend.startswith("if it sends from there, add ip4:93.184.215.14 to the TXT record")
    assert only(found, "PTR").detail == "relay.example.net: the owner of the relay sees to it"


def test_an_address_that_nobody_knows_is_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(senders, "own_address", lambda: None)  # as behind a router
    found = checks(tmp_path, GOOD, address=None)
    assert [only(found, name).state for name in ("SPF", "PTR")] == ["skip", "skip"]
    assert only(found, "PTR").mend == "name it: newsletter doctor --address IP"


# DKIM.


@pytest.mark.parametrize(
    ("texts", "state", "told"),
    [
        ([published()], "ok", "matches dkim.keys.s1"),
        ([published().replace("; p=", ";p= ").replace("v=DKIM1; ", "")], "ok", "matches"),
        ([f"{published()}; t=y"], "warn", "only a test (t=y)"),
        ([published(rsa.generate_private_key(public_exponent=65537, key_size=2048))], "fail", "is not that of"),
        (["v=DKIM1; k=rsa; p="], "fail", "is revoked"),
        ([f"{published()}; h=sha1"], "fail", "is for other signatures"),
        ([published(), f"{published()}; n=another"], "fail", "there are 2 keys"),
        (["v=spf1 -all"], "fail", "there is no key"),
        ([], "fail", "there is no key"),
    ],
)  # fmt: skip
def test_the_published_key_is_compared_with_the_private_one(
    tmp_path: Path, texts: list[str], state: str, told: str
) -> None:
    found = only(checks(tmp_path, key_zone(*texts), **signing(tmp_path)), "DKIM")
    assert (found.state, told in found.detail) == (state, True), found
    assert (published() in found.mend) == (state == "fail")


def test_a_long_key_in_several_strings_comes_whole_over_tcp(tmp_path: Path) -> None:
    given = signing(tmp_path)
    with name_server(key_zone(published(), *["x" * 250] * 3)) as known:
        assert only(asked_of(known, tmp_path, **given), "DKIM").state == "ok"
    assert ("s1._domainkey.example.com", "TXT", "tcp") in known.asked


def test_an_ed25519_key_is_compared_too(tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    (tmp_path / "s1.pem").write_bytes(pem(key))
    found = checks(tmp_path, key_zone(published(key)), dkim={"keys": {"s1": "s1.pem"}})
    assert only(found, "DKIM").state == "ok"


def test_a_key_that_cannot_be_read_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    found = checks(tmp_path, GOOD, dkim={"keys": {"s1": "gone.pem"}})
    assert only(found, "DKIM").mend == "name a file that this user can read"
    assert exit_code(found) == 2


# DMARC.


@pytest.mark.parametrize(
    ("record", "given", "state", "told"),
    [
        ("v=DMARC1; p=none", {}, "ok", "p=none at _dmarc.example.com; From agrees by SPF (example.com)"),
        ("v=DMARC1;p=quarantine;aspf=s", {}, "ok", "SPF (example.com)"),
        ("v=DMARC1; p=reject; aspf=s", {"bounce_address": "b@mx.example.com"}, "fail", "neither signature nor"),
        ("v=DMARC1; p=none; aspf=s", {"bounce_address": "b@mx.example.com"}, "warn", "neither signature nor"),
        ("v=DMARC1; p=reject", {"bounce_address": "b@example.net"}, "fail", "neither signature nor"),
        ("v=DMARC1; p=everything", {}, "fail", "p=everything"),
        ("v=DMARC1", {}, "fail", "p=nothing"),
        ("v=DMARC2; p=none", {}, "warn", "has no policy"),
    ],
)
def test_from_agrees_with_the_envelope_as_the_policy_asks(
    tmp_path: Path, record: str, given: dict[str, Any], state: str, told: str
) -> None:
    zone = GOOD | {("_dmarc.example.com", "TXT"): [f'"{record}"']}
    found = only(checks(tmp_path, zone, **given), "DMARC")
    assert (found.state, told in found.detail) == (state, True), found
    assert bool(found.mend) == (state != "ok")


@pytest.mark.parametrize(("mode", "state"), [("r", "ok"), ("s", "fail")])
def test_a_signature_of_a_subdomain_agrees_where_that_is_relaxed(tmp_path: Path, mode: str, state: str) -> None:
    zone = GOOD | {("_dmarc.example.com", "TXT"): [f'"v=DMARC1; p=reject; adkim={mode}"']}
    given = signing(tmp_path)
    given["dkim"]["domain"] = "mail.example.com"
    found = checks(tmp_path, zone, bounce_address="b@example.net", **given)
    assert only(found, "DMARC").state == state


def test_the_policy_of_the_organisation_holds_for_its_subdomains(tmp_path: Path) -> None:
    zone = GOOD | {("_dmarc.example.com", "TXT"): ['"v=DMARC1; p=reject; sp=quarantine"']}
    found = checks(tmp_path, zone, sender="papers@news.example.com")
    assert only(found, "DMARC").detail.startswith("p=quarantine at _dmarc.example.com")


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        ("example.com", "example.com"),
        ("a.b.example.com", "example.com"),
        ("news.example.co.uk", "example.co.uk"),
        ("example.de", "example.de"),
        ("localhost", "localhost"),
    ],
)
def test_the_organisation_is_the_domain_that_somebody_registered(domain: str, expected: str) -> None:
    assert organisation(domain) == expected


# Where answers go, and the name of the address.


@pytest.mark.parametrize(
    ("mx", "state", "told"),
    [
        (["10 mx.example.com."], "ok", "mx.example.com for example.com"),
        (["0 ."], "fail", "takes no mail (null MX)"),
        (["10 gone.example.com."], "fail", "gone.example.com, which takes mail for example.com, has no address"),
        ([], "warn", "mail goes to its own address"),
    ],
)
def test_answers_and_bounces_find_their_way(tmp_path: Path, mx: list[str], state: str, told: str) -> None:
    zone = GOOD | {("example.com", "MX"): mx, ("example.com", "A"): [OURS]}
    found = only(checks(tmp_path, zone), "MX")
    assert (found.state, told in found.detail) == (state, True), found


def test_a_name_that_does_not_lead_back_to_its_address_is_told(tmp_path: Path) -> None:
    zone = GOOD | {("25.2.0.192.in-addr.arpa", "PTR"): ["host.example.net."]}
    found = only(checks(tmp_path, zone), "PTR")
    assert (found.state, found.detail) == ("fail", "192.0.2.25 is host.example.net, which does not lead back")


# A name server that fails.


def test_a_name_server_that_fails_is_one_line_for_each_record(tmp_path: Path) -> None:
    with name_server(GOOD) as known:
        known.broken |= {"example.com", "_dmarc.example.com", "25.2.0.192.in-addr.arpa"}
        found = asked_of(known, tmp_path)
    assert [one.state for one in found] == ["fail", "warn", "fail", "fail", "fail"]
    assert only(found, "SPF").detail == "example.com TXT: name server 127.0.0.1: SERVFAIL"
    assert only(found, "SPF").mend == "check the network, or name another with --nameserver"


def test_nothing_is_asked_where_nothing_is_mailed(tmp_path: Path) -> None:
    with name_server(GOOD) as known:
        found = asked_of(known, tmp_path, transport="outbox:out")
    assert ({one.state for one in found}, known.asked) == ({"skip"}, [])


@settings(max_examples=25)
@given(
    texts=st.lists(
        st.text(st.characters(min_codepoint=32, max_codepoint=126, exclude_characters='"\\'), min_size=1, max_size=80),
        max_size=3,
    )
)
def test_whatever_is_published_there_is_an_answer(texts: list[str], tmp_path_factory: pytest.TempPathFactory) -> None:
    places = ("example.com", "_dmarc.example.com", "s1._domainkey.example.com")
    said = [f'"{start}{text}"' for text in texts for start in ("v=spf1 ", "v=DMARC1;", "v=DKIM1;p=")]
    folder = tmp_path_factory.getbasetemp()
    with name_server(GOOD | {(place, "TXT"): said for place in places}) as known:
        found = asked_of(known, folder, **signing(folder))
    assert {one.name for one in found} == set(records.NAMES)
