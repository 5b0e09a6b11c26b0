"""
A message with gaps: all that the messages of one submission have in common, encoded already.

What is personal is only put into the gaps.
"""

from __future__ import annotations

from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from smtpeter.message import quotedprintable
from smtpeter.message.charsets import extends_ascii
from smtpeter.message.content import BLOCK_OCTETS, Content
from smtpeter.message.parts import Part
from smtpeter.transform.bodytext import BodyText, OctetEdit
from smtpeter.transform.identifier import LONGEST
from smtpeter.transform.marks import Marks
from smtpeter.values import frozen


class Span(NamedTuple):
    """Octets of the message as it was handed in, from `start` to before `end`."""

    start: int
    end: int


class WideGap(NamedTuple):
    """Where the identifier of a slot will stand, in a charset that does not extend ASCII."""

    slot: int
    charset: str


# The number of a slot, whose identifier will stand there; most often in ASCII.
Gap = int | WideGap


@frozen
class Encoded:
    """
    Octets that are encoded when they are complete.

    Attributes:
        encoding: "base64" or "quoted-printable".
        line: how long the lines of base64 are; 0 for a single one.
        end: what follows.
    """

    encoding: str
    pieces: tuple[bytes | Gap, ...]
    line: int = 0
    end: bytes = b""


Piece = bytes | Gap | Encoded
TemplateEdit = tuple[int, int, tuple[Piece, ...]]


class MarksLost(Exception):
    """A mark is not where it was put; the text cannot be given away."""


@frozen
class Template:
    """
    A message, as far as it is the same for all recipients of a submission.

    Attributes:
        pieces: octets as they stand, spans of the message as it was handed in, and gaps.
    """

    pieces: tuple[Span | Piece, ...]

    @property
    def octets(self) -> int:
        """How much it holds by itself, about."""
        return sum(map(_octets, self.pieces))

    def holding(self, octets: bytes) -> Template:
        """A template that needs no message, when the spans are of these octets."""
        return Template(
            tuple(
                octets[piece.start : piece.end] if isinstance(piece, Span) else piece
                for piece in self.pieces
            )
        )

    def __reduce__(self) -> tuple[Callable[[Sequence[Any]], Template], tuple[object]]:
        """Spans travel as bare tuples: those are read several times as fast."""
        flat = tuple(tuple(each) if type(each) is Span else each for each in self.pieces)
        return _unflattened, (flat,)


def _unflattened(flat: Sequence[Any]) -> Template:
    return Template(tuple(Span(*each) if type(each) is tuple else each for each in flat))


def template(octets: int, edits: Iterable[TemplateEdit]) -> Template:
    """A template of a message of so many octets with edits that do not overlap."""
    pieces: list[Span | Piece] = []
    position = 0
    for start, end, new in sorted(edits, key=lambda each: each[:2]):
        pieces += (Span(position, start), *new)
        position = end
    return Template((*pieces, Span(position, octets)))


def gapped(
    edits: Sequence[OctetEdit], part: Part, before: BodyText, text: str, marks: Marks
) -> list[TemplateEdit]:
    """
    Find the marks in the edits that make a part say a text, and leave gaps there.

    Raises:
        MarksLost: they cannot all be found.
    """
    expected = text.count(marks.prefix)
    charset = "ascii" if extends_ascii(before.charset) else before.charset
    pieces = [(start, end, _pieces(part, octets, charset, marks)) for start, end, octets in edits]
    if expected == sum(_gaps(new) for _, _, new in pieces):
        return pieces
    if charset != "ascii":  # in quoted-printable no character looks like itself
        whole = Encoded("quoted-printable", _cut(text.encode(charset), charset, marks))
        header = [(start, end, (new,)) for start, end, new in edits if start < part.body]
        pieces = [*header, (part.body, part.end, (whole,))]
    if expected != sum(_gaps(new) for _, _, new in pieces):
        raise MarksLost("an identifier would not be where it belongs")
    return pieces


def filled(content: Content, template: Template, identifiers: Sequence[str]) -> Content:
    """
    Make the message for one recipient.

    Args:
        content: the message as it was handed in.
        identifiers: for each slot one, none longer than `identifier.LONGEST`.

    Raises:
        HeaderTooLarge: see `Content.from_blocks`.
    """
    blocks: list[bytes] = []
    small: list[bytes] = []
    for piece in template.pieces:
        if isinstance(piece, Span):
            for octets in _slices(content, piece):
                if len(octets) < BLOCK_OCTETS // 4:
                    small.append(octets)
                else:
                    blocks += (b"".join(small), octets)
                    small = []
        else:
            small.append(_said(piece, identifiers))
    return Content.from_blocks([*blocks, b"".join(small)])


def _slices(content: Content, span: Span) -> Iterator[bytes]:
    """The octets of a span, whole blocks as they are."""
    offset = 0
    for block in content.blocks:
        start, end = max(span.start - offset, 0), min(span.end - offset, len(block))
        if start < end:
            yield block[start:end]
        offset += len(block)


def _said(piece: Piece, identifiers: Sequence[str]) -> bytes:
    if isinstance(piece, bytes):
        return piece
    if isinstance(piece, int):
        return identifiers[piece].encode("ascii")
    if isinstance(piece, WideGap):
        return identifiers[piece.slot].encode(piece.charset)
    octets = b"".join(_said(each, identifiers) for each in piece.pieces)
    if piece.encoding == "quoted-printable":
        return quotedprintable.encoded(octets)
    encoded = b2a_base64(octets, newline=False)
    if not piece.line:
        return encoded + piece.end
    starts = range(0, len(encoded), piece.line)
    return b"\r\n".join(encoded[start : start + piece.line] for start in starts) + piece.end


def _pieces(part: Part, octets: bytes, charset: str, marks: Marks) -> tuple[Piece, ...]:
    """What becomes of the new octets of one edit."""
    if part.encoding == "base64":
        return _base64(octets, charset, marks)
    return _cut(octets, charset, marks)


def _base64(octets: bytes, charset: str, marks: Marks) -> tuple[Piece, ...]:
    try:
        plain = a2b_base64(octets)
    except Error:  # it is an edit of the header
        return (octets,)
    pieces = _cut(plain, charset, marks)
    if not _gaps(pieces):
        return (octets,)
    lines = octets.split(b"\r\n")
    end = b"\r\n" if not lines[-1] else b""
    several = len(lines) > 1 and bool(lines[1])
    return (Encoded("base64", pieces, len(lines[0]) if several else 0, end),)


def _cut(octets: bytes, charset: str, marks: Marks) -> tuple[bytes | Gap, ...]:
    """Cut text at its marks."""
    first, *others = octets.split(marks.prefix.encode(charset))
    pieces: list[bytes | Gap] = [first]
    width = len(marks.digits(0).encode(charset))
    for each in others:
        slot = int(each[:width].decode(charset))
        pieces += (slot if charset == "ascii" else WideGap(slot, charset), each[width:])
    return tuple(pieces)


def _gaps(pieces: Iterable[Piece]) -> int:
    return sum(
        _gaps(piece.pieces) if isinstance(piece, Encoded) else isinstance(piece, int | WideGap)
        for piece in pieces
    )


def _octets(piece: Span | Piece) -> int:
    if isinstance(piece, bytes):
        return len(piece)
    if isinstance(piece, Encoded):
        return sum(map(_octets, piece.pieces))
    return 0 if isinstance(piece, Span) else LONGEST
