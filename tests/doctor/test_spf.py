"""Whether an address may send for a domain: cases in the words of RFC 7208, and records that mean nothing."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from newsletter.doctor.spf import NoAnswerError, Ruling, check_host

SENDER, IPV6 = "192.0.2.25", "2001:db8::25"
RESULTS = {"pass", "fail", "softfail", "neutral", "none", "temperror", "permerror"}


class Zone:
    """A directory in memory; "?" in place of the answers is a name server that does not answer."""

    def __init__(self, names: Mapping[str, Mapping[str, Sequence[str]]]) -> None:
        self.names = names
        self.asked = 0

    def of(self, name: str, kind: str) -> Sequence[str]:
        self.asked += 1
        found = self.names.get(name.lower(), {}).get(kind, [])
        if "?" in found:
            raise NoAnswerError(f"{name} {kind}: no answer")
        return found

    def texts(self, name: str) -> Sequence[str]:
        return self.of(name, "TXT")

    def addresses(self, name: str, version: int) -> Sequence[str]:
        return self.of(name, "A" if version == 4 else "AAAA")

    def exchanges(self, name: str) -> Sequence[str]:
        return self.of(name, "MX")

    def pointers(self, address: str) -> Sequence[str]:
        return self.of(address, "PTR")


NAMES: dict[str, dict[str, Sequence[str]]] = {
    "mx.example.com": {"A": [SENDER], "AAAA": [IPV6]},
    "other.example.com": {"A": ["192.0.2.99"]},
    "passes.example.net": {"TXT": ["v=spf1 ip4:192.0.2.0/24 -all"]},
    "fails.example.net": {"TXT": ["v=spf1 -all"]},
    "silent.example.net": {"TXT": ["?"], "A": ["?"], "PTR": ["?"]},
    "two.example.net": {"TXT": ["v=spf1 -all", "v=spf1 +all"]},
    "loop.example.net": {"TXT": ["v=spf1 include:loop.example.net -all"]},
    "wrong.example.net": {"TXT": ["v=spf1 ip4:192.0.2.25 nonsense"]},
    "nothing.example.net": {"TXT": ["no record of that kind"]},
    "postmaster.users.example.net": {"A": ["127.0.0.2"]},
    "25.2.0.192.in-addr.lists.example.net": {"A": ["127.0.0.2"]},
    SENDER: {"PTR": ["mx.example.com."]},
}


def ruling(record: str | Sequence[str], address: str = SENDER, **zone: Mapping[str, Sequence[str]]) -> Ruling:
    texts = [record] if isinstance(record, str) else record
    more = {name.replace("_", "."): kinds for name, kinds in zone.items()}
    known = {"example.com": {"TXT": texts, "A": [SENDER], "MX": ["mx.example.com"]}}
    return check_host(address, "example.com", Zone(NAMES | known | more))


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=spf1 +all", "pass"),
        ("v=spf1 -all", "fail"),
        ("v=spf1 ~all", "softfail"),
        ("v=spf1 ?all", "neutral"),
        ("v=spf1", "neutral"),
        ("V=SPF1 A -ALL", "pass"),
        ("v=spf10 +all", "none"),
        ("v=spf1 ip4:192.0.2.25 -all", "pass"),
        ("v=spf1 ip4:192.0.2.0/24 -all", "pass"),
        ("v=spf1 ip4:192.0.2.0/28 -all", "fail"),
        ("v=spf1 ip4:0.0.0.0/0 -all", "pass"),
        ("v=spf1 ip4:192.0.2.25/33 -all", "permerror"),
        ("v=spf1 ip4:192.0.2 -all", "permerror"),
        ("v=spf1 ip4:2001:db8::25 -all", "permerror"),
        ("v=spf1 ip6:192.0.2.25 -all", "permerror"),
        ("v=spf1 ip6:2001:db8::/32 -all", "fail"),
        ("v=spf1 a -all", "pass"),
        ("v=spf1 a:mx.example.com -all", "pass"),
        ("v=spf1 a:other.example.com -all", "fail"),
        ("v=spf1 a:other.example.com/24 -all", "pass"),
        ("v=spf1 a:other.example.com/24//64 -all", "pass"),
        ("v=spf1 -a +all", "fail"),
        ("v=spf1 mx -all", "pass"),
        ("v=spf1 mx/30 -all", "pass"),
        ("v=spf1 mx:nowhere.example.net -all", "fail"),
        ("v=spf1 include:passes.example.net -all", "pass"),
        ("v=spf1 include:fails.example.net ~all", "softfail"),
        ("v=spf1 -include:passes.example.net +all", "fail"),
        ("v=spf1 include:nothing.example.net +all", "permerror"),
        ("v=spf1 include:wrong.example.net +all", "permerror"),
        ("v=spf1 include:two.example.net +all", "permerror"),
        ("v=spf1 include:loop.example.net +all", "permerror"),
        ("v=spf1 include:silent.example.net +all", "temperror"),
        ("v=spf1 a:silent.example.net +all", "temperror"),
        ("v=spf1 ip4:192.0.2.25 a:silent.example.net -all", "pass"),
        ("v=spf1 redirect=passes.example.net", "pass"),
        ("v=spf1 redirect=fails.example.net", "fail"),
        ("v=spf1 redirect=nothing.example.net", "permerror"),
        ("v=spf1 redirect=passes.example.net -all", "fail"),
        ("v=spf1 redirect=passes.example.net redirect=fails.example.net", "permerror"),
        ("v=spf1 exists:%{l}.users.example.net -all", "pass"),
        ("v=spf1 exists:%{ir}.%{v}.lists.example.net -all", "pass"),
        ("v=spf1 exists:%{d2}.lists.example.net -all", "fail"),
        ("v=spf1 exists:%{x}.example.net -all", "permerror"),
        ("v=spf1 exists:%{d0}.example.net -all", "permerror"),
        ("v=spf1 exists:50%.example.net -all", "permerror"),
        ("v=spf1 ptr -all", "pass"),
        ("v=spf1 ptr:example.net -all", "fail"),
        ("v=spf1 unknown=modifier exp=why.example.com +all", "pass"),
        ("v=spf1 ip4:192.0.2.25 all:all", "permerror"),
        ("v=spf1 mechanism +all", "permerror"),
        ("v=spf1 +all include:", "permerror"),
        (["v=spf1 +all", "v=spf1 -all"], "permerror"),
        (["a record of something else", "v=spf1 a -all"], "pass"),
        ([], "none"),
    ],
)
def test_a_record_is_read_as_the_standard_has_it(record: str | Sequence[str], expected: str) -> None:
    assert ruling(record).result == expected


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ("v=spf1 ip6:2001:db8::/32 -all", "pass"),
        ("v=spf1 ip4:192.0.2.25 -all", "fail"),
        ("v=spf1 a:mx.example.com -all", "pass"),
        ("v=spf1 a:mx.example.com/8//127 -all", "pass"),
        ("v=spf1 mx -all", "pass"),
        ("v=spf1 ip6:2001:db8::/129 -all", "permerror"),
    ],
)
def test_an_ipv6_address_is_met_by_its_own_kind(record: str, expected: str) -> None:
    assert ruling(record, IPV6).result == expected


def test_ten_lookups_are_allowed_and_an_eleventh_is_a_fault() -> None:
    ten = " ".join(["a:other.example.com"] * 10)
    assert ruling(f"v=spf1 {ten} ip4:{SENDER} -all").result == "pass"
    told = ruling(f"v=spf1 {ten} a ip4:{SENDER} -all")
    assert told == ("permerror", "needs more than 10 lookups", ("example.com",))


def test_two_names_may_lead_nowhere_and_a_third_is_a_fault() -> None:
    assert ruling("v=spf1 a:n1.example.net a:n2.example.net a -all").result == "pass"
    assert ruling("v=spf1 a:n1.example.net a:n2.example.net a:n3.example.net a -all").result == "permerror"


def test_who_asks_for_nobody_may_allow_names_that_lead_nowhere() -> None:
    nowhere = {"example.com": {"TXT": ["v=spf1 a:n1.example.net a:n2.example.net a:n3.example.net ~all"]}}
    assert check_host("0.0.0.0", "example.com", Zone(nowhere), voids=10).result == "softfail"


def test_more_than_ten_mail_exchangers_are_a_fault() -> None:
    many = {"MX": [f"mx{number}.example.com" for number in range(11)]}
    assert ruling("v=spf1 mx:many.example -all", many_example=many).result == "permerror"


def test_a_name_that_does_not_lead_back_is_no_name() -> None:
    forged = {"PTR": ["other.example.com."]}
    assert check_host("192.0.2.77", "example.com", Zone(NAMES | {
        "example.com": {"TXT": ["v=spf1 ptr -all"]}, "192.0.2.77": forged,
    })).result == "fail"  # fmt: skip


def test_reverse_names_that_nobody_can_tell_do_not_match() -> None:
    zone = Zone({"example.com": {"TXT": ["v=spf1 ptr ~all"]}, SENDER: {"PTR": ["?"]}})
    assert check_host(SENDER, "example.com", zone).result == "softfail"


def test_who_was_asked_is_told() -> None:
    told = ruling("v=spf1 include:fails.example.net include:passes.example.net -all")
    assert told.read == ("example.com", "fails.example.net", "passes.example.net")
    assert told.why == "include:passes.example.net of example.com"


WORDS = st.sampled_from(
    ["v=spf1", "a", "mx", "ptr", "include:", "exists:", "ip4:", "ip6:", "redirect=", "exp=", "all", "example.com",
     "loop.example.net", "%{i}", "%{d2r-}", "%{", "%", "/24", "//64", "/", ":", "-", "~", "=", "192.0.2.25", "::1"]
)  # fmt: skip
GARBAGE = st.lists(st.one_of(WORDS, st.just(" "), st.text(max_size=4)), max_size=30).map("".join)


@given(record=GARBAGE, address=st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)))
def test_whatever_a_record_says_there_is_a_ruling_after_few_lookups(record: str, address: object) -> None:
    zone = Zone(NAMES | {"example.com": {"TXT": [f"v=spf1 {record}"], "A": [SENDER], "MX": ["mx.example.com"]}})
    assert check_host(str(address), "example.com", zone).result in RESULTS
    assert zone.asked <= 1 + 10 * 12
