"""Tests for `smtpeter.web.body`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.budget import ContentBudget
from smtpeter.web.body import BodySpool
from smtpeter.web.problem import Problem


class BodySpoolTests(SynchronousTestCase):
    """What is kept, and what it costs."""

    def test_take(self) -> None:
        """A body that was taken keeps its memory until it is released, once."""
        budget = ContentBudget(10)
        spool = BodySpool(8, budget)
        spool.write(b"abc")
        spool.write(b"de")
        octets, reservation = spool.take()
        spool.close()
        self.assertEqual((b"abcde", 5), (octets, budget.used_octets))
        reservation.release()
        reservation.release()
        self.assertEqual(0, budget.used_octets)

    def test_file(self) -> None:
        """It can be read as the file that twisted.web expects."""
        spool = BodySpool(8, ContentBudget(10))
        spool.write(b"abc")
        self.assertEqual(3, spool.tell())
        spool.seek(0)
        self.assertEqual(b"abc", spool.read())

    def test_over_its_limit(self) -> None:
        """Beyond its own limit it keeps nothing and counts on."""
        budget = ContentBudget(100)
        spool = BodySpool(4, budget)
        spool.write(b"abcd")
        spool.write(b"e")
        spool.write(b"f")
        self.assertEqual((6, 0), (spool.received_octets, budget.used_octets))
        self.assertEqual(413, self.assertRaises(Problem, spool.take).status)

    def test_over_the_limit_of_all(self) -> None:
        """It stays empty once there was no memory, even if there is some again."""
        budget = ContentBudget(4)
        budget.reserve(3)
        spool = BodySpool(8, budget)
        spool.write(b"ab")
        budget.release(3)
        spool.write(b"cd")
        self.assertEqual(0, budget.used_octets)
        self.assertEqual(503, self.assertRaises(Problem, spool.take).status)

    @given(st.lists(st.binary(max_size=6), max_size=8), st.booleans())
    def test_memory_comes_back(self, pieces: list[bytes], taken: bool) -> None:  # noqa: FBT001
        """Whatever happens, no memory stays taken in the end, and none beyond the limits."""
        budget = ContentBudget(20)
        spool = BodySpool(16, budget)
        for piece in pieces:
            spool.write(piece)
            self.assertLessEqual(budget.used_octets, 16)
        if taken and sum(map(len, pieces)) <= 16:
            octets, reservation = spool.take()
            self.assertEqual(b"".join(pieces), octets)
            reservation.release()
        spool.close()
        self.assertEqual(0, budget.used_octets)
