"""The stages that messages with HTML go through, as values: equal ones do the same."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache, partial
from typing import TYPE_CHECKING

from smtpeter.message.parts import Part
from smtpeter.transform.honeypot import honeypot_url, with_honeypot
from smtpeter.transform.hosting import Hosted, Image, host_images
from smtpeter.transform.links import Link, rewrite_links
from smtpeter.transform.marks import Marks
from smtpeter.transform.markup import Document
from smtpeter.transform.opens import Image as WebImage
from smtpeter.transform.opens import pixel_url, rewrite_images, with_pixel
from smtpeter.transform.rework import Body, with_html, with_plain
from smtpeter.transform.trackedurl import tracked_url
from smtpeter.transform.webversion import WORD, fill_in_html, fill_in_text, webversion_url
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

    def take_out(self, octets: bytes, root: Part, documents: Mapping[int, Document]) -> Hosted:
        return host_images(octets, root, documents, self._url)

    def _url(self, image: Image) -> str:
        return self.base + self.path(image.sha256, image.address_name)


@frozen
class InlineCss:
    """Style sheets become style attributes."""

    presentational: bool = False
    name: str = "inlinecss"
    seconds: float = 10.0

    def __call__(self, bodies: Sequence[Body], marks: Marks) -> list[Body]:  # noqa: ARG002
        inlined = partial(_inliner().inlined, presentational=self.presentational)
        return [with_html(body, inlined) for body in bodies]


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
        if not any(WORD in body.before.text for body in bodies):
            return list(bodies)
        url = webversion_url(self.base, marks.make("webversion", 0))
        fill_in = partial(fill_in_html, url=url), partial(fill_in_text, url=url)
        return [with_plain(with_html(body, fill_in[0]), fill_in[1]) for body in bodies]


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

        def led(document: Document) -> Document:
            return rewrite_links(
                document, lead, preventscam=self.preventscam, leave=self.leave, first=first
            )

        return [with_html(body, led) for body in bodies]


@frozen
class AddHoneypot:
    """A link is added that only programs find."""

    base: str
    name: str = "honeypot"
    seconds: float = 5.0

    def __call__(self, bodies: Sequence[Body], marks: Marks) -> list[Body]:
        def added(document: Document) -> Document:
            return with_honeypot(document, honeypot_url(self.base, marks.make("honeypot", 0)))

        return _with_first_html(bodies, added)


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
            with_html(body, lambda document: rewrite_images(document, show, first=first))
            for body in bodies
        ]

        def added(document: Document) -> Document:
            return with_pixel(document, pixel_url(self.base, marks.make("open", 0)))

        return changed if first else _with_first_html(changed, added)


def _with_first_html(bodies: Sequence[Body], change: Callable[[Document], Document]) -> list[Body]:
    """Change the first HTML of a message, if there is any."""
    first = next((place for place, body in enumerate(bodies) if body.is_html), len(bodies))
    return [
        with_html(body, change) if place == first else body for place, body in enumerate(bodies)
    ]
