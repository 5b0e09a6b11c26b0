from __future__ import annotations

import os
import resource

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.workers.child import MEMORY_OCTETS, NICENESS, be_modest

_LESS = MEMORY_OCTETS // 2


class ModestyTests(SynchronousTestCase):
    """What a worker leaves to others; nothing of it is done to the process of the tests."""

    def setUp(self) -> None:
        self.niceness: list[int] = []
        self.limits: list[tuple[int, int]] = []
        self.hard = resource.RLIM_INFINITY
        self.patch(os, "nice", self.niceness.append)
        self.patch(resource, "getrlimit", lambda _: (self.hard, self.hard))
        self.patch(resource, "setrlimit", lambda _, limits: self.limits.append(limits))

    def test_modest(self) -> None:
        """It is nicer than its owner, and its memory has a bound."""
        be_modest()
        self.assertEqual([NICENESS], self.niceness)
        self.assertEqual([(MEMORY_OCTETS, MEMORY_OCTETS)], self.limits)

    def test_less_memory(self) -> None:
        """A bound that is there already, and lower, stays."""
        self.hard = _LESS
        be_modest()
        self.assertEqual([(_LESS, _LESS)], self.limits)

    def test_denied(self) -> None:
        """A sandbox that denies all that does no harm."""

        def denied(*_: object) -> None:
            raise PermissionError

        self.patch(os, "nice", denied)
        self.patch(resource, "setrlimit", denied)
        be_modest()
