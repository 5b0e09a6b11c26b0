"""Policies of MTA-STS in the store."""

from __future__ import annotations

from attrs import evolve

from smtpeter.store import stspolicies
from smtpeter.store.stspolicies import KeptPolicy
from tests.store.cases import NOW, DatabaseCase, OnPostgresql

ONE = KeptPolicy("one.example", "id1", "version: STSv1", NOW, NOW + 100)
TWO = KeptPolicy("two.example", "id2", "version: STSv1", NOW + 1, NOW + 200)


class PolicyTests(DatabaseCase):
    """Keeping, reading, forgetting."""

    def keep(self, *policies: KeptPolicy) -> None:
        with self.database.begin() as connection:
            for policy in policies:
                change = stspolicies.keep(policy)
                connection.execute(change.statement, change.rows)

    def in_force(self, now: float = NOW, limit: int = 10) -> list[KeptPolicy]:
        with self.database.connect() as connection:
            return stspolicies.in_force(connection, now, limit)

    def test_kept(self) -> None:
        """Policies are read back as they were, the oldest first."""
        self.keep(TWO, ONE)
        self.assertEqual([ONE, TWO], self.in_force())
        self.assertEqual([TWO], self.in_force(limit=1))

    def test_replaced(self) -> None:
        """A new policy stands in the place of the one before."""
        newer = evolve(ONE, policy_id="id3", policy="other", fetched=NOW + 2, expires=NOW + 300)
        self.keep(ONE, newer)
        self.assertEqual([newer], self.in_force())

    def test_forgotten(self) -> None:
        """What has expired is not read, and removed in the end."""
        self.keep(ONE, TWO)
        self.assertEqual([TWO], self.in_force(NOW + 100))
        with self.database.begin() as connection:
            stspolicies.forget_old(connection, NOW + 100)
        self.assertEqual([TWO], self.in_force())


class PolicyOnPostgresqlTests(OnPostgresql, PolicyTests):
    """The same on PostgreSQL."""
