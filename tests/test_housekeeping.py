from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.housekeeping import PAUSE_SECONDS, RECEIVERS_SECONDS, ROUND_SECONDS, Housekeeping
from smtpeter.store import (
    images,
    quotas,
    receivers,
    retention,
    stspolicies,
    suppressions,
    tlsresults,
)
from smtpeter.store.database import StoreUnavailable
from smtpeter.store.store import Store


class FakeStore:
    """Notes what is asked for, and answers as it is told."""

    def __init__(self) -> None:
        self.asked: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self.answers: list[int | None] = []
        self.down = False

    def transact(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.asked.append((function, args))
        if self.down:
            return fail(StoreUnavailable("gone"))
        if function is retention.drop_contents:
            return succeed(self.answers.pop(0) if self.answers else None)
        return succeed(None)

    def batches(self) -> list[tuple[Any, ...]]:
        return [args for function, args in self.asked if function is retention.drop_contents]


class HousekeepingTests(SynchronousTestCase):
    """When what is removed."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.store = FakeStore()
        self.keeping = Housekeeping(cast("Store", self.store), 1000.0, self.clock)
        self.keeping.startService()

    def test_batch_after_batch(self) -> None:
        """Batches follow each other with a pause, until there is none left."""
        self.store.answers = [7, 9]
        self.clock.pump([PAUSE_SECONDS] * 5)
        self.assertEqual([0, 7, 9], [position for _, position in self.store.batches()])

    def test_age(self) -> None:
        """Only what is older than it is to be kept is asked for."""
        self.clock.advance(PAUSE_SECONDS)
        self.assertEqual(self.clock.seconds() - 1000.0, self.store.batches()[0][0])

    def test_images(self) -> None:
        """Once in a round the images go that nobody needs any more."""
        self.store.answers = [7]
        self.clock.pump([PAUSE_SECONDS] * 3)
        asked = [args for function, args in self.store.asked if function is images.forget_old]
        self.assertEqual([(1_000_000 + PAUSE_SECONDS,)], asked)

    def test_lists(self) -> None:
        """So do entries of suppression lists that have expired, and counts of quotas."""
        self.clock.advance(PAUSE_SECONDS)
        asked = dict(self.store.asked)
        for forget in (suppressions.forget_expired, quotas.forget_old):
            self.assertEqual((1_000_000 + PAUSE_SECONDS,), asked[forget])

    def test_security(self) -> None:
        """So does what is known of the security of receivers, policies by their terms."""
        self.clock.advance(PAUSE_SECONDS)
        asked = dict(self.store.asked)
        self.assertEqual((1_000_000 + PAUSE_SECONDS,), asked[stspolicies.forget_old])
        self.assertEqual(("1969-12-13",), asked[tlsresults.forget_old])
        since = 1_000_000 + PAUSE_SECONDS - RECEIVERS_SECONDS
        self.assertEqual((since,), asked[receivers.forget_old])

    def test_every_hour(self) -> None:
        """An hour after the last batch it begins anew."""
        self.clock.advance(PAUSE_SECONDS)
        self.clock.advance(ROUND_SECONDS)
        self.assertEqual(2, len(self.store.batches()))

    def test_store_is_down(self) -> None:
        """When the store does not answer, it is tried again an hour later."""
        self.store.down = True
        self.clock.advance(PAUSE_SECONDS)
        self.store.down = False
        self.clock.advance(ROUND_SECONDS)
        self.assertEqual(1, len(self.store.batches()))

    def test_stop(self) -> None:
        """After the stop nothing more is begun."""
        self.keeping.stopService()
        self.clock.advance(2 * ROUND_SECONDS)
        self.assertEqual([], self.store.asked)
