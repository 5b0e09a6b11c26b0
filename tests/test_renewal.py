from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import cast

import attrs
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.config import Config, load
from smtpeter.renewal import Current, Renewal, differences
from smtpeter.tls import ServerTLS

FILE = """
[smtp]
product = "{product}"
[delivery.receivers."slow.example"]
connections = {connections}
"""


class FakeTLS:
    """Counts how often it was told to read its files again."""

    reloads = 0

    def reload(self) -> bool:
        self.reloads += 1
        return False


class FakeReactor:
    """Calls at once."""

    def callFromThread(self, function: Callable[[], None]) -> None:
        function()


class RenewalTests(SynchronousTestCase):
    """What SIGHUP does."""

    def setUp(self) -> None:
        self.file = Path(self.mktemp())
        self.write(product="one", connections=1)
        self.current = Current(load(str(self.file)))
        self.tls = FakeTLS()
        self.changes: list[int] = []
        self.renewals: list[str] = []
        self.renewal = Renewal(
            self.current,
            cast("ServerTLS", self.tls),
            lambda: self.changes.append(self.connections()),
            lambda: self.renewals.append("places"),
            cast("IReactorFromThreads", FakeReactor()),
        )

    def write(self, **values: object) -> None:
        self.file.write_text(FILE.format(**values))

    def connections(self) -> int:
        delivery = self.current.config.delivery
        return delivery.receivers.get("slow.example", delivery.limits).connections

    def test_limits(self) -> None:
        """The limits of receivers are taken up, and the queue is told."""
        self.write(product="one", connections=7)
        self.renewal.renew()
        self.assertEqual([7], self.changes)
        self.assertEqual(1, self.tls.reloads)

    def test_places(self) -> None:
        """The file of places is read again, whatever becomes of the configuration."""
        self.renewal.renew()
        self.write(product="one", connections="many")
        self.renewal.renew()
        self.assertEqual(["places"] * 2, self.renewals)

    def test_doubts(self) -> None:
        """New limits that are hardly meant are logged as at the start."""
        self.file.write_text('[delivery]\nmode = "mx"\nconnections = 600\n')
        self.current.config = load(str(self.file))
        with capturedLogs() as logged:
            self.renewal.renew()
        self.assertTrue(
            [each for each in logged if "delivery.connections" in each.get("doubt", "")]
        )

    def test_others_wait(self) -> None:
        """What needs a restart stays as it was."""
        self.write(product="two", connections=1)
        self.renewal.renew()
        self.assertEqual("one", self.current.config.smtp.product)

    def test_faulty(self) -> None:
        """A configuration with a fault changes nothing."""
        self.write(product="one", connections="many")
        self.renewal.renew()
        self.assertEqual([], self.changes)
        self.assertEqual(1, self.connections())

    def test_signal(self) -> None:
        """SIGHUP renews while the service runs, and means what it did before afterwards."""
        before = signal.getsignal(signal.SIGHUP)
        self.renewal.startService()
        self.addCleanup(signal.signal, signal.SIGHUP, before)
        os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(1, self.tls.reloads)
        self.renewal.stopService()
        self.assertEqual(before, signal.getsignal(signal.SIGHUP))

    def test_differences(self) -> None:
        """Settings that differ are told by name."""
        one = Config()
        other = attrs.evolve(one, smtp=attrs.evolve(one.smtp, product="other"), hostname="b")
        self.assertEqual(["hostname", "smtp.product"], list(differences(one, other)))
