"""The values of MIME header fields: a word and its parameters (RFC 2045 section 5.1, RFC 2231)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.errors import HeaderParseError
from email.header import decode_header
from functools import lru_cache
from itertools import count, takewhile
from typing import NamedTuple
from urllib.parse import unquote_to_bytes

from smtpeter.message.charsets import codec

VALUE_OCTETS = 16 * 1024

_REMEMBERED_OCTETS = 100  # "text/html; charset=utf-8" and its like come with every message
_COMMENT_DEPTH = 5

_FOLD = re.compile(rb"\r\n(?=[ \t])")
_WORD = re.compile(rb"[ \t]*+([^ \t;()]*)")
# A parenthesis opens a comment only where no word has begun: names of files hold some.
_COMMENT = re.compile(rb'("(?:[^"\\]++|\\.)*+"?)|(?<![^ \t;/=])\((?:[^()\\]++|\\.)*+\)', re.DOTALL)
_PARAMETER = re.compile(
    rb""";[ \t]*+
    ([^ \t;=*"]++) (?:\*([0-9]{1,3}))? (\*)?      # name, section, extended (RFC 2231)
    [ \t]*+ = [ \t]*+
    (?: "((?:[^"\\]++|\\.)*+)"? | ([^;]*+) )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_ENCODED_WORD = re.compile(r"=\?[^?\s]{1,60}\?[bBqQ]\?[^?]{0,998}\?=")


class Parameterized(NamedTuple):
    """
    The value of a header field such as Content-Type.

    Attributes:
        word: what stands first, in lower case, such as "text/html".
        parameters: decoded values by names in lower case.
        boundary: the parameter of that name as its very octets.
    """

    word: str
    parameters: Mapping[str, str]
    boundary: bytes


def parse_parameters(raw: bytes) -> Parameterized:
    """
    Read the value of a field; what cannot be understood is left out.

    Encoded-words (RFC 2047) in values are decoded: the standard forbids them there, and
    many mail programs write them. What stands behind `VALUE_OCTETS` is not read.
    """
    return _remembered(raw) if len(raw) <= _REMEMBERED_OCTETS else _parse(raw[:VALUE_OCTETS])


def _parse(raw: bytes) -> Parameterized:
    raw = _FOLD.sub(b"", raw)
    for _ in range(_COMMENT_DEPTH if b"(" in raw else 0):  # from the innermost outwards
        raw = _COMMENT.sub(lambda match: match[1] or b" ", raw)
    word = _WORD.match(raw)
    assert word is not None  # it matches no octets as well
    parameters: dict[str, str] = {}
    sections: dict[str, dict[int, tuple[bytes, bool]]] = {}
    boundary = b""
    for written, number, star, quoted, bare in _PARAMETER.findall(raw, word.end()):
        name = _text(written).lower()
        value = bare.rstrip(b" \t") or _ESCAPED.sub(rb"\1", quoted)
        if number or star:
            sections.setdefault(name, {}).setdefault(int(number or 0), (value, bool(star)))
        elif name not in parameters:
            parameters[name] = _without_encoded_words(_text(value))
            boundary = value if name == "boundary" else boundary
    for name, pieces in sections.items():
        octets, charset = _joined(pieces)
        parameters[name] = _text(octets, charset)
        boundary = octets if name == "boundary" else boundary
    return Parameterized(_text(word[1]).lower(), parameters, boundary)


_remembered = lru_cache(maxsize=1024)(_parse)


def _joined(pieces: Mapping[int, tuple[bytes, bool]]) -> tuple[bytes, str]:
    """Join what RFC 2231 section 3 had cut; say the charset as well, "" for none."""
    charset = b""
    octets: list[bytes] = []
    for number in takewhile(pieces.__contains__, count()):
        value, extended = pieces[number]
        if extended and number == 0 and value.count(b"'") >= 2:
            charset, _, value = value.split(b"'", 2)
        octets.append(unquote_to_bytes(value) if extended else value)
    return b"".join(octets), _text(charset)


def _text(octets: bytes, charset: str = "") -> str:
    for name in (codec(charset), "utf-8"):
        if name is not None:
            try:
                return octets.decode(name)
            except UnicodeError:
                pass
    return octets.decode("latin-1")


def _without_encoded_words(value: str) -> str:
    if not _ENCODED_WORD.search(value):
        return value
    try:
        pieces = decode_header(value)
    except (HeaderParseError, ValueError):
        return value
    return "".join(
        each if isinstance(each, str) else _text(each, charset or "") for each, charset in pieces
    )
