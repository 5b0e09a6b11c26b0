"""Hosted images: files taken out of messages, each stored once, while somebody needs it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from attrs import field
from sqlalchemy import Connection, delete, exists, select

from smtpeter.store.statements import insert_missing, insert_or_raise
from smtpeter.store.tables import image_needs, images
from smtpeter.values import frozen


@frozen
class Image:
    """
    A picture as a browser gets it.

    Attributes:
        media_type: "image/png".
    """

    media_type: str
    octets: bytes = field(repr=False)

    @property
    def digest(self) -> str:
        """SHA-256 of the octets, hexadecimal."""
        return sha256(self.octets).hexdigest()


def keep(
    connection: Connection, kept: Iterable[Image], account_id: int, until: float, now: float
) -> None:
    """
    Store images that an account needs until then; those that are there are only kept longer.

    Of identical files with different media types the first decides.
    """
    by_digest = {each.digest: each for each in kept}
    if not by_digest:
        return
    ordered = sorted(by_digest)
    there = set(
        connection.execute(select(images.c.digest).where(images.c.digest.in_(ordered))).scalars()
    )
    new = [
        {
            "digest": digest,
            "media_type": by_digest[digest].media_type,
            "octets": by_digest[digest].octets,
            "created": now,
        }
        for digest in ordered
        if digest not in there
    ]
    if new:
        connection.execute(insert_missing(images), new)
    needs = [{"digest": digest, "account_id": account_id, "until": until} for digest in ordered]
    connection.execute(insert_or_raise(connection, image_needs, "until"), needs)


def image(connection: Connection, digest: str) -> Image | None:
    """The image with that digest; None when nobody needs it any more."""
    row = connection.execute(
        select(images.c.media_type, images.c.octets).where(images.c.digest == digest)
    ).one_or_none()
    return Image(row.media_type, row.octets) if row else None


def forget_old(connection: Connection, now: float) -> None:
    """Remove the images that nobody needs any more."""
    connection.execute(delete(image_needs).where(image_needs.c.until <= now))
    needed = exists().where(image_needs.c.digest == images.c.digest)
    connection.execute(delete(images).where(~needed))
