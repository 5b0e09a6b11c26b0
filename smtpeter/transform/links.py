"""Tracked links: hyperlinks of a document lead through us, and from us where they led."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import NamedTuple

from smtpeter.transform import weburl
from smtpeter.transform.identifier import NUMBERS
from smtpeter.transform.markup import Document, text_content
from smtpeter.transform.remembering import remembered
from smtpeter.transform.starttag import NO_TRACK, attribute, with_value, without_mark
from smtpeter.transform.weburl import WebURL

# Our own web server takes 16 KiB for the first line of a request.
LONGEST_URL = 8000

_UP_TO_THE_PATH = re.compile(r"[/\\?#]")
_ELEMENTS = frozenset({"a", "area"})
_LINKS = _ELEMENTS | {"/a", "/area"}
_TEMPLATE_TAGS = (
    ("{{", "}}"), ("{%", "%}"), ("{$", "}"), ("<%", "%>"), ("*|", "|*"), ("[[", "]]"),
)  # fmt: skip
_MAY_BE_TEMPLATE = re.compile(r"[{<*\[]")
# Shown as nothing; senders put them into names so that mail programs make no link of them.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))


class Link(NamedTuple):
    """
    A hyperlink to the web.

    Attributes:
        number: its place among those of the message, from 0.
        url: where it leads.
        label: what readers see of it, as plain text; empty for an image or an area, and where
            nobody asks for it.
    """

    number: int
    url: WebURL
    label: str


def rewrite_links(
    document: Document,
    link: Callable[[Link], str | None],
    *,
    preventscam: bool,
    leave: Iterable[str],
    first: int = 0,
) -> Document:
    """
    Let links lead elsewhere. Nothing but the values of their `href` changes.

    Only absolute http and https addresses count, no others and no unresolved template tags.
    A link that has the attribute `data-smtpeter-no-track` stays, and loses the attribute.

    Args:
        link: gives the new address of a link, or None to let it be.
        preventscam: whether a link stays whose label names the host it leads to.
        leave: addresses that stay, and names of hosts that all links to stay.
        first: the number of the first link; those of earlier parts of the message come before.
    """
    left = frozenset(map(_comparable, leave))
    changed: dict[int, str] = {}
    number = first
    for tag, label in _hyperlinks(document):
        source, opted_out = without_mark(document.tag(tag), NO_TRACK)
        if opted_out:
            changed[2 * tag + 1] = source
        href = attribute(source, "href")
        url = target(href.value) if href else None
        if not href or not url or number == NUMBERS:
            continue
        each = Link(number, url, label() if preventscam else "")
        number += 1
        if opted_out or url.host in left or url.requested in left:
            continue
        if preventscam and names_target(each):
            continue
        if address := link(each):
            changed[2 * tag + 1] = with_value(source, href, address)
    return document.changed(changed)


def names_target(link: Link) -> bool:
    """
    Whether the label of a link is an address or a name of the host that it leads to.

    A mail program that compares both would warn of the link if it led through us.
    """
    label = link.label.strip()
    if not label.isascii():
        label = label.translate(_INVISIBLE).strip()
    if " " in _UP_TO_THE_PATH.split(label, 1)[0]:  # in no name of a host
        return False
    named = weburl.parse(label)
    if named is None and "@" not in label:
        named = weburl.parse(f"http://{label}")
    return named is not None and named.host.rstrip(".") == link.url.host.rstrip(".")


def _hyperlinks(document: Document) -> Iterator[tuple[int, Callable[[], str]]]:
    """The number of each start tag of a link, with the text up to its end or the next link."""
    found = [*document.tags(_LINKS)]
    following = [*(number for number, _ in found[1:]), len(document.names)]
    for (number, name), until in zip(found, following, strict=False):
        if name in _ELEMENTS:
            yield number, partial(_label, document, number, until)


def _label(document: Document, tag: int, until: int) -> str:
    return "".join(map(text_content, document.pieces[2 * tag + 2 : 2 * until + 1 : 2]))


@remembered(1024)
def target(written: str) -> WebURL | None:
    """Read an address of a document; None for one that is not to be tracked."""
    if len(written) > LONGEST_URL or (_MAY_BE_TEMPLATE.search(written) and _has_template(written)):
        return None
    url = weburl.parse(written)
    return url if url and len(str(url)) <= LONGEST_URL else None


def _has_template(written: str) -> bool:
    return any(
        opening in written and closing in written.partition(opening)[2]
        for opening, closing in _TEMPLATE_TAGS
    )


def _comparable(left: str) -> str:
    """An address as the URL that is asked for, a name in lower case."""
    url = weburl.parse(left)
    return url.requested if url else left.lower()
