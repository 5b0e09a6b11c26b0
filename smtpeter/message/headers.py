"""Write header fields: encoded-words and folding (RFC 5322 section 2.2.3, RFC 2047, RFC 2231)."""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import quote

from smtpeter.message.address import Mailbox
from smtpeter.message.addresslist import NamedMailbox

LINE_CHARACTERS = 76  # RFC 2047 section 2 for lines with encoded-words; RFC 5322 allows 78
WORD_CHARACTERS = 900  # what cannot be folded has to fit in a line of 998 octets
FIELD_NAME_CHARACTERS = 76
ENCODED_WORD_CHARACTERS = 75  # RFC 2047 section 2
_ENCODED_WORD_FRAME = len("=?utf-8?q??=")
_PHRASE_WORD_CHARACTERS = 60  # leaves room for the name of the field in front
_FILENAME_SECTION_CHARACTERS = 50

# The characters that Q may leave as they are, even in a phrase (RFC 2047 section 5 (3)).
_Q_SAFE = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!*+-/"
_Q = {ord(" "): "_"} | {octet: chr(octet) for octet in _Q_SAFE}

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_FIELD_NAME = re.compile(r"[!-9;-~]+\Z")
_PRINTABLE = re.compile(r"[ -~]*\Z")
_NEEDS_NO_ESCAPE = re.compile(r"[ !#-\[\]-~]*\Z")
_VISIBLE_ENDS = re.compile(r"[!-~](?:.*[!-~])?\Z")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~\-]+)*\Z")
_WORD = re.compile(r"(?:\A| )( *[^ ]+)")


class HeaderError(ValueError):
    """A value cannot stand in a header; the message of the exception says why."""


def checked(value: str, what: str) -> str:
    """
    Return a value that cannot end its header field.

    Raises:
        HeaderError: it holds a line break or another control character; names `what`.
    """
    if _CONTROL.search(value):
        raise HeaderError(f"{what} holds a line break or another control character")
    return value


def checked_name(name: str) -> str:
    """
    Return the name of a header field (RFC 5322 section 2.2).

    Raises:
        HeaderError: it is no such name.
    """
    if not _FIELD_NAME.match(name) or len(name) > FIELD_NAME_CHARACTERS:
        raise HeaderError(
            f"{name[:FIELD_NAME_CHARACTERS]!r} is no name of a header: it takes 1 to "
            f"{FIELD_NAME_CHARACTERS} visible ASCII characters without a colon"
        )
    return name


def text_field(name: str, value: str) -> str:
    """
    Write a field of unstructured text, such as Subject; readers see exactly `value`.

    Returns:
        The field with its final CRLF.

    Raises:
        HeaderError: `value` holds a line break or another control character.
    """
    checked(value, f"the value of {name}")
    if not value:
        return f"{name}:\r\n"
    if _PRINTABLE.match(value) and _VISIBLE_ENDS.match(value) and "=?" not in value:
        words = _WORD.findall(value)
        if max(map(len, words)) <= WORD_CHARACTERS:
            return folded(name, words)
    room = LINE_CHARACTERS - len(f"{name}: ")
    first = room if room >= ENCODED_WORD_CHARACTERS // 2 else ENCODED_WORD_CHARACTERS
    return folded(name, encoded_words(value, first))


def address_field(name: str, mailboxes: Iterable[NamedMailbox]) -> str:
    """
    Write a field of addresses. Encoded-words in names stay as they are.

    Domains become A-labels. A local part that is not ASCII is written as it is, and
    then only servers with SMTPUTF8 can take the message (RFC 6532).

    Returns:
        The field with its final CRLF.

    Raises:
        HeaderError: a name holds a line break or another control character.
    """
    words: list[str] = []
    for each in mailboxes:
        if words:
            words[-1] += ","
        words.extend(_phrase(checked(each.name, f"a name in {name}").strip(" \t")))
        words.append(f"<{each.mailbox.ascii()}>" if each.name else each.mailbox.ascii())
    return folded(name, words)


def uri_list_field(name: str, uris: Iterable[str]) -> str:
    """Write a field of URIs, such as List-Unsubscribe (RFC 2369); they are ASCII and never cut."""
    return folded(name, _separated([f"<{uri}>" for uri in uris], ","))


def mailto(mailbox: Mailbox) -> str:
    """Write a mailto URI (RFC 6068 section 2)."""
    return "mailto:" + quote(mailbox.ascii(), safe="!$'*+,:@")


def attachment_field(filename: str) -> str:
    """
    Write the Content-Disposition of an attachment (RFC 2183, RFC 2231).

    Mail programs disagree about backslashes in quotes, so a name that needs them is
    written in the extended notation, as one that is not ASCII is.

    Raises:
        HeaderError: the file name holds a line break or another control character.
    """
    checked(filename, "a file name")
    if not filename:
        parameters = []
    elif _NEEDS_NO_ESCAPE.match(filename) and len(filename) <= _PHRASE_WORD_CHARACTERS:
        parameters = [f'filename="{filename}"']
    else:
        parameters = _filename_sections(filename)
    return folded("Content-Disposition", _separated(["attachment", *parameters], ";"))


def folded(name: str, words: Iterable[str]) -> str:
    """Write a field of words with a blank between them; it is folded only at those blanks."""
    lines: list[str] = []
    line = f"{name}:"
    for word in words:
        if len(line) + 1 + len(word) > LINE_CHARACTERS:
            lines.append(line)
            line = ""
        line += f" {word}"
    return "\r\n".join([*lines, line, ""])


def encoded_words(text: str, first: int = ENCODED_WORD_CHARACTERS) -> list[str]:
    """
    Write text as encoded-words, Q or B, whichever is shorter (RFC 2047).

    Args:
        first: the most characters the first of them may have.
    """
    octets = text.encode()
    escaped = len(octets.translate(None, _Q_SAFE + b" "))
    room = first - _ENCODED_WORD_FRAME
    further = ENCODED_WORD_CHARACTERS - _ENCODED_WORD_FRAME
    if len(octets) + 2 * escaped > len(octets) * 4 // 3:
        pieces = _pieces(text, _octets, room // 4 * 3, further // 4 * 3)
        return [f"=?utf-8?b?{b64encode(piece.encode()).decode()}?=" for piece in pieces]
    return [f"=?utf-8?q?{_q(piece)}?=" for piece in _pieces(text, _q_characters, room, further)]


def _pieces(text: str, size: Callable[[str], int], first: int, further: int) -> Iterator[str]:
    """Cut between characters, so that no piece is larger than it may be."""
    room, start, used = first, 0, 0
    for position, character in enumerate(text):
        needed = size(character)
        if used + needed > room:
            yield text[start:position]
            room, start, used = further, position, 0
        used += needed
    yield text[start:]


def _octets(character: str) -> int:
    return len(character.encode())


def _q(text: str) -> str:
    return "".join(_Q.get(octet) or f"={octet:02X}" for octet in text.encode())


def _q_characters(character: str) -> int:
    return len(_q(character))


def _phrase(name: str) -> list[str]:
    """Write a display name: atoms, a quoted string, or encoded-words (RFC 5322 section 3.2.5)."""
    if not name:
        return []
    if _ATOMS.match(name):
        words = name.split(" ")
        if max(map(len, words)) <= ENCODED_WORD_CHARACTERS:
            return words
    if _PRINTABLE.match(name) and len(name) <= _PHRASE_WORD_CHARACTERS:
        return [_quoted(name)]
    return encoded_words(name, _PHRASE_WORD_CHARACTERS)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _filename_sections(filename: str) -> list[str]:
    """Write a file name in the extended notation, in sections when it is long (RFC 2231 3, 4)."""
    room = _FILENAME_SECTION_CHARACTERS
    first, *more = (quote(piece, safe="") for piece in _pieces(filename, _percents, room, room))
    if not more:
        return [f"filename*=utf-8''{first}"]
    sections = [f"utf-8''{first}", *more]
    return [f"filename*{number}*={section}" for number, section in enumerate(sections)]


def _percents(character: str) -> int:
    return len(quote(character, safe=""))


def _separated(items: list[str], mark: str) -> list[str]:
    return [*(f"{item}{mark}" for item in items[:-1]), *items[-1:]]
