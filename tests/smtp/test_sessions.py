from __future__ import annotations

from twisted.internet.defer import Deferred, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.smtp.sessions import DRAIN_SECONDS, SmtpSessions


class FakeFactory:
    """Has one session, which ends when a test wants or when it is cut off."""

    def __init__(self) -> None:
        self.drained: Deferred[None] | None = None
        self.aborted = False

    def drain(self) -> Deferred[None]:
        self.drained = Deferred()
        return self.drained

    def abort(self) -> None:
        self.aborted = True
        assert self.drained is not None
        if not self.drained.called:
            self.drained.callback(None)


class SmtpSessionsTests(SynchronousTestCase):
    """How sessions end with the service."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.factories = [FakeFactory(), FakeFactory()]
        self.sessions = SmtpSessions(self.factories, self.clock)  # type: ignore[arg-type]
        self.sessions.startService()
        self.stopped = self.sessions.stopService()

    def end(self, factory: FakeFactory) -> None:
        """The session has answered and hung up."""
        assert factory.drained is not None
        factory.drained.callback(None)

    def test_waits_for_all(self) -> None:
        """The stop is over when the sessions of every listener have ended."""
        self.end(self.factories[0])
        self.assertNoResult(self.stopped)
        self.end(self.factories[1])
        self.successResultOf(self.stopped)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.assertFalse(any(each.aborted for each in self.factories))

    def test_cut_off(self) -> None:
        """Who takes too long is cut off, and the stop is over."""
        self.end(self.factories[0])
        self.clock.advance(DRAIN_SECONDS)
        self.successResultOf(self.stopped)
        self.assertTrue(self.factories[1].aborted)

    def test_no_sessions(self) -> None:
        """Without sessions the stop is over at once."""
        for each in self.factories:
            each.drain = lambda: succeed(None)  # type: ignore[method-assign]
        self.successResultOf(SmtpSessions(self.factories, self.clock).stopService())  # type: ignore[arg-type]
