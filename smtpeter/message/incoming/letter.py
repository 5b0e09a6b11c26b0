"""A message that came in, as it reads: who wrote it, on what, in which words."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from attrs import field

from smtpeter.message.content import Content
from smtpeter.message.incoming.decoding import (
    FIELD_CHARACTERS,
    TEXT_OCTETS,
    Header,
    lines_of,
    octets_of,
    one_line,
    text_of,
    without_encoded_words,
)
from smtpeter.message.incoming.findings import Returned
from smtpeter.message.incoming.phrases import either, table
from smtpeter.message.parts import Part, parse
from smtpeter.values import frozen

# What is behind so much of a message is not looked at: attachments of a message that came back.
OCTETS = 16 * 1024 * 1024
PROSE_LINES = 400
PROSE_CHARACTERS = 16 * 1024

_PARTS = 10
_TEXTS = 3
_COPY = either(table("copies.toml")["copies"])
_MESSAGES = frozenset({"message/rfc822", "message/global"})
_HEADERS = frozenset(
    {"text/rfc822-headers", "text/rfc822-header", "message/rfc822-headers"}
    | {"message/global-headers", "message/partial"}
)
_MARK = re.compile(r"(?:\[[^\]]{1,30}\]|\*{1,5}[^*]{1,30}\*{1,5}) ?")
_FIELD = re.compile(r"[A-Za-z][A-Za-z0-9-]{1,60} ?:")


@frozen
class Letter:
    """
    A message and what can be read of it.

    Attributes:
        octets: a beginning of the message, the whole for any but the largest.
        root: its parts.
        header: of the message itself.
        null_sender: it came with the null reverse-path, as reports do.
        subject: decoded, without a mark such as "[EXTERNAL]" in front.
        lines: what its writer says, in front of what is quoted or returned.
        returned: the header of the message that it is about.
    """

    octets: bytes = field(repr=False)
    root: Part
    header: Header
    null_sender: bool
    subject: str
    lines: Sequence[str]
    returned: Returned

    def parts(self, *media_types: str) -> Iterator[Part]:
        """The first few parts of these types, outside of messages that are attached."""
        parts = (part for part in self.root.walk() if part.media_type in media_types)
        return islice(parts, _PARTS)

    def attached_message(self) -> Content | None:
        """The first message that is attached."""
        part = next(self.parts(*_MESSAGES), None)
        if part is None or part is self.root:
            return None
        return Content.from_octets(octets_of(self.octets, part, OCTETS))


def read(content: Content, *, null_sender: bool) -> Letter:
    """Read a message. It never fails."""
    octets = _beginning(content.blocks)
    root = parse(octets)
    header = Header.of((each.name, each.value) for each in content.fields())
    lines, copy = _split(_text_lines(octets, root))
    return Letter(
        octets,
        root,
        header,
        null_sender,
        _subject(header.first("subject")),
        lines,
        _returned_part(octets, root) or _returned_lines(copy),
    )


def _beginning(blocks: Iterable[bytes]) -> bytes:
    kept: list[bytes] = []
    room = OCTETS
    for block in blocks:
        kept.append(block[:room])
        room -= len(kept[-1])
    return b"".join(kept)


def _subject(value: str) -> str:
    text = one_line(without_encoded_words(value), FIELD_CHARACTERS)
    return _MARK.sub("", text, count=1) if _MARK.match(text) else text


def _text_lines(octets: bytes, root: Part) -> list[str]:
    """The lines of the first texts; of HTML where there is no plain text."""
    plain: list[str] = []
    html: list[str] = []
    for part in _texts(root):
        (html if part.media_type == "text/html" else plain).extend(lines_of(text_of(octets, part)))
    return plain if any(plain) else html


def _texts(root: Part) -> list[Part]:
    """What is read by default (RFC 2046 section 5.1.3: a multipart in pieces is text, too)."""
    found: list[Part] = []
    for part in root.walk():
        if part.media_type in _MESSAGES or part.media_type in _HEADERS:
            break
        is_text = part.media_type in {"text/plain", "text/html"}
        is_broken = part.media_type.startswith("multipart/") and not part.children
        if is_broken or (is_text and part.disposition != "attachment"):
            found.append(part)
    return found[:_TEXTS]


def _split(lines: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """What is said, and the copy of a message behind it."""
    end = next(
        (number for number, line in enumerate(lines) if _COPY.match(line.lstrip())), len(lines)
    )
    return _prose(lines[:end]), lines[end:]


def _prose(lines: Sequence[str]) -> Sequence[str]:
    """The first lines, as many as are worth reading."""
    room = PROSE_CHARACTERS
    for number, line in enumerate(lines[:PROSE_LINES]):
        room -= len(line)
        if room < 0:
            return lines[:number]
    return lines[:PROSE_LINES]


def _returned_part(octets: bytes, root: Part) -> Returned | None:
    for part in root.walk():
        if part is not root and (part.media_type in _MESSAGES or part.media_type in _HEADERS):
            return _returned(octets_of(octets, part, TEXT_OCTETS))
    return None


def _returned_lines(lines: Sequence[str]) -> Returned:
    """The first lines that look like a header, of a message that was copied into a text."""
    start = next((number for number, line in enumerate(lines) if _FIELD.match(line)), len(lines))
    end = start
    while end < len(lines) and lines[end]:
        end += 1
    block = "\r\n".join(lines[start:end]).encode("utf-8", "replace")
    return _returned(block[:TEXT_OCTETS])


def _returned(octets: bytes) -> Returned:
    end = octets.lstrip(b"\r\n").find(b"\r\n\r\n")
    block = octets.lstrip(b"\r\n")
    header = Content.from_octets(block[: end + 4] if end >= 0 else block)
    return Returned(tuple((each.name, each.value) for each in header.fields()))
