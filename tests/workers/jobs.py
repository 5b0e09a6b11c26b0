"""Jobs for workers: functions at the top of a module, as all jobs are."""

import os
import signal
import time
from pathlib import Path

from attrs import frozen


@frozen
class Sized:
    """A value that travels."""

    text: str
    octets: int


def measured(text: str) -> Sized:
    return Sized(text, len(text.encode()))


def pid() -> int:
    return os.getpid()


def fails() -> None:
    raise ValueError("no such colour")


def never_ends() -> None:
    while True:
        pass


def never_ends_after(begun: str) -> None:
    """Leave a file as the sign that it began."""
    Path(begun).touch()
    never_ends()


def dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def prints(text: str) -> str:
    """Say something that nobody waits for."""
    print(text, flush=True)  # noqa: T201
    return text


def unpicklable() -> object:
    return lambda: None


def naps(seconds: float, result: str) -> str:
    time.sleep(seconds)
    return result
