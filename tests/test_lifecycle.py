import atexit
from typing import Any
from unittest.mock import patch

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.error import ReactorNotRunning
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter import lifecycle
from smtpeter.lifecycle import RootService, SideBySide, StagedService


class Stage(Service):
    """A service that tells a list what it is told, and takes its time."""

    def __init__(self, name: str, told: list[str], *, slow: bool = False) -> None:
        self.setName(name)
        self._told = told
        self._slow = slow
        self.pending: Deferred[None] = Deferred()

    def startService(self) -> Deferred[None] | None:
        Service.startService(self)
        self._told.append(f"start {self.name}")
        return self._answer()

    def stopService(self) -> Deferred[None] | None:
        Service.stopService(self)
        self._told.append(f"stop {self.name}")
        return self._answer()

    def _answer(self) -> Deferred[None] | None:
        if not self._slow:
            return None
        self.pending = Deferred()
        return self.pending


class Refusing(Service):
    """A service that does not start."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def startService(self) -> Deferred[None]:
        return fail(self._error)


class StagedTests(SynchronousTestCase):
    """The order of starting and stopping."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.told: list[str] = []
        self.staged = StagedService(self.clock, stop_seconds=30.0)

    def stage(self, name: str, *, slow: bool = False) -> Stage:
        stage = Stage(name, self.told, slow=slow)
        stage.setServiceParent(self.staged)
        return stage

    def test_order(self) -> None:
        """Children start in the order they were added, and stop in reverse."""
        for name in "abc":
            self.stage(name)
        self.successResultOf(self.staged.startService())
        self.successResultOf(self.staged.stopService())
        self.assertEqual(["start a", "start b", "start c", "stop c", "stop b", "stop a"], self.told)

    def test_start_waits(self) -> None:
        """A child starts only when the one before it is ready."""
        first = self.stage("a", slow=True)
        self.stage("b")
        started = self.staged.startService()
        self.assertEqual(["start a"], self.told)
        self.assertNoResult(started)
        first.pending.callback(None)
        self.successResultOf(started)
        self.assertEqual(["start a", "start b"], self.told)

    def test_stop_waits(self) -> None:
        """A child is stopped only when the one after it has finished."""
        self.stage("a")
        last = self.stage("b", slow=True)
        started = self.staged.startService()
        last.pending.callback(None)
        self.successResultOf(started)
        stopped = self.staged.stopService()
        self.assertEqual("stop b", self.told[-1])
        self.assertNoResult(stopped)
        last.pending.callback(None)
        self.successResultOf(stopped)
        self.assertEqual("stop a", self.told[-1])

    def test_undo(self) -> None:
        """When a child does not start, those before it stop and those after it never start."""
        self.stage("a")
        self.stage("b")
        Refusing(ValueError("no")).setServiceParent(self.staged)
        self.stage("c")
        self.failureResultOf(self.staged.startService(), ValueError)
        self.assertEqual(["start a", "start b", "stop b", "stop a"], self.told)

    def test_stop_after_failed_start(self) -> None:
        """What was undone is not stopped a second time."""
        self.stage("a")
        Refusing(ValueError("no")).setServiceParent(self.staged)
        self.failureResultOf(self.staged.startService(), ValueError)
        self.successResultOf(self.staged.stopService())
        self.assertEqual(["start a", "stop a"], self.told)

    def test_stop_while_starting(self) -> None:
        """Told to stop while a child starts, it stops those that have started."""
        self.stage("a")
        self.stage("b", slow=True)
        self.stage("c")
        started = self.staged.startService()
        self.successResultOf(self.staged.stopService())
        self.failureResultOf(started)
        self.assertEqual(["start a", "start b", "stop a"], self.told)

    def test_unclean_stop(self) -> None:
        """A child that does not stop cleanly is logged, and the others are stopped."""
        self.stage("a")
        broken = self.stage("b", slow=True)
        started = self.staged.startService()
        broken.pending.callback(None)
        self.successResultOf(started)
        stopped = self.staged.stopService()
        broken.pending.errback(ValueError("stuck"))
        self.successResultOf(stopped)
        self.assertEqual("stop a", self.told[-1])
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))

    def test_endless_stop(self) -> None:
        """A child that takes for ever to stop is left after a while."""
        self.stage("a")
        endless = self.stage("b", slow=True)
        started = self.staged.startService()
        endless.pending.callback(None)
        self.successResultOf(started)
        stopped = self.staged.stopService()
        self.clock.advance(29.0)
        self.assertNoResult(stopped)
        self.clock.advance(1.0)
        self.successResultOf(stopped)
        self.assertEqual("stop a", self.told[-1])
        self.assertEqual(1, len(self.flushLoggedErrors()))

    def test_nested(self) -> None:
        """Stages may themselves have stages."""
        self.stage("a")
        inner = StagedService(self.clock)
        slow = Stage("b", self.told, slow=True)
        slow.setServiceParent(inner)
        inner.setServiceParent(self.staged)
        self.stage("c")
        started = self.staged.startService()
        self.assertEqual(["start a", "start b"], self.told)
        slow.pending.callback(None)
        self.successResultOf(started)
        self.assertEqual("start c", self.told[-1])

    def test_late_child(self) -> None:
        """A child that comes after the start is refused, since nobody would wait for it."""
        self.successResultOf(self.staged.startService())
        self.assertRaises(RuntimeError, self.stage, "a")


class SideBySideTests(SynchronousTestCase):
    """Services that come to an end together."""

    def test_stop_together(self) -> None:
        """All are told to stop at once; it is over when the slowest has stopped."""
        told: list[str] = []
        group = SideBySide(Clock())
        stages = [Stage(name, told) for name in "ab"]
        for stage in stages:
            stage.setServiceParent(group)
        self.successResultOf(group.startService())
        for stage in stages:
            stage._slow = True
        stopped = group.stopService()
        self.assertEqual(["start a", "start b", "stop b", "stop a"], told)
        stages[0].pending.callback(None)
        self.assertNoResult(stopped)
        stages[1].pending.callback(None)
        self.successResultOf(stopped)


class StoppableReactor(MemoryReactorClock):
    """A reactor in memory that can be run and stopped."""

    def stop(self) -> None:
        if not self.running:
            raise ReactorNotRunning
        self.hasStopped = True


class RootTests(SynchronousTestCase):
    """What becomes of the process when it cannot start."""

    def setUp(self) -> None:
        self.reactor = StoppableReactor()
        self.root = RootService(self.reactor, foreseen=(ValueError,))
        self.at_exit: list[Any] = []
        self.patch(atexit, "register", self.at_exit.append)

    def test_started(self) -> None:
        """A process that has started goes on."""
        Stage("a", []).setServiceParent(self.root)
        self.successResultOf(self.root.startService())
        self.reactor.run()
        self.assertEqual([], self.at_exit)

    def test_foreseen(self) -> None:
        """An error that was foreseen ends the process with status 1 and no traceback."""
        Refusing(ValueError("no room")).setServiceParent(self.root)
        self.successResultOf(self.root.startService())
        self.assertFalse(self.reactor.hasStopped)
        self.reactor.run()
        self.assertTrue(self.reactor.hasStopped)
        self.assertEqual([lifecycle.end_with_failure], self.at_exit)
        self.assertEqual([], self.flushLoggedErrors())

    def test_unforeseen(self) -> None:
        """Any other error ends the process too, and is logged with its traceback."""
        Refusing(KeyError("oh")).setServiceParent(self.root)
        self.successResultOf(self.root.startService())
        self.reactor.run()
        self.assertTrue(self.reactor.hasStopped)
        self.assertEqual(1, len(self.flushLoggedErrors(KeyError)))

    def test_told_to_stop(self) -> None:
        """Being told to stop while starting is no failure."""
        Stage("a", [], slow=True).setServiceParent(self.root)
        started = self.root.startService()
        self.successResultOf(self.root.stopService())
        self.successResultOf(started)
        self.assertEqual([], self.at_exit)

    def test_status(self) -> None:
        """The process then ends with status 1."""
        with patch("os._exit") as ended:
            lifecycle.end_with_failure()
        ended.assert_called_once_with(1)
