"""Where a worker sits: it comes up, does its jobs, and leaves or is made to."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime

from smtpeter.workers.child import READY
from smtpeter.workers.frames import value_of
from smtpeter.workers.job import Job

START_SECONDS = 30.0


class Worker(Protocol):
    """A process that does one job after the other."""

    def ask(self, request: bytes) -> None:
        """Give it a job."""

    def hang_up(self) -> None:
        """Have it end, when it does nothing."""

    def kill(self) -> None:
        """End it, whatever it does."""


# Starts a worker: it calls the first with its word that it is ready, and with the answer to
# each job; and the second, once, when it is gone, with the reason.
Start = Callable[[Callable[[bytes], None], Callable[[str], None]], Worker]


class Place:
    """
    Where one worker sits, with the job that it does.

    Attributes:
        killed: it was us who ended it.
        gone: fires when the process is no more.
    """

    def __init__(
        self,
        clock: IReactorTime,
        freed: Callable[..., None],
        vacated: Callable[[Place, str], None],
    ) -> None:
        self._clock = clock
        self._freed = freed
        self._vacated = vacated
        self._worker: Worker | None = None
        self._job: Job | None = None
        self._limit: IDelayedCall | None = None
        self._ending = False
        self.starting = True
        self.killed = False
        self.gone: Deferred[None] = Deferred()

    @property
    def idle(self) -> bool:
        if self._worker is None or self.starting or self._ending or self.killed:
            return False
        return self._job is None

    @property
    def is_at_large_job(self) -> bool:
        return self._job is not None and self._job.is_large

    def start(self, start: Start) -> None:
        self._limit = self._clock.callLater(START_SECONDS, self._too_late)
        self._worker = start(self._answered, self.vacate)

    def begin(self, job: Job) -> None:
        """Have a job done."""
        assert self._worker is not None
        self._job = job
        self._limit = self._clock.callLater(job.seconds, self._too_late)
        self._worker.ask(job.request)

    def end(self, seconds: float) -> None:
        """Have the worker end when its job is done, at the latest after so many seconds."""
        self._ending = True
        if self._job is None:
            self._hang_up()
        if self._worker is not None:
            grace = self._clock.callLater(seconds, self._kill)
            self.gone.addBoth(lambda _: grace.cancel() if grace.active() else None)

    def _answered(self, payload: bytes) -> None:
        if self.killed:
            return
        self._stop_limit()
        job, self._job = self._job, None
        if job is None:
            assert value_of(payload) == READY
            self.starting = False
        if self._ending:
            self._hang_up()
        else:
            self._freed(did_something=job is not None)
        if job is not None:  # at the end: who hears of it may want the next at once
            job.conclude(payload)

    def vacate(self, reason: str) -> None:
        """The worker is gone."""
        self._stop_limit()
        self.starting = False
        self._worker = None
        self._vacated(self, reason)
        self._lose(f"the worker process ended: {reason}")
        self.gone.callback(None)

    def _too_late(self) -> None:
        self._limit = None
        self._kill()
        if self._job is not None:
            self._lose(f"it was not done in {self._job.seconds:g} seconds")

    def _lose(self, reason: str) -> None:
        job, self._job = self._job, None
        if job is not None:
            job.lose(reason)

    def _kill(self) -> None:
        self.killed = True
        if self._worker is not None:
            self._worker.kill()

    def _hang_up(self) -> None:
        if self._worker is not None:
            self._worker.hang_up()

    def _stop_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None
