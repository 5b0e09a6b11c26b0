"""Where the contents of messages on their way out come from: memory, else the store."""

from __future__ import annotations

from collections import OrderedDict

from twisted.internet.defer import Deferred, succeed

from smtpeter.message.content import Content
from smtpeter.sharing import Shared
from smtpeter.store import messages
from smtpeter.store.store import Store

CACHE_OCTETS = 32 * 1024 * 1024
LARGEST_CACHED_OCTETS = 1024 * 1024


class ContentSource:
    """
    Hands out stored contents.

    Most messages leave moments after they came. What was just stored is kept, as far as
    there is room, so that it need not be read back. What had to be read is kept as well, for
    the other messages of its submission.
    """

    def __init__(self, store: Store, limit_octets: int = CACHE_OCTETS) -> None:
        self._store = store
        self._limit_octets = limit_octets
        self._recent: OrderedDict[int, Content] = OrderedDict()
        self._recent_octets = 0
        self._being_read: Shared[int, Content | None] = Shared(0, lambda _: 1)

    def keep(self, key: int, content: Content) -> None:
        """Remember the content of a submission, in place of those longest unused."""
        octets = content.octets
        if octets > LARGEST_CACHED_OCTETS or key in self._recent:
            return
        self._recent[key] = content
        self._recent_octets += octets
        while self._recent_octets > self._limit_octets:
            _, oldest = self._recent.popitem(last=False)
            self._recent_octets -= oldest.octets

    def get(self, key: int) -> Deferred[Content | None]:
        """The content of a submission; None when it is kept no longer."""
        content = self._recent.get(key)
        if content is not None:
            self._recent.move_to_end(key)
            return succeed(content)
        reading = self._being_read.get(key, lambda: self._read(key))
        return Deferred.fromCoroutine(reading)

    async def _read(self, key: int) -> Content | None:
        content = await self._store.read(messages.load_content, key)
        if content is not None:
            self.keep(key, content)
        return content
