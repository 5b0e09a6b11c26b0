"""
Quoted-printable, with the lines that need not change left as they are (RFC 2045 section 6.7).

What a line says is looked for in what the whole shall say. Whichever lines are found
there, the body is a correct one: those between them are written anew.
"""

from __future__ import annotations

import re
from binascii import a2b_qp, b2a_qp
from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

LINE_CHARACTERS = 76

_ROOM = LINE_CHARACTERS - len("=")
_NEAR_OCTETS = 256
_AREA = (2 * _NEAR_OCTETS) ** 2  # how far is looked at first, see `_nearest`
_WIDER = 4
# How much is searched at most, for octets of this length.
_SEARCHED_OCTETS = 1024 * 1024
_SEARCHED_TIMES = 8

_TRAILING_BLANKS = re.compile(rb"(?<![ \t])[ \t]++(?=\r\n|\Z)")


class Change(NamedTuple):
    """
    Lines that say something else now.

    Attributes:
        first: number of the first such line.
        last: number of the line behind them; the same as `first` where some are put in.
        start: where what they say begins in the new octets.
        end: and where it ends.
    """

    first: int
    last: int
    start: int
    end: int


def decoded(body: bytes) -> bytes:
    """Decode; what is no encoding stays as it is, blanks at the end of a line do not."""
    return a2b_qp(_without_trailing_blanks(body))


def encoded(octets: bytes, *, more: bool = False) -> bytes:
    """
    Encode in lines of up to 76 characters; any octet survives.

    Args:
        more: a line follows, of which a soft line break has to keep this away.
    """
    *lines, rest = octets.split(b"\r\n")
    pieces = [_encoded_line(line) + b"\r\n" for line in lines]
    if rest:
        pieces.append(_encoded_line(rest, _ROOM) + b"=\r\n" if more else _encoded_line(rest))
    return b"".join(pieces)


def _encoded_line(line: bytes, room: int = LINE_CHARACTERS) -> bytes:
    """
    Encode a line of text in as many lines as it takes.

    Args:
        room: what the last of them may have.
    """
    encoded = b2a_qp(line, istext=False)
    if len(encoded) <= room:
        return encoded
    # Its own soft line breaks come a character late at times.
    encoded = encoded.replace(b"=\n", b"")
    pieces: list[bytes] = []
    start = 0
    while len(encoded) - start > room:
        end = start + _ROOM
        escape = encoded.rfind(b"=", end - 2, end)  # is not to be cut
        end = escape if escape >= 0 else end
        pieces += (encoded[start:end], b"=\r\n")
        start = end
    return b"".join([*pieces, encoded[start:]])


def edits_for(body: bytes, octets: bytes) -> list[tuple[int, int, bytes]]:
    """Say what has to stand where in an encoded body to make it say these octets."""
    said = list(map(a2b_qp, _lines(_without_trailing_blanks(body))))
    offsets = list(accumulate(map(len, _lines(body)), initial=0))
    return [
        (
            offsets[first],
            offsets[last],
            encoded(octets[start:end], more=offsets[last] < len(body)),
        )
        for first, last, start, end in _Comparison(said, octets).changes()
    ]


def _without_trailing_blanks(body: bytes) -> bytes:
    if b" \r\n" in body or b"\t\r\n" in body or body.endswith((b" ", b"\t")):
        return _TRAILING_BLANKS.sub(b"", body)
    return body


def _lines(body: bytes) -> list[bytes]:
    """The lines with their ends, and what stands behind the last of those, if only nothing."""
    *lines, rest = body.split(b"\n")
    return [*(line + b"\n" for line in lines), rest]


class _Comparison:
    """
    Lines as they are, and the octets they shall say.

    The last line has no end, so that it can stay only at the end. It may be empty.
    """

    def __init__(self, said: list[bytes], octets: bytes) -> None:
        self._said = said
        self._octets = octets
        self._line, self._position = self._from_the_front()
        self._last, self._end = self._from_the_back()
        self._ended = min(self._last, len(said) - 1)
        self._left = _SEARCHED_OCTETS + _SEARCHED_TIMES * len(octets)

    def changes(self) -> Iterator[Change]:
        said, stands, end = self._said, self._octets.startswith, self._end
        line, position = self._line, self._position
        while line < self._last or position < end:
            if line < self._ended and stands(said[line], position, end):
                position += len(said[line])
                line += 1
            else:
                unchanged, found = self._next_unchanged(line, position)
                yield Change(line, unchanged, position, found)
                line, position = unchanged, found

    def _from_the_front(self) -> tuple[int, int]:
        """Skip what is the same; give the first line that is not, and where that is."""
        position = 0
        for number, said in enumerate(self._said[:-1]):
            if not self._octets.startswith(said, position):
                return number, position
            position += len(said)
        return len(self._said) - 1, position

    def _from_the_back(self) -> tuple[int, int]:
        """The first of the lines that are the same up to the end, and where it stands."""
        end = len(self._octets)
        for number in range(len(self._said) - 1, self._line - 1, -1):
            said = self._said[number]
            start = end - len(said)
            if start < self._position or not self._octets.startswith(said, start):
                return number + 1, end
            end = start
        return self._line, end

    def _next_unchanged(self, line: int, position: int) -> tuple[int, int]:
        """The next line that is the same, and where it stands; at worst the common end."""
        area = _AREA
        while self._left > 0:
            found = self._nearest(area, line, position)
            if found is not None:
                return found
            longest = self._end - position + _NEAR_OCTETS
            if area > longest and area > longest * (self._octets_until_last(line) + _NEAR_OCTETS):
                break
            area *= _WIDER
        return self._last, self._end

    def _octets_until_last(self, line: int) -> int:
        return sum(map(len, self._said[line : self._last]))

    def _nearest(self, area: int, line: int, position: int) -> tuple[int, int] | None:
        """
        Find the line with the fewest octets, old and new, between here and there.

        Where much was put in, the next lines are looked for far away; where much was
        taken out, lines far behind are looked for nearby. What began a line of text
        does so again. Two lines in a row are no accident.

        Args:
            area: how many octets of the one times octets of the other may lie between.
        """
        said, octets = self._said, self._octets
        find, stands = octets.find, octets.startswith
        nearest: tuple[int, int] | None = None
        least = area
        skipped = 0
        begins = line > 0 and said[line - 1].endswith(b"\n")
        for number in range(line, self._ended):
            away = min(area // (skipped + _NEAR_OCTETS) - _NEAR_OCTETS, least - skipped)
            if away < 0 or self._left < 0:
                break
            words = said[number]
            end = min(position + away + len(words), self._end)
            if words:
                if stands(words, position, end):
                    found = position
                elif begins:
                    found = find(b"\n" + words, position, end) + 1 or -1
                else:
                    found = find(words, position, end)
                if found >= 0:
                    nearest = number, found
                    if stands(said[number + 1], found + len(words), self._end):
                        break
                    least = skipped + found - position
            self._left -= end - position
            skipped += len(words)
            begins = words.endswith(b"\n")
        return nearest
