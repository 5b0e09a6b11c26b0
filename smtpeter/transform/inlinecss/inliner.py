"""The inliner: documents in, documents out, and what is remembered of their style sheets."""

from __future__ import annotations

import re
from collections import OrderedDict
from threading import Lock
from typing import TypeAlias

from lxml import etree

from smtpeter.transform.inlinecss.styled import NO_CHANGES, Styled, TooInvolved
from smtpeter.transform.inlinecss.stylesheet import Sheet
from smtpeter.transform.inlinecss.tree import (
    StyleElement,
    elements,
    in_quirks_mode,
    style_elements,
)
from smtpeter.transform.markup import Document, read
from smtpeter.transform.remembering import remembered
from smtpeter.transform.starttag import NO_INLINE, attribute

_CACHE_OCTETS = 8 * 1024 * 1024
# What start tags may have together, beside so many times the length of the document.
_GROWTH_CHARACTERS = 1024 * 1024
_GROWTH_TIMES = 8
_EVERYWHERE = re.compile(r"\s*(?:all|screen)?\s*", re.ASCII | re.IGNORECASE)
_CSS = re.compile(r"\s*(?:text/css)?\s*", re.ASCII | re.IGNORECASE)

# In quirks mode, with presentational attributes, and the sheets in order.
_Key: TypeAlias = tuple[bool, bool, tuple[Sheet, ...]]


class Inliner:
    """
    Moves styles into `style` attributes.

    Args:
        cache_octets: how much to remember of style sheets, about.
    """

    def __init__(self, cache_octets: int = _CACHE_OCTETS) -> None:
        self._cache_octets = cache_octets
        self._known: OrderedDict[_Key, Styled] = OrderedDict()
        self._lock = Lock()

    def inline(self, html: str, *, presentational: bool = False) -> str:
        """`inlined`, for a document in one piece; the very same text where nothing changes."""
        document = read(html)
        done = self.inlined(document, presentational=presentational)
        return html if done is document else str(done)

    def inlined(self, document: Document, *, presentational: bool = False) -> Document:
        """
        Put the styles of a document's style elements where its elements are.

        All else stays as it was. What cannot be moved stays in its style element.

        Args:
            presentational: also write `width`, `height`, `bgcolor`, `align` and `valign`.

        Raises:
            TooInvolved: it would take too long, or become too long.
        """
        if not presentational and "style" not in document.names and not _has_marks(document):
            return document
        try:
            return document.changed(self._changes(document, presentational=presentational))
        except etree.LxmlError:
            return document

    def _changes(self, document: Document, *, presentational: bool) -> dict[int, str]:
        styles = _sheets(document)
        styled = self._styled(
            document, tuple(sheet for _, sheet in styles), presentational=presentational
        )
        if styled.is_idle and not _has_marks(document):
            outcome = NO_CHANGES
        else:
            outcome = styled.outcome(document, elements(document))
        changes: dict[int, str] = {}
        room = _GROWTH_CHARACTERS + _GROWTH_TIMES * sum(map(len, document.pieces))
        for change in outcome.changes:
            changes[2 * change.number + 1] = text = styled.rewritten(
                document.tag(change.number), change
            )
            room -= len(text)
            if room < 0:
                raise TooInvolved("its styles make it too long")
        for number, (element, sheet) in enumerate(styles):
            leftover = styled.leftover(number, outcome)
            if not leftover:
                gone = (element.opening, element.content, element.closing)
                changes |= {piece: "" for piece in gone if piece is not None}
            elif leftover != sheet.text:
                changes[element.content] = leftover
        return changes

    def _styled(
        self, document: Document, sheets: tuple[Sheet, ...], *, presentational: bool
    ) -> Styled:
        """What is known of these sheets, the oldest forgotten where there is too much of it."""
        caseless = in_quirks_mode(document.begin)
        key = (caseless, presentational, sheets)
        with self._lock:
            styled = self._known.get(key)
            if styled is not None:
                self._known.move_to_end(key)
        if styled is None:
            styled = Styled(
                sheets,
                caseless=caseless,
                presentational=presentational,
                most_octets=self._cache_octets,
            )
        with self._lock:
            self._known[key] = styled
            octets = sum(each.octets for each in self._known.values())
            while octets > self._cache_octets:
                _, forgotten = self._known.popitem(last=False)
                octets -= forgotten.octets
        return styled


def _sheets(document: Document) -> list[tuple[StyleElement, Sheet]]:
    """The style elements that are ours to read."""
    styles: list[tuple[StyleElement, Sheet]] = []
    for element in style_elements(document):
        readable, movable = _of_style(document.pieces[element.opening])
        if readable:
            styles.append((element, Sheet(document.pieces[element.content], movable)))
    return styles


@remembered(256)
def _of_style(tag: str) -> tuple[bool, bool]:
    """Whether what follows a start tag is for us to read, and whether it always applies."""
    kind, media = attribute(tag, "type"), attribute(tag, "media")
    return (
        not attribute(tag, NO_INLINE) and (kind is None or _CSS.fullmatch(kind.value) is not None),
        media is None or _EVERYWHERE.fullmatch(media.value) is not None,
    )


def _has_marks(document: Document) -> bool:
    return any(NO_INLINE in tag.lower() for tag in document.pieces[1::2])
