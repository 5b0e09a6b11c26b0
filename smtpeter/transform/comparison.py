"""What the stages have done to a text, for people: a bounded difference, tag by tag."""

from __future__ import annotations

import re
from difflib import unified_diff
from itertools import islice

from smtpeter.values import frozen

COMPARED_LINES = 20_000
SHOWN_LINES = 200
LINE_CHARACTERS = 240
_CONTEXT_LINES = 1
_LINE = re.compile(r"<?[^<\r\n]+")


@frozen
class Difference:
    """
    Where two texts differ.

    Attributes:
        lines: as `diff -u` writes them; long ones are cut.
        omitted: how many more there are.
    """

    lines: tuple[str, ...]
    omitted: int = 0


def difference(before: str, after: str) -> Difference:
    """
    Compare two texts. Each tag begins a line of its own, for mails often have but one.

    Of what is longer than `COMPARED_LINES` only the beginning is compared.
    """
    found = unified_diff(
        _lines(before), _lines(after), "submitted", "delivered", n=_CONTEXT_LINES, lineterm=""
    )
    lines = tuple(_shortened(line) for line in islice(found, SHOWN_LINES))
    return Difference(lines, sum(1 for _ in found))


def _lines(text: str) -> list[str]:
    return [match[0] for match in islice(_LINE.finditer(text), COMPARED_LINES)]


def _shortened(line: str) -> str:
    if len(line) <= LINE_CHARACTERS:
        return line
    return f"{line[: LINE_CHARACTERS - 3]}..."
