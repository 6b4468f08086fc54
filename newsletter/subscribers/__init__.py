"""The subscriber list as a file: YAML written by hand, or CSV out of a spreadsheet.

A fault is one line, `PATH:LINE: FIELD: what is wrong; the mend`, and the faults of a file are told together. Both
formats are first turned into plain records with a line for each value, and then pass the same checks. A list that a
variable holds is read alike, but its faults show nothing of what stands in it.
"""

import codecs
import csv
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Annotated, Any, LiteralString, NamedTuple

import yaml
from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

from newsletter.errors import SubscribersError
from newsletter.models import Cadence, Format, Preferences, Standing, Subscriber
from newsletter.subscribers.columns import cleaned, field_of, read_cell, read_words, status_of
from newsletter.subscribers.faults import Fault, one_line, refusal, told, zones
from newsletter.subscribers.held import Held

BOM = "\ufeff"  # Windows editors and spreadsheets begin UTF-8 files with it
LONGEST_NAME = 200  # characters
LONGEST_ADDRESS = 254  # characters: RFC 5321 section 4.5.3.1.3 allows 256 with the angle brackets
DEEPEST = 20  # levels of YAML; a list of subscribers needs five
YAML_FORBIDS = re.compile(r"[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")  # YAML 1.1 section 4.1
# Addresses of which email-validator says the same: its special-use domains do not end in these few common ones.
PLAIN_ADDRESS = re.compile(
    r"(?=.{1,64}@)[A-Za-z0-9]+(?:[._+-][A-Za-z0-9]+)*@(?:[A-Za-z0-9]{2,40}\.){1,3}(?:com|org|net|edu|io|de|fr|uk)",
    re.ASCII,
)
YAML_BEGINS = re.compile(r"^(\ufeff)?subscribers[ \t]*:", re.MULTILINE)
LINE_BREAK = re.compile(r"\r\n|\r|\n")
LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")  # with its break

# libyaml reads several times faster than the parser in Python; both name the same lines.
LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


@dataclass(frozen=True)
class Roster:
    """The subscribers of a file in its order, and a ready one-line warning for each address that came again."""

    subscribers: tuple[Subscriber, ...]
    duplicates: tuple[str, ...]


def read_roster(path: Path | Held) -> Roster:
    """Read a subscriber file, `.yaml`, `.yml` or `.csv`, in UTF-8 with or without a byte order mark; or a held list.

    Raises:
        SubscribersError: the file cannot be read, or something in it is wrong: one line per fault.
    """
    if isinstance(path, Held):
        return _read_held(path)
    parse = {".yaml": parse_yaml, ".yml": parse_yaml, ".csv": parse_csv}.get(path.suffix.lower())
    if parse is None:
        raise refusal(f"{path}", "is neither YAML nor CSV by its name; give it the ending .yaml, .yml or .csv")
    return parse(_decoded(_content(path), path), str(path))


def mentions(path: Path | Held, address: str) -> bool:
    """Whether an address stands in a list, wherever in it, in whatever case."""
    text = path.text() or "" if isinstance(path, Held) else path.read_text("utf-8", "replace")
    return address.strip().casefold() in text.casefold()


def _read_held(held: Held) -> Roster:
    text = held.text()
    if text is None:
        raise refusal(f"{held}", "there is no such variable; put the list into it, as YAML or CSV text")
    parse = parse_yaml if YAML_BEGINS.search(text) else parse_csv
    return parse(text, str(held), discreet=True)


def parse_yaml(text: str, where: str, *, discreet: bool = False) -> Roster:
    """Read YAML: under `subscribers:` a list of addresses, or of mappings with an `address`.

    `where` names the file in faults and warnings; `discreet` ones repeat nothing of what stands in it. Aliases and tags
    are refused: a list of people needs neither.

    Raises:
        SubscribersError: something is wrong: one line per fault.
    """
    faults: list[Fault] = []
    records = _yaml_records(_composed(text.removeprefix(BOM), where), faults)
    return _roster(records, faults, where, discreet=discreet)


def parse_csv(text: str, where: str, *, discreet: bool = False) -> Roster:
    """Read CSV: a header with `address` or `email`, then a row for each subscriber; unknown columns are ignored.

    `where` and `discreet` are as for YAML. The separator is the most frequent of comma, semicolon and tab in
    the header.

    Raises:
        SubscribersError: something is wrong: one line per fault.
    """
    faults: list[Fault] = []
    return _roster(_csv_records(text.removeprefix(BOM), faults), faults, where, discreet=discreet)


def one_subscriber(values: dict[str, Any]) -> Subscriber:
    """Return the subscriber of one record, checked as a line of a file is.

    Raises:
        SubscribersError: something is wrong: one line per fault.
    """
    record = _Record({name: value for name, value in values.items() if value is not None}, {(): 1})
    try:
        return _Written.model_validate(record.values).subscriber()
    except ValidationError as invalid:
        lines = told(list(_faults_of(record, invalid)), "")
        raise SubscribersError("\n".join(line.removeprefix(":1: ") for line in lines)) from None


def _address(value: str) -> str:
    if PLAIN_ADDRESS.fullmatch(value):  # what most addresses are; the whole check takes ten times as long
        name, _, domain = value.rpartition("@")
        return f"{name}@{domain.lower()}"
    from email_validator import validate_email

    try:
        valid = validate_email(value.strip(), check_deliverability=False)
    except ValueError as fault:
        sentence = str(fault).rstrip(".")
        reason = sentence[:1].lower() + sentence[1:150]
        raise PydanticCustomError("address", "", {"reason": reason}) from None
    # The envelope carries ASCII where it can: a relay without SMTPUTF8 knows a domain only as Punycode.
    return valid.ascii_email or valid.normalized


def _text(value: str) -> str:
    text = value.strip()
    # What is printable holds none of these; to ask so is thirty times quicker than to look at each character.
    if not text.isprintable() and any(unicodedata.category(one) in {"Cc", "Cs", "Zl", "Zp"} for one in text):
        raise PydanticCustomError("control_character", "")
    return text


def _zone(value: str) -> str:
    # Not ZoneInfo(value): where file names ignore case it takes europe/berlin, which other machines then refuse.
    if value not in zones():
        raise PydanticCustomError("enum", "")
    return value


def _number(pattern: str, kind: LiteralString) -> BeforeValidator:
    def read(value: object) -> int:
        # As written: YAML itself would read 7:00 as 420, 010 as 8 and yes as 1.
        if not isinstance(value, str) or not re.fullmatch(pattern, value):
            raise PydanticCustomError(kind, "")
        return int(value)

    return BeforeValidator(read)


def _day(value: object) -> date:
    try:
        return date.fromisoformat(value) if isinstance(value, str) else date.fromisoformat("")
    except ValueError:
        raise PydanticCustomError("day", "") from None


_Text = Annotated[str, AfterValidator(_text)]


class _Interests(BaseModel):
    model_config = ConfigDict(extra="forbid")

    include: list[_Text] | None = None
    exclude: list[_Text] | None = None


class _Written(BaseModel):
    """A subscriber as the file words it; None is what it leaves to the list."""

    model_config = ConfigDict(extra="forbid")

    address: Annotated[str, Field(max_length=LONGEST_ADDRESS), AfterValidator(_address)]
    name: Annotated[str, Field(max_length=LONGEST_NAME), AfterValidator(_text)] | None = None
    period: Cadence | None = None
    timezone: Annotated[str, AfterValidator(_zone)] | None = None
    hour: Annotated[int, _number("[01]?[0-9]|2[0-3]", "hour")] | None = None
    papers: Annotated[int, _number("[1-9][0-9]?|100", "papers")] | None = None
    interests: _Interests | None = None
    format: Format | None = None
    only_matches: bool | None = None
    paused_until: Annotated[date, BeforeValidator(_day)] | None = None
    status: Standing | None = None
    active: bool | None = None

    def subscriber(self) -> Subscriber:
        interests = self.interests or _Interests()
        preferences = Preferences(
            cadence=self.period or Cadence.DAILY,
            timezone=self.timezone,
            hour=self.hour,
            include=tuple(filter(None, interests.include or ())),
            exclude=tuple(filter(None, interests.exclude or ())),
            format=self.format or Format.HTML,
            papers=self.papers,
            only_matches=self.only_matches,
            paused_until=self.paused_until,
        )
        return Subscriber(
            address=self.address,
            name=self.name or None,
            preferences=preferences,
            active=self.active is not False,
            standing=self.status or Standing.ACTIVE,
        )


_Place = tuple[int | str, ...]  # the way to a value inside a subscriber, as pydantic's `loc`; () is the subscriber


class _Record(NamedTuple):
    values: dict[str, Any]
    lines: Mapping[_Place, int]

    def line(self, place: _Place) -> int:
        return self.lines.get(place, self.lines[()])


def _roster(records: Iterable[_Record], faults: list[Fault], where: str, *, discreet: bool) -> Roster:
    """Check the records, and raise what is wrong with them and with the file's form; drawing them fills `faults`."""
    readers: dict[str, tuple[int, Subscriber]] = {}
    duplicates: list[str] = []
    for record in records:
        try:
            reader = _Written.model_validate(record.values).subscriber()
        except ValidationError as invalid:
            faults.extend(_faults_of(record, invalid))
            continue
        line = record.line(("address",))
        first, known = readers.setdefault(reader.key, (line, reader))
        if known is not reader:
            who = "its address" if discreet else reader.address
            warning = f"{where}:{line}: {who} is already on line {first}; this one is ignored"
            duplicates.append(one_line(warning))
    if faults:
        fields = {*_Written.model_fields, *_Interests.model_fields, "subscribers"}
        raise SubscribersError("\n".join(told([one.hidden(fields) for one in faults] if discreet else faults, where)))
    return Roster(tuple(reader for _, reader in readers.values()), tuple(duplicates))


def _faults_of(record: _Record, invalid: ValidationError) -> Iterator[Fault]:
    for error in invalid.errors(include_url=False):
        place, kind, given = error["loc"], error["type"], error["input"]
        field = next(part for part in reversed(place) if isinstance(part, str))
        if kind == "string_type":
            kind = "empty" if given is None else "bare_bool" if isinstance(given, bool) else "not_text"
        yield Fault(record.line(place), field, kind, given, error.get("ctx", {}), _choices(place, kind))


def _choices(place: _Place, kind: str) -> Collection[str]:
    if kind == "extra_forbidden":
        return (_Written if len(place) == 1 else _Interests).model_fields
    statuses = tuple(one for one in Standing if one is not Standing.ERASED)
    choices = {"period": tuple(Cadence), "format": tuple(Format), "status": statuses, "timezone": zones()}
    return choices.get(str(place[0]), ())


def _composed(text: str, where: str) -> yaml.Node | None:
    """Return the document's tree before YAML gives its values a type: each keeps its line and its spelling."""
    if found := YAML_FORBIDS.search(text):
        reason = f"holds the character U+{ord(found[0]):04X}, which YAML forbids; remove it"
        raise refusal(f"{where}:{_line_at(text, found.start())}", reason)
    try:
        _refuse_what_no_list_needs(text, where)
        tree: yaml.Node | None = yaml.compose(text, LOADER)
    except (yaml.YAMLError, ValueError, OverflowError) as fault:  # the latter two: numbers out of range in an escape
        raise _broken_yaml(fault, text, where) from None
    return tree


def _refuse_what_no_list_needs(text: str, where: str) -> None:
    depth = 0
    for event in yaml.parse(text, LOADER):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        place = f"{where}:{_line(event)}"
        if isinstance(event, yaml.AliasEvent):
            raise refusal(place, "a value that begins with * is an alias in YAML; put it in quotes or write it out")
        if getattr(event, "tag", None):
            raise refusal(place, "a value that begins with ! is a tag in YAML; put it in quotes or remove the tag")
        if depth > DEEPEST:
            raise refusal(place, f"is nested deeper than {DEEPEST} levels; look for a bracket that is never closed")


def _broken_yaml(fault: Exception, text: str, where: str) -> SubscribersError:
    lines = LINE_BREAK.split(text)
    mark, began = getattr(fault, "problem_mark", None), getattr(fault, "context_mark", None)
    problem: str = getattr(fault, "problem", None) or str(fault)
    number = min(mark.line, len(lines) - 1) if mark else 0
    place = f"{where}:{number + 1}"
    if re.match(" *\t", lines[number]):
        return refusal(place, "the indentation holds a tab; use spaces")
    since = f" (in what begins on line {began.line + 1})" if began and began.line < number else ""
    reason = f"is no valid YAML: {problem.removeprefix('but ')}{since}"
    return refusal(place, f"{reason}; check the indentation, and quote values that hold a colon or begin with a sign")


def _yaml_records(root: yaml.Node | None, faults: list[Fault]) -> Iterator[_Record]:
    if not isinstance(root, yaml.MappingNode) or not root.value:
        faults.append(Fault(_line(root) if root else 1, "subscribers", "no_subscribers"))
        return
    for name, key, value in _pairs(root, (), {}, faults):
        if name != "subscribers":
            faults.append(Fault(_line(key), name, "extra_forbidden", choices=["subscribers"]))
        elif isinstance(value, yaml.SequenceNode):
            yield from filter(None, (_yaml_record(item, faults) for item in value.value))
        else:
            faults.append(Fault(_line(value), name, "no_list", _plain(value, (), {}, [])))


def _yaml_record(item: yaml.Node, faults: list[Fault]) -> _Record | None:
    lines: dict[_Place, int] = {}
    value = _plain(item, (), lines, faults)
    if isinstance(value, str | dict):
        return _Record({"address": value} if isinstance(value, str) else value, lines)
    faults.append(Fault(_line(item), "subscribers", "no_subscriber", value))
    return None


def _plain(node: Any, place: _Place, lines: dict[_Place, int], faults: list[Fault]) -> Any:
    """Return a node as dict, list, bool, None or else text as written, and note the lines of what is in it.

    The line of a mapping or list is that of the key before it, where there is one.
    """
    if isinstance(node, yaml.ScalarNode):
        lines[place] = _line(node)
        if node.tag == "tag:yaml.org,2002:bool":
            return node.value.lower() in {"yes", "on", "true"}
        return None if node.tag == "tag:yaml.org,2002:null" else node.value
    lines.setdefault(place, _line(node))
    if isinstance(node, yaml.MappingNode):
        pairs = _pairs(node, place, lines, faults)
        return {name: _plain(value, (*place, name), lines, faults) for name, _, value in pairs}
    return [_plain(item, (*place, number), lines, faults) for number, item in enumerate(node.value)]


def _pairs(
    node: yaml.MappingNode, place: _Place, lines: dict[_Place, int], faults: list[Fault]
) -> Iterator[tuple[str, yaml.Node, yaml.Node]]:
    for key, value in node.value:
        name = key.value
        if not isinstance(key, yaml.ScalarNode):
            faults.append(Fault(_line(key), "", "key"))
        elif first := lines.get((*place, name)):
            faults.append(Fault(_line(key), name, "duplicate_key", details={"first": first}))
        else:
            lines[*place, name] = _line(key)
            yield name, key, value


def _line(node: Any) -> int:
    return int(node.start_mark.line) + 1


def _csv_records(text: str, faults: list[Fault]) -> Iterator[_Record]:
    rows = _rows(text, faults)
    line, header = next(rows, (1, []))
    columns, status = [_column(title) for title in header], status_of(header)
    faults.extend(Fault(line, name, "duplicate_column") for name in {*columns} if name and columns.count(name) > 1)
    if "address" not in columns and not faults:
        faults.append(Fault(line, "address", "no_address_column"))
    if faults:
        return
    for line, cells in rows:
        if any(cells[len(columns) :]):
            faults.append(Fault(line, "", "surplus"))
        else:
            given = {name: cell for name, cell in zip(columns, cells, strict=False) if name and cell}
            values: dict[str, Any] = {**cleaned(given, status)}
            interests = {name: read_words(values.pop(name)) for name in _Interests.model_fields if name in values}
            yield _Record({**values, "interests": interests}, {(): line})


def _rows(text: str, faults: list[Fault]) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank, its cells stripped, with the line on which it begins."""
    if "\0" in text:
        faults.append(Fault(_line_at(text, text.index("\0")), "", "nul"))
        return
    header = LINE_BREAK.split(text.lstrip("\r\n"), maxsplit=1)[0]
    separator = max(",;\t", key=header.count)
    # Not a StringIO, which takes four bytes for each character of a file that may hold a million rows.
    lines = (found[0] for found in LINE.finditer(text))
    reader = csv.reader(lines, delimiter=separator, strict=True, skipinitialspace=True)
    line = 1
    try:
        for row in reader:
            cells = [read_cell(cell) for cell in row]
            if any(cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as fault:
        kinds = {"unexpected end of data": "open_quote", "field larger": "long_cell"}
        faults.append(Fault(line, "", next((kinds[words] for words in kinds if words in str(fault)), "stray_quote")))


def _column(title: str) -> str:
    """Return the field that a column fills, or nothing for a column of no concern here."""
    return field_of(title, [name for name in (_Written.model_fields | _Interests.model_fields) if name != "interests"])


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise refusal(f"{path}", "there is no such file; create it as in subscribers.example.yaml") from None
    except (OSError, ValueError) as fault:  # ValueError: a NUL in the path
        mend = "let this user read it" if isinstance(fault, PermissionError) else "name a readable file"
        raise refusal(f"{path}", f"{getattr(fault, 'strerror', fault)}; {mend}".lower()) from None


def _decoded(content: bytes, path: Path) -> str:
    # A list begins with an ASCII character; in UTF-16 without a byte order mark its other byte is NUL.
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or b"\0" in content[:2]:
        raise refusal(f"{path}:1", "is UTF-16; save it as UTF-8")
    try:
        return content.decode()
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        reason = f"is not UTF-8 (byte {fault.start} is 0x{content[fault.start]:02x}); save it as UTF-8"
        raise refusal(f"{path}:{line}", reason) from None


def _line_at(text: str, position: int) -> int:
    return len(LINE_BREAK.findall(text, 0, position)) + 1
