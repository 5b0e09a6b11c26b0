"""Tracked opens: the images of a document are asked for at our address when it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from smtpeter.transform.identifier import NUMBERS
from smtpeter.transform.links import target
from smtpeter.transform.markup import (
    NO_TRACK,
    Edit,
    attribute_value,
    removal,
    spliced,
    tags,
)
from smtpeter.transform.weburl import WebURL


class Image(NamedTuple):
    """
    An image from the web.

    Attributes:
        number: its place among those of the message, from 0.
        url: where it is.
    """

    number: int
    url: WebURL


def rewrite_images(html: str, image: Callable[[Image], str | None], *, first: int = 0) -> str:
    """
    Let images be asked for elsewhere. Nothing but the values of their `src` changes.

    Only absolute http and https addresses count, no others and no unresolved template tags.
    An image that has the attribute `data-smtpeter-no-track` stays, and loses the attribute.

    Args:
        image: gives the new address of an image, or None to let it be.
        first: the number of the first image; those of earlier parts of the message come before.
    """
    edits: list[Edit] = []
    number = first
    for tag in tags(html, {"img"}):
        if tag.closing:
            continue
        opted_out = tag.get(NO_TRACK)
        if opted_out:
            edits.append(removal(html, opted_out))
        src = tag.get("src")
        url = target(src.value) if src else None
        if not src or not url or number == NUMBERS:
            continue
        each = Image(number, url)
        number += 1
        if not opted_out and (address := image(each)):
            value = attribute_value(address, src.quote)
            edits.append(Edit(src.value_start, src.value_end, value))
    return spliced(html, edits)


def pixel_url(base: str, identifier: str) -> str:
    """
    The address of an invisible image; as of any tracked one, without a name of its own.

    Args:
        base: scheme and host of ours: `https://clicks.shop.example`.
    """
    return f"{base}/{identifier}.gif"


def with_pixel(html: str, url: str) -> str:
    """
    Add an invisible image of one pixel at the end of a document's body.

    It is for messages without any tracked image: only images say that a message is open.
    """
    place = _end_of_body(html)
    style = "display:block;width:1px;height:1px;border:0"
    image = f'<img src={attribute_value(url)} width="1" height="1" alt="" style="{style}">'
    return spliced(html, [Edit(place, place, image)])


def _end_of_body(html: str) -> int:
    """Where something may stand as the last of the body, and be a tag."""
    ends = {tag.name: tag.start for tag in tags(html, {"body", "html"}) if tag.closing}
    for name in ("body", "html"):
        if name in ends:
            return ends[name]
    # A comment or a style sheet that never ends takes in all that follows it.
    *_, last = (0, 0), *((tag.start, tag.end) for tag in tags(html))
    return next(place for place in (len(html), *reversed(last)) if _takes_tags(html[:place]))


def _takes_tags(text: str) -> bool:
    return any(tag.start == len(text) for tag in tags(f"{text}<br>", {"br"}))
