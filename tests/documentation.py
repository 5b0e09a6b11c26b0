"""The README and the pages of `docs`, as far as programs can use them: their code blocks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

from attrs import frozen

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.rst", *sorted((ROOT / "docs").glob("*.rst")))

# What the pages show in place of what a user has.
USERNAME = "w4k9t2mhx7ce"
PASSWORD = "hj4kq r8sva 2mxte 9zdwn c5upf"
ACCOUNT_PASSWORD = "mkq4t 7hs2a x9wpb 3nfue gd5rz"
TOKEN = "b7Qm2XvKc9TfLw4HsJd8RzPn3GyEa6UkVt5BqNxC"

_BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n\n((?:(?: +.*)?\n)+)", re.MULTILINE)
_LITERAL = re.compile(r"``([^`]+)``")


@frozen
class Block:
    """
    A code block of a page.

    Attributes:
        page: the file name.
        language: as the block names it.
    """

    page: str
    language: str
    text: str


@frozen
class Step:
    """A command line of a session that a page shows, and what it prints there."""

    command: str
    output: str


def text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def blocks(page: Path, language: str) -> list[Block]:
    """The blocks of a page in one language, in order."""
    found = _BLOCK.finditer(text(page))
    return [Block(page.name, each[1], dedent(each[2])) for each in found if each[1] == language]


def steps(block: Block) -> Iterator[Step]:
    """The commands behind `$` in a console block."""
    for part in re.split(r"^(?=[$#] )", block.text, flags=re.MULTILINE):
        if part.startswith("$ "):
            command, _, output = part.removeprefix("$ ").partition("\n")
            yield Step(command, output.strip("\n"))


def literals(page: Path) -> list[str]:
    """What stands between double backquotes, line ends as blanks."""
    return [" ".join(each.split()) for each in _LITERAL.findall(text(page))]
