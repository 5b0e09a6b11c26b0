"""Whose turn it is, where threads share a core: the reactor's, which answers everybody."""

from __future__ import annotations

import os
import sys
import threading

# A thread that is so much nicer is preempted as soon as the reactor has something to do, and
# still gets a third of what it would have beside another program that keeps the core busy.
NICENESS = 5
_NICEST = 19


def let_the_reactor_go_first() -> None:
    """Make the thread that calls this nicer than the others of the process."""
    if sys.platform != "linux":  # elsewhere all threads of a process have the same niceness
        return
    thread = threading.get_native_id()
    niceness = os.getpriority(os.PRIO_PROCESS, thread) + NICENESS
    os.setpriority(os.PRIO_PROCESS, thread, min(niceness, _NICEST))
