"""The programs that scenarios need, and the network of the machine they run on."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn, TypeVar
from unittest import SkipTest

ROOT = Path(__file__).parent.parent.parent
REQUIRE_VARIABLE = "SMTPETER_REQUIRE_SCENARIOS"
WAIT_SECONDS = 30.0

_POLL_SECONDS = 0.02
_SYSTEM_PATH = "/usr/local/sbin:/usr/sbin:/sbin"

T = TypeVar("T")


def require(name: str) -> str:
    """
    The path of a program.

    Raises:
        SkipTest: it is missing.
        AssertionError: it is missing, and scenarios were asked for.
    """
    path = shutil.which(name) or shutil.which(name, path=_SYSTEM_PATH)
    if path is None:
        missing(f"{name} is not installed")
    return path


def require_root() -> None:
    """For programs that only root can start; raises as `require`."""
    if os.getuid() != 0:
        missing("only root can start this")


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where scenarios were asked for."""
    if os.environ.get(REQUIRE_VARIABLE):
        raise AssertionError(f"{reason}, and {REQUIRE_VARIABLE} is set")
    raise SkipTest(reason)


def run(
    *command: str | Path, stdin: str | bytes = b"", status: int | None = 0
) -> subprocess.CompletedProcess[bytes]:
    """
    Run a program to its end.

    Args:
        stdin: what it reads.
        status: the exit status it must have, None for any.
    """
    done = subprocess.run(
        list(map(str, command)),
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        timeout=WAIT_SECONDS,
        check=False,
    )
    if status is not None and done.returncode != status:
        said = (done.stdout + done.stderr).decode(errors="replace")
        raise AssertionError(f"{command[0]} ended with status {done.returncode}:\n{said}")
    return done


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 on which nobody listens."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for(what: str, look: Callable[[], T], seconds: float = WAIT_SECONDS) -> T:
    """
    Look until there is something.

    Raises:
        AssertionError: there was nothing all the time.
    """
    end = time.monotonic() + seconds
    while not (found := look()):
        if time.monotonic() > end:
            raise AssertionError(f"waited {seconds:g} s for {what}")
        time.sleep(_POLL_SECONDS)
    return found
