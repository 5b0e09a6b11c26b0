"""The inliner: documents in, documents out, and what is remembered of their style sheets."""

from __future__ import annotations

import re
from collections import OrderedDict
from functools import lru_cache, partial
from threading import Lock
from typing import TypeAlias

from lxml import etree

from smtpeter.transform.inlinecss.document import (
    Source,
    StyleElement,
    elements,
    has_text,
    in_quirks_mode,
    read,
)
from smtpeter.transform.inlinecss.styled import NO_CHANGES, Styled
from smtpeter.transform.inlinecss.stylesheet import Sheet
from smtpeter.transform.markup import NO_INLINE, Edit, spliced, tags

_CACHE_OCTETS = 8 * 1024 * 1024
_STYLE = re.compile(r"<[sS][tT][yY][lL][eE]")
_EVERYWHERE = re.compile(r"\s*(?:all|screen)?\s*", re.IGNORECASE)
_CSS = re.compile(r"\s*(?:text/css)?\s*", re.IGNORECASE)

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
        """
        Put the styles of a document's style elements where its elements are.

        All else stays as it was. What cannot be moved stays in its style element.

        Args:
            presentational: also write `width`, `height`, `bgcolor`, `align` and `valign`.
        """
        if not presentational and not _STYLE.search(html) and NO_INLINE not in html.lower():
            return html
        try:
            return spliced(html, self._edits(html, read(html), presentational=presentational))
        except etree.LxmlError:
            return html

    def _edits(self, html: str, source: Source, *, presentational: bool) -> list[Edit]:
        styles = _sheets(html, source)
        styled = self._styled(
            html, tuple(sheet for _, sheet in styles), presentational=presentational
        )
        if styled.is_idle and NO_INLINE not in source.skeleton.lower():
            outcome = NO_CHANGES
        else:
            outcome = styled.outcome(elements(source), partial(has_text, html, source))
        edits: list[Edit] = []
        for change in outcome.changes:
            start, end = source.starts[change.number]
            edits.append(Edit(start, end, styled.rewritten(html[start:end], change)))
        for number, (element, sheet) in enumerate(styles):
            leftover = styled.leftover(number, outcome)
            if not leftover:
                edits.append(Edit(element.start, element.end, ""))
            elif leftover != sheet.text:
                edits.append(Edit(element.content, element.content_end, leftover))
        return edits

    def _styled(self, html: str, sheets: tuple[Sheet, ...], *, presentational: bool) -> Styled:
        """What is known of these sheets, the oldest forgotten where there is too much of it."""
        caseless = in_quirks_mode(html)
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


def _sheets(html: str, source: Source) -> list[tuple[StyleElement, Sheet]]:
    """The style elements that are ours to read."""
    styles: list[tuple[StyleElement, Sheet]] = []
    for element in source.styles:
        readable, movable = _of_style(html[element.start : element.content])
        if readable:
            text = html[element.content : element.content_end]
            styles.append((element, Sheet(text, movable)))
    return styles


@lru_cache(maxsize=256)
def _of_style(source: str) -> tuple[bool, bool]:
    """Whether what follows a start tag is for us to read, and whether it always applies."""
    tag = next(tags(source))
    kind, media = tag.get("type"), tag.get("media")
    return (
        not tag.get(NO_INLINE) and (kind is None or _CSS.fullmatch(kind.value) is not None),
        media is None or _EVERYWHERE.fullmatch(media.value) is not None,
    )
