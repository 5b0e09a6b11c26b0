"""What selectors say of elements."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss.selectors import Test


class TestTests(SynchronousTestCase):
    """When an attribute passes."""

    def test_operators(self) -> None:
        """Each operator as Selectors Level 3 has it; an empty value is found nowhere."""
        for test, passing, failing in (
            (Test("a"), ["", "x"], [None]),
            (Test("a", "=", "x"), ["x"], ["X", "xx", ""]),
            (Test("a", "=", "x", caseless=True), ["X"], ["y"]),
            (Test("a", "~=", "x"), ["y x", "x"], ["xy", ""]),
            (Test("a", "|=", "x"), ["x", "x-y"], ["xy"]),
            (Test("a", "^=", "x"), ["xy"], ["yx"]),
            (Test("a", "$=", "x"), ["yx"], ["xy"]),
            (Test("a", "*=", "x"), ["yxy"], ["y"]),
            (Test("a", "^=", ""), [], ["x", ""]),
        ):
            for value in passing:
                self.assertTrue(test.passes(value), (test, value))
            for other in failing:
                self.assertFalse(test.passes(other), (test, other))
