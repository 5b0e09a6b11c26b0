"""Hosted images: where they are, and how they get there from the store."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections import OrderedDict
from urllib.parse import quote

from smtpeter.store import images
from smtpeter.store.images import Image
from smtpeter.store.store import Store

CACHE_OCTETS = 32 * 1024 * 1024

_PATH = re.compile(r"/images/([A-Za-z0-9_-]{43})/[^/?]+(?:\?.*)?\Z")


def image_path(digest: str, filename: str) -> str:
    """
    The path of a hosted image.

    It is the same for identical files, so that a browser fetches each once. Nobody can make
    it up who does not have the file.

    Args:
        digest: SHA-256 of the octets, hexadecimal.
    """
    token = urlsafe_b64encode(bytes.fromhex(digest)).decode("ascii").rstrip("=")
    return f"/images/{token}/{quote(filename or 'image', safe='')}"


def digest_in(target: str) -> str | None:
    """The digest of the image that a path, with or without a query, names; else None."""
    match = _PATH.match(target)
    return urlsafe_b64decode(match[1] + "=").hex() if match else None


class HostedImages:
    """The images of the store, with those that were asked for last in memory."""

    def __init__(self, store: Store, cache_octets: int = CACHE_OCTETS) -> None:
        self._store = store
        self._limit = cache_octets
        self._octets = 0
        self._kept: OrderedDict[str, Image] = OrderedDict()

    async def get(self, digest: str) -> Image | None:
        """
        An image, None when there is none.

        Raises:
            StoreError: the store cannot be asked.
        """
        if digest in self._kept:
            self._kept.move_to_end(digest)
            return self._kept[digest]
        found = await self._store.read(images.image, digest)
        if found is not None and digest not in self._kept:
            self._keep(digest, found)
        return found

    def _keep(self, digest: str, image: Image) -> None:
        self._kept[digest] = image
        self._octets += len(image.octets)
        while self._octets > self._limit:
            _, oldest = self._kept.popitem(last=False)
            self._octets -= len(oldest.octets)
