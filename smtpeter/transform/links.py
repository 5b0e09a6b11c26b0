"""Tracked links: hyperlinks of a document lead through us, and from us where they led."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from smtpeter.transform import weburl
from smtpeter.transform.identifier import NUMBERS
from smtpeter.transform.markup import (
    NO_TRACK,
    Edit,
    Tag,
    attribute_value,
    removal,
    spliced,
    tags,
    text_content,
)
from smtpeter.transform.weburl import WebURL

# Our own web server takes 16 KiB for the first line of a request.
LONGEST_URL = 8000

_ELEMENTS = frozenset({"a", "area"})
_TEMPLATE_TAGS = (
    ("{{", "}}"), ("{%", "%}"), ("{$", "}"), ("<%", "%>"), ("*|", "|*"), ("[[", "]]"),
)  # fmt: skip
# Shown as nothing; senders put them into names so that mail programs make no link of them.
_INVISIBLE = dict.fromkeys(map(ord, "\u00ad\u200b\u200c\u200d\u2060\ufeff"))


class Link(NamedTuple):
    """
    A hyperlink to the web.

    Attributes:
        number: its place among those of the message, from 0.
        url: where it leads.
        label: what readers see of it, as plain text; empty for an image or an area.
    """

    number: int
    url: WebURL
    label: str


def rewrite_links(
    html: str,
    link: Callable[[Link], str | None],
    *,
    preventscam: bool,
    leave: Iterable[str],
    first: int = 0,
) -> str:
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
    edits: list[Edit] = []
    number = first
    for tag, label in _hyperlinks(html):
        opted_out = tag.get(NO_TRACK)
        if opted_out:
            edits.append(removal(html, opted_out))
        href = tag.get("href")
        url = target(href.value) if href else None
        if not href or not url or number == NUMBERS:
            continue
        each = Link(number, url, label)
        number += 1
        if opted_out or url.host in left or url.requested in left:
            continue
        if preventscam and names_target(each):
            continue
        if address := link(each):
            value = attribute_value(address, href.quote)
            edits.append(Edit(href.value_start, href.value_end, value))
    return spliced(html, edits)


def names_target(link: Link) -> bool:
    """
    Whether the label of a link is an address or a name of the host that it leads to.

    A mail program that compares both would warn of the link if it led through us.
    """
    label = link.label.translate(_INVISIBLE).strip()
    named = weburl.parse(label)
    if named is None and "@" not in label:
        named = weburl.parse(f"http://{label}")
    return named is not None and named.host.rstrip(".") == link.url.host.rstrip(".")


def _hyperlinks(html: str) -> Iterator[tuple[Tag, str]]:
    """Each start tag of a link, with the text that follows up to the end or the next link."""
    before: Tag | None = None
    for tag in tags(html, _ELEMENTS):
        if before:
            yield before, text_content(html[before.end : tag.start])
        before = None if tag.closing else tag
    if before:
        yield before, text_content(html[before.end :])


def target(written: str) -> WebURL | None:
    """Read an address of a document; None for one that is not to be tracked."""
    if len(written) > LONGEST_URL or any(
        opening in written and closing in written.partition(opening)[2]
        for opening, closing in _TEMPLATE_TAGS
    ):
        return None
    url = weburl.parse(written)
    return url if url and len(str(url)) <= LONGEST_URL else None


def _comparable(left: str) -> str:
    """An address as the URL that is asked for, a name in lower case."""
    url = weburl.parse(left)
    return url.requested if url else left.lower()
