from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.lookups import Lookups

SECONDS = 10.0


class LookupsTests(SynchronousTestCase):
    """Answers that are asked for several times."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.asked: list[tuple[str, Deferred[str | None]]] = []
        self.lookups: Lookups[str, str | None] = Lookups(
            self.look_up, self.clock.seconds, 2, SECONDS
        )

    def look_up(self, key: str) -> Deferred[str | None]:
        answer: Deferred[str | None] = Deferred()
        self.asked.append((key, answer))
        return answer

    def get(self, key: str) -> Deferred[str | None]:
        return Deferred.fromCoroutine(self.lookups.get(key))

    def known(self, key: str, answer: str | None) -> None:
        """Have an answer looked up."""
        asking = self.get(key)
        self.asked[-1][1].callback(answer)
        self.assertEqual(answer, self.successResultOf(asking))

    def test_shared(self) -> None:
        """Who asks while it is looked up waits for the same answer."""
        first, second, other = self.get("a"), self.get("a"), self.get("b")
        self.assertEqual(["a", "b"], [key for key, _ in self.asked])
        self.asked[0][1].callback("found")
        for each in (first, second):
            self.assertEqual("found", self.successResultOf(each))
        self.assertNoResult(other)

    def test_remembered(self) -> None:
        """An answer holds for its time; that there is none is an answer."""
        self.known("a", None)
        self.assertIsNone(self.successResultOf(self.get("a")))
        self.clock.advance(SECONDS)
        self.known("a", "found")
        self.assertEqual(2, len(self.asked))

    def test_bounded(self) -> None:
        """Beyond so many answers what was not used longest is looked up again."""
        for key in ("a", "b", "c"):
            self.known(key, key)
        self.assertEqual("c", self.successResultOf(self.get("c")))
        self.assertNoResult(self.get("a"))

    def test_error(self) -> None:
        """An error goes to all who wait, and is not remembered."""
        waiting = [self.get("a"), self.get("a")]
        self.asked[0][1].errback(ValueError())
        for each in waiting:
            self.failureResultOf(each, ValueError)
        self.known("a", "found")
