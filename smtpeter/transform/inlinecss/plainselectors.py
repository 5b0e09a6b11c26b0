"""Selectors of names and combinators only: most are, and those can wait to be read."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from smtpeter.transform.inlinecss.blanks import BLANKS
from smtpeter.transform.inlinecss.selectors import Compound, Selector, Specificity
from smtpeter.transform.inlinecss.selectortext import parse
from smtpeter.transform.remembering import CHARACTERS

_PLAIN_NAME = r"-?[a-zA-Z_][a-zA-Z0-9_-]*+"
_PLAIN_COMPOUND = rf"(?=[\w*.#-])(?:{_PLAIN_NAME}|\*)?(?:[.#]{_PLAIN_NAME})*+"
_PLAIN = re.compile(
    rf"(?:{_PLAIN_COMPOUND}(?:\s*+[>+~]\s*+|\s++))*+"
    rf"(?=[\w*.#-])(?P<tag>{_PLAIN_NAME}|\*)?(?:\.(?P<class>{_PLAIN_NAME})(?:\.{_PLAIN_NAME})*+)?"
    rf"(?:\#(?P<id>{_PLAIN_NAME}))?(?:[.#]{_PLAIN_NAME})*+",
    re.ASCII,
)
_PLAIN_STEP = re.compile(r"(\s*+[>+~]\s*+|\s++|)([^\s>+~]++)", re.ASCII)


class PlainSelector(NamedTuple):
    """
    A selector of names and combinators only, not read yet.

    Attributes:
        subject: what an element must have for it: `#id`, `.class`, a tag's name, or "".
    """

    text: str
    subject: str

    @property
    def is_static(self) -> bool:
        return True

    @property
    def pseudo_element(self) -> bool:
        return False

    def read(self, *, caseless: bool) -> Selector:
        steps: list[tuple[str, Compound]] = []
        a = b = c = 0
        for match in _PLAIN_STEP.finditer(self.text):
            compound, specificity = _plain_compound(match[2], caseless)
            steps.append(((match[1].strip(BLANKS) or " ") if steps else "", compound))
            a += specificity[0]
            b += specificity[1]
            c += specificity[2]
        return Selector(tuple(steps), (a, b, c))


@lru_cache(maxsize=2048)
def _plain_compound(text: str, caseless: bool) -> tuple[Compound, Specificity]:  # noqa: FBT001
    selector = parse(text, caseless=caseless)
    return selector.steps[0][1], selector.specificity


def plain(text: str, *, caseless: bool) -> PlainSelector | None:
    """The selector, if nothing has to be read to know its kind."""
    match = _PLAIN.fullmatch(text) if len(text) <= CHARACTERS else None
    if match is None:
        return None
    tag, identifier, name = match["tag"], match["id"], match["class"]
    if identifier or name:
        subject = f"#{identifier}" if identifier else f".{name}"
        return PlainSelector(text, subject.lower() if caseless else subject)
    return PlainSelector(text, "" if tag == "*" else tag.lower())
