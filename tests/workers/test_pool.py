from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.workers.child import READY
from smtpeter.workers.frames import FrameReader, framed, value_of
from smtpeter.workers.job import LARGE_OCTETS, JobFailed, JobLost, WorkersBusy, WorkersEnded
from smtpeter.workers.place import START_SECONDS
from smtpeter.workers.pool import STOP_SECONDS, WAIT_SECONDS, Workers

SECONDS = 5.0


def payload(value: object) -> bytes:
    """A value as it arrives, without its length."""
    [found] = FrameReader().feed(framed(value))
    return found


class FakeWorker:
    """A worker that a test leads."""

    def __init__(self, answered: Callable[[bytes], None], ended: Callable[[str], None]) -> None:
        self.answered = answered
        self.ended = ended
        self.asked: list[Any] = []
        self.killed = self.hung_up = False

    def ask(self, request: bytes) -> None:
        [found] = FrameReader().feed(request)
        self.asked.append(value_of(found))

    def hang_up(self) -> None:
        self.hung_up = True

    def kill(self) -> None:
        self.killed = True

    def come_up(self) -> None:
        self.answered(payload(READY))

    def answer(self, value: object) -> None:
        self.answered(payload((True, value)))


class WorkersTests(SynchronousTestCase):
    """Jobs, and those who do them."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.started: list[FakeWorker] = []
        self.no_start: Exception | None = None
        self.workers = self.pool(2)

    def pool(self, count: int, **limits: int) -> Workers:
        workers = Workers(count, self.start, self.clock, **limits)
        workers.startService()
        return workers

    def start(self, answered: Callable[[bytes], None], ended: Callable[[str], None]) -> FakeWorker:
        if self.no_start is not None:
            raise self.no_start
        self.started.append(FakeWorker(answered, ended))
        return self.started[-1]

    def call(self, *args: object) -> Deferred[Any]:
        return self.workers.call(SECONDS, max, *args)

    def up(self) -> FakeWorker:
        """A worker that is ready, with a job."""
        self.job = self.call(1, 2)
        self.started[-1].come_up()
        return self.started[-1]

    def test_lazily(self) -> None:
        """A process is started when there is something to do, and not more than needed."""
        self.assertEqual([], self.started)
        self.call(1, 2)
        self.assertEqual(1, len(self.started))
        self.call(3, 4)
        self.assertEqual(2, len(self.started))
        self.call(5, 6)
        self.assertEqual(2, len(self.started))

    def test_waits_until_ready(self) -> None:
        """A job is given to a process that is ready, and its answer to who asked for it."""
        asked = self.call(1, 2)
        [worker] = self.started
        self.assertEqual([], worker.asked)
        worker.come_up()
        self.assertEqual([(SECONDS, max, (1, 2))], worker.asked)
        worker.answer(2)
        self.assertEqual(2, self.successResultOf(asked))

    def test_one_at_a_time(self) -> None:
        """A process gets its next job when it has answered, in the order of asking."""
        self.workers = self.pool(1)
        worker = self.up()
        second, third = self.call(3, 4), self.call(5, 6)
        self.assertEqual(1, len(worker.asked))
        worker.answer(2)
        worker.answer(4)
        worker.answer(6)
        self.assertEqual(
            [2, 4, 6], [self.successResultOf(each) for each in (self.job, second, third)]
        )
        self.assertEqual([(1, 2), (3, 4), (5, 6)], [args for _, _, args in worker.asked])

    def test_failed(self) -> None:
        """An error of a job is told, and ends nothing."""
        worker = self.up()
        worker.answered(payload((False, "ValueError: no such colour")))
        failure = self.failureResultOf(self.job, JobFailed)
        self.assertEqual("ValueError: no such colour", failure.getErrorMessage())
        self.assertFalse(worker.killed)

    def test_unreadable(self) -> None:
        """An answer that cannot be read is an error of that job alone."""
        worker = self.up()
        worker.answered(b"no pickle")
        self.failureResultOf(self.job, JobFailed)
        again = self.call(3, 4)
        worker.answer(4)
        self.assertEqual(4, self.successResultOf(again))

    def test_too_long(self) -> None:
        """A process whose job takes too long is killed, and another does the next."""
        worker = self.up()
        self.clock.advance(SECONDS)
        self.failureResultOf(self.job, JobLost)
        self.assertTrue(worker.killed)
        second = self.call(3, 4)
        self.started[-1].come_up()
        worker.answer(2)  # too late: it was on its way
        worker.ended("killed")
        self.started[-1].answer(4)
        self.assertEqual(4, self.successResultOf(second))

    def test_time_counts_from_the_begin(self) -> None:
        """The time of a job does not run while it waits."""
        self.workers = self.pool(1)
        worker = self.up()
        second = self.call(3, 4)
        self.clock.advance(SECONDS - 1)
        worker.answer(2)
        self.clock.advance(SECONDS - 1)
        self.assertFalse(worker.killed)
        worker.answer(4)
        self.successResultOf(second)
        self.clock.advance(1000)
        self.assertFalse(worker.killed)

    def test_dies(self) -> None:
        """A process that ends loses its job, and those that wait go to another at once."""
        self.workers = self.pool(1)
        worker = self.up()
        second = self.call(3, 4)
        worker.ended("signal 9")
        self.assertIn("signal 9", self.failureResultOf(self.job, JobLost).getErrorMessage())
        self.started[1].come_up()
        self.started[1].answer(4)
        self.successResultOf(second)

    def test_pauses(self) -> None:
        """Processes that end one after the other, with no job done, are followed by pauses."""
        self.workers = self.pool(1)
        waits = self.call(1, 2)
        self.started[0].ended("broken")
        self.assertEqual(2, len(self.started))
        for number, pause in enumerate((0.5, 1.0, 2.0, 4.0), start=2):
            self.started[-1].ended("broken")
            self.clock.advance(pause - 0.1)
            self.assertEqual(number, len(self.started))
            self.clock.advance(0.2)
            self.assertEqual(number + 1, len(self.started))
        self.started[-1].come_up()
        self.started[-1].answer(2)
        self.successResultOf(waits)
        self.started[-1].ended("at rest")
        self.call(3, 4)
        self.assertEqual(7, len(self.started))

    def test_cannot_start(self) -> None:
        """A system that has no process for us is asked again later."""
        self.no_start = OSError("no memory")
        waits = self.call(1, 2)
        self.no_start = None
        self.clock.advance(0.5)
        self.started[0].come_up()
        self.started[0].answer(2)
        self.successResultOf(waits)
        self.flushLoggedErrors(OSError)

    def test_never_ready(self) -> None:
        """A process that does not come up is killed."""
        self.call(1, 2)
        self.clock.advance(START_SECONDS)
        self.assertTrue(self.started[0].killed)
        self.started[0].ended("killed")
        self.assertEqual(2, len(self.started))

    def test_nobody_comes(self) -> None:
        """A job does not wait for ever."""
        self.workers = self.pool(1)
        waits = self.call(1, 2)
        self.clock.pump([WAIT_SECONDS / 10] * 10)
        self.failureResultOf(waits, WorkersBusy)

    def test_too_many(self) -> None:
        """No more than so many jobs wait."""
        self.workers = self.pool(1, waiting_jobs=1)
        self.up()
        self.assertNoResult(self.call(1, 2))
        self.failureResultOf(self.call(3, 4), WorkersBusy)

    def test_too_much(self) -> None:
        """No more than so many octets wait."""
        self.workers = self.pool(1, waiting_octets=1000)
        worker = self.up()
        first = self.workers.call(SECONDS, len, "x" * 600)
        self.failureResultOf(self.workers.call(SECONDS, len, "x" * 600), WorkersBusy)
        worker.answer(2)
        worker.answer(600)
        self.successResultOf(first)
        worker.asked.clear()
        self.assertNoResult(self.workers.call(SECONDS, len, "x" * 600))

    def test_cannot_travel(self) -> None:
        """Arguments that cannot be pickled are an error of who asks."""
        self.failureResultOf(self.workers.call(SECONDS, max, lambda: None))
        self.assertEqual([], self.started)

    def test_cancelled(self) -> None:
        """Who gives up a job that waits has it forgotten; one that runs ends for nobody."""
        self.workers = self.pool(1)
        worker = self.up()
        waits = self.call(3, 4)
        waits.cancel()
        self.failureResultOf(waits, CancelledError)
        self.job.cancel()
        self.failureResultOf(self.job, CancelledError)
        third = self.call(5, 6)
        worker.answer(2)
        self.assertEqual((5, 6), worker.asked[-1][2])
        worker.answer(6)
        self.successResultOf(third)
        self.assertFalse(worker.killed)

    def test_large(self) -> None:
        """Large jobs leave one process to the others, and come first in the rest."""
        first = self.up()
        larger = "x" * LARGE_OCTETS
        one, two = self.call(larger, larger + "1"), self.call(larger, larger + "2")
        self.started[1].come_up()
        second = self.started[1]
        self.assertEqual([1, 1], [len(first.asked), len(second.asked)])
        small = self.call(3, 4)
        first.answer(2)
        self.assertEqual((3, 4), first.asked[1][2])
        first.answer(4)
        self.assertEqual(4, self.successResultOf(small))
        self.assertEqual(2, len(first.asked))  # and it stays free for small ones
        second.answer("done")
        self.assertEqual("done", self.successResultOf(one))
        self.assertNoResult(two)
        asked = first.asked[2:] + second.asked[1:]
        self.assertEqual([larger + "2"], [args[1] for _, _, args in asked])

    def test_large_with_one_process(self) -> None:
        """A single process does large jobs in their turn."""
        self.workers = self.pool(1)
        worker = self.up()
        larger = "x" * LARGE_OCTETS
        self.call(larger, "a")
        self.call(3, 4)
        worker.answer(2)
        worker.answer(2)
        self.assertEqual((3, 4), worker.asked[2][2])

    def test_stop(self) -> None:
        """At the stop what waits fails, what runs is finished, and processes leave."""
        self.workers = self.pool(1)
        worker = self.up()
        waits = self.call(3, 4)
        stopping = self.workers.stopService()
        self.failureResultOf(waits, WorkersEnded)
        self.failureResultOf(self.call(5, 6), WorkersEnded)
        self.assertFalse(worker.hung_up)
        worker.answer(2)
        self.successResultOf(self.job)
        self.assertTrue(worker.hung_up)
        self.assertNoResult(stopping)
        worker.ended("done")
        self.successResultOf(stopping)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_stop_in_time(self) -> None:
        """What does not end in time is ended."""
        worker = self.up()
        worker.answer(2)
        busy = self.workers.call(1000.0, max, 3, 4)
        stopping = self.workers.stopService()
        self.clock.advance(STOP_SECONDS)
        self.assertTrue(worker.killed)
        worker.ended("killed")
        self.failureResultOf(busy, JobLost)
        self.successResultOf(stopping)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_stop_in_a_pause(self) -> None:
        """A pause does not outlive the stop."""
        self.workers = self.pool(1)
        waits = self.call(1, 2)
        for _ in range(2):
            self.started[-1].ended("broken")
        self.successResultOf(self.workers.stopService())
        self.failureResultOf(waits, WorkersEnded)
        self.assertEqual([], self.clock.getDelayedCalls())
