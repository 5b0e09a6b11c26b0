"""Answers that many ask for at once: looked up one time for all, and remembered for a while."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from smtpeter.expiring import Expiring
from smtpeter.sharing import Shared

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Lookups(Generic[K, V]):
    """
    Asks for what it does not know, and remembers the answer; an error goes to all who wait.

    Args:
        look_up: gives the answer to a key.
        monotonic: a clock that never goes back.
        entries: how many answers are kept at most.
        seconds: how long an answer holds.
    """

    def __init__(
        self,
        look_up: Callable[[K], Awaitable[V]],
        monotonic: Callable[[], float],
        entries: int,
        seconds: float,
    ) -> None:
        self._look_up = look_up
        self._seconds = seconds
        # in tuples, since None is an answer too
        self._known: Expiring[K, tuple[V]] = Expiring(monotonic, entries)
        self._under_way: Shared[K, V] = Shared(0, _weightless)

    def known(self, key: K) -> V | None:
        """The answer to a key as far as it is remembered, else None."""
        known = self._known.get(key)
        return None if known is None else known[0]

    async def get(self, key: K) -> V:
        """The answer to a key; fails as looking it up fails."""
        known = self._known.get(key)
        if known is not None:
            return known[0]
        return await self._under_way.get(key, lambda: self._ask(key))

    async def _ask(self, key: K) -> V:
        answer = await self._look_up(key)
        self._known.put(key, (answer,), self._seconds)
        return answer


def _weightless(_: object) -> int:
    """More than nothing, so that the other memory keeps nothing."""
    return 1
