"""The stages that messages with HTML go through, as values: equal ones do the same."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TYPE_CHECKING

from smtpeter.transform.hosting import HostedImage, Image, host_images
from smtpeter.transform.links import Link, rewrite_links
from smtpeter.transform.marks import Marks
from smtpeter.transform.opens import Image as WebImage
from smtpeter.transform.opens import pixel_url, rewrite_images, with_pixel
from smtpeter.transform.rework import Body, with_text
from smtpeter.transform.trackedurl import tracked_url
from smtpeter.transform.webversion import (
    fill_in_html,
    fill_in_text,
    wants_webversion,
    webversion_url,
)
from smtpeter.values import frozen

if TYPE_CHECKING:
    from smtpeter.transform.inlinecss import Inliner


@frozen
class HostImages:
    """
    Embedded images become images that are asked for.

    Attributes:
        base: scheme and host of ours.
        path: of an image there, for its SHA-256 and its name; a function of a module.
    """

    base: str
    path: Callable[[str, str], str]
    name: str = "images"
    seconds: float = 5.0

    def take_out(self, octets: bytes) -> tuple[bytes, tuple[HostedImage, ...]]:
        hosted = host_images(octets, self._url)
        return hosted.octets, hosted.images

    def _url(self, image: Image) -> str:
        return self.base + self.path(image.sha256, image.address_name)


@frozen
class InlineCss:
    """Style sheets become style attributes."""

    presentational: bool = False
    name: str = "inlinecss"
    seconds: float = 10.0

    def __call__(self, bodies: Sequence[Body], marks: Marks) -> list[Body]:  # noqa: ARG002
        return [self._inlined(body) if body.is_html else body for body in bodies]

    def _inlined(self, body: Body) -> Body:
        text = _inliner().inline(body.text, presentational=self.presentational)
        return with_text(body, text)


@cache
def _inliner() -> Inliner:
    """One for the process: it remembers style sheets."""
    # Only workers need it, and all that it brings along.
    from smtpeter.transform.inlinecss import Inliner  # noqa: PLC0415

    return Inliner()


@frozen
class FillInWebVersion:
    """Places for the address of the web version get it."""

    base: str
    name: str = "webversion"
    seconds: float = 5.0

    def __call__(self, bodies: Sequence[Body], marks: Marks) -> list[Body]:
        if not any(wants_webversion(body.text) for body in bodies):
            return list(bodies)
        url = webversion_url(self.base, marks.make("webversion", 0))
        return [
            with_text(body, (fill_in_html if body.is_html else fill_in_text)(body.text, url))
            for body in bodies
        ]


@frozen
class TrackLinks:
    """
    Links lead through us.

    Attributes:
        base: scheme and host of ours; what is ours already stays.
        leave: see `rewrite_links`.
    """

    base: str
    preventscam: bool = False
    leave: frozenset[str] = frozenset()
    name: str = "trackclicks"
    seconds: float = 5.0

    def __call__(self, bodies: Sequence[Body], marks: Marks) -> list[Body]:
        first = 0
        ours = (f"{self.base}/images/", webversion_url(self.base, ""))

        def lead(link: Link) -> str | None:
            nonlocal first
            if str(link.url).startswith(ours):
                return None
            first = link.number + 1
            mark = marks.make("click", link.number, link.url.origin)
            return tracked_url(self.base, link.url, mark)

        changed = []
        for body in bodies:
            text = body.text
            if body.is_html:
                text = rewrite_links(
                    text, lead, preventscam=self.preventscam, leave=self.leave, first=first
                )
            changed.append(with_text(body, text))
        return changed


@frozen
class TrackOpens:
    """Images are asked for at our address; where there are none, an invisible one is added."""

    base: str
    name: str = "trackopens"
    seconds: float = 5.0

    def __call__(self, bodies: Sequence[Body], marks: Marks) -> list[Body]:
        first = 0

        def show(image: WebImage) -> str:
            nonlocal first
            first = image.number + 1
            mark = marks.make("open", image.number, image.url.origin)
            return tracked_url(self.base, image.url, mark, keep_extension=True)

        changed = [
            with_text(body, rewrite_images(body.text, show, first=first)) if body.is_html else body
            for body in bodies
        ]
        if first == 0:
            for place, body in enumerate(changed):
                if body.is_html:
                    pixel = pixel_url(self.base, marks.make("open", 0))
                    changed[place] = with_text(body, with_pixel(body.text, pixel))
                    break
        return changed
