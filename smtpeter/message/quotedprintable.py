"""Quoted-printable (RFC 2045 section 6.7), written so that marks stay in one piece."""

from __future__ import annotations

import re
from binascii import a2b_qp, b2a_qp

LINE_CHARACTERS = 76

_ROOM = LINE_CHARACTERS - len("=")
_TRAILING_BLANKS = re.compile(rb"(?<![ \t])[ \t]++(?=\r\n|\Z)")
_ESCAPE = ord("=")
_SAFE = bytes(range(0x20, 0x7F)) + b"\t\r\n"
_FEW = 40  # different octets: so many are replaced one after the other sooner than by a walk


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
    escaped = _escaped(octets)
    if mark:
        escaped = escaped.replace(mark, b"=\r\n" + mark)
    return b"\r\n".join([
        line if len(line) <= LINE_CHARACTERS else _folded(line) for line in escaped.split(b"\r\n")
    ])  # fmt: skip


def _escaped(octets: bytes) -> bytes:
    """Encode, in lines of any length; only CRLF ends one."""
    unsafe = set(octets.translate(None, _SAFE))
    newlines = octets.count(b"\r\n")
    if len(unsafe) <= _FEW and newlines == octets.count(b"\r") == octets.count(b"\n"):
        escaped = octets.replace(b"=", b"=3D")
        for octet in unsafe:
            escaped = escaped.replace(bytes((octet,)), b"=%02X" % octet)
    else:
        # As binary data no newline is taken for the end of a line.
        escaped = b2a_qp(octets, istext=False).replace(b"=\r\n", b"").replace(b"=\n", b"")
        escaped = escaped.replace(b"=0D=0A", b"\r\n")
    escaped = escaped.replace(b" \r\n", b"=20\r\n").replace(b"\t\r\n", b"=09\r\n")
    if escaped.endswith((b" ", b"\t")):
        escaped = b"%b=%02X" % (escaped[:-1], escaped[-1])
    return escaped


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
