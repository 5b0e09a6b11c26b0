"""When to look at which key again: one delayed call for all of them."""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, Generic, TypeVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime

_K = TypeVar("_K", bound=Any)  # can be put in order

# Keys that are woken before the reactor has its turn again. A message to somebody new takes
# milliseconds on its way: whoever begins with many of them makes turns in which nobody else is
# heard for long, and gets none of them delivered earlier.
AT_ONCE = 4
LOOKED_AHEAD = 200  # among those that are due, for others to take turns with
_STALE = 64


class WakeTimes(Generic[_K]):
    """The earliest time noted for each key."""

    def __init__(self) -> None:
        self._times: dict[_K, float] = {}
        self._heap: list[tuple[float, _K]] = []

    def __len__(self) -> int:
        return len(self._times)

    def __contains__(self, key: _K) -> bool:
        return key in self._times

    def note(self, key: _K, when: float) -> None:
        """Look at the key at this time, if not before."""
        known = self._times.get(key)
        if known is None or when < known:
            self._times[key] = when
            heapq.heappush(self._heap, (when, key))
            if len(self._heap) > 2 * len(self._times) + _STALE:
                self._heap = [(time, name) for name, time in self._times.items()]
                heapq.heapify(self._heap)

    def forget(self, key: _K) -> None:
        """It has no time any more."""
        self._times.pop(key, None)

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


class Rota(Generic[_K]):
    """
    Keys whose time has come. Those that share something take turns with all others.

    Args:
        shared: what a key has in common with others.
    """

    def __init__(self, shared: Callable[[_K], Hashable]) -> None:
        self._shared = shared
        self._rows: OrderedDict[Hashable, OrderedDict[_K, None]] = OrderedDict()
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __contains__(self, key: _K) -> bool:
        return key in self._rows.get(self._shared(key), ())

    def add(self, key: _K) -> None:
        """It is the last of its row."""
        if key not in self:
            self._rows.setdefault(self._shared(key), OrderedDict())[key] = None
            self._count += 1

    def take(self) -> _K:
        """The first of the row whose turn it is; there is one."""
        shared, row = next(iter(self._rows.items()))
        key, _ = row.popitem(last=False)
        self._count -= 1
        if row:
            self._rows.move_to_end(shared)
        else:
            del self._rows[shared]
        return key


class Alarm(Generic[_K]):
    """
    Wakes receivers when their time has come.

    Args:
        wake: is called with the name of a key.
        room: False while none can be woken; whoever makes room calls `resume`.
        shared: what a key has in common with others; of keys that are due at the same time, one
            of each kind is woken in turn.
    """

    def __init__(
        self,
        clock: IReactorTime,
        wake: Callable[[_K], None],
        room: Callable[[], bool],
        shared: Callable[[_K], Hashable] = lambda _: None,
    ) -> None:
        self._clock = clock
        self._wake = wake
        self._room = room
        self._times: WakeTimes[_K] = WakeTimes()
        self._due: Rota[_K] = Rota(shared)
        self._call: IDelayedCall | None = None
        self._stopped = False

    def __len__(self) -> int:
        return len(self._times) + len(self._due)

    def __contains__(self, key: _K) -> bool:
        return key in self._due or key in self._times

    def note(self, key: _K, when: float) -> None:
        """Wake the key at this time, if not before."""
        if when <= self._clock.seconds():
            self._times.forget(key)
            self._due.add(key)
        elif key not in self._due:
            self._times.note(key, when)
        self.resume()

    def resume(self) -> None:
        """See to it that those are woken whose time comes first."""
        now = self._clock.seconds()
        earliest = now if self._due else self._times.earliest()
        if earliest is None or self._stopped or not self._room():
            return
        if self._call is not None:
            if self._call.getTime() <= earliest:
                return
            self._call.cancel()
        self._call = self._clock.callLater(max(0.0, earliest - now), self._ring)

    def stop(self) -> None:
        """Wake nobody any more."""
        self._stopped = True
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _ring(self) -> None:
        self._call = None
        now = self._clock.seconds()
        for _ in range(LOOKED_AHEAD):
            key = self._times.take_due(now)
            if key is None:
                break
            self._due.add(key)
        try:
            for _ in range(AT_ONCE):
                if not self._due or not self._room():
                    break
                self._wake(self._due.take())
        finally:
            self.resume()
