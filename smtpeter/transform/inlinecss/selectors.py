"""What selectors say of elements (Selectors Level 3, and parts of Level 4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

from smtpeter.transform.inlinecss.blanks import words

Specificity: TypeAlias = tuple[int, int, int]

_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "": lambda _value, _wanted: True,
    "=": lambda value, wanted: value == wanted,
    "~=": lambda value, wanted: wanted in words(value),
    "|=": lambda value, wanted: value == wanted or value.startswith(f"{wanted}-"),
    "^=": lambda value, wanted: bool(wanted) and value.startswith(wanted),
    "$=": lambda value, wanted: bool(wanted) and value.endswith(wanted),
    "*=": lambda value, wanted: bool(wanted) and wanted in value,
}


class Question(NamedTuple):
    """
    What has to be asked about an element's place: `root`, `empty`, or one of the nth- kind.

    Attributes:
        kind: `nth-child`, `nth-last-child`, `nth-of-type`, `nth-last-of-type`, `root`, `empty`.
        step: A of `An+B`.
        offset: B of it.
    """

    kind: str
    step: int = 0
    offset: int = 0


class Test(NamedTuple):
    """
    One test of an attribute.

    Attributes:
        operator: `=`, `~=`, `|=`, `^=`, `$=`, `*=`, or "" where it only has to be there.
        caseless: the value is in lower case, and is compared with one in lower case.
    """

    name: str
    operator: str = ""
    value: str = ""
    caseless: bool = False

    def passes(self, value: str | None) -> bool:
        if value is None:
            return False
        if self.caseless:
            value = value.lower()
        return _COMPARISONS[self.operator](value, self.value)


class Choice(NamedTuple):
    """`:is()`, `:where()` and `:not()`: one of the selectors meets the element, or none does."""

    selectors: tuple[Selector, ...]
    none_of_them: bool


class Compound(NamedTuple):
    """
    Tests of one element, all of which it has to pass.

    Attributes:
        tag: its name, or "" for any.
    """

    tag: str = ""
    identifiers: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    tests: tuple[Test, ...] = ()
    questions: tuple[Question, ...] = ()
    choices: tuple[Choice, ...] = ()


class Selector(NamedTuple):
    """
    Compounds with the combinators that stand between them.

    Attributes:
        steps: each compound with the combinator before it; the first has "".
        dynamic: depends on what a reader does: the steps are those without that.
        pseudo_element: it styles no element but a piece of one.
    """

    steps: tuple[tuple[str, Compound], ...]
    specificity: Specificity
    dynamic: bool = False
    pseudo_element: bool = False

    @property
    def is_static(self) -> bool:
        return not (self.dynamic or self.pseudo_element)
