from smtpeter.quotas import EVERYBODY, HOUR
from smtpeter.store import accounts, domains, quotas, suppressions
from smtpeter.store.standing import PLAIN, Standing, standing_of
from tests.store.cases import NOW, DatabaseCase, OnPostgresql

DESK = "login:1"


class StandingTests(DatabaseCase):
    """What there is about an account."""

    def setUp(self) -> None:
        super().setUp()
        with self.database.begin() as connection:
            self.noor, self.eva = (
                accounts.add_account(connection, f"{name}@shop.example", "hash", NOW).id
                for name in ("noor", "eva")
            )

    def standing(self, payer: str = DESK) -> Standing:
        """That of the first account; nothing of it is about the other."""
        with self.database.connect() as connection:
            self.assertEqual(PLAIN, standing_of(connection, self.eva, "", payer))
            return standing_of(connection, self.noor, "pool", payer)

    def test_nothing(self) -> None:
        """Of a new account there is nothing but its pool."""
        self.assertEqual(Standing("pool"), self.standing())

    def test_suppressions(self) -> None:
        """Whether its suppression list is empty."""
        with self.database.begin() as connection:
            suppressions.suppress(
                connection, self.noor, "kees@mailbox.example", "manual", "", "", NOW
            )
        self.assertEqual(Standing("pool", suppresses=True), self.standing())

    def test_domains(self) -> None:
        """Whether it has a sender domain, and one that is approved."""
        for name, approved in (("shop.example", None), ("club.example", NOW)):
            self.assertEqual(PLAIN.has_domains, self.standing().has_domains)
            with self.database.begin() as connection:
                domains.add_domain(
                    connection,
                    self.noor,
                    name,
                    NOW,
                    approved=approved,
                    tracking_host="clicks.example",
                    bounce_host="bounces.example",
                )
        self.assertEqual(Standing("pool", has_domains=True), self.standing())

    def test_quotas(self) -> None:
        """Whether a quota holds for the account or for who logs in."""
        with self.database.begin() as connection:
            quotas.write(connection, self.noor, DESK, {HOUR: 1})
        self.assertEqual(Standing("pool", limited=True), self.standing())
        self.assertEqual(Standing("pool"), self.standing("login:2"))
        with self.database.begin() as connection:
            quotas.write(connection, self.noor, EVERYBODY, {HOUR: 1})
        self.assertTrue(self.standing("login:2").limited)


class StandingOnPostgresqlTests(OnPostgresql, StandingTests):
    """The same on PostgreSQL."""
