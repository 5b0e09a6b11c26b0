"""The generator and the sink as processes, and what we ask of them."""

import contextlib
import ctypes
import multiprocessing
import signal
import time
from array import array
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.sharedctypes import RawValue
from types import TracebackType
from typing import Any, Self

from bench import generator, sink
from bench.load import Load, Sent
from bench.machine import LOAD_CORE

_ANSWER_SECONDS = 20.0
_GRACE_SECONDS = 5.0
_LOOK_SECONDS = 0.01


class WorkerFailed(Exception):
    """The generator or the sink did not answer."""


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
        port: where it listens on 127.0.0.1; 0 for any.
    """

    def __init__(self, port: int = 0) -> None:
        self._arrived: ctypes.c_uint64 = RawValue(ctypes.c_uint64, 0)
        super().__init__(sink.serve, port, LOAD_CORE, self._arrived)
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

    def report(self) -> tuple["array[int]", "array[float]", float]:
        """Ids, times of arrival (monotonic seconds) since the last report; CPU seconds so far."""
        arrivals: sink.Arrivals = self.ask("report")
        ids, arrived_at = array("Q"), array("d")
        ids.frombytes(arrivals.ids)
        arrived_at.frombytes(arrivals.arrived_at)
        return ids, arrived_at, arrivals.cpu_seconds


class GeneratorWorker(_Worker):
    """The load generator."""

    def __init__(self) -> None:
        super().__init__(generator.serve, LOAD_CORE)

    def send(self, load: Load) -> Sent:
        # logging in and parting have limits of their own
        sent: Sent = self.ask(load, load.deadline_seconds + 2 * _ANSWER_SECONDS + 60)
        return sent
