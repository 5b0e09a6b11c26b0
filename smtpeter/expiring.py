"""A bounded memory of things that hold good for a time."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Expiring(Generic[K, V]):
    """
    A mapping that forgets: what has expired, and beyond its bound what was not used longest.

    Args:
        seconds: a clock, best one that never goes back, such as `time.monotonic`.
        entries: how many are kept at most.
    """

    def __init__(self, seconds: Callable[[], float], entries: int) -> None:
        self._seconds = seconds
        self._entries = entries
        # Those used longest ago come first; each with the time when it expires.
        self._kept: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: K) -> V | None:
        """What was put there, unless its time has passed."""
        entry = self._kept.get(key)
        if entry is None:
            return None
        expires, value = entry
        if expires <= self._seconds():
            del self._kept[key]
            return None
        self._kept.move_to_end(key)
        return value

    def put(self, key: K, value: V, seconds: float) -> None:
        """Remember a value for `seconds`."""
        now = self._seconds()
        self._kept[key] = (now + seconds, value)
        self._kept.move_to_end(key)
        while self._kept and (len(self._kept) > self._entries or self._oldest_expires() <= now):
            self._kept.popitem(last=False)

    def _oldest_expires(self) -> float:
        return next(iter(self._kept.values()))[0]
