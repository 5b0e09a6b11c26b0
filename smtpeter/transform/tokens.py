"""
Tags in HTML text, as browsers find them (the tokenizer of WHATWG HTML, section 13.2.5).

What stands in comments (conditional ones too), in scripts, style sheets and the like is no tag. A
tag that the end of the text cuts off is none either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from string import ascii_lowercase, ascii_uppercase
from typing import NamedTuple

BLANK = r"\t\n\f\r "
ATTRIBUTE_NAME = rf"[^{BLANK}/>][^{BLANK}/>=]*+"
_VALUE = rf"""(?:"[^"]*+(?:"|\Z)|'[^']*+(?:'|\Z)|[^{BLANK}>]*+)"""
_ATTRIBUTES = rf"(?:[{BLANK}/]*+{ATTRIBUTE_NAME}(?:[{BLANK}]*+=[{BLANK}]*+{_VALUE})?)*+"
_COMMENT = r"<!--(?:-?>|(?:[^-]++|-(?!-!?>))*+(?:--!?>)?)"
_BOGUS_COMMENT = r"<(?:[!?]|/(?![A-Za-z]))[^>]*+>?"

# Elements whose content is text up to their own end tag.
_RAW = ("style", "xmp", "iframe", "noembed", "noframes", "title", "textarea")
_RAW_NAME = rf"(?ai:{'|'.join(_RAW)})(?=[{BLANK}/>])"
_RAW_END = {
    name: re.compile(rf"</{name}(?=[{BLANK}/>])", re.ASCII | re.IGNORECASE) for name in _RAW
}
_FOREIGN = frozenset({"svg", "math"})
# Those that take more than one regular expression to find the end of.
_INVOLVED = _FOREIGN | {"script", "plaintext"}
_SPECIAL = _INVOLVED.union(_RAW)

# Text with its comments, a tag, and the content behind it if that holds no tags. Where no whole
# tag follows, the rest of the text is taken along, so that no search begins within it.
_PIECE = re.compile(
    rf"((?:[^<]++|<(?![A-Za-z!?/])|{_COMMENT}|{_BOGUS_COMMENT})*+)"
    rf"(?:(<(?:({_RAW_NAME})|(/?+[A-Za-z][^{BLANK}/>]*+)){_ATTRIBUTES}[{BLANK}/]*+>)"
    rf"((?(3)[^<]*+(?:<(?!/(?ai:\3)(?=[{BLANK}/>]))[^<]*+)*+))|.*+)",
    re.DOTALL,
)
_TOKEN = re.compile(
    rf"""<(?:
        (/?)([A-Za-z][^{BLANK}/>]*+){_ATTRIBUTES}([{BLANK}/]*+)(>|\Z)
      | !--(?:-?>|.*?(?:--!?>|\Z))
      | (?:!(\[CDATA\[)|[!?/])[^>]*+(?:>|\Z)
    )""",
    re.DOTALL | re.VERBOSE,
)
_SCRIPT = re.compile(rf"<!(?=--)|-->|<(/?)script(?=[{BLANK}/>])", re.ASCII | re.IGNORECASE)
_LOWER = str.maketrans(ascii_uppercase, ascii_lowercase)


class Pieces(NamedTuple):
    """
    A text cut at its tags.

    Attributes:
        pieces: text, tag, text, tag, and so on, up to the text behind the last tag; those in
            between may be empty.
        names: of the tags, in lower case; those of end tags begin with a slash.
    """

    pieces: list[str]
    names: list[str]


def cut(text: str) -> Pieces:
    """Cut a document, or a piece of one, at its tags."""
    if "\0" in text:
        return cut_carefully(text)
    pieces: list[str] = []
    names: list[str] = []
    content = ""
    for before, tag, raw_name, name, raw in _PIECE.findall(text):
        if not tag:
            break
        pieces += (content + before if content else before, tag)
        names.append(lower(raw_name or name))
        content = raw
    if not _INVOLVED.isdisjoint(names):
        return cut_carefully(text)
    pieces.append(text[sum(map(len, pieces)) :])
    return Pieces(pieces, names)


def cut_carefully(text: str) -> Pieces:
    """The same, tag by tag: for documents with scripts or with elements of other languages."""
    pieces: list[str] = []
    names: list[str] = []
    position = 0
    for name, start, end in _tags(text.replace("\0", "\ufffd")):
        pieces += (text[position:start], text[start:end])
        names.append(name)
        position = end
    pieces.append(text[position:])
    return Pieces(pieces, names)


def lower(name: str) -> str:
    """In lower case as HTML has it: only the letters of ASCII."""
    return name.lower() if name.isascii() else name.translate(_LOWER)


def without_tags(text: str) -> str:
    """Text without tags and comments."""
    return _TOKEN.sub("", text) if "<" in text else text


def _tags(text: str) -> Iterator[tuple[str, int, int]]:
    """Names of tags, and from where to where they go."""
    position = depth = 0
    while token := _TOKEN.search(text, position):
        start, position = token.span()
        if token[2] is None:
            if depth and token[5]:  # outside of foreign elements it is a comment
                position = _behind("]]>", text, token.end(5))
            continue
        if not token[4]:
            return
        name = lower(token[2])
        yield token[1] + name, start, position
        if name in _SPECIAL:
            self_closing = token[3].endswith("/")
            if name in _FOREIGN:
                depth = max(0, depth - 1) if token[1] else depth + (not self_closing)
            elif not token[1] and not (depth and self_closing):
                position = _end_of_content(name, text, position)


def _end_of_content(name: str, text: str, position: int) -> int:
    """Where the content of an element ends that holds no tags."""
    if name == "plaintext":
        return len(text)
    if name == "script":
        return _end_of_script(text, position)
    end = _RAW_END[name].search(text, position)
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
