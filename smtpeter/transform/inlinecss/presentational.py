"""Styles as attributes, for readers like Outlook that take sizes and colours from those."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator

_CELLS = frozenset({"td", "th"})
_ROWS = _CELLS | {"tr"}
_BLOCKS = _ROWS | {"p", "div", "h1", "h2", "h3", "h4", "h5", "h6"}
_SIZED = _CELLS | {"table", "img"}

_LENGTH = re.compile(r"(\d+)(?:\.\d+)?(px|%)", re.IGNORECASE)
_HEXADECIMAL = re.compile(r"#[0-9a-f]{6}", re.IGNORECASE)
_SHORT = re.compile(r"#([0-9a-f])([0-9a-f])([0-9a-f])", re.IGNORECASE)
_COLOUR_NAME = re.compile(
    r"aqua|black|blue|fuchsia|gr[ae]y|green|lime|maroon|navy|olive|purple|red|silver|teal|white"
    r"|yellow|orange",
    re.IGNORECASE,
)
_HORIZONTAL = re.compile(r"left|center|right|justify", re.IGNORECASE)
_VERTICAL = re.compile(r"top|middle|bottom|baseline", re.IGNORECASE)


def attributes_for(tag: str, declared: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """
    Attributes that say the same as an element's declarations.

    Args:
        declared: names and values, the later ones win.
    """
    styles = dict(declared)
    for attribute, elements, properties, converted in _RULES:
        if tag not in elements:
            continue
        for name in properties:
            value = converted(styles[name]) if name in styles else ""
            if value:
                yield attribute, value
                break


def _length(value: str) -> str:
    match = _LENGTH.fullmatch(value)
    return match[1] + ("%" if match[2] == "%" else "") if match else ""


def _colour(value: str) -> str:
    if match := _SHORT.fullmatch(value):
        return "#" + "".join(digit * 2 for digit in match.groups())
    return value if _HEXADECIMAL.fullmatch(value) or _COLOUR_NAME.fullmatch(value) else ""


def _word(pattern: re.Pattern[str]) -> Callable[[str], str]:
    return lambda value: value.lower() if pattern.fullmatch(value) else ""


_RULES: tuple[tuple[str, frozenset[str], tuple[str, ...], Callable[[str], str]], ...] = (
    ("width", _SIZED, ("width",), _length),
    ("height", _SIZED, ("height",), _length),
    ("bgcolor", _ROWS | {"table", "body"}, ("background-color", "background"), _colour),
    ("align", _BLOCKS, ("text-align",), _word(_HORIZONTAL)),
    ("align", frozenset({"table", "img"}), ("float",), _word(re.compile("left|right"))),
    ("valign", _ROWS, ("vertical-align",), _word(_VERTICAL)),
)
