"""Pure: what a mail says that came back, or that a machine or a leaving reader wrote to us.

In order of trust: a request to leave, a delivery status notification (RFC 3464), a feedback report (RFC 5965), an
answer of a machine that means nothing, and last what Mailman's detectors (flufl.bounce) make of a free text.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import Message
from email.parser import HeaderParser
from email.utils import getaddresses

from flufl.bounce import all_failures

from newsletter.models import Report, ReportKind
from newsletter.send.outcomes import SENDER_WORDS, address_fault, enhanced_code, printable

LARGEST = 1_000_000  # bytes that are looked at
MOST_PARTS = 100
LONGEST_WHY = 200
TEXT_LOOKED_AT = 20_000  # characters

WENT_ON = {"delayed", "relayed", "delivered", "expanded"}  # RFC 3464 section 2.3.3: no failure, or not yet
ABOUT_US = re.compile(r"^5\.(7\.\d+|4\.5|3\.4|2\.3|6\.\d+)$")  # a policy, a quota, this message
FULL = re.compile(r"(?i)mailbox (is )?full|(over|exceed\w*)[^.]{0,20}(quota|storage)|quota[^.]{0,20}exceed|5\.2\.2\b")
POLICY = re.compile(
    r"(?i)\bspam\b|black ?list|block ?list|\bblocked\b|reputation|\bpolicy\b|\bvirus\b|content (was )?rejected"
    r"|relay(ing)? (access )?denied|not authori[sz]ed|too (big|large)|" + SENDER_WORDS.pattern.removeprefix("(?i)")
)
GOES_ON = re.compile(
    r"(?i)will (be retried|keep trying|continue|retry)|still (being )?tr(ying|ied)|warning message only|not yet been"
    r"|need not re-?send|(do not|don't) (need to )?re-?send|no action is required"
    r"|delivery (attempts|is|was) (will|delay)|has been delayed|delayed for|temporar(y|ily) (delay|problem|unable)"
)
COMPLAINTS = {"abuse", "fraud", "opt-out", "opt-out-list", "complaint"}  # not-spam, auth-failure, dmarc are none
FEEDBACK = re.compile(r"(?im)^feedback-type:[ \t]*([\w-]+)")
ORIGINAL_RECIPIENT = re.compile(r"(?im)^(?:original-rcpt-to|removal-recipient):[ \t]*(?:rfc822;)?[ \t]*(\S+@\S+)")
LEAVE = re.compile(r"(?i)\s*(?:(?:re|fwd?|aw)\s*:\s*)*unsubscribe\b[\s:]*([\w.-]{20,})?\s*$")
MACHINES = re.compile(
    r"(?i)^(mailer-?daemon|postmaster|mdaemon|double-?bounce|mail-?delivery\w*|bounces?\b.*|mmdf|uucp)$"
)
FAILURE_SUBJECT = re.compile(
    r"(?i)undeliver|returned? mail|delivery (status|failure|problem|report|subsystem|error|has failed)|mail delivery"
    r"|failure notice|not deliver|non remis|unzustellbar|mail (system )?error|rejected|could not (send|be)|bounce"
    r"|non-?deliver|delivery.{0,20}fail|message status|nondeliver|warning|rebotado|fail"
)
MACHINE_SUBJECT = re.compile(
    r"(?i)out of (the )?office|vacation|auto(matic|mated|)[ -]?(reply|response|antwort)|autorespon|abwesen|absence"
    r"|abwesenheit|away from|on (annual )?leave|holiday|please (confirm|verify)|confirm your|challenge|ticket"
)
ANSWER = re.compile(r"(?i)^\s*(re|aw|sv|fwd?)\s*:(?!.*: *(non remis|undeliverable)\b)")  # Exchange answers so, too
TOKEN = re.compile(r"/unsubscribe/([\w.-]{20,})|subject=3?d?unsubscribe%20([\w.-]{20,})")
MESSAGE_ID = re.compile(r"(?im)^message-id:\s*<([^<>\s]{3,200})>")
ADDRESS = re.compile(r"[^\s<>;,\"']+@[^\s<>;,\"']+")


def read_reports(content: bytes) -> list[Report]:
    """Return what a mail says, a report for each recipient it speaks of; one of kind OTHER if it says nothing.

    Never raises, whatever the bytes.
    """
    message = message_from_bytes(content[:LARGEST])
    text = content[:LARGEST].decode("utf-8", "replace")
    parts = list(_parts(message))
    found = (
        _leaving(message)
        or list(_status_reports(parts))
        or _feedback(message, parts, text)
        or _machine(message)
        or _guessed(message, parts)
        or [Report(kind=ReportKind.OTHER, why="nothing in it counts")]
    )
    came_to, tokens, ids = _came_to(message, text), _tokens(parts, text), _ids(message, parts, text)
    return [replace(one, came_to=came_to, tokens=one.tokens or tokens, message_ids=ids) for one in found]


def _leaving(message: Message) -> list[Report]:
    """A mail to the address in List-Unsubscribe (RFC 2369): the subject holds the reader's token."""
    found = LEAVE.fullmatch(_header(message, "Subject"))
    if not found:
        return []
    if found[1]:
        return [Report(kind=ReportKind.LEAVE, why="asked to leave by mail", tokens=(found[1],))]
    by_hand = _header(message, "Auto-Submitted").casefold() in {"", "no"}
    address = _first_address(message, "From")
    return (
        [Report(kind=ReportKind.LEAVE, why="asked to leave by mail", recipient=address)] if by_hand and address else []
    )


def _status_reports(parts: Iterable[Message]) -> Iterator[Report]:
    """Read the fields of delivery status notifications, however they are wrapped (RFC 3464 section 2.3)."""
    for part in parts:
        if part.get_content_type() != "message/delivery-status":
            continue
        for fields in _blocks(part):
            address = _status_address(fields)
            status, action = _header(fields, "Status"), _header(fields, "Action").casefold().strip()
            if address and (action or status):
                said = _header(fields, "Diagnostic-Code") or status
                kind = _kind(action, status, said)
                yield Report(kind=kind, why=_line(f"{action} {said}"), recipient=address)


def _blocks(part: Message) -> Iterator[Message]:
    payload = part.get_payload()
    if isinstance(payload, list):
        yield from (block for block in payload[:MOST_PARTS] if isinstance(block, Message))
        payload = "\n\n".join(str(block.get_payload()) for block in payload[:MOST_PARTS] if isinstance(block, Message))
    for text in re.split(r"\r?\n\s*\r?\n", str(payload))[:MOST_PARTS]:
        yield HeaderParser().parsestr(text.strip() + "\n\n")


def _status_address(fields: Message) -> str | None:
    for name in ("Original-Recipient", "Final-Recipient", "X-Actual-Recipient"):
        found = ADDRESS.search(_header(fields, name).partition(";")[2] or _header(fields, name))
        if found:
            return found[0].strip("<>")
    return None


def _kind(action: str, status: str, said: str) -> ReportKind:
    """Return what a failure means: final only when it is about the address (DESIGN: refusals are classed)."""
    if action in WENT_ON:
        return ReportKind.OTHER
    code = enhanced_code(said) or enhanced_code(status)
    if code.startswith("4.") or re.search(r"\b4\d\d[ -]", said) or FULL.search(f"{code} {said}"):
        return ReportKind.SOFT
    if address_fault(f"{code} {said}"):
        return ReportKind.HARD
    if ABOUT_US.match(code) or POLICY.search(said):
        return ReportKind.OTHER
    if code.startswith("5.4."):  # routing: final only where there is no such host (Postfix says so with 5.4.4)
        return ReportKind.HARD if address_fault(f"550 {said.replace(code, '')}") else ReportKind.SOFT
    return ReportKind.HARD if action == "failed" or code.startswith("5.") else ReportKind.OTHER


def _feedback(message: Message, parts: Iterable[Message], text: str) -> list[Report]:
    """A complaint (RFC 5965), or what imitates one as plain text; a report on authentication is none."""
    plain = "\n".join(_text(part) for part in parts if part.get_content_type() in _READABLE)
    told = FEEDBACK.search(plain)
    reported = message.get_content_type() == "multipart/report" or "message/feedback-report" in text
    if not told or not (reported or _from_machine(message) or "feedback" in _header(message, "Subject").casefold()):
        return []
    kind = ReportKind.COMPLAINT if told[1].casefold() in COMPLAINTS else ReportKind.OTHER
    recipient = ORIGINAL_RECIPIENT.search(plain)
    return [Report(kind=kind, why=f"feedback: {told[1]}", recipient=recipient[1].strip("<>") if recipient else None)]


def _machine(message: Message) -> list[Report]:
    """An answer of a machine that is no failure: a vacation, a challenge, a receipt (RFC 3834, RFC 8098)."""
    if message.get("X-Failed-Recipients"):
        return []
    receipt = "disposition-notification" in _header(message, "Content-Type").casefold()
    replied = _header(message, "Auto-Submitted").casefold().startswith("auto-replied") or any(
        message.get(name) for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Response-Suppress")
    )
    replied = replied or _header(message, "Precedence").casefold() == "auto_reply"
    subject = _header(message, "Subject")
    if not _from_machine(message) and (receipt or replied or MACHINE_SUBJECT.search(subject) or ANSWER.match(subject)):
        return [Report(kind=ReportKind.OTHER, why=_line(f"an automatic answer: {subject}"))]
    return []


def _guessed(message: Message, parts: Iterable[Message]) -> list[Report]:
    """What Mailman's detectors find in a bounce that is written for people."""
    subject = _header(message, "Subject")
    empty_path = _header(message, "Return-Path").strip() == "<>"
    failure = bool(FAILURE_SUBJECT.search(subject)) or bool(message.get("X-Failed-Recipients"))
    if not (_from_machine(message) or empty_path or failure):
        return []
    try:
        temporary, permanent = all_failures(message)
    except Exception:  # noqa: BLE001 - detectors of other people's old formats, fed with anything at all
        return []
    said = next((_text(part) for part in parts if part.get_content_type() == "text/plain"), "")
    head = said[:TEXT_LOOKED_AT].partition("Message-ID:")[0]
    kind, why = _kind_of_text(head)
    reports = [Report(kind=kind, why=why, recipient=_decoded(one)) for one in sorted(permanent)]
    soft = ReportKind.OTHER if kind is ReportKind.OTHER else ReportKind.SOFT
    return reports + [Report(kind=soft, why=why, recipient=_decoded(one)) for one in sorted(temporary - permanent)]


def _kind_of_text(said: str) -> tuple[ReportKind, str]:
    """Return what a bounce in free words means whose addresses are known, and the words that say so."""
    for pattern, kind in ((GOES_ON, ReportKind.OTHER), (FULL, ReportKind.SOFT)):
        if found := pattern.search(said):
            return kind, _line(found[0])
    code = re.search(r"\b5\d\d[ -][^\n]*", said)
    reply = code[0] if code else said
    if address_fault(reply) or address_fault(f"550 {said}"):
        return ReportKind.HARD, _line(reply)
    if found := POLICY.search(reply):
        return ReportKind.OTHER, _line(found[0])
    return ReportKind.HARD, _line(reply)


_READABLE = {"text/plain", "message/feedback-report", "text/rfc822-headers"}


def _parts(message: Message) -> Iterator[Message]:
    for number, part in enumerate(message.walk()):
        if number >= MOST_PARTS:
            return
        yield part


def _came_to(message: Message, text: str) -> tuple[str, ...]:
    """Return the addresses that the mail came to: VERP makes each reader's return path their own."""
    names = ("Delivered-To", "X-Original-To", "Envelope-To", "To", "X-Postfix-Sender", "Original-Envelope-Id")
    found = [address for name in names[:4] for value in message.get_all(name, []) for address in _addresses(str(value))]
    quoted = re.findall(r"(?im)^(?:x-postfix-sender|return-path|envelope-from):[^\n]*?([^\s<>;]+@[^\s<>;]+)", text)
    return tuple(dict.fromkeys([*found, *quoted]))[:MOST_PARTS]


def _tokens(parts: Iterable[Message], text: str) -> tuple[str, ...]:
    """Return the unsubscribe tokens in what was returned: its headers, its body, or a text that quotes them."""
    unfolded = re.sub(r"=\r?\n|\r?\n[ \t]+", "", text)
    texts = [unfolded, *(re.sub(r"\r?\n[ \t]+", "", _text(part)) for part in parts)]
    found = [one or other for each in texts for one, other in TOKEN.findall(each)]
    return tuple(dict.fromkeys(found))[:MOST_PARTS]


def _ids(message: Message, parts: Iterable[Message], text: str) -> tuple[str, ...]:
    own = _header(message, "Message-ID").strip(" <>")
    texts = [text, *(_text(part) for part in parts)]
    found = [one for each in texts for one in MESSAGE_ID.findall(re.sub(r"\r?\n[ \t]+", " ", each))]
    return tuple(one for one in dict.fromkeys(found) if one != own)[:MOST_PARTS]


def _from_machine(message: Message) -> bool:
    addresses = (_first_address(message, name) or _header(message, name) for name in ("From", "Return-Path"))
    named = any(MACHINES.match(address.partition("@")[0].strip(' <>"')) for address in addresses)
    return named or message.get_param("report-type") == "delivery-status"


def _first_address(message: Message, name: str) -> str | None:
    return next(iter(_addresses(_header(message, name))), None)


def _addresses(value: str) -> list[str]:
    return [address for _name, address in getaddresses([value[: LONGEST_WHY * 10]]) if "@" in address]


def _header(message: Message, name: str) -> str:
    value = str(message.get(name, ""))
    try:
        return " ".join(str(make_header(decode_header(value))).split())
    except (ValueError, LookupError, UnicodeError):
        return " ".join(value.split())


def _text(part: Message) -> str:
    """Return a part as text; a part that holds others as the text of its fields."""
    if part.is_multipart():
        payload = part.get_payload()
        inner = payload if isinstance(payload, list) else []
        kind = part.get_content_type()
        return "\n".join(str(one) for one in inner) if kind == "message/feedback-report" else ""
    payload = part.get_payload(decode=True)
    return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else str(payload or "")


def _decoded(address: bytes | str) -> str:
    return address.decode("utf-8", "replace") if isinstance(address, bytes) else address


def _line(text: str) -> str:
    return printable(" ".join(text.split()))[:LONGEST_WHY]
