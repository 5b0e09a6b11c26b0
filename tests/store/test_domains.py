from __future__ import annotations

from datetime import date
from typing import Any

from attrs import evolve
from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from smtpeter.dns.dmarc import Dmarc
from smtpeter.dns.proof import Proof
from smtpeter.store import accounts
from smtpeter.store.domains import (
    DomainExists,
    SenderDomain,
    UnknownDomain,
    add_domain,
    applying_domain,
    approve_domain,
    approved_domain,
    change_domain,
    domains,
    is_tracking_host,
    named_domain,
    related_domain,
    remove_domain,
)
from smtpeter.store.tables import sender_domains
from tests.store.cases import NOW, DatabaseCase, OnPostgresql

SHOP = "shop.example"


def added(
    connection: Connection, account_id: int, name: str = SHOP, **changed: Any
) -> SenderDomain:
    """A sender domain, approved where nothing else is said."""
    values: dict[str, Any] = {
        "approved": NOW,
        "tracking_host": f"clicks.{name}",
        "bounce_host": f"bounces.{name}",
    }
    return add_domain(connection, account_id, name, NOW, **(values | changed))


class DomainsTests(DatabaseCase):
    """Sender domains of two accounts."""

    def setUp(self) -> None:
        super().setUp()
        with self.database.begin() as connection:
            self.noor, self.kees = (
                accounts.add_account(connection, f"{name}@{SHOP}", "hash", NOW).id
                for name in ("noor", "kees")
            )

    def test_added(self) -> None:
        """A domain is read as it was added; those of an account are found by name."""
        with self.database.begin() as connection:
            shop = added(connection, self.noor, https=True)
            club = added(connection, self.noor, "club.example", approved=None)
            farm = added(connection, self.kees, "farm.example")
        with self.database.connect() as connection:
            self.assertEqual([club, farm, shop], domains(connection))
            self.assertEqual([club, shop], domains(connection, self.noor))
        self.assertEqual(
            (SHOP, NOW, "clicks.shop.example", True, "bounces.shop.example"),
            (shop.name, shop.approved, shop.tracking_host, shop.https, shop.bounce_host),
        )

    def test_twice(self) -> None:
        """An account has a domain once."""
        with self.database.begin() as connection:
            added(connection, self.noor, approved=None)
            with self.assertRaisesRegex(DomainExists, "the account has .*'shop.example' already"):
                added(connection, self.noor)

    def test_two_accounts(self) -> None:
        """Two accounts may have a domain until it is approved for one of them."""
        with self.database.begin() as connection:
            added(connection, self.noor, approved=None)
            added(connection, self.kees)
            added(connection, self.noor, "club.example")
            with self.assertRaisesRegex(DomainExists, "another account has .*'club.example'"):
                added(connection, self.kees, "club.example")
            self.assertEqual(3, len(domains(connection)))

    def test_approved_once(self) -> None:
        """The database itself keeps a second account from having a domain approved."""
        with self.database.begin() as connection:
            first = added(connection, self.noor)
        values = {
            name: getattr(first, name)
            for name in ("name", "approved", "tracking_host", "https", "bounce_host", "created")
        }
        with self.assertRaises(IntegrityError), self.database.begin() as connection:
            connection.execute(insert(sender_domains).values(account_id=self.kees, **values))

    def test_applying(self) -> None:
        """For mail from a domain that domain applies, else the closest above it."""
        with self.database.begin() as connection:
            shop = added(connection, self.noor)
            news = added(connection, self.noor, "news.shop.example")
            added(connection, self.noor, "b.shop.example", approved=None)
            added(connection, self.kees, "c.shop.example")
            for name, applies in (
                (SHOP, shop),
                ("news.shop.example", news),
                ("a.b.news.shop.example", news),
                ("b.shop.example", shop),
                ("c.shop.example", shop),
                ("bookshop.example", None),
                ("example", None),
            ):
                found = applying_domain(connection, self.noor, name)
                self.assertEqual(applies, found, name)

    def test_tracking_host(self) -> None:
        """The tracking hosts of approved domains are known, of whichever account."""
        with self.database.begin() as connection:
            added(connection, self.noor)
            added(connection, self.kees, "club.example", tracking_host="go.club.example")
            added(connection, self.kees, "farm.example", approved=None)
            known = [
                is_tracking_host(connection, host)
                for host in (
                    "clicks.shop.example",
                    "go.club.example",
                    "clicks.farm.example",
                    "shop.example",
                )
            ]
        self.assertEqual([True, True, False, False], known)

    def test_changed(self) -> None:
        """A change touches what it names, of the approved domain alone."""
        with self.database.begin() as connection:
            other = added(connection, self.kees, approved=None)
            shop = added(connection, self.noor)
            changed = change_domain(connection, shop, tracking_host="go.shop.example", https=True)
            self.assertEqual(evolve(shop, tracking_host="go.shop.example", https=True), changed)
            self.assertEqual([other, changed], domains(connection))

    def test_removed(self) -> None:
        """A domain that is removed is gone, and may be added again."""
        with self.database.begin() as connection:
            remove_domain(connection, added(connection, self.noor))
            self.assertIsNone(approved_domain(connection, SHOP))
            self.assertIsNone(applying_domain(connection, self.noor, SHOP))
            added(connection, self.kees)

    def test_settings(self) -> None:
        """All that is said of a domain is read as it was added, and as it was changed."""
        dmarc = Dmarc("quarantine", 40, date(2031, 1, 1), date(2031, 2, 1))
        settings: dict[str, Any] = {
            "pool": "news",
            "proof": Proof("smtpeter-m4q9z0aa17.shop.example", "9f1c"),
            "dmarc": dmarc,
            "addresses": ("reports@shop.example",),
            "mechanisms": ("ip4:198.51.100.0/24", "mx"),
        }
        with self.database.begin() as connection:
            shop = added(connection, self.noor, approved=None, **settings)
            self.assertEqual([shop], domains(connection))
            changes: dict[str, Any] = {
                "dmarc": Dmarc("reject", 0),
                "proof": None,
                "addresses": (),
                "selector": "one",
                "rotated": NOW,
            }
            changed = change_domain(connection, shop, **changes)
            self.assertEqual([changed], domains(connection))
        self.assertEqual(evolve(shop, **changes), changed)
        self.assertEqual(dmarc, shop.dmarc)

    def test_named(self) -> None:
        """A name alone means the approved domain, or the only one that there is."""
        with self.database.begin() as connection:
            first = added(connection, self.noor, approved=None)
            self.assertEqual(first, named_domain(connection, SHOP))
            second = added(connection, self.kees, approved=None)
            with self.assertRaisesRegex(UnknownDomain, "2 accounts wait for .*'shop.example'"):
                named_domain(connection, SHOP)
            self.assertEqual(first, named_domain(connection, SHOP, self.noor))
            second = approve_domain(connection, second, NOW)
            self.assertEqual(second, named_domain(connection, SHOP))
            self.assertEqual(first, named_domain(connection, SHOP, self.noor))
            with self.assertRaisesRegex(UnknownDomain, "there is no .*'club.example'"):
                named_domain(connection, "club.example")
            remove_domain(connection, first)
            with self.assertRaisesRegex(UnknownDomain, "the account has no .*'shop.example'"):
                named_domain(connection, SHOP, self.noor)

    def test_approve(self) -> None:
        """A domain is approved for one account alone; then its proof has done its work."""
        with self.database.begin() as connection:
            proof = Proof("smtpeter-m4q9z0aa17.shop.example", "9f1c")
            first = added(connection, self.noor, approved=None, proof=proof)
            second = added(connection, self.kees, approved=None)
            approved = approve_domain(connection, first, NOW + 1)
            self.assertEqual(evolve(first, approved=NOW + 1, proof=None), approved)
            self.assertEqual(approved, approved_domain(connection, SHOP))
            self.assertEqual(approved, approve_domain(connection, approved, NOW + 2))
            with self.assertRaisesRegex(DomainExists, "another account has .*'shop.example'"):
                approve_domain(connection, second, NOW)

    def test_related(self) -> None:
        """Of the domains with a name, and below it, the shortest is for those without any."""
        with self.database.begin() as connection:
            added(connection, self.noor, "b.news.shop.example")
            news = added(connection, self.noor, "news.shop.example")
            added(connection, self.noor, "bookshop.example")
            added(connection, self.noor, "a.shop.example", approved=None)
            added(connection, self.kees, SHOP)
            for organization, related in (
                (SHOP, news),
                ("%shop.example", None),
                ("club.example", None),
            ):
                self.assertEqual(related, related_domain(connection, self.noor, organization))


class DomainsOnPostgresqlTests(OnPostgresql, DomainsTests):
    """The same on PostgreSQL."""
