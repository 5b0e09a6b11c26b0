"""Custom properties, resolved where they are known (CSS Custom Properties level 1)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from smtpeter.transform.inlinecss.blanks import BLANKS
from smtpeter.transform.inlinecss.syntax import Declaration

# Of an element: names with values in which no var() is left; sorted, so that equals are equal.
Variables: TypeAlias = tuple[tuple[str, str], ...]

_MOST_CHARACTERS = 4000
_DEEPEST = 20
_VAR = re.compile(r"(?<![\w-])var\(", re.IGNORECASE)
_NAME = re.compile(r"\s*(--[^\s,()]+)\s*(,|\Z)", re.ASCII)
_PARENTHESES = re.compile(r"[()]|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'", re.DOTALL)
_NONE: Mapping[str, str] = {}


def uses_variables(value: str) -> bool:
    return "var(" in value or ("(" in value and _VAR.search(value) is not None)


def inherited(parent: Variables, declared: Sequence[Declaration]) -> Variables:
    """
    The custom properties of an element.

    Args:
        parent: those of its parent.
        declared: its own, the weightiest last; others among them are passed over.
    """
    own = {each.name: each.value for each in declared if each.name.startswith("--")}
    if not own:
        return parent
    values = dict(parent)
    resolver = _Resolver(dict(parent), own)
    for name, value in own.items():
        if value.lower() in {"inherit", "unset"}:
            continue
        values.pop(name, None)
        if value.lower() != "initial":
            computed = resolver.named(name)
            if computed is not None:
                values[name] = computed
    return tuple(sorted(values.items()))


def resolved(value: str, variables: Variables) -> str | None:
    """The value with what its variables stand for; None when one stands for nothing."""
    return _Resolver(dict(variables), _NONE).text(value)


class _Resolver:
    """
    Puts values in place of var().

    Args:
        known: values that need no more work.
        raw: those that do.
    """

    def __init__(self, known: Mapping[str, str], raw: Mapping[str, str]) -> None:
        self._known = known
        self._raw = raw
        self._found: dict[str, str | None] = {}
        self._open: set[str] = set()
        self._depth = 0

    def named(self, name: str) -> str | None:
        if name not in self._raw:
            return self._known.get(name)
        if name in self._open:
            return None
        if name not in self._found:
            self._open.add(name)
            self._found[name] = self.text(self._raw[name])
            self._open.remove(name)
        return self._found[name]

    def text(self, value: str) -> str | None:
        """Replace each var() of a value, from left to right."""
        if self._depth > _DEEPEST:
            return None
        self._depth += 1
        try:
            return self._text(value)
        finally:
            self._depth -= 1

    def _text(self, value: str) -> str | None:
        pieces: list[str] = []
        length = position = 0
        while match := _VAR.search(value, position):
            end = _closing(value, match.end())
            replacement = self._replacement(value[match.end() : end])
            if replacement is None or length > _MOST_CHARACTERS:
                return None
            pieces += (value[position : match.start()], replacement)
            length += len(replacement)
            position = end + 1
        return "".join([*pieces, value[position:]]).strip(BLANKS)

    def _replacement(self, arguments: str) -> str | None:
        match = _NAME.match(arguments)
        if match is None:
            return None
        value = self.named(match[1])
        if value is not None or not match[2]:
            return value
        return self.text(arguments[match.end() :])


def _closing(value: str, start: int) -> int:
    """The offset of the parenthesis that closes, or the end."""
    depth = 1
    for match in _PARENTHESES.finditer(value, start):
        depth += {"(": 1, ")": -1}.get(match[0], 0)
        if not depth:
            return match.start()
    return len(value)
