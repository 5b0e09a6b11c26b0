"""Results of TLS are counted and written."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.security import results
from smtpeter.delivery.security.results import COUNTS_LIMIT, TOGETHER, WRITE_SECONDS, TlsResults
from smtpeter.delivery.security.tlsresult import PolicyType, TlsResult
from smtpeter.store import tlsresults
from smtpeter.store.tlsresults import TlsCount
from tests.delivery.security.quickstore import QuickStore

DOMAIN, HOST = "mailbox.example", "mx.mailbox.example"
NOON = 1_769_860_800.0  # 2026-01-31T12:00:00Z


class ResultsTests(SynchronousTestCase):
    """From sessions to rows."""

    def setUp(self) -> None:
        self.store = QuickStore()
        self.clock = Clock()
        self.clock.advance(NOON)
        self.results = TlsResults(self.store, self.clock)  # type: ignore[arg-type]

    def count(
        self, result: TlsResult = TlsResult.SUCCESS, host: str = HOST, domain: str = DOMAIN
    ) -> None:
        self.results.count(domain, PolicyType.STS, ("version: STSv1",), host, result)

    def written(self, day: str = "2026-01-31") -> list[TlsCount]:
        """What the store knows of a day."""
        with self.store.database.connect() as connection:
            return tlsresults.of_day(connection, day)

    def stop(self) -> None:
        stopped = self.results.stopService()
        assert isinstance(stopped, Deferred)
        self.successResultOf(stopped)

    def test_written(self) -> None:
        """Sessions that came to the same are one row, written with the next round."""
        self.results.startService()
        self.addCleanup(self.stop)
        for result in (TlsResult.SUCCESS, TlsResult.CERTIFICATE_EXPIRED, TlsResult.SUCCESS):
            self.count(result)
        self.assertEqual([], self.written())
        self.clock.advance(WRITE_SECONDS - 1)
        self.assertEqual([], self.written())
        self.clock.advance(1)
        lines = '["version: STSv1"]'
        self.assertEqual(
            [
                TlsCount("2026-01-31", DOMAIN, "sts", HOST, "", 2, lines),
                TlsCount("2026-01-31", DOMAIN, "sts", HOST, "certificate-expired", 1, lines),
            ],
            self.written(),
        )
        self.assertEqual(1, self.store.commits)

    def test_days(self) -> None:
        """A day ends at midnight, UTC, whenever it is written."""
        self.clock.advance(12 * 3600 - 1)
        self.count()
        self.clock.advance(1)
        self.count()
        self.stop()
        self.assertEqual(1, len(self.written()))
        self.assertEqual(1, len(self.written("2026-02-01")))

    def test_stop(self) -> None:
        """At the stop what is left is written, and rounds end."""
        self.results.startService()
        self.count()
        self.stop()
        self.assertEqual(1, len(self.written()))
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_nothing(self) -> None:
        """Where there is nothing to write nothing is written."""
        self.results.startService()
        self.clock.advance(WRITE_SECONDS)
        self.stop()
        self.assertEqual(0, self.store.commits)

    def test_store_is_gone(self) -> None:
        """What cannot be written is kept for the next round."""
        self.results.startService()
        self.addCleanup(self.stop)
        self.count()
        self.store.broken = True
        self.clock.advance(WRITE_SECONDS)
        self.store.broken = False
        self.count()
        self.clock.advance(WRITE_SECONDS)
        self.assertEqual([2], [each.sessions for each in self.written()])

    def test_many(self) -> None:
        """Of very many some are written at a time."""
        for number in range(TOGETHER + 1):
            self.count(host=f"mx{number}.example")
        self.stop()
        self.assertEqual(TOGETHER + 1, len(self.written()))
        self.assertEqual(2, self.store.commits)

    def test_too_many(self) -> None:
        """What is beyond the limit is lost, but not what is known already."""
        self.patch(results, "COUNTS_LIMIT", 3)
        self.assertGreater(COUNTS_LIMIT, 3)
        for number in range(5):
            self.count(host=f"mx{number}.example")
        self.count(host="mx0.example")
        self.stop()
        self.assertEqual([2, 1, 1], [each.sessions for each in self.written()])
