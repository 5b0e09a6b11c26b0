"""Whose turn it is, where threads share a core: the reactor's, which answers everybody."""

from __future__ import annotations

import os
import sys
import threading
from contextlib import suppress

# A thread that is so much nicer is preempted when the reactor has something to do, and still gets
# half of what it would have beside another program that keeps the core busy.
NICENESS = 5
_NICEST = 19


def let_the_reactor_go_first() -> None:
    """
    Make the thread that calls this nicer than the others of the process.

    A sandbox may deny it; then it is as the others are.
    """
    if sys.platform != "linux":  # elsewhere all threads of a process have the same niceness
        return
    thread = threading.get_native_id()
    niceness = os.getpriority(os.PRIO_PROCESS, thread) + NICENESS
    with suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, thread, min(niceness, _NICEST))
