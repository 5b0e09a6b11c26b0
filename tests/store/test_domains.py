from __future__ import annotations

from typing import Any

from attrs import evolve
from sqlalchemy import Connection, insert
from sqlalchemy.exc import IntegrityError

from smtpeter.store import accounts
from smtpeter.store.domains import (
    DomainExists,
    SenderDomain,
    UnknownDomain,
    add_domain,
    applying_domain,
    approved_domain,
    change_domain,
    domains,
    is_tracking_host,
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
            changed = change_domain(connection, SHOP, tracking_host="go.shop.example", https=True)
            self.assertEqual(evolve(shop, tracking_host="go.shop.example", https=True), changed)
            self.assertEqual([other, changed], domains(connection))

    def test_removed(self) -> None:
        """A domain that is removed is gone, and may be added again."""
        with self.database.begin() as connection:
            shop = added(connection, self.noor)
            self.assertEqual(shop, remove_domain(connection, SHOP))
            self.assertIsNone(approved_domain(connection, SHOP))
            self.assertIsNone(applying_domain(connection, self.noor, SHOP))
            added(connection, self.kees)

    def test_unknown(self) -> None:
        """What is not there, or not approved, is neither changed nor removed."""
        with self.database.begin() as connection:
            added(connection, self.noor, approved=None)
            for change in (change_domain, remove_domain):
                with self.assertRaisesRegex(UnknownDomain, "no sender domain 'shop.example'"):
                    change(connection, SHOP)


class DomainsOnPostgresqlTests(OnPostgresql, DomainsTests):
    """The same on PostgreSQL."""
