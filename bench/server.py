"""What the bench wants of a server that it measures."""

import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from bench.histogram import TurnData
from bench.load import Target

_LOOK_SECONDS = 0.005


class ServerFailed(Exception):
    """A server did not start, or ended by itself. The text says what it last said."""


class Server(Protocol):
    """A relay on 127.0.0.1, run by us, on the server's core."""

    name: str
    target: Target

    def version(self) -> str:
        """For the report."""

    def start(self) -> None:
        """Return when it greets clients; raise ServerFailed otherwise."""

    def stop(self) -> None:
        """End it, and everything it started; no error if it does not run."""

    def root_pid(self) -> int:
        """The process from which all of its processes descend."""

    def last_words(self) -> str:
        """The end of its log, if it keeps one that we can read."""

    def turns(self) -> TurnData | None:
        """What its reactor's turns took so far, if it has one."""


def await_greeting(
    port: int, limit_seconds: float, lives: Callable[[], bool] = lambda: True
) -> bool:
    """Whether 127.0.0.1:port greets within a time; looks every 5 ms, as long as `lives` is true."""
    deadline = time.monotonic() + limit_seconds
    while lives() and time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=limit_seconds) as probe:
                if probe.recv(4).startswith(b"220"):
                    return True
        except OSError:
            pass
        time.sleep(_LOOK_SECONDS)
    return False


def last_lines(file: Path, count: int = 15) -> str:
    try:
        lines = file.read_text("utf-8", "replace").splitlines()
    except OSError:
        return "(it wrote no log)"
    return "\n".join(lines[-count:])
