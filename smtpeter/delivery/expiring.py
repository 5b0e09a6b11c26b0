"""A bounded memory of things that hold good for a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Expiring(Generic[K, V]):
    """
    A mapping that forgets: what has expired, and beyond its bound what was not used longest.

    Args:
        entries: how many are kept at most.
    """

    def __init__(self, clock: IReactorTime, entries: int) -> None:
        self._clock = clock
        self._entries = entries
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        expires, value = self._kept.get(key, (0.0, None))
        if value is None:
            return None
        if expires <= self._clock.seconds():
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return value

    def put(self, key: K, value: V, seconds: float) -> None:
        """Remember a value for `seconds`. None is no value."""
        self._kept[key] = (self._clock.seconds() + seconds, value)
        self._kept.move_to_end(key)
        while len(self._kept) > self._entries:
            self._kept.popitem(last=False)
