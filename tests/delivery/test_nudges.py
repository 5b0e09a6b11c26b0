from collections.abc import Callable
from typing import Any

from sqlalchemy import Connection
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.nudges import NUDGE_SECONDS, NudgeWatch
from smtpeter.store.database import StoreUnavailable
from smtpeter.store.writer import WriterBusy


class NudgeStore:
    """A store of nudges; it answers when a test wants, or at once."""

    def __init__(self) -> None:
        self.nudges: list[str] = []
        self.prompt = True
        self.asked: list[Deferred[Any]] = []
        self.trouble: list[Exception] = []

    def has(self, _: Connection) -> bool:
        return bool(self.nudges)

    def take(self, _: Connection) -> list[str]:
        taken, self.nudges = self.nudges, []
        return taken

    def read(self, function: Callable[[Any], Any]) -> Deferred[Any]:
        answer: Deferred[Any] = Deferred()
        self.asked.append(answer)
        if self.trouble:
            answer.errback(self.trouble.pop())
        elif self.prompt:
            answer.callback(function(None))
        return answer

    transact = read


class NudgeWatchTests(SynchronousTestCase):
    """Hearing of what an operator's command has changed."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = NudgeStore()
        self.nudged: list[str] = []
        store: Any = self.store
        self.watch = NudgeWatch(
            store, self.store.has, self.store.take, self.nudged.append, self.clock
        )
        self.watch.startService()

    def test_passed_on(self) -> None:
        """Each nudge is passed on once, within a second."""
        self.store.nudges += ["a.example", "b.example"]
        self.clock.pump([NUDGE_SECONDS] * 3)
        self.assertEqual(["a.example", "b.example"], self.nudged)

    def test_nothing_is_written_for_nothing(self) -> None:
        """Without a nudge the writer is left alone."""
        self.clock.pump([NUDGE_SECONDS] * 3)
        self.assertEqual(3, len(self.store.asked))

    def test_one_look_at_a_time(self) -> None:
        """While an answer is outstanding nothing more is asked."""
        self.store.prompt = False
        self.clock.pump([NUDGE_SECONDS] * 5)
        self.assertEqual(1, len(self.store.asked))

    def test_trouble(self) -> None:
        """A store that fails is asked again, and nothing is lost."""
        for error in (StoreUnavailable("away"), WriterBusy("busy"), ZeroDivisionError()):
            self.store.trouble.append(error)
            self.store.nudges.append("a.example")
            self.clock.pump([NUDGE_SECONDS] * 2)
            self.assertEqual(["a.example"], self.nudged)
            self.nudged.clear()
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))

    def test_stop(self) -> None:
        """It stops at once, also while it is looking, and leaves no call behind."""
        self.store.prompt = False
        self.clock.advance(NUDGE_SECONDS)
        self.successResultOf(self.watch.stopService())
        self.store.asked[0].callback(False)
        self.assertEqual([], self.clock.getDelayedCalls())
