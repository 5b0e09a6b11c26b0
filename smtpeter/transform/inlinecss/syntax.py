"""
Style sheets as text: where rules and declarations begin and end (CSS Syntax Module level 3).

Nothing here judges a selector or a value. All offsets are into the text as it came.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from smtpeter.transform.inlinecss.blanks import BLANKS

_STRING = r""""(?:[^"\\\n\r\f]|\\.)*+"?|'(?:[^'\\\n\r\f]|\\.)*+'?"""
_URL = r"""(?<=[uU][rR][lL])\((?![ \t\n\r\f]*+["'])(?:[^)\\]|\\.)*+\)?"""
_COMMENT = re.compile(rf"(?P<comment>/\*(?:.*?\*/|.*))|{_STRING}|{_URL}", re.DOTALL)

_TRIVIA = re.compile(r"(?:\s++|<!--|-->)*+", re.ASCII)
_AT_NAME = re.compile(r"@(-?[a-zA-Z_][\w-]*+)")
_SPECIAL = re.compile(r"""["'(\\{\[]""")


def _up_to(characters: str) -> re.Pattern[str]:
    """All up to one of these characters; they do not count in strings, URLs and escapes."""
    return re.compile(
        rf"""(?:[^{characters}"'(\\]++|{_STRING}|{_URL}|\(|\\.|\\\Z)*+""",
        re.DOTALL,
    )


_PRELUDE = _up_to("{")
_NESTED_PRELUDE = _up_to("{}")
_AT_PRELUDE = _up_to("{};")

_FLAT = rf"""[^()"'\\]++|{_STRING}|{_URL}|\\."""
_ONE_DEEP = rf"\((?:{_FLAT})*+\)"
_TWO_DEEP = rf"\((?:{_FLAT}|{_ONE_DEEP})*+\)"
_BRACKETS = rf"""{_URL}|\((?:{_FLAT}|{_TWO_DEEP})*+\)|\[[^\]]*+\]"""
_CONTENT = rf"""[^;"'(\[{{\\]++|{_STRING}|{_BRACKETS}|[(\[][^{{]*+|\\.|\\\Z"""
# What template engines will fill in makes no declaration that a browser takes, but no rule either.
_TAG = r"\{\{[^{}#/^]*+\}\}"
_BLOCKLESS = rf"""(?:[^;:{{"'(\[\\]++:(?:{_CONTENT}|{_TAG})++|(?:{_CONTENT})++)(?=;|\Z)"""
_FLAT_BLOCK = rf"""[^{{}}"'\\]++|{_STRING}|\\."""
_BLOCK = rf"\{{(?:{_FLAT_BLOCK}|\{{(?:{_FLAT_BLOCK}|\{{(?:{_FLAT_BLOCK})*+\}})*+\}})*+\}}"
_PIECE = re.compile(
    rf"(?P<declaration>{_BLOCKLESS})|(?:{_CONTENT})*+(?:{_BLOCK}|\{{.*+)", re.DOTALL
)
_PLAIN_PIECE = re.compile(r"(?P<declaration>[^;]++)")
_NAME = re.compile(r"\s*+(-{0,2}[a-zA-Z_\x80-\U0010ffff][\w\x80-\U0010ffff-]*+)\s*+:\s*+", re.ASCII)
_CLOSED = re.compile(
    rf"""(?:[^"'(){{}}\[\]\\]++|"(?:[^"\\\n\r\f]|\\.)*+"|'(?:[^'\\\n\r\f]|\\.)*+'|{_BRACKETS}"""
    rf"""|{_BLOCK}|\\.)*+\Z""",
    re.DOTALL,
)


class Rule(NamedTuple):
    """
    A rule of a sheet, or an at-rule.

    Attributes:
        at: the keyword of an at-rule in lower case, without its `@`; "" for a style rule.
        start: where the blanks before it begin.
        prelude: where its selectors or its keyword begin.
        brace: its opening brace; the end of an at-rule that has no block.
        close: behind what stands between its braces.
        end: behind its closing brace or semicolon.
    """

    at: str
    start: int
    prelude: int
    brace: int
    close: int
    end: int


class Declaration(NamedTuple):
    """
    A property with its value, as written.

    Attributes:
        name: in lower case, unless it is a custom property.
        value: without `!important`.
        important: whether it is so marked.
        end: offset behind the value.
    """

    name: str
    value: str
    important: bool
    end: int


def uncommented(text: str) -> str:
    """The text with blanks in place of its comments, so that all else keeps its offset."""
    return _COMMENT.sub(_blanks, text) if "/*" in text else text


def _blanks(match: re.Match[str]) -> str:
    return " " * len(match[0]) if match["comment"] else match[0]


def rules(sheet: str, start: int, end: int, *, nested: bool = False) -> Iterator[Rule]:
    """
    The rules between two offsets of a text without comments.

    Args:
        nested: within the block of an at-rule; elsewhere a stray `}` spoils the next rule.
    """
    position = start
    while True:
        begin = _end(_TRIVIA, sheet, position, end)
        if begin == end:
            return
        name = _AT_NAME.match(sheet, begin, end)
        pattern = _AT_PRELUDE if name else _NESTED_PRELUDE if nested else _PRELUDE
        brace = _end(pattern, sheet, begin, end)
        keyword = name[1].lower() if name else ""
        if brace < end and sheet[brace] == "{":
            close = _closing(sheet, brace + 1, end)
            behind = min(close + 1, end)
            yield Rule(keyword, position, begin, brace, close, behind)
        else:
            behind = min(brace + 1, end)
            if name:
                yield Rule(keyword, position, begin, brace, brace, behind)
        position = behind


def _end(pattern: re.Pattern[str], text: str, start: int, end: int) -> int:
    match = pattern.match(text, start, end)
    return match.end() if match else start


def _closing(sheet: str, start: int, end: int) -> int:
    """The offset of the brace that closes a block, or the end."""
    depth = 1
    position = _end(_NESTED_PRELUDE, sheet, start, end)
    while position < end:
        depth += 1 if sheet[position] == "{" else -1
        if not depth:
            break
        position = _end(_NESTED_PRELUDE, sheet, position + 1, end)
    return position


def declarations(text: str, start: int = 0, end: int | None = None) -> list[Declaration]:
    """The declarations between two offsets of a text without comments, in order."""
    end = len(text) if end is None else end
    pattern = _PIECE if _SPECIAL.search(text, start, end) else _PLAIN_PIECE
    found: list[Declaration] = []
    for piece in pattern.finditer(text, start, end):
        source = piece["declaration"] or ""
        match = _NAME.match(source)
        if match is None:
            continue
        value = source[match.end() :].rstrip(BLANKS)
        important = value[-9:].lower() == "important" and value[:-9].rstrip(BLANKS).endswith("!")
        if important:
            value = value[:-9].rstrip(BLANKS)[:-1].rstrip(BLANKS)
        is_custom = match[1].startswith("--")
        if value or is_custom:
            name = match[1] if is_custom else match[1].lower()
            value_end = piece.start() + match.end() + len(value)
            found.append(Declaration(name, value, important, value_end))
    return found


def is_closed(text: str) -> bool:
    """True when more declarations can follow: no string, bracket or comment is left open."""
    if any(len(each) < len("/**/") or not each.endswith("*/") for each in _comments(text)):
        return False
    return _CLOSED.match(uncommented(text)) is not None


def _comments(text: str) -> Iterator[str]:
    if "/*" in text:
        yield from filter(None, (match["comment"] for match in _COMMENT.finditer(text)))
