"""Tracked opens: the images of a document are asked for at our address when it is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from smtpeter.transform.identifier import NUMBERS
from smtpeter.transform.links import target
from smtpeter.transform.markup import Document, at_the_end
from smtpeter.transform.starttag import (
    NO_TRACK,
    attribute,
    attribute_value,
    with_value,
    without_mark,
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


def rewrite_images(
    document: Document, image: Callable[[Image], str | None], *, first: int = 0
) -> Document:
    """
    Let images be asked for elsewhere. Nothing but the values of their `src` changes.

    Only absolute http and https addresses count, no others and no unresolved template tags.
    An image that has the attribute `data-smtpeter-no-track` stays, and loses the attribute.

    Args:
        image: gives the new address of an image, or None to let it be.
        first: the number of the first image; those of earlier parts of the message come before.
    """
    changed: dict[int, str] = {}
    number = first
    for tag, _ in document.tags({"img"}):
        source, opted_out = without_mark(document.tag(tag), NO_TRACK)
        if opted_out:
            changed[2 * tag + 1] = source
        src = attribute(source, "src")
        url = target(src.value) if src else None
        if not src or not url or number == NUMBERS:
            continue
        each = Image(number, url)
        number += 1
        if not opted_out and (address := image(each)):
            changed[2 * tag + 1] = with_value(source, src, address)
    return document.changed(changed)


def pixel_url(base: str, identifier: str) -> str:
    """
    The address of an invisible image; as of any tracked one, without a name of its own.

    Args:
        base: scheme and host of ours: `https://clicks.shop.example`.
    """
    return f"{base}/{identifier}.gif"


def with_pixel(document: Document, url: str) -> Document:
    """
    Add an invisible image of one pixel at the end of a document's body.

    It is for messages without any tracked image: only images say that a message is open.
    """
    style = "display:block;width:1px;height:1px;border:0"
    image = f'<img src={attribute_value(url)} width="1" height="1" alt="" style="{style}">'
    return at_the_end(document, image)
