"""The relaxed forms of DKIM: what of a message is signed (RFC 6376 section 3.4)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

# The longest piece that is worked on in one go: meanwhile no other thread runs.
PIECE_OCTETS = 64 * 1024

# So many runs of blanks in a piece are replaced one by one. More than that nobody writes, and
# then it is quicker to halve all of them until there are none.
MANY_RUNS = 4096

_RUN = re.compile(rb"  +")
_LINE_END = b"\r\n"


def relaxed_field(name: str, raw: bytes) -> bytes:
    """
    A header field, its CRLF included (RFC 6376 section 3.4.2).

    Args:
        name: in lower case.
        raw: what stands behind the colon, as in `Field`.
    """
    words = raw.replace(_LINE_END, b"").replace(b"\t", b" ").split(b" ")
    return b"%b:%b\r\n" % (name.encode("ascii"), b" ".join(filter(None, words)))


def relaxed_body(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """
    A body in pieces (RFC 6376 section 3.4.4); where the blocks were cut makes no difference.

    A last line without CRLF gets one, as it does on its way: the final dot needs it.
    """
    held = b""
    empty_lines = 0
    begun = False
    for piece in _pieces(blocks):
        text, held = _relaxed(held + piece)
        if not text:
            continue
        more = _line_ends_at_end(text)
        text = text[: len(text) - more * len(_LINE_END)]
        if text:
            yield from _line_ends(empty_lines)
            yield text
            begun, empty_lines = True, 0
        empty_lines += more
    if held.endswith(b"\r"):  # it stands alone, and ends no line
        yield from _line_ends(empty_lines)
        yield held
        begun = True
    if begun:
        yield _LINE_END


def _pieces(blocks: Iterable[bytes]) -> Iterator[bytes]:
    for block in blocks:
        for start in range(0, len(block), PIECE_OCTETS):
            yield block[start : start + PIECE_OCTETS]


def _relaxed(text: bytes) -> tuple[bytes, bytes]:
    """
    Reduce the blanks.

    Returns:
        The text, and what of its end depends on what follows: a blank, a CR, or both.
    """
    text, found = _RUN.subn(b" ", text.replace(b"\t", b" "), MANY_RUNS)
    while found == MANY_RUNS and b"  " in text:
        text = text.replace(b"  ", b" ")
    text = text.replace(b" \r\n", _LINE_END)
    known = text.removesuffix(b"\r").removesuffix(b" ")
    return known, text[len(known) :]


def _line_ends_at_end(text: bytes) -> int:
    """How many CRLF it ends with."""
    end = text[len(text.rstrip(_LINE_END)) :].replace(_LINE_END, b"|")
    return len(end) - len(end.rstrip(b"|"))


def _line_ends(count: int) -> Iterator[bytes]:
    """So many CRLF, in pieces of bounded size."""
    most = PIECE_OCTETS // len(_LINE_END)
    for start in range(0, count, most):
        yield _LINE_END * min(most, count - start)
