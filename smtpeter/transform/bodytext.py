"""The text of a part, and the octets that have to change for it to say another one."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, b2a_base64
from collections.abc import Iterator

from attrs import field

from smtpeter.message import quotedprintable
from smtpeter.message.charsets import codec, extends_ascii
from smtpeter.message.content import has_lone_newline
from smtpeter.message.parts import Part
from smtpeter.values import frozen

LINE_OCTETS = 998  # RFC 5322 section 2.1.1
BASE64_LINE_CHARACTERS = 76  # RFC 2045 section 6.8
_META_OCTETS = 1024  # a browser looks no further for a declaration (WHATWG HTML 13.2.3.2)

_AS_IT_IS = frozenset({"7bit", "8bit", "binary"})
_MARKS = (
    (b"\xef\xbb\xbf", "utf_8"),
    (b"\xff\xfe\x00\x00", "utf_32_le"),
    (b"\x00\x00\xfe\xff", "utf_32_be"),
    (b"\xff\xfe", "utf_16_le"),
    (b"\xfe\xff", "utf_16_be"),
)
# What is often declared, and what is meant by it (WHATWG Encoding section 4.2).
_MEANT = {
    "ascii": "utf_8",
    "big5": "big5hkscs",
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso8859_9": "cp1254",
    "shift_jis": "cp932",
    "tis_620": "cp874",
}
_META = re.compile(
    rb"<meta[^>]{1,200}?charset[ \t\r\n]*=[ \t\r\n]*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE
)
_C1 = re.compile(rb"[\x80-\x9f]")
_WHITESPACE = b" \t\r\n"
_CHARSET = re.compile(
    rb";[ \t\r\n]*charset(?:\*[0-9*]*)?[ \t]*=[ \t]*(?:\"[^\"]*\"?|[^;]*)", re.IGNORECASE
)
_FIELD = rb"^%s[ \t]*:([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)"
_CONTENT_TYPE = re.compile(_FIELD % b"content-type", re.IGNORECASE | re.MULTILINE)
_ENCODING = re.compile(_FIELD % b"content-transfer-encoding", re.IGNORECASE | re.MULTILINE)

OctetEdit = tuple[int, int, bytes]


@frozen
class BodyText:
    """
    What the body of a part says.

    Attributes:
        text: every character of it; lines end as they do in the body, a byte order mark
            is the first character.
        charset: Python's name of the codec that makes the same octets of it again.
    """

    text: str = field(repr=False)
    charset: str


def decoded(octets: bytes, part: Part) -> BodyText | None:
    """
    Read the text of a part: by its byte order mark, by the charset declared, as UTF-8, or
    as Windows-1252.

    Returns:
        None when the body is not in a known transfer encoding, or in no charset that
        gives the very same octets again. Such a part is to be left alone.
    """
    body = _transfer_decoded(octets, part)
    if body is None:
        return None
    for name in _codecs(body, part):
        try:
            text = body.decode(name)
            if text.encode(name) == body:
                return BodyText(text, name)
        except UnicodeError:
            continue
    return None


def edits_for(
    octets: bytes, part: Part, before: BodyText, text: str, mark: str = ""
) -> list[OctetEdit]:
    """
    Say what has to stand where in the message to make a part say another text.

    Characters that the charset lacks become references in HTML; other text goes over to
    UTF-8. What cannot travel as it is goes over to quoted-printable.

    Args:
        octets: the message, as it was when `before` was read from it.
        mark: what begins each mark in the text; see `quotedprintable.encoded`.

    Returns:
        Start, end and new octets of each edit, as `message.parts.replaced` takes them.
    """
    if text == before.text:
        return []
    new = _in_charset(part, before, text)
    edits = []
    if new is None:
        new = text.encode("utf-8", "replace")
        edits.append(_charset_edit(octets, part))
    body = octets[part.body : part.end]
    if part.encoding == "base64":
        edits.append((part.body, part.end, _base64(body, new)))
    elif part.encoding == "quoted-printable":
        edits.append((part.body, part.end, quotedprintable.encoded(new, mark.encode("ascii"))))
    elif _travels(new, body, part.encoding):
        edits.append((part.body, part.end, new))
    else:
        edits += _encoding_edits(octets, part)
        edits.append((part.body, part.end, quotedprintable.encoded(new, mark.encode("ascii"))))
    return edits


def _transfer_decoded(octets: bytes, part: Part) -> bytes | None:
    header = octets[part.start : part.body]
    if header != b"\r\n" and not header.endswith(b"\r\n\r\n"):
        return None  # without an empty line there is no place for a body
    body = octets[part.body : part.end]
    if part.encoding == "quoted-printable":
        return quotedprintable.decoded(body)
    if part.encoding == "base64":
        return _base64_decoded(body)
    return body if part.encoding in _AS_IT_IS else None


def _base64_decoded(body: bytes) -> bytes | None:
    """Decode; None when there is anything else in it, which would get lost."""
    written = body.translate(None, _WHITESPACE).rstrip(b"=")
    try:
        octets = a2b_base64(written + b"=" * (-len(written) % 4))
    except Error:
        return None
    return octets if b2a_base64(octets, newline=False).rstrip(b"=") == written else None


def _codecs(body: bytes, part: Part) -> Iterator[str]:
    """Name the codecs to try, in order."""
    yield from (name for mark, name in _MARKS if body.startswith(mark))
    declared = _declared(body, part)
    if b"\x1b" in body and not declared.startswith("iso2022"):
        declared = "iso2022_jp"  # in any other charset, the text would be full of brackets
    if declared == "latin_1" and _C1.search(body):
        yield "cp1252"
    if declared:
        yield declared
    if declared in _MEANT:
        yield _MEANT[declared]
    if (declared and not extends_ascii(declared)) or b"\x1b" in body or b"\0" in body:
        return
    yield from ("ascii", "utf_8", "cp1252", "latin_1")


def _declared(body: bytes, part: Part) -> str:
    """The codec of the charset that the part, or else the HTML, says it is in; "" for none."""
    name = codec(part.parameters.get("charset", "")) or ""
    if not name and part.media_type == "text/html":
        meta = _META.search(body, 0, _META_OCTETS)
        name = (codec(meta[1].decode("ascii")) if meta else None) or ""
        return name if name and extends_ascii(name) else ""
    if name == "utf_16":  # most characters of HTML are ASCII, with a zero for the upper half
        return "utf_16_be" if body[::2].count(0) >= body[1::2].count(0) else "utf_16_le"
    return "utf_32_be" if name == "utf_32" else name


def _in_charset(part: Part, before: BodyText, text: str) -> bytes | None:
    """Encode a text as the one before it was; None when the charset lacks a character."""
    errors = "xmlcharrefreplace" if part.media_type == "text/html" else "strict"
    try:
        new = text.encode(before.charset, errors)
        if new.isascii() or not _is_seven_bit(part, before) or errors == "strict":
            return new
        return text.encode("ascii", errors)
    except UnicodeEncodeError:
        return None


def _is_seven_bit(part: Part, before: BodyText) -> bool:
    return part.encoding == "7bit" and extends_ascii(before.charset) and before.text.isascii()


def _travels(octets: bytes, before: bytes, encoding: str) -> bool:
    """True when octets may stand in a message as they are, where the others did."""
    if encoding == "7bit" and before.isascii() and not octets.isascii():
        return False
    return not has_lone_newline(octets) and max(map(len, octets.split(b"\r\n"))) <= LINE_OCTETS


def _base64(body: bytes, octets: bytes) -> bytes:
    """Encode in lines as long as they are now."""
    lines = [len(line) for line in body.split()]
    length = max(lines, default=0) if len(lines) > 1 else max(BASE64_LINE_CHARACTERS, *lines, 0)
    if length > LINE_OCTETS:
        length = BASE64_LINE_CHARACTERS
    encoded = b2a_base64(octets, newline=False)
    pieces = [encoded[start : start + length] for start in range(0, len(encoded), length)]
    if body.endswith(b"\r\n"):
        pieces.append(b"")
    return b"\r\n".join(pieces)


def _encoding_edits(octets: bytes, part: Part) -> list[OctetEdit]:
    """The edits that declare quoted-printable in the header of a part."""
    fields = list(_ENCODING.finditer(octets, part.start, part.body))
    if not fields:
        line = b"Content-Transfer-Encoding: quoted-printable\r\n"
        return [_last_field(part, line)]
    return [(*each.span(1), b" quoted-printable") for each in fields]


def _charset_edit(octets: bytes, part: Part) -> OctetEdit:
    """The edit that declares UTF-8 in the header of a part."""
    declared = _CONTENT_TYPE.search(octets, part.start, part.body)
    if declared is None:
        return _last_field(part, b"Content-Type: %s; charset=utf-8\r\n" % part.media_type.encode())
    value = _CHARSET.sub(b"", declared[1]).rstrip(b"; \t\r\n")
    return (*declared.span(1), value + b"; charset=utf-8")


def _last_field(part: Part, line: bytes) -> OctetEdit:
    """The edit that puts a field in front of the empty line."""
    return (part.body - 2, part.body - 2, line)
