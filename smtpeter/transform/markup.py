"""
HTML as text with tags in it: find them where they stand, and splice.

Tags are found as browsers find them (the tokenizer of the WHATWG HTML standard, section 13.2.5),
and each knows its offsets, so that a change goes into the source and nothing is written anew.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from functools import cached_property
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple

from attrs import field

from smtpeter.transform.references import decoded
from smtpeter.values import frozen

NO_TRACK = "data-smtpeter-no-track"
NO_INLINE = "data-smtpeter-no-inline"

_BLANKS = "\t\n\f\r "
_BLANK = r"\t\n\f\r "
_NAME = rf"[^{_BLANK}/>][^{_BLANK}/>=]*+"
_VALUE = rf"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^{_BLANK}>]*+)"""
# A tag that matches to its end and has no ">" there was cut off by the end of the text.
_TOKEN = re.compile(
    rf"""<(?:
        (/?)([A-Za-z][^{_BLANK}/>]*+)
        (?:[{_BLANK}/]*+{_NAME}(?:[{_BLANK}]*+=[{_BLANK}]*+{_VALUE})?)*
        ([{_BLANK}/]*+)(>|\Z)
      | !--(?:-?>|.*?(?:--!?>|\Z))
      | (?:!(\[CDATA\[)|[!?/])[^>]*+(?:>|\Z)
    )""",
    re.DOTALL | re.VERBOSE,
)
_ATTRIBUTE = re.compile(
    rf"""({_NAME})(?:[{_BLANK}]*+=[{_BLANK}]*+(?:"([^"]*+)"|'([^']*+)'|([^{_BLANK}>]*+)))?"""
)
_SCRIPT = re.compile(rf"<!(?=--)|-->|<(/?)script(?=[{_BLANK}/>])", re.ASCII | re.IGNORECASE)
_CLEAR_OF_THE_NEXT = re.compile(rf">|[{_BLANK}]++(?!=)")

_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)

# Elements whose content is text up to their own end tag.
_RAW = ("style", "xmp", "iframe", "noembed", "noframes", "title", "textarea")
_END = {name: re.compile(rf"</{name}(?=[{_BLANK}/>])", re.ASCII | re.IGNORECASE) for name in _RAW}
_FOREIGN = frozenset({"svg", "math"})
_SPECIAL = frozenset({*_RAW, *_FOREIGN, "script", "plaintext"})


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


@frozen
class Tag:
    """
    A start tag, or an end tag.

    Attributes:
        name: in lower case.
        start: offset of its `<`.
        end: offset behind its `>`.
        closing: true for an end tag.
    """

    name: str
    start: int
    end: int
    closing: bool
    _text: str = field(repr=False, eq=False)

    @cached_property
    def attributes(self) -> tuple[Attribute, ...]:
        """Those that count: of several with one name only the first does."""
        first = self.start + 1 + self.closing + len(self.name)
        found: dict[str, Attribute] = {}
        for match in _ATTRIBUTE.finditer(self._text, first, self.end - 1):
            name = _lower(match[1])
            if name not in found:
                found[name] = _attribute(name, match)
        return tuple(found.values())

    def get(self, name: str) -> Attribute | None:
        """The attribute of that name, given in lower case; None without it."""
        for attribute in self.attributes:
            if attribute.name == name:
                return attribute
        return None


class Edit(NamedTuple):
    """Characters `start` to `end` of a text are to become `text`."""

    start: int
    end: int
    text: str


def tags(text: str, only: Container[str] | None = None) -> Iterator[Tag]:
    """
    Find the tags of a document or a piece of one, in order.

    What stands in comments (conditional ones too), in scripts, style sheets and the like is
    none. A tag that the end of the text cuts off is none either.

    Args:
        only: names in lower case: tags with others are left out.
    """
    text = text.replace("\0", "\ufffd")
    position = depth = 0
    while token := _TOKEN.search(text, position):
        start, position = token.span()
        if token[2] is None:
            if depth and token[5]:  # outside of foreign elements it is a comment
                position = _behind("]]>", text, token.end(5))
            continue
        if not token[4]:
            return
        name = _lower(token[2])
        closing = bool(token[1])
        if only is None or name in only:
            yield Tag(name, start, position, closing, text)
        if name in _SPECIAL:
            self_closing = token[3].endswith("/")
            if name in _FOREIGN:
                depth = max(0, depth - 1) if closing else depth + (not self_closing)
            elif not closing and not (depth and self_closing):
                position = _end_of_content(name, text, position)


def spliced(text: str, edits: Iterable[Edit]) -> str:
    """
    Apply edits, in any order; those at the same place in the order given.

    Raises:
        ValueError: two edits overlap, or one does not lie within the text.
    """
    pieces: list[str] = []
    position = 0
    for edit in sorted(edits, key=lambda each: each[:2]):
        if not position <= edit.start <= edit.end <= len(text):
            raise ValueError(f"{edit} lies outside of the text or overlaps another edit")
        pieces += (text[position : edit.start], edit.text)
        position = edit.end
    return "".join([*pieces, text[position:]]) if pieces else text


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


def removal(text: str, attribute: Attribute) -> Edit:
    """The edit that takes an attribute out of its tag; its neighbours stay what they are."""
    start = attribute.start
    if not _CLEAR_OF_THE_NEXT.match(text, attribute.end):
        separator = "" if text.startswith("/", attribute.end) else "/"
        return Edit(start, attribute.end, separator)
    while text[start - 1] in _BLANKS:
        start -= 1
    return Edit(start, attribute.end, "")


def text_content(text: str) -> str:
    """What a piece of a document says, without its tags and comments, references decoded."""
    return decoded(_TOKEN.sub("", text))


def _attribute(name: str, match: re.Match[str]) -> Attribute:
    start, end = match.span()
    group = match.lastindex or 1
    if group == 1:
        return Attribute(name, start, end, "", end, end, "")
    value_start, value_end = match.span(group)
    quote = ("", '"', "'", "")[group - 1]
    return Attribute(name, start, end, decoded(match[group]), value_start, value_end, quote)


def _end_of_content(name: str, text: str, position: int) -> int:
    """Where the content of an element ends that holds no tags."""
    if name == "plaintext":
        return len(text)
    if name == "script":
        return _end_of_script(text, position)
    end = _END[name].search(text, position)
    return end.start() if end else len(text)


def _end_of_script(text: str, position: int) -> int:
    """
    The offset of the end tag.

    Within `<!--` and `-->` a script may hold a further script element.
    """
    hidden = nested = False
    for match in _SCRIPT.finditer(text, position):
        if match[0] == "<!":
            hidden = True
        elif match[0] == "-->":
            hidden = nested = False
        elif match[1] and not nested:
            return match.start()
        elif match[1]:
            nested = False
        else:
            nested = hidden
    return len(text)


def _behind(mark: str, text: str, position: int) -> int:
    found = text.find(mark, position)
    return found + len(mark) if found >= 0 else len(text)


def _lower(name: str) -> str:
    """In lower case as HTML has it: only the letters of ASCII."""
    return name.lower() if name.isascii() else name.translate(_LOWER)
