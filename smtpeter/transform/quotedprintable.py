"""Quoted-printable (RFC 2045 section 6.7), written so that marks stay in one piece."""

from __future__ import annotations

import re
from binascii import a2b_qp, b2a_qp

LINE_CHARACTERS = 76

_ROOM = LINE_CHARACTERS - len("=")
_TRAILING_BLANKS = re.compile(rb"(?<![ \t])[ \t]++(?=\r\n|\Z)")
_ESCAPE = ord("=")


def decoded(body: bytes) -> bytes:
    """Decode; what is no encoding stays as it is, blanks at the end of a line do not."""
    if b" \r\n" in body or b"\t\r\n" in body or body.endswith((b" ", b"\t")):
        body = _TRAILING_BLANKS.sub(b"", body)
    return a2b_qp(body)


def encoded(octets: bytes, mark: bytes = b"") -> bytes:
    """
    Encode in lines of up to 76 characters; any octet survives.

    Args:
        mark: what begins each mark, of letters and digits. Marks begin a line, so that those
            of up to 75 characters are not cut in two, and shorter words may take their places.
    """
    if mark:
        octets = octets.replace(mark, b"\r\n" + mark)
    newlines = octets.count(b"\r\n")
    if newlines == octets.count(b"\r") == octets.count(b"\n"):
        escaped = b2a_qp(octets, istext=True)
        if not newlines:
            escaped = escaped.replace(b"\n", b"\r\n")
    else:
        escaped = _with_lone_newlines(octets)
    if mark:
        escaped = escaped.replace(b"\r\n" + mark, b"=\r\n" + mark)
    # It breaks lines a character late at times, and is not told of the breaks before marks.
    return b"\r\n".join([
        line if len(line) <= LINE_CHARACTERS else _folded(line) for line in escaped.split(b"\r\n")
    ])  # fmt: skip


def _with_lone_newlines(octets: bytes) -> bytes:
    """Encode, in lines of any length; only CRLF ends one."""
    escaped = b2a_qp(octets, istext=False).replace(b"=\r\n", b"").replace(b"=\n", b"")
    escaped = escaped.replace(b"=0D=0A", b"\r\n")
    return escaped.replace(b" \r\n", b"=20\r\n").replace(b"\t\r\n", b"=09\r\n")


def _folded(line: bytes) -> bytes:
    """Break a line that is too long; escapes stay whole."""
    pieces: list[bytes] = []
    start = 0
    while len(line) - start > LINE_CHARACTERS:
        end = start + _ROOM
        if line[end - 1] == _ESCAPE:
            end -= 1
        elif line[end - 2] == _ESCAPE:
            end -= 2
        pieces.append(line[start:end])
        start = end
    pieces.append(line[start:])
    return b"=\r\n".join(pieces)
