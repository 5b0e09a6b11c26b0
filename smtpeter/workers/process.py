"""One worker process, as its owner sees it."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol, Protocol
from twisted.internet.tcp import Connection
from twisted.logger import Logger
from twisted.python.failure import Failure

from smtpeter.workers import child
from smtpeter.workers.frames import FrameReader

CHANNEL_OCTETS = 1024 * 1024
# What is read at a time. More than that the system would have to find anew for each read.
READ_OCTETS = 96 * 1024
REMEMBERED_OCTETS = 2000


class Channel(Connection):
    """Our end of the socket to a worker."""

    logstr = "worker"
    connected = True
    bufferSize = READ_OCTETS


class Answers(Protocol):
    """Hands on each answer of a worker."""

    def __init__(self, worker: WorkerProcess) -> None:
        self._worker = worker
        self._reader = FrameReader()

    def dataReceived(self, data: bytes) -> None:
        for payload in self._reader.feed(data):
            self._worker.answered(payload)

    def connectionLost(self, reason: Failure | None = None) -> None:  # noqa: ARG002
        self._worker.hung_up()


class WorkerProcess(ProcessProtocol):
    """
    A process that runs one job after the other.

    Args:
        answered: is called when it is ready, and with the answer to each job.
        ended: is called once, when the process is gone, with the reason.
        modules: are loaded before it says that it is ready.
    """

    _log = Logger()
    transport: IProcessTransport | None

    def __init__(
        self,
        answered: Callable[[bytes], None],
        ended: Callable[[str], None],
        *,
        reactor: Any,
        modules: Sequence[str] = (),
    ) -> None:
        self.answered = answered
        self._ended = ended
        self._said = b""
        self._leaves = False
        self._gone = False
        ours, theirs = socket.socketpair()
        with theirs:
            for each in (ours, theirs):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, CHANNEL_OCTETS)
            self._channel = _connect(ours, Answers(self), reactor)
            try:
                reactor.spawnProcess(
                    self,
                    sys.executable,
                    [sys.executable, "-P", "-m", child.__name__, *modules],
                    env={**os.environ, "PYTHONPATH": _module_path()},
                    childFDs={0: "w", 1: "r", 2: "r", child.CHANNEL: theirs.fileno()},
                )
            except BaseException:
                self._channel.abortConnection()
                raise

    @property
    def pid(self) -> int | None:
        return self.transport.pid if self.transport else None

    def ask(self, request: bytes) -> None:
        """Give it a job, as a frame."""
        self._channel.write(request)

    def hang_up(self) -> None:
        """Have it end. What it does at the moment is lost."""
        self._leaves = True
        self._channel.loseConnection()

    def kill(self) -> None:
        """End it, whatever it does."""
        if not self._gone and self.transport is not None:
            self.transport.signalProcess("KILL")

    def hung_up(self) -> None:
        """Nothing can be said to it any more: unless we wished it so, it is of no use."""
        if not self._leaves:
            self.kill()

    # What Twisted tells.

    def connectionMade(self) -> None:
        assert self.transport is not None
        self.transport.closeStdin()

    def childDataReceived(self, childFD: int, data: bytes) -> None:  # noqa: ARG002
        """It has nothing to say but why it fails."""
        self._said = (self._said + data)[-REMEMBERED_OCTETS:]

    def processExited(self, reason: Failure) -> None:  # noqa: ARG002
        self._gone = True

    def processEnded(self, reason: Failure) -> None:
        self._gone = True
        self._channel.abortConnection()
        said = self._said.decode("utf-8", "replace").strip()
        if said:
            self._log.warn("worker {pid} said: {said}", pid=self.pid, said=said)
        self._ended(reason.getErrorMessage())


def _connect(ours: socket.socket, protocol: Protocol, reactor: Any) -> Connection:
    """Put a protocol on a socket, as a reactor does with those that it opens itself."""
    channel: Connection = Channel(ours, protocol, reactor)
    protocol.makeConnection(channel)
    Connection.startReading(channel)
    return channel


def _module_path() -> str:
    """Where this process finds its modules, in words that hold in any directory."""
    return os.pathsep.join(os.path.abspath(entry) for entry in sys.path)  # noqa: PTH100 - "" is here
