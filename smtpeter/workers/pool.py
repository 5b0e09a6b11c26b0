"""A few worker processes, and the jobs that wait for them."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, fail
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from smtpeter.workers.frames import framed
from smtpeter.workers.job import Job, WorkersBusy, WorkersEnded
from smtpeter.workers.place import Place, Start

WAITING_JOBS = 10_000
WAITING_OCTETS = 512 * 1024 * 1024
WAIT_SECONDS = 120.0
STOP_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 60.0


class Workers(Service):
    """
    Does jobs in processes, which are started when there is something to do.

    A process that ends, or takes too long over a job and is killed, is replaced. Ends that
    are not our doing and follow each other without a job done in between are followed by
    longer and longer pauses.

    Large jobs, which take long, leave one of the processes to the others.

    Args:
        count: how many processes there are at most.
        start: starts one.
    """

    _log = Logger()

    def __init__(
        self,
        count: int,
        start: Start,
        clock: IReactorTime,
        *,
        waiting_jobs: int = WAITING_JOBS,
        waiting_octets: int = WAITING_OCTETS,
    ) -> None:
        self._count = count
        self._start = start
        self._clock = clock
        self._waiting_jobs = waiting_jobs
        self._waiting_octets = waiting_octets
        self._waiting: deque[Job] = deque()
        self._large: deque[Job] = deque()
        self._octets = 0
        self._places: list[Place] = []
        self._failures = 0
        self._pause: IDelayedCall | None = None
        self._stopped = False

    def call(self, seconds: float, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """
        Call a function in a worker; fires with its result.

        The function stands at the top of a module; it, its arguments and its result can be
        pickled.

        Args:
            seconds: how long it may take, from its begin.

        Fails with a `JobError`, or with what pickle raised over the arguments.
        """
        if self._stopped:
            return fail(WorkersEnded("the service stops"))
        try:
            request = framed((seconds, function, args))
        except Exception:
            return fail()
        full = len(self._waiting) + len(self._large) >= self._waiting_jobs
        if full or self._octets + len(request) > self._waiting_octets:
            return fail(WorkersBusy("too many jobs wait for a worker"))
        job = Job(seconds, request, Deferred(self._forget))
        queue = self._queue_of(job)
        queue.append(job)
        self._octets += len(request)
        self._hand_out()
        if queue and queue[-1] is job:
            job.patience = self._clock.callLater(WAIT_SECONDS, self._give_up, job)
        return job.done

    def _queue_of(self, job: Job) -> deque[Job]:
        return self._large if self._count > 1 and job.is_large else self._waiting

    def stopService(self) -> Deferred[None]:
        """Jobs that were begun are finished, as far as they are done in time; others fail."""
        Service.stopService(self)
        self._stopped = True
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        for job in (*self._waiting, *self._large):
            self._remove(job)
            job.done.errback(WorkersEnded("the service stops"))
        return Deferred.fromCoroutine(self._end_all())

    async def _end_all(self) -> None:
        places = list(self._places)
        for place in places:
            place.end(STOP_SECONDS)
        await DeferredList([place.gone for place in places])

    def _hand_out(self) -> None:
        """Give waiting jobs to those who have nothing to do, and see that there are enough."""
        for place in self._places:
            if place.idle:
                job = self._next()
                if job is None:
                    break
                place.begin(job)
        coming = sum(place.starting for place in self._places)
        waiting = len(self._waiting) + min(len(self._large), self._room_for_large())
        if waiting > coming and len(self._places) < self._count:
            self._start_one()

    def _room_for_large(self) -> int:
        return self._count - 1 - sum(place.is_at_large_job for place in self._places)

    def _next(self) -> Job | None:
        """The job that is to be done next: a large one, as far as those may be."""
        large = self._large and self._room_for_large() > 0
        queue = self._large if large else self._waiting
        if not queue:
            return None
        job = queue[0]
        self._remove(job)
        return job

    def _start_one(self) -> None:
        if self._pause is not None or self._stopped:
            return
        place = Place(self._clock, self._freed, self._vacated)
        self._places.append(place)
        try:
            place.start(self._start)
        except Exception as error:  # the system has no process left, or no memory for it
            self._log.failure("no worker could be started")
            place.vacate(repr(error))

    def _freed(self, *, did_something: bool) -> None:
        """A worker has nothing to do."""
        if did_something:
            self._failures = 0
        self._hand_out()

    def _vacated(self, place: Place, reason: str) -> None:
        """A worker is gone."""
        self._places.remove(place)
        if self._stopped:
            return
        if not place.killed:
            self._failures += 1
            self._log.warn("a worker process ended: {reason}", reason=reason)
        if self._failures > 1 and self._pause is None:
            seconds = min(LONGEST_PAUSE_SECONDS, 0.5 * 2.0 ** min(self._failures - 2, 16))
            self._pause = self._clock.callLater(seconds, self._end_of_pause)
        self._hand_out()

    def _end_of_pause(self) -> None:
        self._pause = None
        self._hand_out()

    def _give_up(self, job: Job) -> None:
        job.patience = None
        self._remove(job)
        job.done.errback(WorkersBusy(f"no worker was free for {WAIT_SECONDS:.0f} seconds"))

    def _forget(self, done: Deferred[Any]) -> None:
        """Who cancels a job that has begun does without its result."""
        for job in (*self._waiting, *self._large):
            if job.done is done:
                self._remove(job)
                return

    def _remove(self, job: Job) -> None:
        self._queue_of(job).remove(job)
        self._octets -= len(job.request)
        if job.patience is not None:
            job.patience.cancel()
            job.patience = None
