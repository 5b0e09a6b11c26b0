"""Takes embedded images out of a message; its HTML asks for them at an address instead."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp
from collections.abc import Callable, Container, Iterator, Mapping
from functools import partial
from hashlib import sha256

from attrs import field

from smtpeter.message.parts import Part, body_parts, is_protected, parse
from smtpeter.transform.bodytext import BodyText, OctetEdit, decoded, edits_for
from smtpeter.transform.cids import Reference, mentions, references, with_addresses
from smtpeter.transform.markup import Edit, spliced
from smtpeter.transform.removal import without_parts
from smtpeter.values import frozen

_IMAGE = re.compile(r"image/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}\Z")  # RFC 6838 section 4.2
_AS_IT_IS = frozenset({"7bit", "8bit", "binary"})
_UNUSUAL = re.compile(r"[^A-Za-z0-9._-]+")
_NAME_CHARACTERS = 60
# No message that somebody wrote speaks of its parts this often.
_MENTIONS = 1000


@frozen
class Image:
    """
    An image that came within a message.

    Attributes:
        media_type: such as "image/png".
        filename: as the message has it, "" for none.
        octets: decoded.
        sha256: of the octets, in hexadecimal; the same for identical files.
    """

    content_id: str
    media_type: str
    filename: str
    octets: bytes = field(repr=False)
    sha256: str

    @property
    def address_name(self) -> str:
        """A name for the end of an address: ASCII, without blanks and slashes, never empty."""
        name = re.split(r"[/\\]", self.filename or self.content_id.partition("@")[0])[-1]
        return _UNUSUAL.sub("-", name)[-_NAME_CHARACTERS:].strip("-.") or "image"


@frozen
class HostedImage:
    """An image, and the address that stands for it now."""

    image: Image
    url: str


@frozen
class Hosted:
    """A message without its images, and these in the order in which they stood."""

    octets: bytes = field(repr=False)
    images: tuple[HostedImage, ...] = ()


def host_images(octets: bytes, url: Callable[[Image], str | None]) -> Hosted:
    """
    Take out the images that the HTML of a message shows by their Content-ID.

    All references to such an image become its address, and the part goes with its boundary
    line. A multipart/related that is left with one part becomes that part. An image that is
    spoken of anywhere else in the HTML stays embedded, as do all images of a message that is
    signed or encrypted. Never fails.

    Args:
        url: gives the address of an image, None to leave it where it is.
    """
    root = parse(octets)
    if not any(map(_is_image, root.walk())) or is_protected(root):
        return Hosted(octets)
    bodies = _bodies(octets, root)
    shown = _only_shown(root, bodies)
    images = {
        part.start: image
        for part in root.walk()
        if part.start in shown and (image := _image(octets, part)) is not None
    }
    kept = _last_of_their_multipart(root, images)
    hosted = {
        start: HostedImage(image, address)
        for start, image in images.items()
        if start not in kept and (address := url(image)) is not None
    }
    if not hosted:
        return Hosted(octets)
    edits = _references_edits(octets, bodies, hosted)
    return Hosted(without_parts(octets, root, hosted, edits), tuple(hosted.values()))


@frozen
class _Body:
    """An HTML part, its text, and the images that it may refer to by their Content-ID."""

    part: Part
    before: BodyText
    references: tuple[Reference, ...]
    images: Mapping[str, Part]

    def image(self, reference: Reference) -> Part | None:
        found = (self.images.get(each) for each in reference.content_ids())
        return next(filter(None, found), None)


def _bodies(octets: bytes, root: Part) -> list[_Body]:
    """The HTML of a message; none when a part cannot be read, for it may show anything."""
    bodies = []
    for part in body_parts(root):
        before = decoded(octets, part)
        if before is None:
            return []
        found = tuple(references(before.text))
        bodies.append(_Body(part, before, found, _images_near(root, part)))
    return bodies


def _images_near(root: Part, body: Part) -> dict[str, Part]:
    """Images by Content-ID; of several with one, the nearest counts (RFC 2387 section 3.4)."""
    around = [root]
    while around[-1] is not body:
        around.append([child for child in around[-1].children if child.start <= body.start][-1])
    near: dict[str, Part] = {}
    for multipart in reversed(around):
        for part in filter(_is_image, multipart.walk()):
            near.setdefault(part.content_id, part)
    return near


def _is_image(part: Part) -> bool:
    return bool(part.content_id) and _IMAGE.match(part.media_type) is not None


def _only_shown(root: Part, bodies: list[_Body]) -> set[int]:
    """The images that are shown somewhere, and spoken of nowhere else, by their start."""
    shown: set[int] = set()
    spoken_of: set[str] = set()
    for body in bodies:
        html = body.before.text
        found = [(each, part) for each in body.references if (part := body.image(each))]
        shown.update(part.start for _, part in found)
        spoken_of |= mentions(spliced(html, [Edit(each.start, each.end, "") for each, _ in found]))
    if len(spoken_of) > _MENTIONS:
        return set()
    return {
        part.start
        for part in root.walk()
        if part.start in shown and not any(each.startswith(part.content_id) for each in spoken_of)
    }


def _image(octets: bytes, part: Part) -> Image | None:
    """Decode an image; None when that cannot be, or nothing comes out."""
    body = octets[part.body : part.end]
    try:
        if part.encoding == "base64":
            body = a2b_base64(body)
        elif part.encoding == "quoted-printable":
            body = a2b_qp(body)
        elif part.encoding not in _AS_IT_IS:
            return None
    except Error:
        return None
    if not body:
        return None
    return Image(part.content_id, part.media_type, part.filename, body, sha256(body).hexdigest())


def _last_of_their_multipart(root: Part, images: Container[int]) -> set[int]:
    """Images without which their multipart would have no part, which it must (RFC 2046 5.1.1)."""
    return {
        child.start
        for part in root.walk()
        if all(child.start in images for child in part.children)
        for child in part.children
    }


def _references_edits(
    octets: bytes, bodies: list[_Body], hosted: Mapping[int, HostedImage]
) -> Iterator[OctetEdit]:
    """The edits that write addresses in the place of references."""

    def url(body: _Body, reference: Reference) -> str | None:
        part = body.image(reference)
        return hosted[part.start].url if part is not None and part.start in hosted else None

    for body in bodies:
        html = with_addresses(body.before.text, body.references, partial(url, body))
        yield from edits_for(octets, body.part, body.before, html)
