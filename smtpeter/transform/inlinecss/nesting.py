"""
The elements of a document whose tags are nested as they should be.

Of such a document a parser would make no other tree than its tags say. Whatever a browser would
have to repair, and whatever is rare in mail, is left to a parser.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

from smtpeter.transform.markup import Document

# Number of the parent, tag name, number of the start tag.
Element: TypeAlias = tuple[int, str, int]
# The number of a start tag that is not in the source.
IMPLIED = -1
VOID = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source",
    "track", "wbr",
})  # fmt: skip

_NO_TEXT = re.compile(r"(?:\s++|<!--.*?-->|<[!?][^>]*+>)*+", re.ASCII | re.DOTALL)
_IN_HEAD = frozenset({"meta", "link", "base", "title", "style"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
# They end a paragraph (WHATWG HTML, section 13.2.6.4.7).
_BLOCKS = _HEADINGS | {
    *("address", "article", "aside", "blockquote", "center", "details", "dialog", "dir", "div"),
    *("dl", "fieldset", "figcaption", "figure", "footer", "header", "hgroup", "hr", "main"),
    *("menu", "nav", "ol", "p", "pre", "section", "summary", "table", "ul"),
}
# What else may stand where.
_WITHIN = {
    "table": frozenset({"caption", "colgroup", "tbody", "thead", "tfoot", "style"}),
    "tbody": frozenset({"tr", "style"}),
    "thead": frozenset({"tr", "style"}),
    "tfoot": frozenset({"tr", "style"}),
    "tr": frozenset({"td", "th", "style"}),
    "colgroup": frozenset({"col"}),
    "html": frozenset(),
}
_PARENTS = {
    "li": frozenset({"ul", "ol", "dir", "menu"}),
    "dt": frozenset({"dl"}),
    "dd": frozenset({"dl"}),
}
_CELLS = frozenset({"td", "th"})
_GROUPS = frozenset({"tbody", "thead", "tfoot"})
# Those with rules of their own, which are not followed here.
_OTHERS = frozenset().union(*_WITHIN.values(), _PARENTS) - {"style"} | {
    *("html", "head", "body", "title", "meta", "link", "base", "script", "noscript", "template"),
    *("svg", "math", "plaintext", "xmp", "listing", "iframe", "noembed", "noframes", "textarea"),
    *("select", "option", "optgroup", "button", "form", "object", "applet", "marquee", "nobr"),
    *("frameset", "frame", "image", "ruby", "rb", "rt", "rp", "rtc", "a", "search", "isindex"),
    *("keygen", "param", "source", "track", "area", "input"),
}  # fmt: skip


def nested(document: Document) -> list[Element] | None:
    """The elements in document order; None where a parser has to say what they are."""
    walk = _Walk()
    begun = walk.head(document)
    return walk.body(document, begun) if begun else None


class _Walk:
    """What is open, and what was found."""

    def __init__(self) -> None:
        self._found: list[Element] = []
        self._open: list[tuple[str, int]] = []
        self._paragraph = self._anchor = False  # whether there is an open one

    def head(self, document: Document) -> int:
        """Read up to the start tag of the body; gives the number of the next tag, 0 for none."""
        names, pieces = document.names, document.pieces
        if names[:2] != ["html", "head"]:
            return 0
        self._found += ((-1, "html", 0), (0, "head", 1))
        number = 2
        while number < len(names) and names[number] in _IN_HEAD:
            self._found.append((1, names[number], number))
            if names[number] not in VOID:
                if names[number + 1 : number + 2] != [f"/{names[number]}"]:
                    return 0
                number += 1
            number += 1
        if names[number : number + 2] != ["/head", "body"]:
            return 0
        texts = [pieces[2 * each] for each in range(1, number + 2) if not _holds_text(names, each)]
        if not all(map(_NO_TEXT.fullmatch, (document.begin, *texts))):
            return 0
        self._open = [("html", 0), ("body", len(self._found))]
        self._found.append((0, "body", number + 1))
        return number + 2

    def body(self, document: Document, first: int) -> list[Element] | None:
        """Read from there to the end."""
        for number, name in enumerate(document.names[first:], first):
            if not (self._close(name[1:]) if name[0] == "/" else self._begin(name, number)):
                return None
        return self._found

    def _begin(self, name: str, number: int) -> bool:
        """A start tag; gives whether it may stand here."""
        if not self._open:
            return False
        top, parent = self._open[-1]
        if top in _WITHIN:
            if name not in _WITHIN[top]:
                if not self._imply(name):
                    return False
                parent = self._open[-1][1]
        elif not self._may_stand(name, top):
            return False
        if name not in VOID:
            self._open.append((name, len(self._found)))
        self._found.append((parent, name, number))
        return True

    def _may_stand(self, name: str, top: str) -> bool:
        if name in _BLOCKS:
            if self._paragraph or (name in _HEADINGS and top in _HEADINGS):
                return False
            self._paragraph = name == "p"
        elif name == "a":
            if self._anchor:
                return False
            self._anchor = True
        elif name in _OTHERS:
            return top in _PARENTS.get(name, ())
        return True

    def _close(self, name: str) -> bool:
        """An end tag; gives whether it belongs to what is open."""
        if not self._open or (self._open[-1][0] != name and not self._closes_implied(name)):
            return False
        self._open.pop()
        if name == "p":
            self._paragraph = False
        elif name == "a":
            self._anchor = False
        return True

    def _imply(self, name: str) -> bool:
        """Open the elements that need no start tag within a table; False where none would help."""
        top, parent = self._open[-1]
        if name in _CELLS and top in _GROUPS:
            self._imply_one("tr", parent)
        elif name in _CELLS and top == "table":
            self._imply_one("tbody", parent)
            self._imply_one("tr", len(self._found) - 1)
        elif name == "tr" and top == "table":
            self._imply_one("tbody", parent)
        elif (name == "tr" and top == "tr") or (name in _GROUPS and top in ("tr", *_GROUPS)):
            return self._end_implied() and (name in _WITHIN[self._open[-1][0]] or self._imply(name))
        else:
            return False
        return True

    def _imply_one(self, name: str, parent: int) -> None:
        self._open.append((name, len(self._found)))
        self._found.append((parent, name, IMPLIED))

    def _end_implied(self) -> bool:
        """Close what is open, if it needs no end tag since it had no start tag."""
        if self._found[self._open[-1][1]][2] != IMPLIED:
            return False
        self._open.pop()
        return True

    def _closes_implied(self, name: str) -> bool:
        """Whether an end tag belongs to what is open below elements without tags."""
        while self._end_implied():
            if self._open[-1][0] == name:
                return True
        return False


def _holds_text(names: Sequence[str], number: int) -> bool:
    """Whether the text in front of a tag is the content of an element."""
    return number > 0 and names[number] in {"/title", "/style"}
