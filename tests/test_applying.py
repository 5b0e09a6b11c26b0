from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.applying import ApplyingDomains
from smtpeter.message.content import Content
from smtpeter.store import accounts, domains
from smtpeter.store.database import Database
from smtpeter.store.store import Store
from tests.store.cases import NOW, DatabaseCase


class DatabaseAtOnce(Store):
    """Reads without threads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.reads = 0

    def read(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.reads += 1
        with self.database.connect() as connection:
            return execute(function, connection, *args)


class ApplyingTests(DatabaseCase):
    """The sender domain for a message."""

    def setUp(self) -> None:
        super().setUp()
        with self.database.begin() as connection:
            self.noor, self.kees = (
                accounts.add_account(connection, f"{name}@shop.example", "hash", NOW).id
                for name in ("noor", "kees")
            )
            self.shop = domains.add_domain(
                connection,
                self.noor,
                "shop.example",
                NOW,
                approved=NOW,
                tracking_host="go.shop.example",
                bounce_host="bounces.shop.example",
            )
        self.clock = Clock()
        self.reading = DatabaseAtOnce(self.database)
        self.applying = ApplyingDomains(self.reading, self.clock.seconds)

    def of(self, author: str, account_id: int | None) -> domains.SenderDomain | None:
        content = Content.from_octets(f"From: {author}\r\n\r\n".encode())
        return self.successResultOf(Deferred.fromCoroutine(self.applying.of(account_id, content)))

    def test_author(self) -> None:
        """The domain of the author counts, for mail of the account that has it."""
        self.assertEqual(self.shop, self.of("Noor <noor@Shop.example>", self.noor))
        self.assertEqual(self.shop, self.of("noor@news.shop.example", self.noor))
        self.assertIsNone(self.of("noor@shop.example", self.kees))
        self.assertIsNone(self.of("noor@club.example", self.noor))

    def test_nobody(self) -> None:
        """Where there is no author or no account, the store is not asked."""
        self.assertIsNone(self.of("Noor", self.noor))
        self.assertIsNone(self.of("noor@shop.example", None))
        self.assertEqual(0, self.reading.reads)

    def test_remembered(self) -> None:
        """What was found, or not, is remembered until a change shall be in force."""
        for _ in range(2):
            self.of("noor@shop.example", self.noor)
            self.of("noor@club.example", self.noor)
        self.assertEqual(2, self.reading.reads)
        with self.database.begin() as connection:
            changed = domains.change_domain(connection, self.shop, https=True)
        self.clock.advance(IDENTITY_SECONDS)
        self.assertEqual(changed, self.of("noor@shop.example", self.noor))
