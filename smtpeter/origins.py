"""Origins and their numbers, in memory: a link leads on while the store cannot be reached."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable

from twisted.internet.defer import Deferred

from smtpeter.store import origins
from smtpeter.store.store import Store

LIMIT = 100_000


class Origins:
    """
    Knows the origins that were used last; asks the store for others.

    Args:
        known: numbers and texts, the oldest first, as `store.origins.newest` gives them.
    """

    def __init__(
        self, store: Store, known: Iterable[tuple[int, str]] = (), limit: int = LIMIT
    ) -> None:
        self._store = store
        self._limit = limit
        self._texts: OrderedDict[int, str] = OrderedDict()
        self._numbers: dict[str, int] = {}
        for number, text in known:
            self._remember(number, text)

    def known(self, number: int) -> str | None:
        """The origin of a number, without a look into the store."""
        text = self._texts.get(number)
        if text is not None:
            self._texts.move_to_end(number)
        return text

    def text_of(self, number: int) -> Deferred[str | None]:
        """The origin of a number, None when there is none; fails with `StoreError`."""
        return Deferred.fromCoroutine(self._text_of(number))

    def numbers_of(self, texts: Collection[str]) -> Deferred[dict[str, int]]:
        """The number of each origin, a new one for a new origin; fails with `StoreError`."""
        return Deferred.fromCoroutine(self._numbers_of(texts))

    async def _text_of(self, number: int) -> str | None:
        text = self.known(number)
        if text is None:
            text = await self._store.read(origins.text_of, number)
            if text is not None:
                self._remember(number, text)
        return text

    async def _numbers_of(self, texts: Collection[str]) -> dict[str, int]:
        found = {text: number for text in texts if (number := self._numbers.get(text)) is not None}
        missing = [text for text in texts if text not in found]
        if missing:
            found |= await self._store.read(origins.known_numbers, missing)
            missing = [text for text in missing if text not in found]
        if missing:
            found |= await self._store.transact(origins.numbers_of, missing)
        for text, number in found.items():
            self._remember(number, text)
        return found

    def _remember(self, number: int, text: str) -> None:
        self._texts[number] = text
        self._texts.move_to_end(number)
        self._numbers[text] = number
        if len(self._texts) > self._limit:
            _, forgotten = self._texts.popitem(last=False)
            self._numbers.pop(forgotten, None)
