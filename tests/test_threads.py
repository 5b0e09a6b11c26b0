import threading

from twisted.internet import reactor
from twisted.trial.unittest import TestCase

from smtpeter.threads import Threads, ThreadsEnded


class ThreadsTests(TestCase):
    """Work that leaves the thread of the reactor."""

    def setUp(self) -> None:
        self.threads = Threads(reactor)
        self.threads.startService()
        self.addCleanup(self.stop)

    async def stop(self) -> None:
        if self.threads.running:
            await self.threads.stopService()

    async def test_result(self) -> None:
        """A function is called in another thread, and its result comes back."""
        name = await self.threads.call(lambda: threading.current_thread().name)
        self.assertNotEqual(threading.current_thread().name, name)
        self.assertEqual(3, await self.threads.call(max, 1, 3))

    async def test_error(self) -> None:
        """What it raises comes back as well."""
        with self.assertRaises(ZeroDivisionError):
            await self.threads.call(lambda: 1 / 0)

    async def test_begun_is_finished(self) -> None:
        """What was begun before the stop is finished."""
        go_on = threading.Event()
        working = self.threads.call(go_on.wait)
        stopping = self.threads.stopService()
        go_on.set()
        self.assertTrue(await working)
        await stopping

    async def test_after_the_stop(self) -> None:
        """What is asked for after the stop fails at once instead of never."""
        await self.threads.stopService()
        with self.assertRaises(ThreadsEnded):
            await self.threads.call(max, 1, 3)
