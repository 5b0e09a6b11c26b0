"""Generator, sink and name server as processes, and what we ask of them."""

import contextlib
import ctypes
import multiprocessing
import signal
import time
from collections.abc import Callable, Collection
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import RawValue
from types import TracebackType
from typing import Any, Self

from bench import generator, nameserver, sink
from bench.load import Load, Sent
from bench.machine import APART

_ANSWER_SECONDS = 20.0
_MAKING_SECONDS = 300.0
_GRACE_SECONDS = 5.0
_LOOK_SECONDS = 0.01


class WorkerFailed(Exception):
    """A process of ours did not answer."""


def _run(serve: Callable[..., None], control: "Connection[Any, Any]", *arguments: object) -> None:
    # A Ctrl-C reaches all processes of the terminal; we end when our owner closes the connection.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    with contextlib.suppress(EOFError, ConnectionError):
        serve(control, *arguments)


class _Worker:
    """A process of our own that answers over a pipe."""

    def __init__(self, serve: Callable[..., None], *arguments: object) -> None:
        context = multiprocessing.get_context("spawn")
        self._control, theirs = context.Pipe()
        self._process = context.Process(
            target=_run, args=(serve, theirs, *arguments), name=serve.__module__, daemon=True
        )
        self._process.start()
        theirs.close()  # so that the end of the process shows as EOF

    def ask(self, question: object, limit_seconds: float = _ANSWER_SECONDS) -> Any:
        self._control.send(question)
        return self.answer(limit_seconds)

    def answer(self, limit_seconds: float = _ANSWER_SECONDS) -> Any:
        try:
            if self._control.poll(limit_seconds):
                return self._control.recv()
        except EOFError:
            pass
        raise WorkerFailed(f"{self._process.name} gave no answer in {limit_seconds:.0f} s")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        _type: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._control.close()
        self._process.join(_GRACE_SECONDS)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


class SinkWorker(_Worker):
    """
    The sink.

    Args:
        port: where it listens; 0 for any.
        cores: where it runs.
        keep: which messages it keeps.
        signers: whether it looks who has signed.
        host: where it listens; only this machine is served.
    """

    def __init__(
        self,
        port: int = 0,
        cores: Collection[int] = APART.load,
        keep: sink.Keep = sink.NOTHING,
        *,
        signers: bool = False,
        host: str = "127.0.0.1",
    ) -> None:
        self._arrived: ctypes.c_uint64 = RawValue(ctypes.c_uint64, 0)
        super().__init__(sink.serve, host, port, cores, keep, signers, self._arrived)
        self.port: int = self.answer()

    def arrived(self) -> int:
        """How many messages arrived since it was started. Costs the sink nothing."""
        return self._arrived.value

    def await_arrivals(self, total: int, limit_seconds: float) -> bool:
        """Whether the count of arrivals reached a number in time."""
        deadline = time.monotonic() + limit_seconds
        while self.arrived() < total:
            if time.monotonic() > deadline:
                return False
            time.sleep(_LOOK_SECONDS)
        return True

    def report(self) -> sink.Arrivals:
        """What arrived since the last report."""
        arrivals: sink.Arrivals = self.ask("report")
        return arrivals


class NameServerWorker(_Worker):
    """
    The name server.

    Args:
        cores: where it runs.
    """

    def __init__(self, cores: Collection[int] = APART.load) -> None:
        super().__init__(nameserver.serve, cores)
        self.port: int = self.answer()


class GeneratorWorker(_Worker):
    """
    The load generator.

    Args:
        cores: where it runs.
    """

    def __init__(self, cores: Collection[int] = APART.load) -> None:
        super().__init__(generator.serve, cores)

    def send(self, load: Load) -> Sent:
        self.prepare(load)
        return self.start(load)

    def prepare(self, load: Load) -> float:
        """Make what has to be made before it is sent; CPU seconds of the process so far."""
        cpu_seconds: float = self.ask(load, _MAKING_SECONDS)
        return cpu_seconds

    def start(self, load: Load) -> Sent:
        """Send what was prepared."""
        # logging in and parting have limits of their own
        sent: Sent = self.ask("start", load.deadline_seconds + 2 * _ANSWER_SECONDS + 60)
        return sent
