"""
The program of a worker process: it takes jobs from its owner until the owner hangs up.

The owner gives it one end of a socket as descriptor `CHANNEL`, and names the modules that
are worth loading before the first job as arguments.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import resource
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any

from smtpeter.workers.frames import FrameReader, framed, value_of

CHANNEL = 3
READY = "ready"
# The reactor, which answers everybody, comes first where they share a core; by little, or
# workers would starve where other programs keep the cores busy.
NICENESS = 1
# Beyond its time the owner kills us. When the owner itself is gone, the alarm does.
ALARM_FACTOR = 2
# No job has use for more; one that takes more fails, and not the machine.
MEMORY_OCTETS = 2 * 1024 * 1024 * 1024
_READ_OCTETS = 96 * 1024


def main() -> None:
    # The end of the service comes as the end of the channel: when a terminal or a service
    # manager tells all processes at once, the owner still has mail on its way.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    be_modest()
    for name in sys.argv[1:]:
        importlib.import_module(name)
    channel = socket.socket(fileno=CHANNEL)
    channel.setblocking(True)
    with contextlib.suppress(ConnectionError), channel:
        channel.sendall(framed(READY))
        for request in requests(channel):
            channel.sendall(answer(request))


def be_modest() -> None:
    """Leave the owner the first turn, and others their memory; where that is denied, go on."""
    with contextlib.suppress(OSError):
        os.nice(NICENESS)
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    octets = MEMORY_OCTETS if most == resource.RLIM_INFINITY else min(most, MEMORY_OCTETS)
    with contextlib.suppress(OSError):
        resource.setrlimit(resource.RLIMIT_AS, (octets, octets))


def requests(channel: socket.socket) -> Iterator[bytes]:
    """What the owner asks, until it hangs up."""
    reader = FrameReader()
    while piece := channel.recv(_READ_OCTETS):
        yield from reader.feed(piece)


def answer(request: bytes) -> bytes:
    """
    Do a job.

    Args:
        request: a pickle of how many seconds it may take, the function, and its arguments.

    Returns:
        A frame: True and the result, or False and one line about the error.
    """
    try:
        seconds: float
        function: Callable[..., Any]
        seconds, function, args = value_of(request)
        signal.setitimer(signal.ITIMER_REAL, seconds * ALARM_FACTOR)
        return framed((True, function(*args)))
    except Exception as error:
        return framed((False, describe(error)))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def describe(error: Exception) -> str:
    """What was raised and where, in one line."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" ({os.path.basename(frames[-1].filename)}:{frames[-1].lineno})" if frames else ""  # noqa: PTH119 - text only
    return f"{type(error).__name__}: {error}{where}"


if __name__ == "__main__":
    main()
