"""Whom a text is about: the recipients that a server writes of, in a format of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from smtpeter.message.incoming.addresses import Found, addresses_in, without_label
from smtpeter.message.incoming.letter import Letter
from smtpeter.message.incoming.phrases import either, patterns, table
from smtpeter.values import frozen

RECIPIENTS = 100
ADDRESSES = 200  # so many of a text are looked at, whatever they are

_DATA = table("recipients.toml")
_LINES = patterns(_DATA["lines"])
_ALIAS = either(_DATA["aliases"], end=r"\Z")
_CONTACTS = frozenset(_DATA["contacts"])


class _Around(NamedTuple):
    """What stands in front of an address, or behind it, when it is a recipient's."""

    before: re.Pattern[str]
    after: re.Pattern[str] | None

    def fits(self, found: Found) -> bool:
        return bool(
            self.before.search(found.before) or (self.after and self.after.match(found.after))
        )


_SENTENCE = _Around(either(_DATA["before"], end=r"\Z"), either(_DATA["after"]))
_LAST = _Around(either(_DATA["before_at_last"], end=r"\Z"), either(_DATA["after_at_last"]))
_IN_SUBJECT = _Around(either(_DATA["before_in_subject"], end=r"\Z"), None)


@frozen
class Named:
    """
    A recipient as a text names it.

    Attributes:
        start: the number of the line that it stands in; that behind the last for none.
        text: what that line says besides.
        original: another address of the same recipient, "" for none.
    """

    address: str
    start: int
    text: str = ""
    original: str = ""


def recipients_of(letter: Letter) -> list[Named]:
    """
    The recipients that the text is about, `RECIPIENTS` of them at most.

    A field that names them is most certain, then a line for each of them, then a sentence;
    fields and replies that are quoted come at last.
    """
    for reading in (_in_fields, _in_lines, _in_sentences, _in_quotes, _in_subject):
        if found := reading(letter):
            return found[:RECIPIENTS]
    return []


def _in_fields(letter: Letter) -> list[Named]:
    values = letter.header.all("x-failed-recipients")
    found = dict.fromkeys(each.address for value in values for each in addresses_in(value))
    return [
        Named(address, _line_with(letter.lines, address)) for address in islice(found, RECIPIENTS)
    ]


def _line_with(lines: Sequence[str], address: str) -> int:
    return next((number for number, line in enumerate(lines) if address in line), len(lines))


def _in_lines(letter: Letter) -> list[Named]:
    found: dict[str, Named] = {}
    last = ""
    for number, line in enumerate(letter.lines):
        stripped = line.strip()
        if "@" not in stripped:
            continue
        if last and (alias := _alias_in(stripped)):
            before = found[last]
            found[last] = Named(before.address, before.start, before.text, alias)
        if named := _in_line(stripped, number, letter):
            last = named.address.lower()
            found.setdefault(last, named)
            if len(found) == RECIPIENTS:
                break
    return list(found.values())


def _alias_in(line: str) -> str:
    found = islice(addresses_in(line), 2)
    return next((each.address for each in found if _ALIAS.search(each.before)), "")


def _in_line(line: str, number: int, letter: Letter) -> Named | None:
    for pattern in _LINES:
        if match := pattern.match(line):
            address = without_label(match["address"])
            text = match.groupdict().get("text") or ""
            is_contact = not text and _is_contact(letter, address)
            return None if is_contact else Named(address, number, text)
    return None


def _in_sentences(letter: Letter) -> list[Named]:
    return _in_paragraphs(letter, _SENTENCE)


def _in_quotes(letter: Letter) -> list[Named]:
    return _in_paragraphs(letter, _LAST)


def _in_subject(letter: Letter) -> list[Named]:
    found = (each for each in addresses_in(letter.subject) if _IN_SUBJECT.fits(each))
    return [Named(each.address, len(letter.lines)) for each in islice(found, RECIPIENTS)]


def _in_paragraphs(letter: Letter, around: _Around) -> list[Named]:
    found: dict[str, Named] = {}
    for start, each in islice(_addresses_in_paragraphs(letter.lines), ADDRESSES):
        if around.fits(each) and not _is_contact(letter, each.address):
            found.setdefault(each.address.lower(), Named(each.address, start))
    return list(found.values())


def _addresses_in_paragraphs(lines: Sequence[str]) -> Iterator[tuple[int, Found]]:
    """Each address twice: as it stands in its line, and in the whole paragraph."""
    for start, paragraph in _paragraphs(lines):
        for text in dict.fromkeys((" ".join(paragraph), *paragraph)):
            for found in addresses_in(text):
                yield start, found


def _is_contact(letter: Letter, address: str) -> bool:
    """True for the address to ask for help, and for those of this very message."""
    local = address.partition("@")[0].lower()
    return local in _CONTACTS or any(
        address.lower() in letter.header.first(name).lower() for name in ("from", "to", "reply-to")
    )


def _paragraphs(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """The number of the first line, and the lines, of what stands between empty lines."""
    paragraph: list[str] = []
    for number, line in enumerate((*lines, "")):
        if stripped := line.strip():
            paragraph.append(stripped)
        elif paragraph:
            yield number - len(paragraph), paragraph
            paragraph = []
