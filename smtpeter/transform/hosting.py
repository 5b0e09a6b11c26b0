"""Takes embedded images out of a message; its HTML asks for them at an address instead."""

from __future__ import annotations

import re
from binascii import Error, a2b_base64, a2b_qp
from collections.abc import Callable, Container, Mapping
from hashlib import sha256

from attrs import field

from smtpeter.message.parts import Part, body_parts
from smtpeter.transform.cids import Reference, mentions, references, with_addresses
from smtpeter.transform.markup import Document
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
    """
    A message without its images, and these in the order in which they stood.

    Attributes:
        documents: its HTML as it is to be, in the order in which it stands.
    """

    octets: bytes = field(repr=False)
    documents: tuple[Document, ...]
    images: tuple[HostedImage, ...] = ()


def host_images(
    octets: bytes,
    root: Part,
    documents: Mapping[int, Document],
    url: Callable[[Image], str | None],
) -> Hosted:
    """
    Take out the images that the HTML of a message shows by their Content-ID.

    All references to such an image become its address, and the part goes with its boundary
    line. A multipart/related that is left with one part becomes that part. An image that is
    spoken of anywhere else in the HTML stays embedded, and all do where some HTML cannot be
    read: it may show anything.

    Args:
        root: of the message; nothing in it is signed or encrypted.
        documents: its HTML, by the start of each part, in order.
        url: gives the address of an image, None to leave it where it is.
    """
    as_it_is = Hosted(octets, tuple(documents.values()))
    if not any(map(_is_image, root.walk())):
        return as_it_is
    bodies = _bodies(root, documents)
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
        return as_it_is
    return Hosted(
        without_parts(octets, root, hosted),
        tuple(_with_addresses(body, hosted) for body in bodies),
        tuple(hosted.values()),
    )


@frozen
class _Body:
    """
    An HTML part.

    Attributes:
        images: that it may refer to by their Content-ID; of several with one, the nearest
            counts (RFC 2387 section 3.4): those of the innermost multipart come first.
    """

    document: Document = field(repr=False)
    references: tuple[Reference, ...]
    images: tuple[Mapping[str, Part], ...] = field(repr=False)

    def image(self, reference: Reference) -> Part | None:
        for content_id in reference.content_ids():
            for images in self.images:
                if content_id in images:
                    return images[content_id]
        return None


def _bodies(root: Part, documents: Mapping[int, Document]) -> list[_Body]:
    """The HTML of a message; none when a part of it could not be read."""
    parts = body_parts(root)
    if any(part.start not in documents for part in parts):
        return []
    images: dict[int, dict[str, Part]] = {}
    bodies = []
    for part in parts:
        document = documents[part.start]
        near = []
        for multipart in reversed(_around(root, part)):
            if multipart.start not in images:
                images[multipart.start] = _images_in(multipart)
            near.append(images[multipart.start])
        bodies.append(_Body(document, tuple(references(document)), tuple(near)))
    return bodies


def _around(root: Part, body: Part) -> list[Part]:
    """A part, and all that it is in; the outermost first."""
    around = [root]
    while around[-1] is not body:
        around.append([child for child in around[-1].children if child.start <= body.start][-1])
    return around


def _images_in(multipart: Part) -> dict[str, Part]:
    found: dict[str, Part] = {}
    for part in filter(_is_image, multipart.walk()):
        found.setdefault(part.content_id, part)
    return found


def _is_image(part: Part) -> bool:
    return bool(part.content_id) and _IMAGE.match(part.media_type) is not None


def _only_shown(root: Part, bodies: list[_Body]) -> set[int]:
    """The images that are shown somewhere, and spoken of nowhere else, by their start."""
    shown: set[int] = set()
    spoken_of: set[str] = set()
    for body in bodies:
        found = [(each, part) for each in body.references if (part := body.image(each))]
        shown.update(part.start for _, part in found)
        others = with_addresses(body.document, [each for each, _ in found], lambda _: "")
        spoken_of |= mentions(str(others))
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


def _with_addresses(body: _Body, hosted: Mapping[int, HostedImage]) -> Document:
    """Write addresses in the place of references."""

    def url(reference: Reference) -> str | None:
        part = body.image(reference)
        return hosted[part.start].url if part is not None and part.start in hosted else None

    return with_addresses(body.document, body.references, url)
