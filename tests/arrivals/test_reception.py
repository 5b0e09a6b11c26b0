from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock

from smtpeter.arrivals.addresses import OwnAddresses
from smtpeter.arrivals.reception import LIFETIME_SECONDS, Reception
from smtpeter.intake import MAX_HOPS
from smtpeter.message.address import Mailbox
from smtpeter.message.bounceaddress import LIFETIME_DAYS, BounceAddresses
from smtpeter.message.content import Content
from smtpeter.message.envelope import Accepted, Envelope, Recipient, Submission, Trace
from smtpeter.message.reply import Refused
from smtpeter.smtp.command import POSTMASTER
from smtpeter.store import arrivals, events
from smtpeter.store.arrivals import Listed
from smtpeter.store.changes import Change
from smtpeter.store.database import Database, StorageFull
from smtpeter.store.keys import KeySource
from smtpeter.store.messages import load_content
from tests.arrivals.house import AWAY, content_of
from tests.events.house import PromptStore, in_thread
from tests.store.cases import NOW, DatabaseCase

MESSAGE_ID = "7hQx2LmPzR9aTc04"
HOST = "bounces.relay.example"
BOUNCES = BounceAddresses(b"k" * 32)
LOCAL = BOUNCES.make(MESSAGE_ID, NOW)
BOUNCE = f"{LOCAL}@{HOST}"
CONTENT = content_of(AWAY)
TRACE = Trace("mx.mailbox.example", "192.0.2.7", "ESMTP")


class Room(PromptStore):
    """A store that may have no room; `octets` is what it was to take."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.full = False
        self.octets: list[int] = []

    def add(self, changes: Any, octets: int) -> Deferred[None]:
        if self.full:
            return fail(StorageFull("no room"))
        self.octets.append(octets)
        return self.commit(*list[Change](changes))


class ReceptionTests(DatabaseCase):
    """What strangers bring."""

    def setUp(self) -> None:
        super().setUp()
        self.prompt = Room(self.database)
        self.clock = Clock()
        self.clock.advance(NOW)
        self.arrived = 0
        addresses = OwnAddresses(
            self.prompt, [HOST], BOUNCES, self.clock.seconds, self.clock.seconds
        )
        self.reception = Reception(
            self.prompt,
            KeySource(self.clock.seconds),
            addresses,
            self.note,
            in_thread,
            self.clock.seconds,
        )

    def note(self) -> None:
        self.arrived += 1

    def bring(
        self,
        *recipients: str | Mailbox,
        sender: str = "",
        content: Content = CONTENT,
    ) -> Deferred[Accepted]:
        mailboxes = [Mailbox.parse(each) if isinstance(each, str) else each for each in recipients]
        envelope = Envelope(
            Mailbox.parse(sender) if sender else None,
            tuple(Recipient(each, str(each), frozenset({"SUCCESS"})) for each in mailboxes),
            ret="FULL",
            envid="theirs",
            eightbit=True,
        )
        return self.reception.submit(Submission(envelope, content, TRACE))

    def stored(self) -> list[Listed]:
        with self.database.connect() as connection:
            return arrivals.latest(connection, 100)[::-1]

    def refusal(self, asked: Deferred[Any]) -> str:
        refused = self.failureResultOf(asked, Refused).value
        assert isinstance(refused, Refused)
        return refused.reply.octets().decode().strip()

    def test_knows(self) -> None:
        """Addresses of ours are known, others are not."""
        for address, known in (
            (BOUNCE, True),
            (f"abuse@{HOST}", True),
            ("kees@mailbox.example", False),
            (f"kees@{HOST}", False),
        ):
            asked = self.reception.knows(Mailbox.parse(address))
            self.assertEqual(known, self.successResultOf(asked), address)

    def test_flaws(self) -> None:
        """What only looks like ours, and what was ours too long ago, does not exist."""
        forged = self.reception.knows(Mailbox.parse(f"{'a' * 32}@{HOST}"))
        self.assertEqual("550 5.1.1 No such address", self.refusal(forged))
        self.clock.advance((LIFETIME_DAYS + 1) * 86_400)
        for asked in (self.reception.knows(Mailbox.parse(BOUNCE)), self.bring(BOUNCE)):
            self.assertEqual("550 5.1.1 No such address", self.refusal(asked))

    def test_cannot_tell(self) -> None:
        """While the store is down, a host that it might know is asked for later."""
        self.prompt.down = True
        asked = self.reception.knows(Mailbox.parse("postmaster@bounces.shop.example"))
        self.assertEqual(
            "451 4.3.0 Cannot check the address now, try again later", self.refusal(asked)
        )

    def test_stored(self) -> None:
        """It is stored as it came, with whom it is for; no wish of the envelope counts."""
        accepted = self.successResultOf(self.bring(BOUNCE, sender="kees@mailbox.example"))
        [listed] = self.stored()
        came, parcel = listed.arrival, listed.arrival.parcel
        self.assertEqual((str(parcel.key),), accepted.ids)
        self.assertEqual(
            (BOUNCE, "bounce", MESSAGE_ID), (came.recipient, came.purpose.value, came.message)
        )
        self.assertEqual(
            ("arrival", None, "kees@mailbox.example", TRACE, True, NOW, NOW + LIFETIME_SECONDS),
            (
                parcel.origin,
                parcel.account_id,
                parcel.reverse_path,
                parcel.trace,
                parcel.eightbit,
                parcel.received,
                parcel.deliver_by,
            ),
        )
        self.assertEqual((None, None), (parcel.ret, parcel.envid))
        self.assertEqual((1, [CONTENT.octets]), (self.arrived, self.prompt.octets))
        with self.database.connect() as connection:
            content = load_content(connection, parcel.key)
            self.assertEqual(bytes(CONTENT), bytes(content or b""))
            self.assertEqual([], events.events_of(connection, MESSAGE_ID))

    def test_several(self) -> None:
        """For several of us it is stored for each, all together."""
        accepted = self.successResultOf(self.bring(BOUNCE, POSTMASTER, f"dmarc@{HOST}"))
        self.assertEqual(3, len(set(accepted.ids)))
        self.assertEqual(
            ["bounce", "postmaster", "report"],
            [each.arrival.purpose.value for each in self.stored()],
        )
        self.assertEqual([3 * CONTENT.octets], self.prompt.octets)

    def test_loop(self) -> None:
        """What has been everywhere is refused."""
        trace = b"Received: from a by b; x\r\n"
        for hops in (MAX_HOPS, MAX_HOPS + 1, 20_000 // len(trace) + MAX_HOPS):
            content = CONTENT.prepended(trace * hops)
            asked = self.bring(BOUNCE, content=content)
            if hops == MAX_HOPS:
                self.successResultOf(asked)
            else:
                self.assertEqual("554 5.4.6 Too many hops", self.refusal(asked))
        self.assertEqual(1, len(self.stored()))

    def test_no_room(self) -> None:
        """What cannot be stored is refused for now, and nobody is told of it."""
        self.prompt.full = True
        self.assertEqual("452 4.3.1", self.refusal(self.bring(BOUNCE))[:9])
        self.prompt.full = False
        self.prompt.down = True
        self.assertEqual("451 4.3.0", self.refusal(self.bring(BOUNCE))[:9])
        self.assertEqual(0, self.arrived)

    def test_fault(self) -> None:
        """A fault of ours is no refusal."""

        def broken(*_: object) -> Deferred[None]:
            raise ZeroDivisionError

        self.patch(self.prompt, "add", broken)
        self.failureResultOf(self.bring(BOUNCE), ZeroDivisionError)
