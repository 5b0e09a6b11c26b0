"""What the style elements of a document say: rules to move, and what has to stay."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

from attrs import define, field

from smtpeter.transform.inlinecss import selectortext, syntax
from smtpeter.transform.inlinecss.blanks import BLANKS
from smtpeter.transform.inlinecss.plainselectors import PlainSelector, plain
from smtpeter.transform.inlinecss.selectors import Selector
from smtpeter.transform.inlinecss.syntax import Declaration
from smtpeter.transform.inlinecss.variables import uses_variables
from smtpeter.transform.markup import Edit, spliced

# What mail clients put around a message or into it. Rules that are about that meet nothing
# before a client shows the message.
_OF_CLIENTS = (
    ".ExternalClass", ".Mso", ".ReadMsgBody", ".Singleton", ".aolReplacedBody", ".gmail",
    ".mail-detail-content", ".moz-text-html", ".rps_", ".x_", ".yshortcuts", "#MessageViewBody",
    "#gmail", "#ms-", "#msgBody", "#outlook", "[data-ogs", "[data-outlook-cycle", "[office365",
    "[owa", "[summary=", "[x-apple-data-detectors", "MsoHyper", "aolmail", "u + ", "u+", '"x_',
    "'x_", "u ~ ",
)  # fmt: skip

# Those that hold rules which apply at one time and not at another.
_CONDITIONS = frozenset({"media", "supports", "container", "layer", "document", "-moz-document"})
_DYNAMIC = re.compile(r":(?!root|is\b|where|not|first|last|nth|only|empty|link|any-link)")
_CUSTOM_PROPERTY = re.compile(r"(?<![\w(-])--[^\s:;(){}]+\s*:", re.ASCII)
_DEEPEST = 10
_NO_CONTENT = frozenset({"charset"})


AnySelector: TypeAlias = Selector | PlainSelector


class Sheet(NamedTuple):
    """
    The content of a style element.

    Attributes:
        movable: false where a media query stands over all of it.
    """

    text: str
    movable: bool


class Place(NamedTuple):
    """The end of a declaration that stays: number of its sheet, offset in that."""

    sheet: int
    offset: int


@define
class Rule:
    """
    A style rule, or the half of one that is moved, or that stays.

    Attributes:
        moved: true when its declarations go into `style` attributes.
        only_variable: only those of its declarations count here whose value has a variable.
    """

    sheet: int
    selectors: list[AnySelector]
    moved: bool
    only_variable: bool
    _text: str = field(repr=False)
    _start: int
    _end: int
    _declarations: tuple[Declaration, ...] | None = None

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """Read when the first element is met: in most sheets most rules meet none."""
        if self._declarations is None:
            found = syntax.declarations(self._text, self._start, self._end)
            if self.only_variable:
                found = [each for each in found if uses_variables(each.value)]
            self._declarations = tuple(found)
        return self._declarations

    def place(self, declaration: Declaration) -> Place:
        return Place(self.sheet, declaration.end)


class _Cut(NamedTuple):
    """
    What can be taken out of a sheet.

    Attributes:
        rule: the number of the rule that is moved.
    """

    edit: Edit
    rule: int


class Stylesheets:
    """
    All sheets of a document.

    Attributes:
        rules: those that can meet an element, in the order in which they stand.
        variables_change: rules that stay set custom properties.
    """

    def __init__(self, sheets: Sequence[Sheet], *, caseless: bool) -> None:
        self.rules: list[Rule] = []
        self._sheets = sheets
        self._caseless = caseless
        self._cuts: list[list[_Cut]] = []
        self._stays: list[bool] = []
        self._of_clients = [
            [each for each in _OF_CLIENTS if each in sheet.text] for sheet in sheets
        ]
        self._changing = _changing_variables(sheets)
        self.variables_change = self._changing.written
        for number, sheet in enumerate(sheets):
            self._cuts.append([])
            self._stays.append(False)
            self._read(number, sheet)

    def leftover(
        self, number: int, raised: frozenset[Place], unplaced: frozenset[int] = frozenset()
    ) -> str:
        """
        What stays of a sheet; "" for nothing.

        Args:
            raised: declarations of it that need `!important` now.
            unplaced: rules that meet an element which has no start tag to carry a style.
        """
        cuts = [cut.edit for cut in self._cuts[number] if cut.rule not in unplaced]
        if not self._stays[number] and len(cuts) == len(self._cuts[number]):
            return ""
        marks = [Edit(offset, offset, " !important") for _, offset in raised]
        return spliced(self._sheets[number].text, [*cuts, *marks])

    def _read(self, number: int, sheet: Sheet) -> None:
        text = syntax.uncommented(sheet.text)
        for rule in syntax.rules(text, 0, len(text)):
            if rule.at:
                self._stays[number] |= rule.at not in _NO_CONTENT
                self._read_at_rule(number, text, rule)
            elif sheet.movable:
                self._divide(number, text, rule)
            else:
                self._stays[number] = True
                self._keep(number, text, rule)

    def _read_at_rule(self, number: int, text: str, rule: syntax.Rule, depth: int = 0) -> None:
        if rule.at not in _CONDITIONS or depth > _DEEPEST:
            return
        for inner in syntax.rules(text, rule.brace + 1, rule.close, nested=True):
            if inner.at:
                self._read_at_rule(number, text, inner, depth + 1)
            else:
                self._keep(number, text, inner)

    def _keep(self, number: int, text: str, rule: syntax.Rule) -> None:
        """A rule that stays as it is."""
        found = [each for each, _ in self._selectors(text, rule)]
        self._add(number, text, rule, found, moved=False)

    def _divide(self, number: int, text: str, rule: syntax.Rule) -> None:
        """A rule that moves as far as it can."""
        found = self._selectors(text, rule)
        static = [each for each, _ in found if each.is_static]
        dynamic = [each for each, _ in found if not each.is_static]
        moved = len(self.rules)
        self._add(number, text, rule, static, moved=True)
        self._add(number, text, rule, dynamic, moved=False)
        if not static or self._has_to_stay(number, text, rule, static):
            self._stays[number] = True
        elif dynamic:
            self._stays[number] = True
            kept = [text[start:end] for each, (start, end) in found if not each.is_static]
            prelude = ", ".join(each.strip(BLANKS) for each in kept)
            self._cuts[number].append(_Cut(Edit(rule.prelude, rule.brace, f"{prelude} "), moved))
        else:
            self._cuts[number].append(_Cut(Edit(rule.start, rule.end, ""), moved))

    def _has_to_stay(
        self, number: int, text: str, rule: syntax.Rule, static: list[AnySelector]
    ) -> bool:
        """Whether a rule does more where it is than what its declarations do elsewhere."""
        block = text[rule.brace + 1 : rule.close]
        stays = "{" in block or any(
            text.find(each, rule.prelude, rule.brace) >= 0 for each in self._of_clients[number]
        )
        if self._changing.read or self._changing.written:
            stays |= _CUSTOM_PROPERTY.search(block) is not None
        if self._changing.written and uses_variables(block):
            self._add(number, text, rule, static, moved=False, only_variable=True)
            stays = True
        return stays

    def _add(
        self,
        number: int,
        text: str,
        rule: syntax.Rule,
        found: list[AnySelector],
        *,
        moved: bool,
        only_variable: bool = False,
    ) -> None:
        met = [each for each in found if not each.pseudo_element]
        if met:
            self.rules.append(
                Rule(number, met, moved, only_variable, text, rule.brace + 1, rule.close)
            )

    def _selectors(self, text: str, rule: syntax.Rule) -> list[tuple[AnySelector, tuple[int, int]]]:
        """The selectors of a rule with their places; none when one of them cannot be read."""
        prelude = text[rule.prelude : rule.brace]
        first = rule.prelude
        try:
            return [
                (self._selector(prelude[start:end].strip(BLANKS)), (first + start, first + end))
                for start, end in selectortext.parts(prelude)
            ]
        except ValueError:
            return []

    def _selector(self, text: str) -> AnySelector:
        return plain(text, caseless=self._caseless) or selectortext.parse(
            text, caseless=self._caseless
        )


class _Changing(NamedTuple):
    """Whether rules that apply at one time and not at another read or write variables."""

    read: bool = False
    written: bool = False


def _changing_variables(sheets: Sequence[Sheet]) -> _Changing:
    if not any("--" in sheet.text for sheet in sheets):
        return _Changing()
    blocks = [block for sheet in sheets for block in _changing_blocks(sheet)]
    return _Changing(
        any(uses_variables(block) for block in blocks),
        any(_CUSTOM_PROPERTY.search(block) for block in blocks),
    )


def _changing_blocks(sheet: Sheet) -> Iterator[str]:
    text = syntax.uncommented(sheet.text)
    if not sheet.movable:
        yield text
        return
    for rule in syntax.rules(text, 0, len(text)):
        if rule.at or _DYNAMIC.search(text, rule.prelude, rule.brace):
            yield text[rule.brace : rule.end]
