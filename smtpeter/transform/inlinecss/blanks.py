"""What separates words in HTML and CSS; Python takes more for blanks, such as U+00A0."""

from __future__ import annotations

import re

BLANKS = "\t\n\f\r "
_BLANK = re.compile(f"[{BLANKS}]+")


def words(text: str) -> list[str]:
    """The words of a value that blanks separate."""
    if text.isascii() and text.isprintable():  # then Python splits at the same places
        return text.split()
    return [word for word in _BLANK.split(text) if word]
