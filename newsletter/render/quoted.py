"""Pure: quoted-printable (RFC 2045 section 6.7) in pieces that can be joined in any order."""

import binascii
import re

LONGEST_LINE = 76
SOFT_BREAK = b"=\r\n"
PLAIN = re.compile(r"(?:[A-Za-z0-9@_+-][A-Za-z0-9@._+-]{0,73})?")  # most addresses: nothing to do
# binascii makes a line of 77 where a space that ends a line becomes =20 in the last columns.
OVERLONG = re.compile(rb"(?m)^(.{74})(=(?:20|09))(?=\r?$)")


def quoted_printable(text: str) -> bytes:
    """Return text as quoted-printable with CRLF line ends, from column 0 and back to column 0.

    Lines have at most 76 characters, and none begins with a dot, so that no relay has to stuff it (RFC 5321 4.5.2).
    What does not end with a line end is closed by a soft break: pieces joined decode to their texts joined.
    """
    if PLAIN.fullmatch(text):
        return text.encode() + SOFT_BREAK if text else b""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\n", "\r\n").encode()
    if not lines.endswith(b"\r\n"):
        # b2a_qp takes its line ends from the first one it sees; this one is not part of the text.
        return _undotted(_softly_ended(_encoded(lines + b"\r\n")[:-2]))
    return _undotted(_encoded(lines))


def _encoded(lines: bytes) -> bytes:
    return OVERLONG.sub(rb"\1=\r\n\2", binascii.b2a_qp(lines, istext=True))


def _softly_ended(encoded: bytes) -> bytes:
    """Add a soft break; where the last line is full, its last character goes to a line of its own."""
    if len(encoded) - encoded.rfind(b"\n") - 1 < LONGEST_LINE:
        return encoded + SOFT_BREAK
    last = -3 if encoded[-3:-2] == b"=" else -1
    return encoded[:last] + SOFT_BREAK + encoded[last:] + SOFT_BREAK


def _undotted(encoded: bytes) -> bytes:
    if not (encoded.startswith(b".") or b"\n." in encoded):
        return encoded
    return re.sub(rb"(?m)^\.(.*)$", _escape_dot, encoded)


def _escape_dot(line: re.Match[bytes]) -> bytes:
    rest = line[1]
    if len(rest.rstrip(b"\r")) + 3 <= LONGEST_LINE:
        return b"=2E" + rest
    # The rest of a full line goes to a line of its own, which may begin with a dot in its turn.
    return b"=2E" + SOFT_BREAK + _undotted(rest)
