"""
Whether what arrived is what should have.

Mail is read by Python's own parsers here, and not by those of the service.
"""

import re
from collections.abc import Callable
from email import message_from_bytes
from email.message import Message
from html.parser import HTMLParser
from typing import Any

from bench.content import Maker
from bench.newsletter import PALETTE
from bench.sink import Kept

Check = Callable[[Kept, Maker], list[str]]

_STYLED = frozenset({"h1", "h2", "p", "td"})  # every design's sheet speaks of these
_PLACE = re.compile(r"webversion(?:}|%7D)", re.IGNORECASE)
_WEB_SCHEMES = ("http:", "https:")


class _Reading(HTMLParser):
    """Elements that were to be styled and are not; links, images, and all styles."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.bare = 0
        self.links: list[str] = []
        self.images: list[str] = []
        self.styles: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        style, link, image = (found.get(name) for name in ("style", "href", "src"))
        if style:
            self.styles.append(style)
        elif tag in _STYLED:
            self.bare += 1
        if tag == "a" and link:
            self.links.append(link)
        if tag == "img" and image:
            self.images.append(image)


def untouched(kept: Kept, maker: Maker) -> list[str]:
    """What is wrong with a message that was to be relayed as it is, below new header fields."""
    if kept.octets.endswith(_sent(kept, maker)):
        return []
    return [f"message {kept.message_id} is not what was sent"]


def with_web_version(kept: Kept, _maker: Maker) -> list[str]:
    """What is wrong with a message that went out with no feature on: this is filled in even so."""
    if _PLACE.search(_html(message_from_bytes(kept.octets))):
        return [f"message {kept.message_id}: the address of its web version is not filled in"]
    return []


class Transformed:
    """
    Checks messages that went out with all features on.

    Args:
        base: what tracked links begin with.
    """

    def __init__(self, base: str) -> None:
        self._ours = f"{base}/"
        self._hosted = f"{base}/images/"
        self._webversion = f"{base}/webversion/"

    def newsletter(self, kept: Kept, maker: Maker) -> list[str]:
        """What is wrong with a newsletter."""
        faults = self.monster(kept, maker)
        reading = _Reading(_html(message_from_bytes(kept.octets)))
        strangers = [each for each in reading.images if not each.startswith(self._ours)]
        if strangers:
            faults.append(f"{len(strangers)} images are elsewhere: {strangers[0]}")
        if sum(each.startswith(self._hosted) for each in reading.images) != 1:
            faults.append("the logo is not hosted")
        if b"content-id:" in kept.octets.lower() or b"cid:" in kept.octets:
            faults.append("the embedded image is still there")
        colours = [colour for colour in PALETTE if any(colour in style for style in reading.styles)]
        if len(colours) != 1 or not any("Georgia" in style for style in reading.styles):
            faults.append("the styles are not those of its sheet")
        return [f"message {kept.message_id}: {fault}" for fault in faults]

    def monster(self, kept: Kept, maker: Maker) -> list[str]:
        """What is wrong with any message with links and styles."""
        sent = _Reading(_html(message_from_bytes(_sent(kept, maker))))
        html = _html(message_from_bytes(kept.octets))
        reading = _Reading(html)
        faults: list[str] = []
        if reading.bare:
            faults.append(f"{reading.bare} elements have no style")
        if _PLACE.search(html):
            faults.append("the address of its web version is not filled in")
        if sum(each.startswith(self._webversion) for each in reading.links) != 1:
            faults.append("it does not lead to its web version")
        # where there is no image, one is added
        if len(reading.links) != len(sent.links) or len(reading.images) < len(sent.images):
            faults.append("links or images were lost")
        strangers = [each for each in reading.links if self._leads_elsewhere(each)]
        if strangers:
            faults.append(f"{len(strangers)} links are not tracked: {strangers[0]}")
        return faults

    def _leads_elsewhere(self, link: str) -> bool:
        """The link that unsubscribes stays as it is: it is also in List-Unsubscribe."""
        return (
            link.startswith(_WEB_SCHEMES)
            and not link.startswith(self._ours)
            and "/leave?" not in link
        )


def _sent(kept: Kept, maker: Maker) -> bytes:
    """The message as it was meant by who made it."""
    content = maker.content(kept.message_id)
    return content.removesuffix(b".\r\n").replace(b"\r\n..", b"\r\n.")


def _html(message: "Message[Any, Any]") -> str:
    for part in message.walk():
        if part.get_content_type() == "text/html":
            payload = part.get_payload(decode=True)
            if isinstance(payload, bytes):
                return payload.decode("utf-8", "replace")
    return ""
