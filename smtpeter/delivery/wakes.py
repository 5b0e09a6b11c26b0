"""When to look at which key again: one delayed call for all of them."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

_K = TypeVar("_K", bound=Any)  # can be put in order

# Keys that are woken before the reactor has its turn again.
AT_ONCE = 100
_STALE = 64


class WakeTimes(Generic[_K]):
    """The earliest time noted for each key."""

    def __init__(self) -> None:
        self._times: dict[_K, float] = {}
        self._heap: list[tuple[float, _K]] = []

    def __len__(self) -> int:
        return len(self._times)

    def note(self, key: _K, when: float) -> None:
        """Look at the key at this time, if not before."""
        known = self._times.get(key)
        if known is None or when < known:
            self._times[key] = when
            heapq.heappush(self._heap, (when, key))
            if len(self._heap) > 2 * len(self._times) + _STALE:
                self._heap = [(time, name) for name, time in self._times.items()]
                heapq.heapify(self._heap)

    def earliest(self) -> float | None:
        """The next time there is something to look at."""
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float) -> _K | None:
        """The key whose time came first, if it has come; it has no time any more."""
        when = self.earliest()
        if when is None or when > now:
            return None
        _, key = heapq.heappop(self._heap)
        del self._times[key]
        return key


class Alarm(Generic[_K]):
    """
    Wakes receivers when their time has come.

    Args:
        wake: is called with the name of a key.
        room: False while none can be woken; whoever makes room calls `resume`.
    """

    def __init__(
        self, clock: IReactorTime, wake: Callable[[_K], None], room: Callable[[], bool]
    ) -> None:
        self._clock = clock
        self._wake = wake
        self._room = room
        self._times: WakeTimes[_K] = WakeTimes()
        self._call: IDelayedCall | None = None
        self._stopped = False

    def __len__(self) -> int:
        return len(self._times)

    def note(self, key: _K, when: float) -> None:
        """Wake the key at this time, if not before."""
        self._times.note(key, when)
        self.resume()

    def resume(self) -> None:
        """See to it that those are woken whose time comes first."""
        earliest = self._times.earliest()
        if earliest is None or self._stopped or not self._room():
            return
        if self._call is not None:
            if self._call.getTime() <= earliest:
                return
            self._call.cancel()
        wait = max(0.0, earliest - self._clock.seconds())
        self._call = self._clock.callLater(wait, self._ring)

    def stop(self) -> None:
        """Wake nobody any more."""
        self._stopped = True
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _ring(self) -> None:
        self._call = None
        now = self._clock.seconds()
        for _ in range(AT_ONCE):
            key = self._times.take_due(now) if self._room() else None
            if key is None:
                break
            self._wake(key)
        self.resume()
