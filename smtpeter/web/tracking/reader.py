"""The answers to readers: which of them, and what is noted of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from attrs import field
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from smtpeter.events.visit import Visit
from smtpeter.store.database import StoreError
from smtpeter.transform.identifier import Identified, Identifiers
from smtpeter.transform.trackedurl import Resolved, resolve
from smtpeter.values import frozen
from smtpeter.web.tracking import answers
from smtpeter.web.tracking.answers import Answer
from smtpeter.web.tracking.copies import Copies
from smtpeter.web.tracking.hosted import HostedImages, digest_in
from smtpeter.web.tracking.hosts import ReaderHosts

# Of what leads to no original: the pixel, and a link that is only there to be found.
NO_ORIGIN = 0
REDIRECTED = ("click", "honeypot")
ANSWERED = (*REDIRECTED, "open", "webversion")

_log = Logger()


class KnowsOrigins(Protocol):
    """The part of `smtpeter.origins.Origins` that is used."""

    def known(self, number: int) -> str | None: ...

    def text_of(self, number: int) -> Deferred[str | None]: ...


@frozen
class Tracking:
    """
    What the answers are made from.

    Attributes:
        note: takes a visit, and does not keep anybody waiting.
        web_version: gives the page of a message as HTML, None when there is none; may fail
            with `StoreError`.
    """

    hosts: ReaderHosts
    identifiers: Identifiers = field(repr=False)
    origins: KnowsOrigins
    copies: Copies
    hosted: HostedImages
    note: Callable[[Visit], None]
    web_version: Callable[[str], Deferred[str | None]]

    def resolve(self, target: bytes) -> Resolved | None:
        """What a request target asks for, None when nothing in it proves itself."""
        asked = resolve(target, self.identifiers.read)
        return asked if asked is not None and asked.identified.kind in ANSWERED else None

    def at_once(self, asked: Resolved) -> Answer | None:
        """The answer that needs no waiting: to a click, from memory. None for all others."""
        identified = asked.identified
        if identified.kind not in REDIRECTED:
            return None
        if identified.origin == NO_ORIGIN:
            return Answer(204, answers.REDIRECT)
        origin = self.origins.known(identified.origin)
        return None if origin is None else answers.redirect(origin + asked.rest)

    async def later(self, asked: Resolved) -> Answer:
        """The answer that may need the store, or somebody else's server."""
        try:
            return await self._later(asked.identified, asked.rest)
        except StoreError as error:
            _log.warn("a reader has to wait for the store: {error}", error=error)
            return answers.not_now()

    async def hosted_image(self, digest: str) -> Answer:
        """The answer to who asks for a hosted image at its own address."""
        try:
            found = await self.hosted.get(digest)
        except StoreError as error:
            _log.warn("a hosted image has to wait for the store: {error}", error=error)
            return answers.not_now()
        if found is None:
            return answers.nothing()
        return answers.image(found.media_type, found.octets, answers.HOSTED_IMAGE)

    async def _later(self, identified: Identified, rest: str) -> Answer:
        if identified.kind == "webversion":
            page = await self.web_version(identified.message_id)
            return answers.nothing() if page is None else answers.page(page)
        if identified.kind == "open" and identified.origin == NO_ORIGIN:
            return answers.image("image/gif", answers.PIXEL, answers.TRACKED_IMAGE)
        origin = await self.origins.text_of(identified.origin)
        if origin is None:
            return answers.nothing()
        if identified.kind == "open":
            return await self._image(origin + rest, rest)
        return answers.redirect(origin + rest)

    async def _image(self, url: str, path: str) -> Answer:
        """A copy of an image; one that we host ourselves needs no detour."""
        digest = digest_in(path)
        found = await self.hosted.get(digest) if digest else None
        shown = found or await self.copies.get(url)
        if shown is None:
            return answers.redirect(url)
        answer = answers.image(shown.media_type, shown.octets, answers.TRACKED_IMAGE)
        return answer._replace(original=url)
