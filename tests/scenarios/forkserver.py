"""
Our programs as processes of their own that need not load their modules first.

A server loads these once, and forks for each program that is asked for. From there on the process
does what `twistd` and `smtpeter` do when a shell starts them.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, NoReturn

from attrs import frozen

from tests.scenarios.programs import WAIT_SECONDS

_REQUEST_OCTETS = 64 * 1024
_REPORT_OCTETS = 16


class Program:
    """
    A process that runs one of our programs; like a `subprocess.Popen`, as far as it goes.

    Attributes:
        returncode: how it ended, None while it runs; minus the number where it was by a signal.
    """

    def __init__(self, report: socket.socket) -> None:
        report.settimeout(WAIT_SECONDS)
        pid, descriptors, _, _ = socket.recv_fds(report, _REPORT_OCTETS, 1)
        self._report = report
        self.pid = _number(pid)
        [self._process] = descriptors
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """How it ended, None while it runs."""
        with contextlib.suppress(TimeoutError, BlockingIOError):
            self.wait(0.0)
        return self.returncode

    def wait(self, timeout: float) -> int:
        """
        How it ended, once it has.

        Raises:
            TimeoutError: it still runs after so many seconds.
        """
        if self.returncode is None:
            self._report.settimeout(timeout)
            self.returncode = _number(self._report.recv(_REPORT_OCTETS))
            self._report.close()
            os.close(self._process)
        return self.returncode

    def send_signal(self, number: signal.Signals) -> None:
        if self.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(self._process, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _number(report: bytes) -> int:
    if not report:
        raise AssertionError("the server that forks has ended")
    return int(report)


class ForkServer:
    """
    Starts programs; it and they end with the process that made it.

    Args:
        environment: of the programs.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", __name__, str(theirs.fileno())],
                env=environment,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # an interrupt from the terminal is for the tests
            )

    def start(
        self, arguments: Sequence[str], directory: Path, output: BinaryIO, errors: BinaryIO
    ) -> Program:
        """
        Start a program in a directory.

        Args:
            arguments: its name, `twistd` or `smtpeter`, and what comes after it.
        """
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            request = json.dumps([str(directory), *arguments]).encode()
            descriptors = [theirs.fileno(), output.fileno(), errors.fileno()]
            socket.send_fds(self._channel, [request], descriptors)
        return Program(ours)


@lru_cache(maxsize=1)
def _server(environment: frozenset[tuple[str, str]]) -> ForkServer:
    return ForkServer(dict(environment))


def start(
    arguments: Sequence[str],
    directory: Path,
    environment: dict[str, str],
    output: BinaryIO,
    errors: BinaryIO,
) -> Program:
    """Start a program, as `ForkServer.start`, by a server that is there from now on."""
    return _server(frozenset(environment.items())).start(arguments, directory, output, errors)


# What follows runs in the server, and in the processes that it makes.


@frozen
class Running:
    """A process that the server has made, and whoever wants to know of its end."""

    pid: int
    process: int
    report: socket.socket

    def close(self) -> None:
        os.close(self.process)
        self.report.close()


class Forking:
    """Makes processes until its owner is gone; then it ends them."""

    def __init__(self, channel: socket.socket) -> None:
        self._channel = channel
        self._selector = selectors.DefaultSelector()
        self._selector.register(channel, selectors.EVENT_READ)

    def run(self) -> list[str]:
        """Returns in each process that it makes, with the arguments of the program."""
        while True:
            for key, _ in self._selector.select():
                if key.data is not None:
                    self._ended(key.data)
                elif arguments := self._asked():
                    return arguments

    def _asked(self) -> list[str] | None:
        request, descriptors, _, _ = socket.recv_fds(self._channel, _REQUEST_OCTETS, 3)
        if not request:
            self._leave()
        report = socket.socket(fileno=descriptors[0])
        pid = os.fork()
        if pid == 0:
            report.close()
            self._forget()
            return _prepared(request, *descriptors[1:])
        for each in descriptors[1:]:
            os.close(each)
        running = Running(pid, os.pidfd_open(pid), report)
        self._selector.register(running.process, selectors.EVENT_READ, running)
        with contextlib.suppress(OSError):  # nobody wants to know
            socket.send_fds(report, [str(pid).encode()], [running.process])
        return None

    def _ended(self, running: Running) -> None:
        _, status = os.waitpid(running.pid, 0)
        self._selector.unregister(running.process)
        with contextlib.suppress(OSError):
            running.report.send(str(os.waitstatus_to_exitcode(status)).encode())
        running.close()

    def _running(self) -> list[Running]:
        return [key.data for key in self._selector.get_map().values() if key.data is not None]

    def _forget(self) -> None:
        """Close what belongs to the server alone."""
        for running in self._running():
            running.close()
        self._selector.close()
        self._channel.close()

    def _leave(self) -> NoReturn:
        for running in self._running():
            os.kill(running.pid, signal.SIGKILL)
        os._exit(0)


def _prepared(request: bytes, output: int, errors: int) -> list[str]:
    """Make this process one that a shell has started; returns its arguments."""
    directory, *arguments = json.loads(request)
    for ours, usual in ((output, 1), (errors, 2)):
        os.dup2(ours, usual)
        os.close(ours)
    os.chdir(directory)
    return list(map(str, arguments))


def main() -> None:
    # only now: these take their time, and the tests themselves have no use for them
    from twisted.scripts import twistd  # noqa: PLC0415

    import smtpeter.service  # noqa: F401, PLC0415
    from smtpeter import cli  # noqa: PLC0415
    from smtpeter.cli.command import LateCommand  # noqa: PLC0415

    for command in cli.main.commands.values():
        if isinstance(command, LateCommand):
            command.loaded()
    gc.freeze()  # else each process would walk over all that was loaded, and copy it by that
    programs: dict[str, Callable[[], None]] = {"twistd": twistd.run, "smtpeter": cli.main}
    channel = socket.socket(fileno=int(sys.argv[1]))
    sys.argv = Forking(channel).run()
    programs[sys.argv[0]]()


if __name__ == "__main__":
    main()
