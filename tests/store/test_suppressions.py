from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.address import Mailbox
from smtpeter.store import accounts, suppressions
from smtpeter.store.statements import Statements
from smtpeter.store.suppressions import (
    ASKED_AT_ONCE,
    COMPLAINT,
    DAY_SECONDS,
    FORGOTTEN_AT_ONCE,
    MAILBOX,
    MANUAL,
    REASONS,
    Lifetimes,
    Suppression,
    add,
    addition,
    address_key,
    forget_expired,
    listed,
    remove,
    suppressed,
    suppresses,
)
from tests.store.cases import NOW, DatabaseCase, OnPostgresql

KEES = "kees@mailbox.example"
RIA = "ria@mailbox.example"
HALF_A_YEAR = 180 * DAY_SECONDS


class KeyTests(SynchronousTestCase):
    """What addresses are compared by."""

    def test_case_and_labels(self) -> None:
        """Case makes no difference, nor how an international domain is written."""
        for written, key in (
            ("Kees.Visser@MailBox.Example", "kees.visser@mailbox.example"),
            ("kees@Müller.example", "kees@xn--mller-kva.example"),
            ("KÉES@xn--mller-kva.example", "kées@xn--mller-kva.example"),
            ('"Kees Visser"@mailbox.example', '"kees visser"@mailbox.example'),
            ('"kees"@mailbox.example', KEES),
            ("kees@[IPv6:2001:DB8::1]", "kees@[IPv6:2001:db8::1]"),
        ):
            self.assertEqual(key, address_key(Mailbox.parse(written)), written)

    @given(st.from_regex(r"[A-Za-z0-9._\-\"\\ ]{1,20}", fullmatch=True))
    def test_key_of_a_key(self, local: str) -> None:
        """A key is an address, and its own key."""
        escaped = local.replace("\\", "\\\\").replace('"', '\\"')
        key = address_key(Mailbox.parse(f'"{escaped}"@Mailbox.example'))
        self.assertEqual(key, address_key(Mailbox.parse(key)))


class LifetimeTests(SynchronousTestCase):
    """How long suppressions last."""

    def test_usual(self) -> None:
        """A mailbox is tried again in half a year; complaints and manual entries stay."""
        ends = [Lifetimes().end(reason, NOW) for reason in REASONS]
        self.assertEqual([NOW + HALF_A_YEAR, None, None], ends)

    def test_others(self) -> None:
        """Each reason has its own."""
        lifetimes = Lifetimes(mailbox=None, complaint=10.0, manual=20.0)
        ends = [lifetimes.end(reason, NOW) for reason in REASONS]
        self.assertEqual([None, NOW + 10, NOW + 20], ends)


class SuppressionTests(DatabaseCase):
    """The suppression lists of two accounts."""

    def setUp(self) -> None:
        super().setUp()
        with self.database.begin() as connection:
            self.noor, self.eva = (
                accounts.add_account(connection, f"{name}@shop.example", "hash", NOW).id
                for name in ("noor", "eva")
            )

    def put(
        self, address: str = KEES, reason: str = MAILBOX, now: float = NOW, said: str = "gone"
    ) -> None:
        """Have an address on the list of the first account."""
        with self.database.begin() as connection:
            # of its own name, trial would take it for a setting of the tests
            suppressions.suppress(connection, self.noor, address, reason, said, "a" * 16, now)

    def suppressed(self, *addresses: str, now: float = NOW) -> dict[str, Suppression]:
        """What the first account's list says of addresses."""
        with self.database.connect() as connection:
            return suppressed(connection, self.noor, addresses or [KEES], now)

    def addresses(self, now: float = NOW) -> list[str]:
        """The addresses on the first account's list."""
        with self.database.connect() as connection:
            return [each.address for each in listed(connection, self.noor, now)]

    def test_suppressed(self) -> None:
        """An address that was suppressed is found, with why, since when, and until when."""
        self.put("Kees@Mailbox.Example")
        self.assertEqual(
            {KEES: Suppression(KEES, MAILBOX, "gone", "a" * 16, NOW, NOW + HALF_A_YEAR)},
            self.suppressed(RIA, KEES),
        )
        self.assertEqual([KEES], self.addresses())

    def test_own_list(self) -> None:
        """Each account has its own list."""
        with self.database.connect() as connection:
            self.assertFalse(suppresses(connection, self.noor))
        self.put()
        with self.database.connect() as connection:
            self.assertTrue(suppresses(connection, self.noor))
            self.assertFalse(suppresses(connection, self.eva))
            self.assertEqual({}, suppressed(connection, self.eva, [KEES], NOW))
            self.assertEqual([], list(listed(connection, self.eva, NOW)))

    def test_expired(self) -> None:
        """What has expired is as if it were not there, and begins anew when it returns."""
        self.put()
        later = NOW + HALF_A_YEAR
        self.assertEqual({}, self.suppressed(now=later))
        self.assertEqual([], self.addresses(later))
        self.put(now=later)
        self.assertEqual(later, self.suppressed(now=later)[KEES].created)

    def test_longer(self) -> None:
        """What lasts longer stays, since the beginning of what was there."""
        self.put(said="gone")
        self.put(now=NOW + 100, said="still gone")
        self.assertEqual(
            ("still gone", NOW, NOW + 100 + HALF_A_YEAR),
            self.told(),
        )
        self.put(reason=COMPLAINT, now=NOW + 200, said="spam")
        self.put(now=NOW + 300, said="gone again")
        self.put(reason=MANUAL, now=NOW + 400, said="asked for")
        self.assertEqual(("spam", NOW, None), self.told())

    def told(self) -> tuple[str, float, float | None]:
        """What is remembered of one address."""
        found = self.suppressed()[KEES]
        return found.description, found.created, found.expires

    def test_statement_of_the_writer(self) -> None:
        """The writer merges the additions of many messages; none is lost, the longest stays."""
        entry = Suppression(KEES, MAILBOX, "gone", "", NOW, NOW + 50)
        changes = [
            addition(self.noor, entry),
            addition(self.noor, Suppression(KEES, COMPLAINT, "spam", "", NOW, None)),
            addition(self.noor, entry),
            addition(self.eva, Suppression(RIA, MAILBOX, "gone", "", NOW, NOW + 50)),
        ]
        statements = Statements(self.database.engine.dialect)
        with self.database.begin() as connection:
            rows = [row for change in changes for row in change.rows]
            statements.run(connection, changes[0].statement, rows)
            statements.run(connection, changes[0].statement, rows[:1])
        with self.database.connect() as connection:
            self.assertTrue(suppresses(connection, self.eva))
        self.assertEqual(("spam", NOW, None), self.told())

    def test_words_of_strangers(self) -> None:
        """Whatever a server said is recorded, as far as it can be."""
        self.put(said="\0 gone \ud800" + "!" * 1000)
        description = self.suppressed()[KEES].description
        self.assertTrue(description.startswith("\ufffd gone \ufffd!!"))
        self.assertEqual(500, len(description))

    def test_remove(self) -> None:
        """What is removed is told, and can be written to again."""
        self.put(KEES)
        self.put(RIA)
        with self.database.begin() as connection:
            self.assertEqual([KEES], remove(connection, self.noor, [KEES, "no@mailbox.example"]))
            self.assertEqual([], remove(connection, self.eva, [RIA]))
        self.assertEqual([RIA], self.addresses())

    def test_many(self) -> None:
        """More addresses than fit in one query are asked for and removed as well."""
        many = [f"r{number:05}@mailbox.example" for number in range(2 * ASKED_AT_ONCE + 1)]
        with self.database.begin() as connection:
            entries = (Suppression(each, MANUAL, "", "", NOW, None) for each in many)
            add(connection, self.noor, entries)
        self.assertEqual(many, self.addresses())
        self.assertEqual(set(many), set(self.suppressed(*many)))
        with self.database.begin() as connection:
            self.assertEqual(len(many), len(remove(connection, self.noor, many)))

    def test_forgotten(self) -> None:
        """What has expired is removed, so many at a time; the rest stays."""
        with self.database.begin() as connection:
            add(
                connection,
                self.noor,
                (
                    Suppression(f"r{number}@mailbox.example", MAILBOX, "", "", NOW, NOW + 1)
                    for number in range(FORGOTTEN_AT_ONCE + 1)
                ),
            )
        self.put(KEES)
        self.put(RIA, COMPLAINT)
        with self.database.begin() as connection:
            counts = [forget_expired(connection, NOW + 1) for _ in range(3)]
        self.assertEqual([FORGOTTEN_AT_ONCE, 1, 0], counts)
        self.assertEqual([KEES, RIA], self.addresses())


class SuppressionOnPostgresqlTests(OnPostgresql, SuppressionTests):
    """The same on PostgreSQL."""
