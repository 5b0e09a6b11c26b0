from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.arrivals.addresses import Ours, OwnAddresses
from smtpeter.message.address import Mailbox
from smtpeter.message.bounceaddress import LIFETIME_DAYS, BounceAddresses, Flaw
from smtpeter.smtp.command import POSTMASTER
from smtpeter.store import domains
from smtpeter.store.arrivals import Purpose
from smtpeter.store.database import StoreUnavailable
from tests.arrivals.house import put_account
from tests.events.house import PromptStore
from tests.store.cases import NOW, DatabaseCase

MESSAGE_ID = "7hQx2LmPzR9aTc04"
BOUNCES = BounceAddresses(b"k" * 32)
LOCAL = BOUNCES.make(MESSAGE_ID, NOW)
FORGED = "a" * 32
HOSTS = ("mail.relay.example", "bounces.relay.example", "[192.0.2.1]")


class OwnAddressesTests(DatabaseCase):
    """A house with one sender domain."""

    def setUp(self) -> None:
        super().setUp()
        self.prompt = PromptStore(self.database)
        self.clock = Clock()
        self.clock.advance(NOW)
        self.addresses = OwnAddresses(
            self.prompt, HOSTS, BOUNCES, self.clock.seconds, self.clock.seconds
        )
        with self.database.begin() as connection:
            domains.add_domain(
                connection,
                put_account(connection),
                "shop.example",
                NOW,
                approved=NOW,
                tracking_host="clicks.shop.example",
                bounce_host="bounces.shop.example",
            )

    def at(self, address: str) -> Ours | Flaw:
        asked = self.addresses.at(Mailbox.parse(address))
        found = self.successResultOf(Deferred.fromCoroutine(asked))
        assert isinstance(found, Ours | Flaw)
        return found

    def test_bounces(self) -> None:
        """Bounce addresses are ours at each of our hosts and those of sender domains."""
        for host in (*HOSTS, "bounces.shop.example", "Bounces.SHOP.example"):
            for local in (LOCAL, LOCAL.upper()):
                self.assertEqual(Ours(Purpose.BOUNCE, MESSAGE_ID), self.at(f"{local}@{host}"))

    def test_names(self) -> None:
        """Some names are ours at each of them, in any case."""
        for host in ("mail.relay.example", "bounces.shop.example"):
            for local, purpose in (
                ("postmaster", Purpose.POSTMASTER),
                ("Abuse", Purpose.POSTMASTER),
                ("DMARC", Purpose.REPORT),
            ):
                self.assertEqual(Ours(purpose), self.at(f"{local}@{host}"))

    def test_bare_postmaster(self) -> None:
        """Postmaster without a domain is ours."""
        asked = Deferred.fromCoroutine(self.addresses.at(POSTMASTER))
        self.assertEqual(Ours(Purpose.POSTMASTER), self.successResultOf(asked))

    def test_others(self) -> None:
        """Other names are not ours, and nothing is at other hosts."""
        for address in (
            "noor@mail.relay.example",
            "noor@bounces.shop.example",
            f"{LOCAL}@shop.example",
            f"{LOCAL}@clicks.shop.example",
            f"{FORGED}@mailbox.example",
            "postmaster@mailbox.example",
            "postmaster@[192.0.2.2]",
            "postmaster@localhost",
        ):
            self.assertEqual(Flaw.FOREIGN, self.at(address), address)

    def test_flaws(self) -> None:
        """What was forged, or has expired, is told from what was never meant to be ours."""
        self.assertEqual(Flaw.FORGED, self.at(f"{FORGED}@bounces.relay.example"))
        self.clock.advance((LIFETIME_DAYS + 1) * 86_400)
        self.assertEqual(Flaw.EXPIRED, self.at(f"{LOCAL}@bounces.relay.example"))

    def test_hosts_are_remembered(self) -> None:
        """The store is asked for a host once in a while, for one of the house never."""
        for host in (HOSTS[0], "bounces.shop.example", "mailbox.example", "[192.0.2.2]"):
            for _ in range(3):
                self.at(f"{LOCAL}@{host}")
        self.assertEqual(2, self.prompt.calls)
        self.clock.advance(IDENTITY_SECONDS)
        self.at(f"{LOCAL}@bounces.shop.example")
        self.assertEqual(3, self.prompt.calls)

    def test_store_down(self) -> None:
        """While the store is down nobody can tell, but for the hosts of the house."""
        self.prompt.down = True
        self.assertIsInstance(self.at(f"{LOCAL}@{HOSTS[0]}"), Ours)
        asked = self.addresses.at(Mailbox.parse(f"{LOCAL}@bounces.shop.example"))
        self.failureResultOf(Deferred.fromCoroutine(asked), StoreUnavailable)
