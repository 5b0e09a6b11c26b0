"""A document in its source: its start tags, its style sheets, and the tree that lxml sees in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from threading import local
from typing import NamedTuple, TypeAlias

from lxml import etree

from smtpeter.transform.markup import Tag, tags
from smtpeter.values import frozen

# Carries the number of a start tag through the parser. It stands first, so that it counts.
MARK = "smtpeter-tag"

_DOCTYPE = re.compile(
    r"""(?:\s++|(?><!--.*?-->)|<\?[^>]*+>)*+<!doctype\s+html\b\s*+
    (?:public\s*(?:"(?P<public>[^"]*)"|'(?P<public2>[^']*)'))?\s*(?P<system>["'][^>]*)?[^>]*>""",
    re.IGNORECASE | re.DOTALL | re.VERBOSE,
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

_BEGINS_WITH_TEXT = re.compile(r"(?:\s++|(?><!--.*?-->)|<[!?][^>]*+>)*+.", re.DOTALL)
_NO_TEXT = re.compile(r"(?:<!--.*?-->)*+(?:</?[a-zA-Z]|\Z)", re.DOTALL)
_VOID = frozenset({
    "area", "br", "col", "embed", "hr", "img", "input", "wbr"
})  # fmt: skip

_IN_TABLES = frozenset({"tr", "td", "th", "thead", "tbody", "tfoot", "caption", "colgroup"})
_IMPLIED = frozenset({"html", "head", "body"})

# Number of the parent, tag name, attributes. The mark among the attributes of those that have
# a start tag in the source is its number.
Element: TypeAlias = tuple[int, str, Mapping[str, str]]


@frozen
class StyleElement:
    """A `<style>`: the offsets of its start tag, its content, and its end."""

    start: int
    content: int
    content_end: int
    end: int


class Source(NamedTuple):
    """
    The start tags and the style elements of a document.

    Attributes:
        starts: where each start tag begins and ends.
        skeleton: its tags without what stands between them, each start tag with its mark.
        headless: text precedes all tags, so that everything is in the body.
    """

    starts: list[tuple[int, int]]
    styles: list[StyleElement]
    skeleton: str
    headless: bool


def read(html: str) -> Source:
    starts: list[tuple[int, int]] = []
    styles: list[StyleElement] = []
    pieces: list[str] = []
    style: Tag | None = None
    for tag in tags(html):
        start = tag.start
        if style is not None:
            closes = tag.closing and tag.name == "style"
            behind = tag.end if closes else start
            styles.append(StyleElement(style.start, style.end, start, behind))
            style = None
        if tag.closing:
            pieces.append(f"</{tag.name}>")
            continue
        behind_name = start + 1 + len(tag.name)
        pieces.append(
            f'{html[start:behind_name]} {MARK}="{len(starts)}" {html[behind_name : tag.end]}'
        )
        starts.append((start, tag.end))
        if tag.name == "style":
            style = tag
    if style is not None:
        length = len(html)
        styles.append(StyleElement(style.start, style.end, length, length))
    headless = bool(starts and _BEGINS_WITH_TEXT.match(html, 0, starts[0][0]))
    return Source(starts, styles, "".join(pieces), headless)


def in_quirks_mode(html: str) -> bool:
    """Whether a browser compares classes and ids without regard to case."""
    match = _DOCTYPE.match(html)
    if match is None:
        return True
    public = match["public"] or match["public2"] or ""
    if _QUIRKY.match(public):
        return True
    return not match["system"] and _QUIRKY_WITHOUT_SYSTEM.match(public) is not None


def elements(source: Source) -> list[Element]:
    """
    The elements of a tree in document order, those included that the markup leaves out.

    Raises:
        lxml.etree.LxmlError: the parser gives up.
    """
    builder = _parsing.builder
    builder.begin(headless=source.headless)
    try:
        _parsing.parser.feed(source.skeleton.replace("\0", "\ufffd").encode("utf-8", "replace"))
    finally:
        _parsing.parser.close()
    return builder.elements


def has_text(html: str, source: Source, element: Element) -> bool:
    """True when something stands behind the start tag that is no tag and no comment."""
    _, tag, attributes = element
    if tag in _VOID or MARK not in attributes:
        return False
    return not _NO_TEXT.match(html, source.starts[int(attributes[MARK])][1])


class _Builder:
    """What the parser finds, as a list; with the row groups that browsers put into tables."""

    def __init__(self) -> None:
        self.begin(headless=False)

    def begin(self, *, headless: bool) -> None:
        self._headless = headless
        self.elements: list[Element] = []
        self._open = [-1]
        self._groups: dict[int, int] = {}

    def start(self, tag: str, attributes: Mapping[str, str]) -> None:
        parent = self._open[-1]
        if MARK not in attributes and tag not in _IMPLIED:
            self._open.append(parent)
            return
        if tag == "head" and self._headless:
            tag = ""
        if tag in _IN_TABLES:
            parent = self._place_in_table(tag, parent)
        self._open.append(len(self.elements))
        self.elements.append((parent, tag, attributes))

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
            self.elements.append((parent, tag, {}))
        return known


class _Parsing(local):
    """A parser for each thread: to make one takes longer than to parse a short mail."""

    def __init__(self) -> None:
        self.builder = _Builder()
        self.parser = etree.HTMLParser(  # type: ignore[call-overload]  # the stub asks for all methods
            target=self.builder, encoding="utf-8", huge_tree=True
        )


_parsing = _Parsing()
