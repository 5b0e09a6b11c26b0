"""Raw message content: read and edit it without writing it anew (RFC 5322, RFC 2045)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from attrs import field

from smtpeter.values import frozen

BLOCK_OCTETS = 256 * 1024
HEADER_OCTETS = BLOCK_OCTETS

_FIELD = re.compile(
    rb"^([!-9;-~]+)[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)(?:\r\n|\Z)", re.MULTILINE
)
_STRAY_LINES = re.compile(rb"(?:[ \t][^\r\n]*(?:\r\n|\Z))+")
_FOLD = re.compile(rb"\r\n(?=[ \t])")
_LONE_NEWLINE = re.compile(rb"\r\n|\r|\n")


class HeaderTooLarge(ValueError):
    """The header block does not end within `HEADER_OCTETS`."""


class Field(NamedTuple):
    """
    One header field and where it stands.

    Attributes:
        name: in lower case.
        start: offset of its first octet in the header block.
        end: offset after its last CRLF, continuation lines included.
        raw: what stands after the colon, folds included, without the final CRLF.
    """

    name: str
    start: int
    end: int
    raw: bytes

    @property
    def value(self) -> str:
        """Unfolded and trimmed; octets that are not UTF-8 become replacement characters."""
        return _FOLD.sub(b"", self.raw).decode("utf-8", "replace").strip()


@frozen
class Content:
    """
    A message as its octets: a header block, an empty line, a body. Lines end with CRLF.

    It is held in blocks, so that no step has to move a large message in one go. The
    whole header block, with the empty line after it, is in the first.

    Attributes:
        blocks: the octets, in order; never empty blocks, but no block for no octets.
        header_octets: the length of the header block with its empty line.
    """

    blocks: tuple[bytes, ...] = field(repr=False)
    header_octets: int

    @classmethod
    def from_blocks(cls, blocks: Iterable[bytes]) -> Content:
        """
        Find the header block in octets that came in pieces.

        A message without an empty line is header throughout (RFC 5322 section 3.5).

        Raises:
            HeaderTooLarge: no empty line within `HEADER_OCTETS`, though there is more.
        """
        rest = [block for block in blocks if block]
        first = b"".join(rest[:1])
        used = 1
        while (end := _end_of_header(first)) < 0 and used < len(rest):
            if len(first) > HEADER_OCTETS:
                raise HeaderTooLarge
            first += rest[used]
            used += 1
        header_octets = end if end >= 0 else len(first)
        if header_octets > HEADER_OCTETS:
            raise HeaderTooLarge
        return cls((first, *rest[used:]) if first else (), header_octets)

    @classmethod
    def from_octets(cls, octets: bytes) -> Content:
        """
        The same for octets in one piece; lone CR and LF become CRLF, the end a full line.

        Raises:
            HeaderTooLarge: as `from_blocks`.
        """
        if has_lone_newline(octets):
            octets = _LONE_NEWLINE.sub(b"\r\n", octets)
        if octets and not octets.endswith(b"\r\n"):
            octets += b"\r\n"
        starts = range(0, len(octets), BLOCK_OCTETS)
        return cls.from_blocks(octets[start : start + BLOCK_OCTETS] for start in starts)

    @property
    def octets(self) -> int:
        """The size of the whole message."""
        return sum(map(len, self.blocks))

    @property
    def header(self) -> bytes:
        """The header block with the empty line that ends it."""
        return self.blocks[0][: self.header_octets] if self.blocks else b""

    @property
    def eightbit(self) -> bool:
        """True when an octet above 127 occurs anywhere."""
        return not all(map(bytes.isascii, self.blocks))

    def __bytes__(self) -> bytes:
        return b"".join(self.blocks)

    def fields(self) -> list[Field]:
        """The header fields of the top level, in order; lines that are none are passed over."""
        return [
            Field(match[1].decode("ascii").lower(), *match.span(), match[2])
            for match in _FIELD.finditer(self.header)
        ]

    def without(self, fields: Iterable[Field]) -> Content:
        """The same octets less those of the given header fields."""
        doomed = sorted(fields, key=lambda each: each.start)
        if not doomed:
            return self
        kept: list[bytes] = []
        position = 0
        for each in doomed:
            kept.append(self.blocks[0][position : each.start])
            position = each.end
        kept.append(self.blocks[0][position:])
        removed = sum(each.end - each.start for each in doomed)
        first = b"".join(kept)
        blocks = (first, *self.blocks[1:]) if first else self.blocks[1:]
        return Content(blocks, self.header_octets - removed)

    def prepended(self, lines: bytes) -> Content:
        """
        The same octets behind further header fields, each ending with CRLF.

        Lines at the very beginning that start with a blank continue no field. They are left
        out, for they would continue the last of those in front.
        """
        if not self.blocks:
            return Content((lines + b"\r\n",), len(lines) + 2)
        first = self.blocks[0]
        stray = _STRAY_LINES.match(first, 0, self.header_octets)
        start = stray.end() if stray else 0
        blocks = (lines + first[start:], *self.blocks[1:])
        return Content(blocks, self.header_octets + len(lines) - start)


def _end_of_header(octets: bytes) -> int:
    """The offset behind the empty line; -1 when there is none."""
    if octets.startswith(b"\r\n"):
        return 2
    end = octets.find(b"\r\n\r\n")
    return end + 4 if end >= 0 else -1


def has_lone_newline(octets: bytes) -> bool:
    """True when a CR or LF stands alone, anywhere (RFC 5321 section 2.3.8)."""
    return octets.replace(b"\r", b"").replace(b"\n", b"\r\n") != octets
