"""
Start tags as they are written: their attributes, and changes to them.

A tag is its source, from its `<` to its `>`; offsets are into that. Nothing is written anew but
what changes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from smtpeter.transform.references import decoded
from smtpeter.transform.remembering import remembered
from smtpeter.transform.tokens import ATTRIBUTE_NAME, BLANK, lower

NO_TRACK = "data-smtpeter-no-track"
NO_INLINE = "data-smtpeter-no-inline"

_BLANKS = "\t\n\f\r "
_TAG_NAME = re.compile(rf"<[^{BLANK}/>]++")
_ATTRIBUTE = re.compile(
    rf"""({ATTRIBUTE_NAME})(?:[{BLANK}]*+=[{BLANK}]*+"""
    rf"""(?:"([^"]*+)"|'([^']*+)'|([^{BLANK}>]*+)))?"""
)
_CLEAR_OF_THE_NEXT = re.compile(rf">|[{BLANK}]++(?!=)")


class Attribute(NamedTuple):
    """
    One attribute of a tag.

    Attributes:
        name: in lower case.
        start: offset of the first character of its name.
        end: offset behind its value, the closing quote included.
        value: with character references decoded, once.
        value_start: offset of the value, inside its quotes.
        value_end: offset behind it, still inside; equal to `value_start` without a value.
        quote: what stands around the value, `"` or `'` or nothing.
    """

    name: str
    start: int
    end: int
    value: str
    value_start: int
    value_end: int
    quote: str


def tag_name(tag: str) -> str:
    """The name of a start tag, in lower case."""
    match = _TAG_NAME.match(tag)
    return lower(match[0][1:]) if match else ""


@remembered(4096)
def attributes(tag: str) -> tuple[Attribute, ...]:
    """Those that count: of several with one name only the first does."""
    found: dict[str, Attribute] = {}
    for name, match in _written(tag):
        if name not in found:
            found[name] = _read(name, match)
    return tuple(found.values())


def attribute(tag: str, name: str) -> Attribute | None:
    """The attribute of that name, given in lower case; None without it."""
    for found, match in _written(tag):
        if found == name:
            return _read(name, match)
    return None


def with_value(tag: str, attribute: Attribute, value: str) -> str:
    """The tag with another value for one of its attributes."""
    written = attribute_value(value, attribute.quote)
    return f"{tag[: attribute.value_start]}{written}{tag[attribute.value_end :]}"


def without(tag: str, attribute: Attribute) -> str:
    """The tag without one of its attributes; its neighbours stay what they are."""
    start, end = attribute.start, attribute.end
    if not _CLEAR_OF_THE_NEXT.match(tag, end):
        return f"{tag[:start]}{'' if tag.startswith('/', end) else '/'}{tag[end:]}"
    return tag[:start].rstrip(_BLANKS) + tag[end:]


def without_mark(tag: str, name: str) -> tuple[str, bool]:
    """The tag without an attribute that is for us alone, and whether it had that."""
    if name not in tag.lower():
        return tag, False
    before = tag
    while mark := attribute(tag, name):
        tag = without(tag, mark)
    return tag, tag is not before


def attribute_value(value: str, quote: str = "") -> str:
    """
    Write a value so that it can stand between two of these quotes.

    Args:
        quote: `"` or `'`; without one the value is returned in quotes of its own.
    """
    escaped = value.replace("&", "&amp;").replace("\r", "&#13;")
    if not quote:
        quote = "'" if '"' in value and "'" not in value else '"'
        return f"{quote}{attribute_value(value, quote)}{quote}"
    return escaped.replace(quote, "&#34;" if quote == '"' else "&#39;")


def _written(tag: str) -> Iterator[tuple[str, re.Match[str]]]:
    """All attributes with their names in lower case."""
    if "\0" in tag:
        tag = tag.replace("\0", "\ufffd")
    name = _TAG_NAME.match(tag)
    for match in _ATTRIBUTE.finditer(tag, name.end() if name else 0, len(tag) - 1):
        yield lower(match[1]), match


def _read(name: str, match: re.Match[str]) -> Attribute:
    start, end = match.span()
    group = match.lastindex or 1
    if group == 1:
        return Attribute(name, start, end, "", end, end, "")
    value_start, value_end = match.span(group)
    quote = ("", '"', "'", "")[group - 1]
    return Attribute(name, start, end, decoded(match[group]), value_start, value_end, quote)
