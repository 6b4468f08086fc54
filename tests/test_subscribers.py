"""The subscriber file: what it may say, and what a person is told who got it wrong."""

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from newsletter import subscribers
from newsletter.errors import SubscribersError
from newsletter.models import Cadence, Format, Preferences, Subscriber
from newsletter.subscribers import Roster, parse_csv, parse_yaml, read_roster

EXAMPLE = Path(__file__).parent.parent / "subscribers.example.yaml"
ADA = Subscriber(address="ada@example.org")
ROWS = "address,name\n"
LIST = "subscribers:\n"
READER = LIST + "- address: ada@example.org\n"


def fault_of(text: str, *, suffix: str = "yaml") -> str:
    parse = parse_csv if suffix == "csv" else parse_yaml
    with pytest.raises(SubscribersError) as caught:
        parse(text, f"list.{suffix}")
    return str(caught.value)


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def _either_loader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    loader = getattr(yaml, request.param, None)
    if loader is None:
        pytest.skip("PyYAML was built without libyaml")
    monkeypatch.setattr(subscribers, "LOADER", loader)


def test_an_address_alone_makes_a_daily_html_reader_with_the_lists_own_hour() -> None:
    assert parse_yaml(LIST + "- ada@example.org\n- address: bo@example.net\n", "list.yaml").subscribers == (
        ADA,
        Subscriber(address="bo@example.net"),
    )


def test_every_key_of_the_yaml_list_finds_its_place() -> None:
    text = READER + (
        "  name: Ada\n  period: weekly\n  timezone: Europe/Paris\n  hour: 07\n  format: text\n  active: no\n"
        "  interests:\n    include: [ robotics , '', ' vision ']\n    exclude:\n    - 3D\n    - 2025\n"
    )
    preferences = Preferences(
        cadence=Cadence.WEEKLY,
        timezone="Europe/Paris",
        hour=7,
        include=("robotics", "vision"),
        exclude=("3D", "2025"),
        format=Format.TEXT,
    )
    expected = Subscriber(address="ada@example.org", name="Ada", preferences=preferences, active=False)
    assert parse_yaml(text, "list.yaml") == Roster((expected,), ())


def test_every_column_of_the_csv_list_finds_its_place() -> None:
    text = (
        "Shoe size, EMAIL ,Name,period,timezone,hour,include,exclude,format,active\n"
        '38, ada@example.org ,"Lovelace, Ada",monthly,Asia/Tokyo,23,robotics; ;vision,crypto,text,FALSE\n'
    )
    preferences = Preferences(
        cadence=Cadence.MONTHLY,
        timezone="Asia/Tokyo",
        hour=23,
        include=("robotics", "vision"),
        exclude=("crypto",),
        format=Format.TEXT,
    )
    expected = Subscriber(address="ada@example.org", name="Lovelace, Ada", preferences=preferences, active=False)
    assert parse_csv(text, "list.csv") == Roster((expected,), ())


def test_empty_values_are_unset() -> None:
    keys = "  name: '  '\n  period:\n  timezone: ~\n  hour: null\n  interests:\n  format:\n  active:\n"
    assert parse_yaml(READER + keys, "list.yaml").subscribers == (ADA,)
    header = "address,name,period,timezone,hour,include,exclude,format,active\n"
    assert parse_csv(header + "ada@example.org, ,,,,,,,\n,,,\n\n", "list.csv").subscribers == (ADA,)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_the_header_tells_the_separator(separator: str) -> None:
    text = f'name{separator}address{separator}include\nAda{separator}ada@example.org{separator}"a;b"\n'
    (reader,) = parse_csv(text, "list.csv").subscribers
    assert (reader.name, reader.address, reader.preferences.include) == ("Ada", "ada@example.org", ("a", "b"))


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(
    ("suffix", "lines"), [("yaml", LIST + "- ada@example.org\n"), ("csv", "address\nada@example.org\n")]
)
def test_a_byte_order_mark_and_any_line_end_are_welcome(
    tmp_path: Path, suffix: str, lines: str, mark: str, line_end: str
) -> None:
    path = tmp_path / f"list.{suffix}"
    path.write_bytes((mark + lines.replace("\n", line_end)).encode())
    assert read_roster(path).subscribers == (ADA,)


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("Ada@EXAMPLE.org", "Ada@example.org"),
        ("ada@exämple.org", "ada@xn--exmple-cua.org"),
        ("jörg@example.org", "jörg@example.org"),
        ("ada+papers@mail.example.com", "ada+papers@mail.example.com"),
        ("' ada@example.net '", "ada@example.net"),
    ],
)
def test_an_address_is_stored_as_the_envelope_carries_it(written: str, address: str) -> None:
    (reader,) = parse_yaml(f"{LIST}- {written}\n", "list.yaml").subscribers
    assert reader.address == address


def test_of_two_spellings_of_an_address_the_first_wins_and_the_later_is_named() -> None:
    roster = parse_yaml(LIST + "- ada@example.org\n- name: Ada\n  address: ADA@example.org\n", "list.yaml")
    assert roster.subscribers == (ADA,)
    assert roster.duplicates == ("list.yaml:4: ADA@example.org is already on line 2; this one is ignored",)
    assert parse_yaml("subscribers: [ada@example.org, ada@example.org]", "x").subscribers == (ADA,)
    rows = parse_csv("address\nada@example.org\n\nada@example.org\n", "list.csv")
    assert rows.duplicates == ("list.csv:4: ada@example.org is already on line 2; this one is ignored",)


def test_a_list_of_nobody_is_a_list() -> None:
    assert parse_yaml("subscribers: []\n", "list.yaml") == parse_csv("address\n", "list.csv") == Roster((), ())


YAML_FAULTS = [
    ("", 1, "subscribers: is missing; write `subscribers:`"),
    ("# nobody yet\n", 1, "subscribers: is missing"),
    ("- ada@example.org\n", 1, "subscribers: is missing"),
    ("\n\nhello\n", 3, "subscribers: is missing"),
    ("subscriber:\n- ada@example.org\n", 1, "subscriber: there is no such key; did you mean subscribers?"),
    ("people:\n- ada@example.org\n", 1, "people: there is no such key; write subscribers"),
    ("subscribers:\n", 1, "subscribers: nothing stands where a list is due"),
    ("subscribers:\n  address: ada@example.org\n", 2, "subscribers: a mapping stands where a list is due"),
    ("subscribers: ada@example.org\n", 1, "subscribers: 'ada@example.org' stands where a list is due"),
    ("subscribers: []\nsubscribers: []\n", 2, "subscribers: is here twice, first on line 1; keep one"),
    (LIST + "-\n", 2, "subscribers: nothing stands where a subscriber is due"),
    (LIST + "- [ada@example.org]\n", 2, "subscribers: a list stands where a subscriber is due"),
    (LIST + "- yes\n", 2, "subscribers: an unquoted true or false stands where"),
    (LIST + "- ? [a]\n  : b\n  address: ada@example.org\n", 2, "a key must be one word"),
    (LIST + "\n- name: Ada\n  hour: 7\n", 3, "address: is missing; add it"),
    (LIST + "- name: Ada\n  address:\n", 3, "address: there is no value; write one"),
    (
        LIST + "- name: Ada\n  address: ada\n",
        3,
        "address: 'ada' is no e-mail address (an email address must have an @-",
    ),
    (LIST + "- ada@printer.test\n", 2, "address: 'ada@printer.test' is no e-mail address"),
    (LIST + "- ada@localhost\n", 2, "address: 'ada@localhost' is no e-mail address"),
    (LIST + f"- {'a' * 300}@example.org\n", 2, "address: longer than 254 characters; shorten it"),
    (LIST + "- address: [ada@example.org]\n", 2, "address: a list stands where one text is due"),
    (LIST + '- "ada@example.org\\nBcc: bo@example.org"\n', 2, "address: 'ada@example.org\\nBcc: bo@example.org' is no"),
    (READER + "  address: bo@example.org\n", 3, "address: is here twice, first on line 2; keep one"),
    (READER + "  adress: x\n", 3, "adress: there is no such key; did you mean address?"),
    (READER + "  shoes:\n  - 38\n", 3, "shoes: there is no such key; write address, name, period"),
    (
        READER + "  name: no\n",
        3,
        "name: an unquoted yes, no, on, off, true or false is no text in YAML; put it in quotes",
    ),
    (READER + "  name:\n    first: Ada\n", 3, "name: a mapping stands where one text is due"),
    (READER + '  name: "Ada\\r\\nBcc: x"\n', 3, "name: 'Ada\\r\\nBcc: x' holds a line break or control character"),
    (READER + '  name: "Ada\\u2028Bo"\n', 3, "name: 'Ada\\u2028Bo' holds a line break"),
    (READER + f"  name: {'é' * 201}\n", 3, "name: longer than 200 characters; shorten it"),
    (READER + "  period: dayly\n", 3, "period: 'dayly' is no period; did you mean daily?"),
    (READER + "  period: hourly\n", 3, "period: 'hourly' is no period; write daily, weekly or monthly"),
    (READER + "  period: no\n", 3, "period: an unquoted true or false is no period"),
    (READER + "  format: pdf\n", 3, "format: 'pdf' is no format; write html or text"),
    (
        READER + "  timezone: europe/berlin\n",
        3,
        "timezone: 'europe/berlin' is no timezone; did you mean Europe/Berlin?",
    ),
    (READER + "  timezone: New York\n", 3, "timezone: 'New York' is no timezone; did you mean America/New_York?"),
    (READER + "  timezone: UTC+2\n", 3, "timezone: 'UTC+2' is no timezone; write one such as Europe/Berlin or UTC"),
    (READER + "  timezone: ../../etc/passwd\n", 3, "timezone: '../../etc/passwd' is no timezone; write"),
    (READER + "  hour: 24\n", 3, "hour: '24' is no hour; write a whole number from 0 to 23"),
    (READER + "  hour: 7:00\n", 3, "hour: '7:00' is no hour"),
    (READER + "  hour: -1\n", 3, "hour: '-1' is no hour"),
    (READER + "  hour: yes\n", 3, "hour: an unquoted true or false is no hour"),
    (READER + "  papers: 0\n", 3, "papers: '0' is no number of papers; write a whole number from 1 to 100"),
    (READER + "  papers: 101\n", 3, "papers: '101' is no number of papers"),
    (READER + "  active: perhaps\n", 3, "active: 'perhaps' is neither true nor false; write one of the two"),
    (READER + "  active: [yes]\n", 3, "active: a list is neither true nor false"),
    (READER + "  interests: [robotics]\n", 3, "interests: a list stands where a mapping is due; write include: [...]"),
    (READER + "  interests:\n    include: robotics\n", 4, "include: 'robotics' stands where a list is due; write the"),
    (READER + "  interests:\n    exlude: [x]\n", 4, "exlude: there is no such key; did you mean exclude?"),
    (READER + "  interests:\n    include:\n    - a\n    - no\n", 6, "include: an unquoted yes, no, on, off, true or"),
    (READER + "  interests:\n    include:\n    - a\n    -\n", 6, "include: there is no value; write one"),
    (READER + "  interests: {include: [a], include: [b]}\n", 3, "include: is here twice, first on line 3"),
    (LIST + "- &ada ada@example.org\n- *ada\n", 3, "a value that begins with * is an alias in YAML; put it in quotes"),
    (READER + "  name: !!python/name:os.system x\n", 3, "a value that begins with ! is a tag in YAML"),
    (LIST + "- name: Ada\n\taddress: x\n", 3, "the indentation holds a tab; use spaces"),
    (LIST + "- name: Ada: Countess\n", 2, "is no valid YAML: mapping values are not allowed"),
    (LIST + "- @ada\n", 2, "is no valid YAML: found character "),
    (
        LIST + "- name: 'Ada\n  hour: 7\n\n",
        5,
        "is no valid YAML: found unexpected end of stream (in what begins on line 2)",
    ),
    (READER + "---\nsubscribers: []\n", 3, "is no valid YAML: found another document (in what begins on line 1)"),
    (LIST + "- ada@example.org\n- b\0\n", 3, "holds the character U+0000, which YAML forbids; remove it"),
    (LIST + "- \ud800\n", 2, "holds the character U+D800, which YAML forbids; remove it"),
    (LIST + "- " + "[" * 100_000, 2, ""),
    (LIST + "- " * 30 + "a\n", 2, "is nested deeper than 20 levels"),
    ("{a: " * 30 + "}" * 30, 1, "is nested deeper than 20 levels"),
]


@pytest.mark.usefixtures("_either_loader")
@pytest.mark.parametrize(("text", "line", "message"), YAML_FAULTS, ids=lambda value: repr(value)[:60])
def test_a_yaml_fault_is_told_on_its_line_with_the_mend(text: str, line: int, message: str) -> None:
    told = fault_of(text)
    assert told.startswith(f"list.yaml:{line}: {message}")
    assert "; " in told
    assert len(told.splitlines()) == 1


CSV_FAULTS = [
    ("", 1, "address: the first line names no such column (nor email); begin with a line such as address,name"),
    ("\n\n", 1, "address: the first line names no such column"),
    ("ada@example.org,Ada\n", 1, "address: the first line names no such column"),
    ("address,Email\na,b\n", 1, "address: two columns of this name"),
    ("address,hour,Hour\na,b\n", 1, "hour: two columns of this name"),
    (ROWS + "ada@example.org,Ada\n,Bo\n", 3, "address: is missing; add it"),
    (ROWS + "ada@example.org,Ada\n\nbo\n", 4, "address: 'bo' is no e-mail address"),
    (ROWS + 'ada@example.org,"Ada\nLovelace"\n', 2, "name: 'Ada\\nLovelace' holds a line break"),
    (ROWS + 'ada@example.org," Ada\n\n"\nbo,Bo\n', 5, "address: 'bo' is no e-mail address"),
    (ROWS + "ada@example.org,Lovelace, Ada\n", 2, "more values than the first line has columns; put quotes round"),
    (ROWS + 'ada@example.org,"Ada\nbo@example.org,Bo\n', 2, "a quote in this row is never closed; close it"),
    (ROWS + 'ada@example.org,"Ada" L\n', 2, "text follows a closing quote"),
    (ROWS + f"ada@example.org,{'a' * 140_000}\n", 2, "a cell is too long; look for a quote that is never closed"),
    (ROWS + "ada@example.org,Ada\nbo@exam\0ple.org\n", 3, "holds a NUL character; save it as plain text"),
    (ROWS + "ada@example.org,A\x1b[31mda\n", 2, "name: 'A\\x1b[31mda' holds a line break or control character"),
    (ROWS + "ada@example.org,\ud800\n", 2, "name: '\\ud800' holds half a character"),
    ("address,include\nada@example.org,a;b\x07\n", 2, "include: 'b\\x07' holds a line break or control character"),
    ("address,hour\nada@example.org,7.5\n", 2, "hour: '7.5' is no hour; write a whole number from 0 to 23"),
    ("address,timezone\nada@example.org,Tokio\n", 2, "timezone: 'Tokio' is no timezone; did you mean Asia/Tokyo?"),
    ("address;period\nada@example.org;Weekly\n", 2, "period: 'Weekly' is no period; did you mean weekly?"),
    ("address\tactive\nada@example.org\tmaybe\n", 2, "active: 'maybe' is neither true nor false; write one of the two"),
]


@pytest.mark.parametrize(("text", "line", "message"), CSV_FAULTS, ids=lambda value: repr(value)[:60])
def test_a_csv_fault_is_told_on_its_line_with_the_mend(text: str, line: int, message: str) -> None:
    told = fault_of(text, suffix="csv")
    assert told.startswith(f"list.csv:{line}: {message}")
    assert "; " in told
    assert len(told.splitlines()) == 1


def test_all_faults_of_a_file_are_told_together_in_the_order_of_its_lines() -> None:
    text = LIST + "- address: ada\n  hour: 99\n  nmae: Ada\n- bo@example.org\n- name: Cy\n  name: Cy\n"
    fields = [line.split(": ")[:2] for line in fault_of(text).splitlines()]
    assert fields == [
        ["list.yaml:2", "address"],
        ["list.yaml:3", "hour"],
        ["list.yaml:4", "nmae"],
        ["list.yaml:6", "address"],
        ["list.yaml:7", "name"],
    ]


def test_after_twenty_faults_the_rest_is_counted() -> None:
    lines = fault_of(ROWS + "ada,Ada\n" * 23, suffix="csv").splitlines()
    assert len(lines) == 21
    assert lines[-1] == "and 3 more"


def test_a_long_wrong_value_is_cut_and_an_unprintable_name_cannot_break_the_line() -> None:
    assert len(fault_of(f"{READER}  period: {'x' * 9_999}\n")) < 200
    assert len(fault_of(f"{READER}  {'x' * 999}: 1\n")) < 200
    with pytest.raises(SubscribersError) as caught:
        parse_yaml("", "my\nlist\x1b.yaml")
    assert str(caught.value).startswith("my�list�.yaml:1: ")


def test_an_unknown_suffix_is_refused_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(SubscribersError, match=r"list\.xlsx: .*; give it the ending \.yaml, \.yml or \.csv$"):
        read_roster(tmp_path / "list.xlsx")


@pytest.mark.parametrize("suffix", [".yml", ".YAML"])
def test_both_endings_of_yaml_are_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"list{suffix}"
    path.write_text("subscribers: [ada@example.org]")
    assert read_roster(path).subscribers == (ADA,)


def test_a_missing_file_is_named_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(SubscribersError, match=r"gone\.yaml: there is no such file; create it as in subscribers\.exa"):
        read_roster(tmp_path / "gone.yaml")


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "list.csv").mkdir()
    with pytest.raises(SubscribersError, match=r"list\.csv: is a directory; name a readable file"):
        read_roster(tmp_path / "list.csv")
    with pytest.raises(SubscribersError, match="null byte; name a readable file"):
        read_roster(Path("a\0b.csv"))


def test_a_file_that_may_not_be_read_is_named_with_the_mend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "list.yaml"
    path.write_text("subscribers: []")
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read anything, so the refusal is staged for it

        def refuse(_path: Path) -> bytes:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(SubscribersError, match=r"list\.yaml: permission denied; let this user read it"):
        read_roster(path)


def test_a_file_that_is_not_utf_8_is_told_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    path.write_bytes("\ufeff".encode() + ROWS.encode() + "ada@example.org,Zoë\n".encode("latin-1"))
    offset = 3 + len(ROWS) + len("ada@example.org,Zo")
    with pytest.raises(
        SubscribersError, match=rf"list\.csv:2: is not UTF-8 \(byte {offset} is 0xeb\); save it as UTF-8"
    ):
        read_roster(path)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("suffix", ["yaml", "csv"])
def test_utf_16_is_named_as_such(tmp_path: Path, encoding: str, suffix: str) -> None:
    path = tmp_path / f"list.{suffix}"
    path.write_bytes((READER if suffix == "yaml" else ROWS).encode(encoding))
    with pytest.raises(SubscribersError, match=r":1: is UTF-16; save it as UTF-8$"):
        read_roster(path)


def test_the_example_is_valid_and_every_active_reader_gets_something_every_day() -> None:
    roster = read_roster(EXAMPLE)
    active = [one for one in roster.subscribers if one.active]
    assert (len(active), len(roster.subscribers), roster.duplicates) == (5, 8, ())
    assert {one.preferences.cadence for one in active} == {Cadence.DAILY}
    assert {word for one in active for word in one.preferences.exclude} == {"blockchain"}
    assert any(one.preferences.format is Format.TEXT for one in active)
    assert any(one.preferences.timezone and one.preferences.hour is not None for one in active)
    assert {one.address.rpartition("@")[2] for one in roster.subscribers} == {
        "example.org",
        "example.com",
        "example.net",
    }


def test_the_example_shows_every_setting() -> None:
    items = [item for item in yaml.safe_load(EXAMPLE.read_text("utf-8"))["subscribers"] if isinstance(item, dict)]
    shown = {key for item in items for key in item} | {key for item in items for key in item.get("interests", {})}
    assert shown == {
        "address",
        "only_matches",
        "name",
        "papers",
        "period",
        "timezone",
        "hour",
        "interests",
        "include",
        "exclude",
        "format",
        "active",
    }


letters = st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zl", "Zp"])
words = st.text(letters, max_size=20).map(str.strip)
readers = st.builds(
    Subscriber,
    address=st.from_regex(r"[a-z][a-z0-9]{0,9}(\.[a-z0-9]{1,9})?@[a-z]{1,8}\.example\.(org|com|net)", fullmatch=True),
    name=words.map(lambda name: name or None),
    active=st.booleans(),
    preferences=st.builds(
        Preferences,
        cadence=st.sampled_from(Cadence),
        timezone=st.none() | st.sampled_from(["UTC", "Europe/Berlin", "America/Argentina/Ushuaia", "Etc/GMT+9"]),
        hour=st.none() | st.integers(0, 23),
        include=st.lists(words.filter(bool), max_size=3).map(tuple),
        exclude=st.lists(words.filter(bool), max_size=3).map(tuple),
        format=st.sampled_from(Format),
    ),
)


def as_written(reader: Subscriber) -> dict[str, object]:
    preferences = reader.preferences
    return {
        "address": reader.address,
        "name": reader.name,
        "period": preferences.cadence.value,
        "timezone": preferences.timezone,
        "hour": preferences.hour,
        "interests": {"include": list(preferences.include), "exclude": list(preferences.exclude)},
        "format": preferences.format.value,
        "active": reader.active,
    }


@given(written=st.lists(readers, max_size=5, unique_by=lambda reader: reader.key), unicode=st.booleans())
def test_what_yaml_writes_is_read_back_the_same(written: list[Subscriber], *, unicode: bool) -> None:
    text = yaml.safe_dump({"subscribers": [as_written(reader) for reader in written]}, allow_unicode=unicode)
    assert parse_yaml(text, "list.yaml") == Roster(tuple(written), ())


# Pieces that mean something to one of the parsers, so that random texts get past the first line.
SIGNS = "\n\r\t\0 -:?,;\"'[]{}&*!|>#%@`~=<é\u2028\x85\ufeff\ud800"
YAML_WORDS = ["address", "name: ", "interests: ", "\n---\n", "1:2", "2025-99-99", "no", "<<: ", "a@example.org"]
ESCAPES = ["\\U", "FFFFFFFF", "\\ud800", "\\x"]
texts = st.text() | st.lists(st.sampled_from([*SIGNS, *YAML_WORDS, *ESCAPES]), max_size=30).map("".join)


def read_or_refused(parse: Callable[[], Roster]) -> str:
    try:
        parse()
    except SubscribersError as fault:
        return str(fault)
    return "read"


@pytest.mark.parametrize("loader", [getattr(yaml, "CSafeLoader", yaml.SafeLoader), yaml.SafeLoader])
@given(text=texts, begun=st.sampled_from(["", LIST + "- ", READER + "  ", ROWS]))
def test_any_text_is_read_or_refused_in_lines_that_print(loader: type, text: str, begun: str) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(subscribers, "LOADER", loader)
        for parse in (parse_yaml, parse_csv):
            said = read_or_refused(partial(parse, begun + text, "list"))
            assert all(line.isprintable() and line for line in said.split("\n"))


@pytest.mark.parametrize("suffix", ["yaml", "csv"])
@given(content=st.binary() | texts.map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, suffix: str, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / f"any.{suffix}"
    path.write_bytes(content)
    assert read_or_refused(partial(read_roster, path))
