"""The elements of a document, and its style sheets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from threading import local
from typing import NamedTuple

from lxml import etree

from smtpeter.transform.inlinecss.nesting import IMPLIED, VOID, Element, nested
from smtpeter.transform.markup import Document

# Carries the number of a start tag through the parser.
_MARK = "smtpeter-tag"

_DOCTYPE = re.compile(
    r"""(?:\s++|(?><!--.*?-->)|<\?[^>]*+>)*+<!doctype\s+html\b\s*+
    (?:public\s*(?:"(?P<public>[^"]*)"|'(?P<public2>[^']*)'))?\s*(?P<system>["'][^>]*)?[^>]*>""",
    re.ASCII | re.IGNORECASE | re.DOTALL | re.VERBOSE,
)
# Public identifiers that put a browser into quirks mode (WHATWG HTML, section 13.2.6.4.1).
_QUIRKY = re.compile(
    r"-//(?:W3C//DTD (?:HTML (?:[23]|4\.0 (?:Frameset|Transitional)|Experimental)|W3)|W3O//"
    r"|IETF//|Netscape |Microsoft |AS//|SoftQuad |WebTechs|AdvaSoft|Metrius|O'Reilly|SQ//|Spyglass"
    r"|Sun Microsystems)|HTML$|\+//Silmaril",
    re.IGNORECASE,
)
_QUIRKY_WITHOUT_SYSTEM = re.compile(
    r"-//W3C//DTD HTML 4\.01 (?:Frameset|Transitional)", re.IGNORECASE
)

_BEGINS_WITH_TEXT = re.compile(r"(?:\s++|(?><!--.*?-->)|<[!?][^>]*+>)*+.", re.ASCII | re.DOTALL)
_COMMENTS = re.compile(r"(?:<!--.*?-->)*+", re.DOTALL)
_IN_TABLES = frozenset({"tr", "td", "th", "thead", "tbody", "tfoot", "caption", "colgroup"})
_IMPLIED = frozenset({"html", "head", "body"})


class StyleElement(NamedTuple):
    """
    A `<style>`: the numbers of its pieces.

    Attributes:
        closing: of its end tag; None where the next tag is another, or there is none.
    """

    opening: int
    content: int
    closing: int | None


def style_elements(document: Document) -> list[StyleElement]:
    names = document.names
    return [
        StyleElement(
            2 * number + 1,
            2 * number + 2,
            2 * number + 3 if names[number + 1 : number + 2] == ["/style"] else None,
        )
        for number, name in enumerate(names)
        if name == "style"
    ]


def in_quirks_mode(html: str) -> bool:
    """Whether a browser compares classes and ids without regard to case."""
    match = _DOCTYPE.match(html)
    if match is None:
        return True
    public = match["public"] or match["public2"] or ""
    if _QUIRKY.match(public):
        return True
    return not match["system"] and _QUIRKY_WITHOUT_SYSTEM.match(public) is not None


def elements(document: Document) -> list[Element]:
    """
    The elements in document order, those included that the markup leaves out.

    Raises:
        lxml.etree.LxmlError: the parser gives up.
    """
    return nested(document) or parsed(document)


def has_text(document: Document, element: Element) -> bool:
    """True when something stands behind the start tag that is no tag and no comment."""
    _, tag, number = element
    if tag in VOID or number == IMPLIED:
        return False
    return _COMMENTS.sub("", document.pieces[2 * number + 2], 1) != ""


def parsed(document: Document) -> list[Element]:
    """What a parser makes of the tags alone."""
    names = document.names
    headless = bool(names and _BEGINS_WITH_TEXT.match(document.begin))
    skeleton = "".join(_skeleton(names))
    builder = _parsing.builder
    builder.begin(names, headless=headless)
    try:
        _parsing.parser.feed(skeleton.replace("\0", "\ufffd").encode("utf-8", "replace"))
    finally:
        _parsing.parser.close()
    return builder.elements


def _skeleton(names: Sequence[str]) -> Iterator[str]:
    """The tags alone, start tags with their marks; end tags that end nothing mean nothing."""
    still_open: Counter[str] = Counter()
    for number, name in enumerate(names):
        if name[:1] != "/":
            still_open[name] += 1
            yield f'<{name} {_MARK}="{number}">'
        elif still_open[name[1:]]:
            still_open[name[1:]] -= 1
            yield f"<{name}>"


class _Builder:
    """What the parser finds, as a list; with the row groups that browsers put into tables."""

    def __init__(self) -> None:
        self.begin([], headless=False)

    def begin(self, names: Sequence[str], *, headless: bool) -> None:
        self._names = names
        self._headless = headless
        self.elements: list[Element] = []
        self._open = [-1]
        self._groups: dict[int, int] = {}

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        parent = self._open[-1]
        number = int(attributes.get(_MARK, IMPLIED))
        if number != IMPLIED:
            tag = self._names[number]
        elif tag not in _IMPLIED:
            self._open.append(parent)
            return
        if tag == "head" and self._headless:
            tag = ""
        if tag in _IN_TABLES:
            parent = self._place_in_table(tag, parent)
        self._open.append(len(self.elements))
        self.elements.append((parent, tag, number))

    def end(self, _tag: str) -> None:
        if len(self._open) > 1:
            self._open.pop()

    def close(self) -> None:
        """The parser is through."""

    def _place_in_table(self, tag: str, parent: int) -> int:
        """Where a part of a table goes: a row into a row group, a cell into a row."""
        if parent < 0:
            return parent
        above = self.elements[parent][1]
        if tag not in {"tr", "td", "th"}:
            self._groups.pop(parent, None)
            return parent
        if above == "table":
            parent = self._implied("tbody", parent)
            above = "tbody"
        if tag != "tr" and above in {"tbody", "thead", "tfoot"}:
            parent = self._implied("tr", parent)
        elif tag == "tr":
            self._groups.pop(parent, None)
        return parent

    def _implied(self, tag: str, parent: int) -> int:
        known = self._groups.get(parent)
        if known is None:
            known = self._groups[parent] = len(self.elements)
            self.elements.append((parent, tag, IMPLIED))
        return known


class _Parsing(local):
    """A parser for each thread: to make one takes longer than to parse a short mail."""

    def __init__(self) -> None:
        self.builder = _Builder()
        self.parser = etree.HTMLParser(  # type: ignore[call-overload]  # the stub asks for all methods
            target=self.builder, encoding="utf-8", huge_tree=True
        )


_parsing = _Parsing()
