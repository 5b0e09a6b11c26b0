"""
The texts of a message: its header, and what stands in its parts, decoded.

Of everything only a beginning is read, so that no message takes more work than its length.
"""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp
from codecs import getincrementaldecoder
from collections.abc import Iterable, Iterator, Mapping
from email.errors import HeaderParseError
from email.header import decode_header
from html import unescape

from attrs import field

from smtpeter.message.charsets import codec
from smtpeter.message.parts import Part
from smtpeter.values import frozen

TEXT_OCTETS = 64 * 1024
LINES = 1000
LINE_CHARACTERS = 1000
FIELD_CHARACTERS = 2000
VALUES = 100  # of fields of one name

_BASE64 = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_NOT_BASE64 = bytes(set(range(256)) - set(_BASE64))
_SPACES = re.compile(r" {2,}")
_NEWLINES = re.compile(r"\r\n?|[\x0b\x0c\x85\u2028\u2029]")
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*+)[^<>]*+>|<[!?][^<>]*+>")
_BLANKS = re.compile(r"\s+")
_UNSEEN = frozenset({"head", "script", "style", "title"})
_BREAKS = frozenset(
    {"address", "blockquote", "br", "dd", "div", "dt", "h1", "h2", "h3", "h4", "h5", "h6", "hr"}
    | {"li", "ol", "p", "pre", "table", "td", "th", "tr", "ul"}
)


@frozen
class Header:
    """
    The fields of a header.

    Attributes:
        values: unfolded, of each name in lower case, the first `VALUES` of them.
    """

    values: Mapping[str, tuple[str, ...]] = field(factory=dict)

    @classmethod
    def of(cls, fields: Iterable[tuple[str, str]]) -> Header:
        values: dict[str, tuple[str, ...]] = {}
        for name, value in fields:
            before = values.get(name, ())
            if len(before) < VALUES:
                values[name] = (*before, printable(value[:FIELD_CHARACTERS]))
        return cls(values)

    def all(self, name: str) -> tuple[str, ...]:
        return self.values.get(name, ())

    def first(self, name: str) -> str:
        """The value of the first field of this name; "" for none."""
        return next(iter(self.all(name)), "")


def octets_of(message: bytes, part: Part, limit: int) -> bytes:
    """The body of a part without its transfer encoding, `limit` octets of it at most."""
    if part.encoding == "base64":
        # 76 characters and a line break stand for 57 octets.
        end = min(part.end, part.body + limit // 57 * 78 + 78)
        return _from_base64(message[part.body : end])[:limit]
    if part.encoding == "quoted-printable":
        end = min(part.end, part.body + 3 * limit)
        return a2b_qp(message[part.body : end])[:limit]
    return message[part.body : min(part.end, part.body + limit)]


def text_of(message: bytes, part: Part, limit: int = TEXT_OCTETS) -> str:
    """
    The text of a part, its lines separated by newlines; HTML as it reads.

    A charset that is not known, or not named, is taken for UTF-8, or for Latin-1 where the
    octets are no UTF-8.
    """
    octets = octets_of(message, part, limit)
    text = _decoded(octets, part.parameters.get("charset", ""))
    return _read_html(text) if part.media_type == "text/html" else text


def lines_of(text: str) -> list[str]:
    """The first lines of a text, each with its beginning; printable, with single blanks."""
    lines = text.split("\n", LINES)[:LINES]
    return [_SPACES.sub(" ", printable(line[:LINE_CHARACTERS])).rstrip() for line in lines]


def printable(text: str) -> str:
    """The text with a blank for each character that cannot be printed."""
    if text.isprintable():
        return text
    return "".join(each if each.isprintable() else " " for each in text)


def one_line(text: str, limit: int) -> str:
    """On one line, whatever stands in it, and so long at most."""
    return " ".join(printable(text[: 2 * limit]).split())[:limit]


def without_encoded_words(value: str) -> str:
    """An unstructured field as it is to be read (RFC 2047)."""
    if "=?" not in value:
        return value
    try:
        pieces = decode_header(value[:FIELD_CHARACTERS])
    except (HeaderParseError, ValueError):
        return value
    return "".join(
        each if isinstance(each, str) else _decoded(each, charset or "") for each, charset in pieces
    )


def _from_base64(written: bytes) -> bytes:
    try:
        return a2b_base64(written)
    except Error:
        kept = written.translate(None, _NOT_BASE64)
        whole = kept[: len(kept) // 4 * 4]
        rest = kept[len(whole) :]
        return a2b_base64(whole + (rest + b"==")[:4] if len(rest) > 1 else whole)


def _decoded(octets: bytes, charset: str) -> str:
    for name in filter(None, (codec(charset), "utf-8")):
        try:
            # The last character may have been cut in two.
            text = getincrementaldecoder(name)().decode(octets)
        except UnicodeError:
            continue
        return _with_newlines(text)
    return _with_newlines(octets.decode("latin-1"))


def _with_newlines(text: str) -> str:
    return _NEWLINES.sub("\n", text)


def _read_html(text: str) -> str:
    return unescape("".join(_seen(text)))


def _seen(html: str) -> Iterator[str]:
    """What a reader sees, from tag to tag; blanks of the source are one blank."""
    position = 0
    hidden = ""
    for tag in _TAG.finditer(html):
        if not hidden and position < tag.start():
            yield _BLANKS.sub(" ", html[position : tag.start()])
        position = tag.end()
        name = (tag[2] or "").lower()
        if name in _UNSEEN:
            if not hidden and not tag[1]:
                hidden = name
            elif tag[1] and name == hidden:
                hidden = ""
        elif name in _BREAKS and not hidden:
            yield "\n"
    if not hidden:
        yield html[position:]
