from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.bases import BaseLookup, Bases
from smtpeter.config import load
from smtpeter.store import accounts, domains
from smtpeter.store.database import Database
from smtpeter.store.domains import SenderDomain
from smtpeter.store.store import Store
from tests.store.cases import NOW, DatabaseCase
from tests.transform.drafts import draft

DEFAULT = "https://clicks.relay.example"
SHOP = SenderDomain(
    1, 1, "shop.example", NOW, "go.shop.example", False, "bounces.shop.example", NOW
)


class BasesTests(SynchronousTestCase):
    """Scheme, host and port, by the configuration."""

    def bases(self, *lines: str) -> Bases:
        file = Path(self.mktemp())
        file.write_text("\n".join(('tracking.host = "clicks.relay.example"', *lines)))
        return Bases.from_config(load(str(file)))

    def shown(self, *lines: str) -> tuple[str, str, str]:
        """Without a sender domain, with one over HTTPS, with one over HTTP."""
        bases = self.bases(*lines)
        return bases.of(None), bases.of(evolve(SHOP, https=True)), bases.of(SHOP)

    def test_default_ports(self) -> None:
        """Where the service is reached by the default port, no address has one."""
        for public in ("https://mail.relay.example", "https://mail.relay.example:443"):
            shown = self.shown(f'http.public_url = "{public}"', 'http.http = ["127.0.0.1:8080"]')
            self.assertEqual(("https://go.shop.example", "http://go.shop.example"), shown[1:])

    def test_other_ports(self) -> None:
        """Elsewhere each scheme has its own: that of the public address, and of a listener."""
        self.assertEqual(
            (
                "https://clicks.relay.example:8443",
                "https://go.shop.example:8443",
                "http://go.shop.example:8081",
            ),
            self.shown(
                'http.public_url = "https://mail.relay.example:8443"',
                'http.http = ["127.0.0.1:8081", "127.0.0.1:8082"]',
            ),
        )
        self.assertEqual(
            (
                "http://clicks.relay.example:8081",
                "https://go.shop.example:8444",
                "http://go.shop.example:8081",
            ),
            self.shown(
                'http.public_url = "http://mail.relay.example:8081"',
                'http.https = ["127.0.0.1:8444"]',
            ),
        )

    def test_listener_on_the_default_port(self) -> None:
        """A default port is not written, wherever it comes from."""
        for listening in ('["127.0.0.1:80"]', "[]"):
            shown = self.shown(
                'http.public_url = "https://mail.relay.example:8443"', f"http.http = {listening}"
            )
            self.assertEqual("http://go.shop.example", shown[2])


class DatabaseAtOnce(Store):
    """Reads without threads."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.reads = 0

    def read(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.reads += 1
        with self.database.connect() as connection:
            return execute(function, connection, *args)


class LookupTests(DatabaseCase):
    """The base for a message."""

    def setUp(self) -> None:
        super().setUp()
        with self.database.begin() as connection:
            self.noor, self.kees = (
                accounts.add_account(connection, f"{name}@shop.example", "hash", NOW).id
                for name in ("noor", "kees")
            )
            domains.add_domain(
                connection,
                self.noor,
                SHOP.name,
                NOW,
                approved=NOW,
                tracking_host=SHOP.tracking_host,
                bounce_host=SHOP.bounce_host,
            )
        self.clock = Clock()
        self.store_at_once = DatabaseAtOnce(self.database)
        self.lookup = BaseLookup(
            self.store_at_once, Bases(DEFAULT, "", ":8080"), self.clock.seconds
        )

    def base(self, author: str, account_id: int | None) -> str:
        message = evolve(draft(f"From: {author}\r\n\r\n".encode()), account_id=account_id)
        return self.successResultOf(Deferred.fromCoroutine(self.lookup.base_for(message)))

    def test_author(self) -> None:
        """The domain of the author counts, for mail of the account that has it."""
        shop = "http://go.shop.example:8080"
        self.assertEqual(shop, self.base("Noor <noor@Shop.example>", self.noor))
        self.assertEqual(shop, self.base("noor@news.shop.example", self.noor))
        self.assertEqual(DEFAULT, self.base("noor@shop.example", self.kees))
        self.assertEqual(DEFAULT, self.base("noor@club.example", self.noor))

    def test_nobody(self) -> None:
        """Where there is no author or no account, the store is not asked."""
        self.assertEqual(DEFAULT, self.base("Noor", self.noor))
        self.assertEqual(DEFAULT, self.base("noor@shop.example", None))
        self.assertEqual(0, self.store_at_once.reads)

    def test_remembered(self) -> None:
        """What was found, or not, is remembered until a change shall be in force."""
        for _ in range(2):
            self.base("noor@shop.example", self.noor)
            self.base("noor@club.example", self.noor)
        self.assertEqual(2, self.store_at_once.reads)
        with self.database.begin() as connection:
            domains.change_domain(connection, SHOP.name, https=True)
        self.clock.advance(IDENTITY_SECONDS)
        self.assertEqual("https://go.shop.example", self.base("noor@shop.example", self.noor))
