from __future__ import annotations

import os
import signal
import tempfile
from functools import partial
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.task import deferLater
from twisted.trial.unittest import TestCase

from smtpeter.workers.job import JobFailed, JobLost, WorkersEnded
from smtpeter.workers.pool import Workers
from smtpeter.workers.process import WorkerProcess
from tests.workers import jobs

LONG = 60.0


class WorkersTests(TestCase):
    """Real processes."""

    timeout = 20

    def setUp(self) -> None:
        self.workers = self.pool(1)

    def pool(self, count: int) -> Workers:
        """Workers that are stopped when the test ends."""
        start = partial(WorkerProcess, reactor=reactor, modules=[jobs.__name__])
        workers = Workers(count, start, reactor)
        workers.startService()
        self.addCleanup(lambda: workers.stopService() if workers.running else None)
        return workers

    async def test_result(self) -> None:
        """A function is called in another process, and its result comes back, however long."""
        for text in ("", "grün", "x" * 3_000_000):
            answer = await self.workers.call(LONG, jobs.measured, text)
            self.assertEqual(jobs.measured(text), answer)
        self.assertNotEqual(os.getpid(), await self.workers.call(LONG, jobs.pid))

    async def test_one_process(self) -> None:
        """A process does many jobs."""
        first = await self.workers.call(LONG, jobs.pid)
        self.assertEqual(first, await self.workers.call(LONG, jobs.pid))

    async def test_side_by_side(self) -> None:
        """Two processes do two jobs at the same moment."""
        workers = self.pool(2)
        slow = workers.call(1.0, jobs.never_ends)
        self.assertEqual(3, (await workers.call(LONG, jobs.measured, "abc")).octets)
        slow.addErrback(lambda failure: failure.trap(JobLost))

    async def test_error(self) -> None:
        """What a job raises comes back as text that says what and where; the process goes on."""
        first = await self.workers.call(LONG, jobs.pid)
        with self.assertRaisesRegex(JobFailed, r"ValueError: no such colour \(jobs.py:\d+\)"):
            await self.workers.call(LONG, jobs.fails)
        with self.assertRaises(JobFailed):
            await self.workers.call(LONG, jobs.unpicklable)
        self.assertEqual(first, await self.workers.call(LONG, jobs.pid))

    async def test_endless(self) -> None:
        """A job that does not end is ended with its process, and the next one is done."""
        first = await self.workers.call(LONG, jobs.pid)
        with self.assertRaisesRegex(JobLost, "not done in 0.2 seconds"):
            await self.workers.call(0.2, jobs.never_ends)
        self.assertNotEqual(first, await self.workers.call(LONG, jobs.pid))

    async def test_killed_in_a_job(self) -> None:
        """A process that somebody kills in the middle of a job loses that job alone."""
        process = await self.workers.call(LONG, jobs.pid)
        with tempfile.TemporaryDirectory() as directory:
            begun = Path(directory, "begun")
            job = self.workers.call(LONG, jobs.never_ends_after, str(begun))
            while not begun.exists():  # noqa: ASYNC240 - a look takes no time
                await deferLater(reactor, 0.01)
        os.kill(process, signal.SIGKILL)
        with self.assertRaisesRegex(JobLost, "signal 9"):
            await job
        self.assertNotEqual(process, await self.workers.call(LONG, jobs.pid))

    async def test_dies(self) -> None:
        """The same when the job itself takes the process with it."""
        with self.assertRaises(JobLost):
            await self.workers.call(LONG, jobs.dies)
        self.assertEqual(0, (await self.workers.call(LONG, jobs.measured, "")).octets)

    async def test_signals(self) -> None:
        """A terminal or a service manager that ends all processes at once ends no worker."""
        process = await self.workers.call(LONG, jobs.pid)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            os.kill(process, number)
        self.assertEqual(process, await self.workers.call(LONG, jobs.pid))

    async def test_what_is_printed(self) -> None:
        """What a job prints does not come between the answers."""
        self.assertEqual("x\n" * 9, await self.workers.call(LONG, jobs.prints, "x\n" * 9))

    async def test_stop(self) -> None:
        """At the stop a job that runs is finished, one that waits fails, no process stays."""
        process = await self.workers.call(LONG, jobs.pid)
        runs = self.workers.call(LONG, jobs.naps, 0.05, "done")
        waits = self.workers.call(LONG, jobs.pid)
        failing = self.assertFailure(waits, WorkersEnded)
        await self.workers.stopService()
        self.assertEqual("done", await runs)
        await failing
        with self.assertRaises(ProcessLookupError):
            os.kill(process, 0)

    async def test_stop_at_once(self) -> None:
        """A process that has not come up yet is stopped as well."""
        waits = self.assertFailure(self.workers.call(LONG, jobs.pid), WorkersEnded)
        await self.workers.stopService()
        await waits
