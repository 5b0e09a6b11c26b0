"""
Whether a mail looks the same before and after its CSS was inlined. A browser decides.

Both are rendered, their elements are paired in document order, and of each pair the computed values
of the properties are compared that rules of the mail set: two equal values count as one right
answer where a rule sets the property on that element, two different ones as a wrong answer
wherever they are, also where the element only inherits the fault or is as high as what it holds.
Custom properties count by what is made of them, not themselves.
"""

from __future__ import annotations

import atexit
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tests.scenarios.browser import Browser

JUDGES = 2  # who work at the same time; a browser uses one core at once

_SCRIPT = (Path(__file__).parent / "judge.js").read_text("utf-8")

# Written into a frame of this page, a mail has its policy: it loads nothing.
_PAGE = (
    "<!DOCTYPE html><title>judge</title>"
    '<meta http-equiv="Content-Security-Policy"'
    " content=\"default-src 'none'; style-src 'unsafe-inline'\"><body>"
)


class Mode(Enum):
    """
    What is rendered.

    STATIC: of the mail before, only the rules that can be inlined (no at-rules, no pseudo-elements,
    nothing that changes with the reader); of the mail after, no style sheet at all. So both hold
    the same if all was inlined and nothing else.
    WHOLE: both with all they have, as a client that understands everything shows them.
    """

    STATIC = "static"
    WHOLE = "whole"


@dataclass(frozen=True)
class Difference:
    """
    A property of an element whose value is another one than before.

    Args:
        number: of the element, in document order.
        rule: the selector that set it before, empty where none did.
        style: the `style` attribute of the element now.
    """

    element: str
    number: int
    property: str
    expected: str
    got: str
    rule: str
    style: str

    def __str__(self) -> str:
        rule = f" [{self.rule}]" if self.rule else ""
        return (
            f"{self.element} (element {self.number}): {self.property}{rule}"
            f" is {self.got!r} instead of {self.expected!r}"
        )


@dataclass(frozen=True)
class Verdict:
    """
    The judgement on a mail.

    Args:
        judged: how many values were compared.
        note: why there is nothing to compare, empty otherwise.
    """

    name: str
    judged: int
    differences: tuple[Difference, ...] = ()
    note: str = ""

    @property
    def equal(self) -> int:
        """How many values are as before; none if the elements are others."""
        return 0 if self.note else self.judged - len(self.differences)

    @property
    def percent(self) -> float:
        return 100.0 * self.equal / self.judged if self.judged else 100.0


class Judge:
    """Shows mails to a browser."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        browser.open(_PAGE)

    def verdict(self, name: str, before: str, after: str, mode: Mode, width: int) -> Verdict:
        """
        Compare a mail with what became of it.

        Args:
            width: of the window, in CSS pixels.
        """
        found: dict[str, Any] = self._browser.call(_SCRIPT, before, after, mode.value, width)
        if found["elements"] != found["became"]:
            note = f"{found['elements']} elements became {found['became']}"
            return Verdict(name, found["elements"], note=note)
        differences = tuple(Difference(**each) for each in found["differences"])
        return Verdict(name, found["judged"], differences)


class Court:
    """Some judges; each gives one verdict after the other."""

    def __init__(self, browsers: list[Browser]) -> None:
        self._free: SimpleQueue[Judge] = SimpleQueue()
        for browser in browsers:
            self._free.put(Judge(browser))

    def verdict(self, name: str, before: str, after: str, mode: Mode, width: int) -> Verdict:
        """As that of `Judge`; may be called in several threads."""
        judge = self._free.get()
        try:
            return judge.verdict(name, before, after, mode, width)
        finally:
            self._free.put(judge)


@lru_cache(maxsize=1)
def court() -> Court:
    """
    The judges of this run of the tests, started by the first who asks.

    Raises: as `require`.
    """
    with ExitStack() as stack:
        browsers = [stack.enter_context(Browser()) for _ in range(JUDGES)]
        atexit.register(stack.pop_all().close)
    return Court(browsers)


def judge_all(
    mails: dict[str, str], inline: Callable[[str], str], mode: Mode, width: int
) -> list[Verdict]:
    after = [inline(html) for html in mails.values()]
    judging = court()
    with ThreadPoolExecutor(JUDGES) as threads:
        found = [
            threads.submit(judging.verdict, name, before, became, mode, width)
            for (name, before), became in zip(mails.items(), after, strict=True)
        ]
        return [each.result() for each in found]


def percent_of(verdicts: list[Verdict]) -> float:
    """How much of everything is equal."""
    judged = sum(verdict.judged for verdict in verdicts)
    return 100.0 * sum(verdict.equal for verdict in verdicts) / judged if judged else 100.0


def report(verdicts: list[Verdict], most: int = 30) -> str:
    """
    The mails that differ, worst first, then what differs in them, most frequent first.

    Args:
        most: kinds of difference.
    """
    lines = [f"{percent_of(verdicts):.3f} % of {sum(each.judged for each in verdicts)} values"]
    for verdict in sorted(verdicts, key=lambda each: each.percent):
        if verdict.note or verdict.differences:
            wrong = verdict.note or f"{len(verdict.differences)} of {verdict.judged} differ"
            lines.append(f"{verdict.percent:7.2f} %  {verdict.name}: {wrong}")
    kinds: Counter[tuple[str, str, str, str]] = Counter()
    first: dict[tuple[str, str, str, str], str] = {}
    for verdict in verdicts:
        for each in verdict.differences:
            kind = each.rule, each.property, each.expected, each.got
            kinds[kind] += 1
            first.setdefault(kind, f"{verdict.name}: {each}")
    # where a rule is named stands the cause; elements that none names only inherit it
    ranked = sorted(kinds.items(), key=lambda item: (not item[0][0], -item[1]))
    lines += [f"{count:5} x  {first[kind]}" for kind, count in ranked[:most]]
    return "\n".join(lines)
