from __future__ import annotations

from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.sharing import Shared


class SharedTests(SynchronousTestCase):
    """Results for several."""

    def setUp(self) -> None:
        self.shared: Shared[str, str] = Shared(10, len)
        self.making: list[Deferred[str]] = []

    def get(self, key: str) -> Deferred[str]:
        """Ask, as one of many."""

        async def make() -> str:
            self.making.append(Deferred())
            return await self.making[-1]

        return Deferred.fromCoroutine(self.shared.get(key, make))

    def test_made_once(self) -> None:
        """All who ask while something is made get the same, and so do those who come later."""
        first, second = self.get("a"), self.get("a")
        self.assertNoResult(second)
        [making] = self.making
        making.callback("made")
        for asked in (first, second, self.get("a")):
            self.assertEqual("made", self.successResultOf(asked))
        self.assertEqual(1, len(self.making))

    def test_keys(self) -> None:
        """What has another key is something else."""
        self.get("a")
        self.get("b")
        self.assertEqual(2, len(self.making))

    def test_error(self) -> None:
        """An error goes to all who wait; who asks later has it tried again."""
        asked = [self.get("a"), self.get("a")]
        self.making[0].errback(ZeroDivisionError())
        for each in asked:
            self.failureResultOf(each, ZeroDivisionError)
        self.get("a")
        self.assertEqual(2, len(self.making))

    def test_one_gives_up(self) -> None:
        """Who gives up takes nothing from the others, also when it was the first."""
        first, second = self.get("a"), self.get("a")
        first.cancel()
        self.failureResultOf(first, CancelledError)
        self.making[0].callback("made")
        self.assertEqual("made", self.successResultOf(second))

    def test_bounded(self) -> None:
        """What was longest not asked for goes first."""
        for key in ("a", "b"):
            self.get(key)
            self.making[-1].callback("12345")
        self.successResultOf(self.get("a"))
        self.get("c")
        self.making[-1].callback("12345")
        for key, made in (("a", 3), ("c", 3), ("b", 4)):
            self.get(key)
            self.assertEqual(made, len(self.making), key)

    def test_too_heavy(self) -> None:
        """What is heavier than all that may be kept is handed out and not kept."""
        asked = self.get("a")
        self.making[0].callback("x" * 11)
        self.assertEqual("x" * 11, self.successResultOf(asked))
        self.get("a")
        self.assertEqual(2, len(self.making))
