"""The memory that contents share."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import CancelledError, Deferred
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.budget import ContentBudget


class ContentBudgetTests(SynchronousTestCase):
    """Sharing out and giving back."""

    def test_reserve(self) -> None:
        """What is free is given at once, what is not is refused, to the octet."""
        budget = ContentBudget(10)
        self.assertTrue(budget.reserve(10))
        self.assertFalse(budget.reserve(1))
        budget.release(1)
        self.assertEqual(1, budget.free_octets)
        self.assertTrue(budget.reserve(1))

    def test_acquire(self) -> None:
        """Who cannot have all at once waits until it has been given back."""
        budget = ContentBudget(10)
        self.successResultOf(budget.acquire(6))
        turn = budget.acquire(6)
        self.assertNoResult(turn)
        budget.release(1)
        self.assertNoResult(turn)
        budget.release(1)
        self.successResultOf(turn)
        self.assertEqual(10, budget.used_octets)

    def test_order(self) -> None:
        """A small wish does not overtake a great one that has waited longer."""
        budget = ContentBudget(10)
        self.successResultOf(budget.acquire(6))
        great, small = budget.acquire(8), budget.acquire(1)
        self.assertNoResult(small)
        budget.release(6)
        self.successResultOf(great)
        self.successResultOf(small)

    def test_no_overtaking(self) -> None:
        """Who cannot wait does not overtake who waits, and is not kept out for ever by him."""
        budget = ContentBudget(10)
        self.assertTrue(budget.reserve(6))
        great = budget.acquire(8)
        self.assertFalse(budget.reserve(1))
        budget.release(6)
        self.successResultOf(great)
        self.assertTrue(budget.reserve(2))

    def test_larger_than_all(self) -> None:
        """What is larger than the whole budget gets its turn alone."""
        budget = ContentBudget(10)
        self.successResultOf(budget.acquire(1))
        turn = budget.acquire(11)
        self.assertNoResult(turn)
        budget.release(1)
        self.successResultOf(turn)
        self.assertFalse(budget.reserve(1))
        budget.release(11)
        self.assertEqual(0, budget.used_octets)

    def test_cancelled(self) -> None:
        """Who stops waiting takes nothing, and stands in nobody's way."""
        budget = ContentBudget(10)
        self.successResultOf(budget.acquire(6))
        great, small = budget.acquire(8), budget.acquire(2)
        great.cancel()
        self.failureResultOf(great, CancelledError)
        self.successResultOf(small)
        budget.release(8)
        self.assertEqual(0, budget.used_octets)

    @given(st.lists(st.tuples(st.integers(0, 12), st.sampled_from("racx")), max_size=40))
    def test_nothing_is_lost(self, steps: list[tuple[int, str]]) -> None:
        """Whatever is asked for, given back or cancelled, in the end all is free again."""
        budget = ContentBudget(10)
        held: list[int] = []
        waiting: list[Deferred[None]] = []
        for octets, step in steps:
            if step == "r" and budget.reserve(octets):
                held.append(octets)
            elif step == "a":
                turn = budget.acquire(octets)
                turn.addCallbacks(lambda _, octets=octets: held.append(octets), lambda _: None)
                waiting.append(turn)
            elif step == "c" and waiting:
                waiting.pop(octets % len(waiting)).cancel()
            elif step == "x" and held:
                budget.release(held.pop(octets % len(held)))
            self.assertEqual(sum(held), budget.used_octets)
        while held:
            budget.release(held.pop())
        self.assertEqual(0, budget.used_octets)
        for turn in waiting:
            self.assertTrue(turn.called)
