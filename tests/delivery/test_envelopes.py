from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from smtpeter.applying import ApplyingDomains
from smtpeter.delivery.envelopes import Envelopes, as_handed_in
from smtpeter.message.bounceaddress import BounceAddresses, Claim
from smtpeter.message.content import Content
from smtpeter.message.envelope import Envelope
from smtpeter.message.features import Features
from smtpeter.store import accounts, domains
from smtpeter.store.database import StoreUnavailable
from smtpeter.store.messages import Message
from tests.events.house import PromptStore
from tests.store.cases import NOW, DatabaseCase, message, parcel

TRACKED = Features(trackbounces=True)
RECIPIENT = "kees@mailbox.example"
CONTENT = Content.from_octets(b"From: noor@news.shop.example\r\n\r\nHello.\r\n")
OTHER = Content.from_octets(b"From: noor@club.example\r\n\r\nHello.\r\n")


class EnvelopesTests(DatabaseCase):
    """An account with a sender domain."""

    def setUp(self) -> None:
        super().setUp()
        with self.database.begin() as connection:
            self.account = accounts.add_account(connection, "noor@shop.example", "hash", NOW).id
            domains.add_domain(
                connection,
                self.account,
                "shop.example",
                NOW,
                approved=NOW,
                tracking_host="clicks.shop.example",
                bounce_host="bounces.shop.example",
            )
        self.reading = PromptStore(self.database)
        self.addresses = BounceAddresses(b"k" * 32)
        self.envelopes = self.at("bounces.relay.example")

    def at(self, bounce_host: str) -> Envelopes:
        applying = ApplyingDomains(self.reading, Clock().seconds)
        return Envelopes(applying, self.addresses, bounce_host)

    def message(
        self, sender: str = "noor@shop.example", *, wishes: Any = None, **facts: Any
    ) -> Message:
        """A message with bounces tracked, unless it is said otherwise."""
        of = parcel(sender, **({"account_id": self.account, "features": TRACKED} | facts))
        return message(RECIPIENT, of=of, **(wishes or {}))

    def envelope(
        self, one: Message, content: Content = CONTENT, envelopes: Envelopes | None = None
    ) -> Envelope:
        making = (envelopes or self.envelopes).envelope_for(one, content)
        made = self.successResultOf(Deferred.fromCoroutine(making))
        assert isinstance(made, Envelope)
        return made

    def sender(self, one: Message, content: Content = CONTENT) -> str:
        return str(self.envelope(one, content).sender or "")

    def test_untracked(self) -> None:
        """Without bounces tracked it is the sender's own, with one and without."""
        for sender in ("noor@shop.example", ""):
            one = self.message(sender, features=Features(), ret="FULL", envid="order-1")
            self.assertEqual(one.envelope(), self.envelope(one))
        handed_in = Deferred.fromCoroutine(as_handed_in(one, CONTENT))
        self.assertEqual(one.envelope(), self.successResultOf(handed_in))
        self.assertEqual(0, self.reading.calls)

    def test_tracked(self) -> None:
        """Else it is an address of ours that names the message, whatever the sender gave."""
        for sender in ("noor@shop.example", ""):
            one = self.message(sender)
            local, _, host = self.sender(one).partition("@")
            self.assertEqual("bounces.shop.example", host)
            claim = self.addresses.read(local, NOW)
            assert isinstance(claim, Claim)
            self.assertEqual(one.id, claim.message_id)

    def test_hosts(self) -> None:
        """Mail without a sender domain bounces to the host of the house."""
        house = "@bounces.relay.example"
        self.assertEqual(house, self.sender(self.message(), OTHER)[32:])
        with self.database.begin() as connection:
            kees = accounts.add_account(connection, "kees@club.example", "hash", NOW).id
        self.assertEqual(house, self.sender(self.message(account_id=kees))[32:])
        by_address = self.at("192.0.2.1")
        self.assertEqual(
            "@[192.0.2.1]", str(self.envelope(self.message(), OTHER, by_address).sender)[32:]
        )

    def test_same_for_all_attempts(self) -> None:
        """Each attempt has the same envelope: greylisting knows a message by it."""
        one = self.message()
        self.assertEqual(self.envelope(one), self.envelope(one))
        self.assertNotEqual(self.sender(one), self.sender(self.message()))

    def test_reports(self) -> None:
        """Reports of our own keep the null reverse-path."""
        one = self.message("", account_id=None, origin="report", wishes={"notify": frozenset()})
        self.assertEqual(one.envelope(), self.envelope(one))
        self.assertIsNone(self.envelope(one).sender)

    def test_arrivals(self) -> None:
        """What came back is sent on with the null reverse-path, whoever it is from."""
        one = self.message(account_id=None, origin="arrival", features=Features())
        self.assertIsNone(self.envelope(one).sender)

    def test_notify(self) -> None:
        """We hear of failures always, of the rest where the sender wants to."""
        for wished, passed in (
            (None, {"FAILURE"}),
            ({"NEVER"}, {"FAILURE"}),
            ({"FAILURE"}, {"FAILURE"}),
            ({"DELAY"}, {"FAILURE", "DELAY"}),
            ({"SUCCESS"}, {"FAILURE", "SUCCESS"}),
            ({"SUCCESS", "DELAY", "FAILURE"}, {"SUCCESS", "DELAY", "FAILURE"}),
        ):
            wishes = {"notify": wished and frozenset(wished), "orcpt": "rfc822;k@old.example"}
            [recipient] = self.envelope(self.message(wishes=wishes)).recipients
            self.assertEqual((passed, RECIPIENT), (recipient.notify, str(recipient.mailbox)))
            self.assertEqual("rfc822;k@old.example", recipient.orcpt)

    def test_other_wishes(self) -> None:
        """The envelope identifier goes along, and what shall be returned: headers by default."""
        envelope = self.envelope(self.message(envid="order-1", ret="FULL", eightbit=True))
        self.assertEqual(
            ("order-1", "FULL", True), (envelope.envid, envelope.ret, envelope.eightbit)
        )
        self.assertEqual("HDRS", self.envelope(self.message()).ret)

    def test_store_down(self) -> None:
        """While the sender domain cannot be looked up, there is no envelope."""
        self.reading.down = True
        making = Deferred.fromCoroutine(self.envelopes.envelope_for(self.message(), CONTENT))
        self.failureResultOf(making, StoreUnavailable)
