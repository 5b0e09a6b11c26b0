"""Mail addresses as they stand in texts that nobody wrote for a program."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

# Letters of the Far East are none of it: no blank stands between them and an address. Classes of
# so many letters would take long to compile, too.
_FIRST = r"A-Za-z0-9!#$%&+/?^_{}~.\-\u00c0-\u00ff"
_LETTERS = r"A-Za-z0-9_\u00c0-\u00ff"
_LOCAL = rf"(?:\"[^\"\s]{{1,64}}\"|[{_FIRST}][{_FIRST}'*=|]{{0,127}}+)"
_DOMAIN = rf"(?:[{_LETTERS}][{_LETTERS}.\-]{{0,254}}(?<!\.)|\[[\w.:]{{3,60}}\])"
BARE = rf"(?P<address>(?-i:{_LOCAL}@{_DOMAIN}))"
_OPENING = r"[<\"'(\[`\u00ab\u2018-\u201f\u300c\uff08]{0,2}(?:(?:mailto|smtp|rfc822):)?"
_CLOSING = r"[>\"')\]\u00bb\u2018-\u201f\u300d\uff09]{0,2}"
MARKED = _OPENING + BARE + _CLOSING

# It begins where a word does, so that no word is read twice. A domain may have no dot: then it
# is one of a local network.
_ADDRESS = re.compile(rf"(?<![{_FIRST}]){BARE}")
_OPENED = re.compile(rf"{_OPENING}\Z", re.IGNORECASE)
_CLOSED = re.compile(rf"\A{_CLOSING}", re.IGNORECASE)
_GLUED = re.compile(r"(?:smtp|rcpt|to|rfc822)=", re.IGNORECASE)
_CONTEXT_CHARACTERS = 100


def without_label(address: str) -> str:
    """An address without a word that is glued to it, as in "SMTP=kees@mailbox.example"."""
    glued = _GLUED.match(address)
    return address[glued.end() :] if glued else address


class Found(NamedTuple):
    """
    An address in a text.

    Attributes:
        before: what stands in front, without quotes, brackets, and blanks at its end.
        after: what stands behind, without those at its beginning.
    """

    address: str
    before: str
    after: str


def addresses_in(text: str) -> Iterator[Found]:
    """All addresses in a text, and a little of what stands around each."""
    if "@" not in text:
        return
    for match in _ADDRESS.finditer(text):
        address = without_label(match["address"])
        start = match.end() - len(address)
        before = text[max(start - _CONTEXT_CHARACTERS, 0) : start]
        after = text[match.end() : match.end() + _CONTEXT_CHARACTERS]
        yield Found(
            address,
            _OPENED.sub("", before).rstrip(),
            _CLOSED.sub("", after).lstrip(),
        )
