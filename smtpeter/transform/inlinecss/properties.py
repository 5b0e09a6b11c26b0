"""Which properties a declaration sets, and whether every client takes its value."""

from __future__ import annotations

import logging
import re

import cssutils  # type: ignore[import-untyped]

from smtpeter.transform.remembering import remembered

_SIDES = ("top", "right", "bottom", "left")
_BORDER = ("width", "style", "color")
_CORNERS = ("top-left", "top-right", "bottom-right", "bottom-left")


def _each(pattern: str, *words: str) -> tuple[str, ...]:
    return tuple(pattern.format(word) for word in words)


_BORDERS = {side: _each(f"border-{side}-{{}}", *_BORDER) for side in _SIDES}
_BORDER_IMAGE = _each("border-image-{}", "source", "slice", "width", "outset", "repeat")
_VARIANTS = _each(
    "font-variant-{}", "alternates", "caps", "east-asian", "ligatures", "numeric", "position"
)

_PARTS: dict[str, tuple[str, ...]] = {
    "margin": _each("margin-{}", *_SIDES),
    "padding": _each("padding-{}", *_SIDES),
    "inset": _SIDES,
    "border": (*(part for parts in _BORDERS.values() for part in parts), *_BORDER_IMAGE),
    **{f"border-{side}": parts for side, parts in _BORDERS.items()},
    **{f"border-{part}": _each(f"border-{{}}-{part}", *_SIDES) for part in _BORDER},
    "border-image": _BORDER_IMAGE,
    "border-radius": _each("border-{}-radius", *_CORNERS),
    "background": (
        *_each("background-{}", "attachment", "clip", "color", "image", "origin", "repeat", "size"),
        *_each("background-position-{}", "x", "y"),
    ),
    "background-position": _each("background-position-{}", "x", "y"),
    "font": (
        *_each("font-{}", "family", "size", "stretch", "style", "weight", "size-adjust"),
        *_each("font-{}", "kerning", "feature-settings", "optical-sizing", "variation-settings"),
        *_VARIANTS,
        "line-height",
    ),
    "font-variant": _VARIANTS,
    "list-style": _each("list-style-{}", "image", "position", "type"),
    "outline": _each("outline-{}", *_BORDER),
    "text-decoration": _each("text-decoration-{}", "line", "style", "color", "thickness"),
    "text-emphasis": _each("text-emphasis-{}", "style", "color"),
    "overflow": _each("overflow-{}", "x", "y"),
    "flex": _each("flex-{}", "grow", "shrink", "basis"),
    "flex-flow": _each("flex-{}", "direction", "wrap"),
    "columns": _each("column-{}", "count", "width"),
    "column-rule": _each("column-rule-{}", *_BORDER),
    "gap": ("row-gap", "column-gap"),
    "grid-gap": ("row-gap", "column-gap"),
    "place-content": ("align-content", "justify-content"),
    "place-items": ("align-items", "justify-items"),
    "place-self": ("align-self", "justify-self"),
    "transition": _each("transition-{}", "delay", "duration", "property", "timing-function"),
    "animation": _each(
        "animation-{}",
        *("delay", "direction", "duration", "fill-mode", "iteration-count", "name"),
        *("play-state", "timing-function"),
    ),
    "word-wrap": ("overflow-wrap",),
}
_COVERS = {name: frozenset(parts) for name, parts in _PARTS.items()}

_WIDE = frozenset({"inherit", "initial", "unset"})
_MOST_CHARACTERS = 160
_MOST_WORDS = 10
_WORD = re.compile(r"[\s,/()]+")
# What CSS 2.1 has, or cssutils takes for it, and browsers do not.
_MISJUDGED = re.compile(r"(?<![\w#])-[\d.]|\b(?:run-in|marker|compact)\b", re.IGNORECASE)
_MAY_BE_NEGATIVE = ("margin", "text-indent", "letter-", "word-", "z-index", "top", "left")

cssutils.log.setLevel(logging.CRITICAL + 1)  # its complaints are no news of ours


@remembered(4096)
def covered(name: str) -> frozenset[str]:
    """The longhands that a property sets; a longhand sets itself."""
    return _COVERS.get(name) or frozenset((name,))


def is_plain(name: str, value: str) -> bool:
    """
    True when the value is known to be valid, so that it overrides for every reader.

    False says only that nothing is known of it: a mistake, or newer than the readers are.
    """
    if len(value) > _MOST_CHARACTERS:
        return False
    return _judged(name, value)


@remembered(4096)
def _judged(name: str, value: str) -> bool:
    if name.startswith("mso-") or value.lower() in _WIDE:
        return True
    # the patterns of cssutils take exponential time over many words that do not fit
    if len(_WORD.split(value)) > _MOST_WORDS:
        return False
    if _MISJUDGED.search(value) and not name.startswith(_MAY_BE_NEGATIVE):
        return False
    return bool(cssutils.profile.validateWithProfile(name, value)[1])
