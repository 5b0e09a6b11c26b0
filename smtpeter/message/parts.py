"""
The MIME parts of a message, as offsets into its octets (RFC 2045, RFC 2046 section 5.1).

Nothing is copied and nothing written anew. Lines end with CRLF.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from attrs import field

from smtpeter.message.parameters import Parameterized, parse_parameters
from smtpeter.values import frozen

DEPTH = 20
PARTS = 1000

_FIELD = re.compile(
    rb"^content-(type|transfer-encoding|disposition|id)[ \t]*+:"
    rb"([^\r\n]*+(?:\r\n[ \t][^\r\n]*+)*+)",
    re.MULTILINE | re.IGNORECASE,
)
_MEDIA_TYPE = re.compile(r"[^\s/]+/[^\s/]+\Z")
_TEXT = parse_parameters(b"text/plain")
_MESSAGE = parse_parameters(b"message/rfc822")
_NONE = parse_parameters(b"")

_PROTECTED = frozenset(
    {
        "multipart/signed",
        "multipart/encrypted",
        "application/pkcs7-mime",
        "application/x-pkcs7-mime",
    }
)
_ARMOR = (b"-----BEGIN PGP MESSAGE-----", b"-----BEGIN PGP SIGNED MESSAGE-----")


@frozen
class Part:
    """
    An entity of RFC 2045: the message itself, or a part of one of its multiparts.

    Offsets are octets from the start of the message.

    Attributes:
        start: the first octet of its header block.
        body: the first octet of its body, behind the empty line.
        end: behind its last octet; the CRLF before a boundary belongs to the boundary.
        media_type: such as "text/html", in lower case.
        parameters: those of Content-Type, decoded; names in lower case.
        encoding: its Content-Transfer-Encoding in lower case, "7bit" without one.
        disposition: "", "inline" or "attachment".
        filename: decoded; "" for none.
        content_id: without the angle brackets; "" for none.
        children: the parts of a multipart; a message within this one is not looked into.
        armored: it is text that PGP has signed or encrypted in place.
    """

    start: int
    body: int
    end: int
    media_type: str = "text/plain"
    parameters: Mapping[str, str] = field(factory=dict)
    encoding: str = "7bit"
    disposition: str = ""
    filename: str = ""
    content_id: str = ""
    children: tuple[Part, ...] = ()
    armored: bool = False

    def walk(self) -> Iterator[Part]:
        """This part and all below it, in the order in which they stand."""
        yield self
        for child in self.children:
            yield from child.walk()


def parse(octets: bytes) -> Part:
    """
    Find the parts of a message. Never fails, and takes time in proportion to the length.

    A multipart deeper than `DEPTH` has no children; after `PARTS` parts, all that is
    left of the message is one part of type application/octet-stream.
    """
    return _Reader(octets).entity(0, 0, _TEXT)[0]


def is_protected(root: Part) -> bool:
    """True when something in the message is signed or encrypted, and so may not change."""
    return any(part.media_type in _PROTECTED or part.armored for part in root.walk())


def body_parts(root: Part) -> list[Part]:
    """The text/html parts that a reader sees as the message, in order; no attachments."""
    return list(_bodies(root, leads=True))


def replaced(octets: bytes, edits: Iterable[tuple[int, int, bytes]]) -> bytes:
    """
    Put other octets in the place of some.

    Args:
        edits: start, end, and what shall stand between; in any order.

    Raises:
        ValueError: two edits overlap.
    """
    source = memoryview(octets)
    pieces: list[bytes | memoryview] = []
    position = 0
    for start, end, new in sorted(edits, key=lambda each: each[:2]):
        if start < position:
            raise ValueError(f"the edit at {start} begins before the one in front ends: {position}")
        pieces += (source[position:start], new)
        position = end
    return b"".join([*pieces, source[position:]]) if pieces else octets


def _bodies(part: Part, *, leads: bool) -> Iterator[Part]:
    """
    Text with the name of a file is an attachment, unless it leads: then it is what opens.

    Args:
        leads: nothing stands before it, but other forms of the same.
    """
    if part.media_type == "text/html":
        if part.disposition != "attachment" and (leads or not part.filename):
            yield part
    elif part.media_type not in _PROTECTED:
        root = _root(part)
        for child in part.children:
            # RFC 2387: what the root refers to by a Content-ID shows within it.
            if child is root or part.media_type != "multipart/related" or not child.content_id:
                first = child is root or part.media_type == "multipart/alternative"
                yield from _bodies(child, leads=leads and first)


def _root(part: Part) -> Part | None:
    """The first child, or the one that multipart/related names (RFC 2387 section 3.2)."""
    start = part.parameters.get("start", "").strip("<> ")
    named = (child for child in part.children if start and child.content_id == start)
    return next(named, next(iter(part.children), None))


class _Delimiter(NamedTuple):
    """
    A line that ends a part.

    Attributes:
        start: where the CRLF before it begins.
        end: behind the line.
        level: of the multipart it belongs to; -1 at the end of the message.
        closing: no part follows.
    """

    start: int
    end: int
    level: int
    closing: bool


class _Header(NamedTuple):
    """What the header of a part says about it."""

    content_type: Parameterized
    disposition: Parameterized
    encoding: str
    content_id: str

    @property
    def is_multipart(self) -> bool:
        """True when there are boundaries to look for."""
        return self.content_type.word.startswith("multipart/") and bool(self.content_type.boundary)


class _Reader:
    """Reads a message from its first octet to its last, once."""

    def __init__(self, octets: bytes) -> None:
        self._octets = octets
        self._end = _Delimiter(len(octets), len(octets), -1, closing=True)
        # By the text of the line, without its dashes: the level, and if it closes that.
        self._open: dict[bytes, tuple[int, bool]] = {}
        self._empty_line = -1
        self._parts = 0

    def entity(self, start: int, level: int, default: Parameterized) -> tuple[Part, _Delimiter]:
        """Read the part that begins here, and say what ends it."""
        self._parts += 1
        if self._parts > PARTS:
            end = len(self._octets)
            return Part(start, start, end, "application/octet-stream"), self._end
        body = self._header_end(start)
        ending = self._delimiter(start, body)
        # A boundary before the empty line: the part is a header, and not a whole one.
        header = self._header(start, ending.start if ending else body, default)
        children: tuple[Part, ...] = ()
        if ending is None:
            if header.is_multipart and level < DEPTH:
                children, ending = self._children(body, level, header.content_type)
            else:
                ending = self._next(body)
        end = max(start, ending.start)
        return self._part((start, min(body, end), end), header, children), ending

    def _children(
        self, body: int, level: int, content_type: Parameterized
    ) -> tuple[tuple[Part, ...], _Delimiter]:
        boundary = content_type.boundary
        default = _MESSAGE if content_type.word == "multipart/digest" else _TEXT
        # The boundaries of a part further out end those within (RFC 2046 section 5.1.2).
        mine = {boundary: (level, False), boundary + b"--": (level, True)}
        self._open = mine | self._open
        children = []
        ending = self._next(body)
        while ending.level == level and not ending.closing:
            child, ending = self.entity(ending.end, level + 1, default)
            children.append(child)
        self._open = {line: of for line, of in self._open.items() if of[0] < level}
        if ending.level == level:
            ending = self._next(ending.end)
        return tuple(children), ending

    def _header_end(self, start: int) -> int:
        """The offset behind the empty line, or of the end of the message."""
        if self._octets.startswith(b"\r\n", start):
            return start + 2
        if self._empty_line < start:
            found = self._octets.find(b"\r\n\r\n", start)
            self._empty_line = found if found >= 0 else len(self._octets)
        return min(self._empty_line + 4, len(self._octets))

    def _next(self, start: int) -> _Delimiter:
        return self._delimiter(start, len(self._octets)) or self._end

    def _delimiter(self, start: int, end: int) -> _Delimiter | None:
        """The next line between two offsets that ends a part; the CRLF may stand before."""
        if not self._open:
            return None
        octets = self._octets
        position = octets.find(b"\r\n--", max(start - 2, 0), end)
        while position >= 0:
            line_end = octets.find(b"\r\n", position + 4)
            if line_end < 0:
                line_end = len(octets)
            of = self._open.get(octets[position + 4 : line_end].rstrip(b" \t"))
            if of is not None:
                return _Delimiter(position, min(line_end + 2, len(octets)), *of)
            position = octets.find(b"\r\n--", line_end, end)
        return None

    def _header(self, start: int, body: int, default: Parameterized) -> _Header:
        """The first field of each name counts."""
        values: dict[bytes, bytes] = {}
        for name, raw in _FIELD.findall(memoryview(self._octets)[start:body]):
            values.setdefault(bytes(name).lower(), bytes(raw))
        content_type = parse_parameters(values.get(b"type", b""))
        if not content_type.word:
            content_type = default
        elif not _MEDIA_TYPE.match(content_type.word):  # RFC 2045 section 5.2
            content_type = _TEXT
        return _Header(
            content_type,
            parse_parameters(values.get(b"disposition", b"")),
            parse_parameters(values.get(b"transfer-encoding", b"")).word or "7bit",
            values.get(b"id", b"").strip(b" \t\r\n<>").decode("utf-8", "replace"),
        )

    def _part(
        self, span: tuple[int, int, int], header: _Header, children: tuple[Part, ...]
    ) -> Part:
        media_type, parameters, _ = header.content_type
        disposition = header.disposition.word
        if disposition not in {"", "inline"}:  # RFC 2183 section 2.8
            disposition = "attachment"
        is_read = media_type.startswith("text/") and disposition != "attachment"
        return Part(
            *span,
            media_type,
            parameters,
            header.encoding,
            disposition,
            header.disposition.parameters.get("filename") or parameters.get("name", ""),
            header.content_id,
            children,
            armored=is_read and self._is_armored(span[1], span[2], header.encoding),
        )

    def _is_armored(self, body: int, end: int, encoding: str) -> bool:
        """True when PGP has signed or encrypted the text in place (RFC 9580 section 6.2)."""
        if encoding == "base64":
            try:
                octets = a2b_base64(memoryview(self._octets)[body:end])
            except Error:
                return False
            return any(line in octets for line in _ARMOR)
        if encoding == "quoted-printable" and self._octets.find(b"PGP", body, end) >= 0:
            octets = a2b_qp(self._octets[body:end])
            return any(line in octets for line in _ARMOR)
        return any(self._octets.find(line, body, end) >= 0 for line in _ARMOR)
