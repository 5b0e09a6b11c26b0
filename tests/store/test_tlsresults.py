"""Results of TLS in the store."""

from __future__ import annotations

from attrs import evolve

from smtpeter.store import tlsresults
from smtpeter.store.tlsresults import TlsCount
from tests.store.cases import DatabaseCase, OnPostgresql

GOOD = TlsCount("2026-01-31", "mailbox.example", "sts", "mx.mailbox.example", "", 3, '["a"]')
BAD = evolve(GOOD, result="certificate-expired", sessions=2)
OTHER = evolve(GOOD, domain="other.example", policy_type="no-policy-found", policy="[]")


class ResultTests(DatabaseCase):
    """Adding, reading, forgetting."""

    def add(self, *counts: TlsCount) -> None:
        with self.database.begin() as connection:
            change = tlsresults.add(counts)
            connection.execute(change.statement, change.rows)

    def of_day(self, day: str = GOOD.day, domain: str | None = None) -> list[TlsCount]:
        with self.database.connect() as connection:
            return tlsresults.of_day(connection, day, domain)

    def test_added(self) -> None:
        """Sessions are added up; the policy is the last that was told."""
        self.add(BAD, OTHER, GOOD)
        self.add(evolve(GOOD, sessions=4, policy='["b"]'))
        self.assertEqual([evolve(GOOD, sessions=7, policy='["b"]'), BAD, OTHER], self.of_day())

    def test_any_host(self) -> None:
        """DNS may hold names that no database would."""
        self.add(evolve(GOOD, host="mx\0.example"))
        (count,) = self.of_day()
        self.assertNotIn("\0", count.host)

    def test_chosen(self) -> None:
        """One day is told, of one domain where that is asked for."""
        later = evolve(GOOD, day="2026-02-01")
        self.add(GOOD, OTHER, later)
        self.assertEqual([later], self.of_day("2026-02-01"))
        self.assertEqual([OTHER], self.of_day(domain="other.example"))
        self.assertEqual([], self.of_day("2026-02-02"))

    def test_forgotten(self) -> None:
        """Earlier days are removed."""
        later = evolve(GOOD, day="2026-02-01")
        self.add(GOOD, later)
        with self.database.begin() as connection:
            tlsresults.forget_old(connection, "2026-02-01")
        self.assertEqual([], self.of_day())
        self.assertEqual([later], self.of_day("2026-02-01"))


class ResultOnPostgresqlTests(OnPostgresql, ResultTests):
    """The same on PostgreSQL."""
