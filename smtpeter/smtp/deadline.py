"""One moment by which something must have happened, cheap to move."""

from __future__ import annotations

import math
from collections.abc import Callable

from twisted.internet.interfaces import IDelayedCall, IReactorTime


class Deadline:
    """
    Calls `expired` when a deadline passes.

    A conversation moves its deadline with every step. Instead of a delayed call for
    each, one is kept that looks, when it is due, whether the deadline has moved on.
    """

    def __init__(self, clock: IReactorTime, expired: Callable[[], None]) -> None:
        self._clock = clock
        self._expired = expired
        self._at = math.inf
        self._limit = math.inf
        self._call: IDelayedCall | None = None

    def limit(self, seconds: float) -> None:
        """From now on and until `clear`, no deadline is later than `seconds` from now."""
        self._limit = self._clock.seconds() + seconds

    def within(self, seconds: float) -> None:
        """Set the deadline to `seconds` from now; what was set before is void."""
        now = self._clock.seconds()
        self._at = min(now + seconds, self._limit)
        if self._call is None:
            self._call = self._clock.callLater(max(self._at - now, 0), self._due)
        elif self._at < self._call.getTime():
            self._call.reset(max(self._at - now, 0))

    def clear(self) -> None:
        """There is no deadline and no limit."""
        self._at = self._limit = math.inf

    def stop(self) -> None:
        """The same for good: no delayed call is left behind."""
        self.clear()
        self._expired = _nothing  # whoever has us is not held by us
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _due(self) -> None:
        self._call = None
        if self._at == math.inf:
            return
        rest = self._at - self._clock.seconds()
        if rest > 0:
            self._call = self._clock.callLater(rest, self._due)
        else:
            self.clear()
            self._expired()


def _nothing() -> None:
    pass
