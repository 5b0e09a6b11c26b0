"""When a commit under load is best begun: in a lull of the reactor."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

PAUSE_SECONDS = 0.001
LONGEST_SECONDS = 0.008
# Of a pause; a reactor that worked for less was waiting for somebody.
BUSY_SHARE = 0.7


def thread_seconds() -> Callable[[], float]:
    """
    A clock that any thread may read: the CPU time that the calling thread has spent.

    Where the system has no such clock it stands still.
    """
    clock_of = getattr(time, "pthread_getcpuclockid", None)
    if clock_of is None:
        return lambda: 0.0
    clock = clock_of(threading.get_ident())
    return lambda: time.clock_gettime(clock)


class Lull:
    """
    Waits for a moment in which a thread has nothing to do.

    While the reactor works it makes more to commit; when it waits, nothing more comes before
    the commit has been answered, and to wait for it would be waste.

    Args:
        spent: seconds of CPU time that the thread has spent.
        seconds: a clock that goes on always.
    """

    def __init__(
        self,
        spent: Callable[[], float],
        seconds: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._spent = spent
        self._seconds = seconds
        self._sleep = sleep

    def wait(self) -> None:
        """Return in a lull, or after `LONGEST_SECONDS`."""
        begun = now = self._seconds()
        spent = self._spent()
        while now - begun < LONGEST_SECONDS:
            self._sleep(PAUSE_SECONDS)
            before, now = now, self._seconds()
            spent_before, spent = spent, self._spent()
            if spent - spent_before < BUSY_SHARE * (now - before):
                return
