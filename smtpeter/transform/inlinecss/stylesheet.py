"""What the style elements of a document say: rules to move, and what has to stay."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from attrs import define, field

from smtpeter.transform.inlinecss import selectors, syntax
from smtpeter.transform.inlinecss.selectors import Selector
from smtpeter.transform.inlinecss.syntax import Declaration
from smtpeter.transform.markup import Edit, spliced

# What mail clients put around a message or into it. Rules that are about that meet nothing
# before a client shows the message.
_CLIENTS = re.compile(
    r"\.ExternalClass|#outlook\b|\.ReadMsgBody|\.yshortcuts|#MessageViewBody|\.moz-text-html"
    r"|\[data-ogs[cb]\b|\[data-outlook-cycle|\[x-apple-data-detectors|\[office365|\[owa\b|\.gmail"
    r"|\bu\s*\+|#msgBody|\.Singleton|\.ii\b|\.aolReplacedBody|\.mail-detail-content|#gmail"
    r"|\[class(?:[~*^]?=)[\"']?(?:x_|aolmail|ExternalClass|gmail)|\.rps_|\[summary=|\bspan\.MsoHyper"
    r"|\.Mso|#ms-|\.x_",
    re.IGNORECASE,
)

# Those that hold rules which apply at one time and not at another.
_CONDITIONS = frozenset({"media", "supports", "container", "layer", "document", "-moz-document"})
_NO_CONTENT = frozenset({"charset"})


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
    """

    sheet: int
    selectors: list[Selector]
    moved: bool
    _text: str = field(repr=False)
    _start: int
    _end: int
    _declarations: tuple[Declaration, ...] | None = None

    @property
    def declarations(self) -> tuple[Declaration, ...]:
        """Read when the first element is met: in most sheets most rules meet none."""
        if self._declarations is None:
            found = syntax.declarations(self._text, self._start, self._end)
            self._declarations = tuple(each for each in found if "{" not in each.name)
        return self._declarations

    def place(self, declaration: Declaration) -> Place:
        return Place(self.sheet, declaration.end)


class Stylesheets:
    """
    All sheets of a document.

    Attributes:
        rules: in the order in which they stand; those that meet no element ever are left out.
    """

    def __init__(self, sheets: Sequence[Sheet], *, caseless: bool) -> None:
        self.rules: list[Rule] = []
        self._sheets = sheets
        self._caseless = caseless
        self._cuts: list[list[Edit]] = []
        self._stays: list[bool] = []
        for number, sheet in enumerate(sheets):
            self._cuts.append([])
            self._stays.append(False)
            self._read(number, sheet)

    def leftover(self, number: int, raised: frozenset[Place]) -> str:
        """
        What stays of a sheet; "" for nothing.

        Args:
            raised: declarations that need `!important` now.
        """
        if not self._stays[number]:
            return ""
        marks = [Edit(offset, offset, " !important") for sheet, offset in raised if sheet == number]
        return spliced(self._sheets[number].text, [*self._cuts[number], *marks])

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

    def _read_at_rule(self, number: int, text: str, rule: syntax.Rule) -> None:
        if rule.at not in _CONDITIONS:
            return
        for inner in syntax.rules(text, rule.brace + 1, rule.close, nested=True):
            if inner.at:
                self._read_at_rule(number, text, inner)
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
        self._add(number, text, rule, static, moved=True)
        self._add(number, text, rule, dynamic, moved=False)
        prelude = text[rule.prelude : rule.brace]
        if not found or _CLIENTS.search(prelude) or "{" in text[rule.brace + 1 : rule.close]:
            self._stays[number] = True
        elif not dynamic:
            self._cuts[number].append(Edit(rule.start, rule.end, ""))
        else:
            self._stays[number] = True
            if static:
                kept = [
                    text[start:end].strip() for each, (start, end) in found if not each.is_static
                ]
                self._cuts[number].append(Edit(rule.prelude, rule.brace, ", ".join(kept) + " "))

    def _add(
        self, number: int, text: str, rule: syntax.Rule, found: list[Selector], *, moved: bool
    ) -> None:
        met = [each for each in found if not each.pseudo_element]
        if met:
            self.rules.append(Rule(number, met, moved, text, rule.brace + 1, rule.close))

    def _selectors(self, text: str, rule: syntax.Rule) -> list[tuple[Selector, tuple[int, int]]]:
        """The selectors of a rule with their places; none when one of them cannot be read."""
        prelude = text[rule.prelude : rule.brace]
        try:
            return [
                (
                    selectors.parse(prelude[start:end], caseless=self._caseless),
                    (rule.prelude + start, rule.prelude + end),
                )
                for start, end in selectors.parts(prelude)
            ]
        except ValueError:
            return []
