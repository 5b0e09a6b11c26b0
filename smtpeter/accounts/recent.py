"""What was found out a moment ago, kept for a moment."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Recent(Generic[Key, Value]):
    """
    A bounded mapping whose entries expire; when it is full, the oldest go first.

    Args:
        seconds: a clock that never goes back, such as `time.monotonic`.
    """

    def __init__(
        self, seconds: Callable[[], float], lifetime_seconds: float, max_entries: int
    ) -> None:
        self._seconds = seconds
        self._lifetime_seconds = lifetime_seconds
        self._max_entries = max_entries
        self._entries: dict[Key, tuple[float, Value]] = {}  # the oldest first

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, key: Key) -> Value | None:
        """What was put there, unless its time has passed."""
        entry = self._entries.get(key)
        if entry is None or self._expired(entry):
            return None
        return entry[1]

    def put(self, key: Key, value: Value, since: float | None = None) -> None:
        """Keep a value that was true at the time `since`, or is now."""
        self._entries.pop(key, None)  # so that it comes last
        self._entries[key] = (self._seconds() if since is None else since, value)
        self._drop_oldest()

    def _drop_oldest(self) -> None:
        while self._entries:
            oldest = next(iter(self._entries))
            if len(self._entries) <= self._max_entries and not self._expired(self._entries[oldest]):
                return
            del self._entries[oldest]

    def _expired(self, entry: tuple[float, Value]) -> bool:
        return self._seconds() - entry[0] >= self._lifetime_seconds
