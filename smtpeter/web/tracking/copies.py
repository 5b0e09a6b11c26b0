"""Copies of the images that messages show: fetched when first asked for, kept for a while."""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Protocol

from attrs import field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from smtpeter.fetching import Fetched, FetchFailed
from smtpeter.values import frozen

MAX_OCTETS = 5 * 1024 * 1024
CACHE_OCTETS = 64 * 1024 * 1024
CACHE_ENTRIES = 10_000
FETCHES_AT_ONCE = 16
# For an image of which its server says nothing.
DEFAULT_SECONDS = 3600.0
LONGEST_SECONDS = 7 * 86_400.0
# A server that fails is left alone for so long.
FAILURE_SECONDS = 60.0

_DIRECTIVE = re.compile(r'([a-z-]+)(?:\s*=\s*"?([0-9]+))?', re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"image/[ -~]{1,100}\Z")
# What an entry takes besides its octets.
_OVERHEAD_OCTETS = 1000


class Fetches(Protocol):
    """The part of `smtpeter.fetching.Fetcher` that is used."""

    def fetch(self, url: str, max_octets: int, media_type: str) -> Deferred[Fetched]: ...


@frozen
class Copy:
    """An image as its server gave it."""

    media_type: str
    octets: bytes = field(repr=False)


class Copies:
    """A cache of images, bounded in octets; images that cannot be had are remembered too."""

    _log = Logger()

    def __init__(
        self, fetcher: Fetches, clock: IReactorTime, cache_octets: int = CACHE_OCTETS
    ) -> None:
        self._fetcher = fetcher
        self._clock = clock
        self._limit = cache_octets
        self._octets = 0
        self._kept: OrderedDict[str, tuple[Copy | None, float]] = OrderedDict()
        self._fetching: dict[str, list[Deferred[Copy | None]]] = {}

    def get(self, url: str) -> Deferred[Copy | None]:
        """The image of a URL; None when it cannot be had now. Never fails."""
        got: Deferred[Copy | None] = Deferred()
        kept = self._kept.get(url)
        if kept is not None and kept[1] > self._clock.seconds():
            self._kept.move_to_end(url)
            got.callback(kept[0])
        elif url in self._fetching:
            self._fetching[url].append(got)
        elif len(self._fetching) >= FETCHES_AT_ONCE:
            got.callback(None)
        else:
            self._fetching[url] = [got]
            Deferred.fromCoroutine(self._fetch(url)).addErrback(self._failed, url)
        return got

    async def _fetch(self, url: str) -> None:
        try:
            fetched = await self._fetcher.fetch(url, MAX_OCTETS, "image/")
        except FetchFailed as error:
            self._log.info("no copy of {url}: {error}", url=url, error=error)
            self._answer(url, None, FAILURE_SECONDS)
            return
        media_type = fetched.headers["content-type"].strip()
        if _MEDIA_TYPE.match(media_type):
            copy = Copy(media_type, fetched.octets)
            self._answer(url, copy, lifetime_seconds(fetched.headers))
        else:
            self._answer(url, None, FAILURE_SECONDS)

    def _failed(self, failure: Failure, url: str) -> None:
        self._log.failure("no copy of {url} by a fault of ours", failure, url=url)
        self._answer(url, None, FAILURE_SECONDS)

    def _answer(self, url: str, copy: Copy | None, seconds: float) -> None:
        self._forget(url)
        if seconds > 0:
            self._keep(url, copy, self._clock.seconds() + seconds)
        for got in self._fetching.pop(url, []):
            got.callback(copy)

    def _keep(self, url: str, copy: Copy | None, until: float) -> None:
        self._kept[url] = (copy, until)
        self._octets += _size(url, copy)
        while self._octets > self._limit or len(self._kept) > CACHE_ENTRIES:
            self._forget(next(iter(self._kept)))

    def _forget(self, url: str) -> None:
        kept = self._kept.pop(url, None)
        if kept is not None:
            self._octets -= _size(url, kept[0])


def _size(url: str, copy: Copy | None) -> int:
    return _OVERHEAD_OCTETS + len(url) + (len(copy.octets) if copy else 0)


def lifetime_seconds(headers: Mapping[str, str]) -> float:
    """
    How long a shared cache may keep an answer (RFC 9111 section 4.2.1).

    Args:
        headers: of the answer; names in lower case.
    """
    said = {
        name.lower(): value for name, value in _DIRECTIVE.findall(headers.get("cache-control", ""))
    }
    if said.keys() & {"no-store", "no-cache", "private"}:
        return 0.0
    seconds = DEFAULT_SECONDS
    for directive in ("s-maxage", "max-age"):
        if said.get(directive):
            seconds = float(said[directive]) - _age_seconds(headers)
            break
    else:
        if "expires" in headers:
            seconds = _seconds_between(headers.get("date", ""), headers["expires"])
    return max(0.0, min(seconds, LONGEST_SECONDS))


def _age_seconds(headers: Mapping[str, str]) -> float:
    age = headers.get("age", "")
    return float(age) if age.isascii() and age.isdigit() else 0.0


def _seconds_between(begin: str, end: str) -> float:
    """An Expires that is no date has passed already (RFC 9111 section 5.3)."""
    try:
        return (parsedate_to_datetime(end) - parsedate_to_datetime(begin)).total_seconds()
    except (ValueError, TypeError):
        return 0.0
