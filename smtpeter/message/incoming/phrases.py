"""The words of the world's mail servers, which stand in files beside this one."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from importlib import resources
from typing import Any

from smtpeter.message.incoming.addresses import BARE, MARKED

_PLACEHOLDERS = {"{bare}": BARE, "{address}": MARKED}


def table(name: str) -> dict[str, Any]:
    """Read one of the files."""
    with resources.files(__package__).joinpath(name).open("rb") as file:
        return tomllib.load(file)


def substrings(phrases: Iterable[str]) -> tuple[str, ...]:
    """Phrases as `plain` writes texts, to be looked for in those."""
    return tuple(plain(phrase) for phrase in phrases)


def plain(text: str) -> str:
    """In lower case, with single blanks and straight apostrophes."""
    return " ".join(text.lower().replace("\N{RIGHT SINGLE QUOTATION MARK}", "'").split())


def pattern(written: str) -> re.Pattern[str]:
    """Compile a pattern of a file, in any case; {bare} and {address} name what they match."""
    for placeholder, expression in _PLACEHOLDERS.items():
        written = written.replace(placeholder, expression)
    return re.compile(written, re.IGNORECASE)


def patterns(written: Iterable[str]) -> tuple[re.Pattern[str], ...]:
    """Compile the patterns of a file."""
    return tuple(map(pattern, written))


def either(written: Iterable[str], *, end: str = "") -> re.Pattern[str]:
    """Compile patterns of a file into one that matches what any of them does."""
    return pattern(f"(?:{'|'.join(f'(?:{each})' for each in written)}){end}")
