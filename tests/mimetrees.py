"""Random MIME trees, written out, with the octets that each part of them has to have."""

from __future__ import annotations

from hypothesis import strategies as st

from smtpeter.values import frozen


@frozen
class Tree:
    """
    A part.

    Attributes:
        header: with the empty line that ends it.
        body: all of it, that of its children included.
    """

    header: bytes
    body: bytes
    children: tuple[Tree, ...] = ()

    def __bytes__(self) -> bytes:
        return self.header + self.body


# Each is the beginning of another one, or looks like its end.
BOUNDARIES = [b"a", b"ab", b"a-", b"a--", b"a--b", b"b", b"b c", b"=_x.(1)'+?/", b"--"]
LINES = st.sampled_from(
    [
        b"text", b"", b"--", b"-- ", b"--zz", b" --a", b"a--a", b"--abc", b"- --a", b"\t", b"\xe9",
        b".", b"--a", b"--a--", b"--ab", b"--a-", b"--b", b"--b c \t", b"----",
    ]
)  # fmt: skip
HEADERS = st.sampled_from(
    [
        b"",
        b"Content-Type: text/plain\r\n",
        b"Content-Type: text/html; charset=utf-8\r\n",
        b"Content-ID: <x@y>\r\nContent-Disposition: attachment; filename=a.txt\r\n",
        b"Content-Type: message/rfc822\r\n",
        b"Content-Type: multipart/mixed\r\n",
        b"X-Long: a\r\n Content-Type: text/html\r\n",
        b"no field\r\nContent-Type: TEXT/HTML\r\n",
    ]
)


def _delimiters(boundary: bytes) -> set[bytes]:
    return {b"--" + boundary, b"--" + boundary + b"--"}


def texts(boundaries: frozenset[bytes]) -> st.SearchStrategy[bytes]:
    """Lines of which none ends a part within these boundaries."""
    forbidden = {line for each in boundaries for line in _delimiters(each)}
    return st.lists(LINES, max_size=5).map(
        lambda lines: b"\r\n".join(each for each in lines if each.rstrip(b" \t") not in forbidden)
    )


@st.composite
def trees(draw: st.DrawFn, outer: frozenset[bytes] = frozenset(), depth: int = 0) -> Tree:
    """Parts and multiparts; some of those do not close."""
    taken = {line for each in outer for line in _delimiters(each)}
    free = [each for each in BOUNDARIES if not taken & _delimiters(each)]
    if depth >= 4 or not free or draw(st.integers(0, 3)) == 0:
        return Tree(draw(HEADERS) + b"\r\n", draw(texts(outer)))
    boundary = draw(st.sampled_from(free))
    inner = outer | {boundary}
    padding = draw(st.sampled_from([b"", b" ", b" \t "]))
    children = tuple(draw(st.lists(trees(inner, depth + 1), min_size=1, max_size=3)))
    body = draw(texts(inner))
    for child in children:
        body += b"\r\n--" + boundary + padding + b"\r\n" + bytes(child)
    if draw(st.integers(0, 3)):
        epilogue = draw(texts(outer))
        body += b"\r\n--" + boundary + b"--" + padding + b"\r\n" * bool(epilogue) + epilogue
    subtype = draw(st.sampled_from([b"mixed", b"Alternative", b"related", b"x-other"]))
    field = b'MIME-Version: 1.0\r\nContent-Type: multipart/%s;\r\n\tboundary="%s"\r\n\r\n'
    return Tree(field % (subtype, boundary), body, children)
