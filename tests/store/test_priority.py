from __future__ import annotations

import os
import threading

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.store.priority import NICENESS, let_the_reactor_go_first


class PriorityTests(SynchronousTestCase):
    """Threads that make way."""

    def test_denied(self) -> None:
        """A sandbox that denies it does no harm."""

        def denied(*_: int) -> None:
            raise PermissionError

        self.patch(os, "setpriority", denied)
        let_the_reactor_go_first()

    def test_own_thread(self) -> None:
        """The thread that asks is nicer, and no other is."""
        before = os.getpriority(os.PRIO_PROCESS, 0)
        found: list[int] = []

        def run() -> None:
            let_the_reactor_go_first()
            found.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))

        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
        self.assertEqual([min(before + NICENESS, 19)], found)
        self.assertEqual(before, os.getpriority(os.PRIO_PROCESS, 0))
