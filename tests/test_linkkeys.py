from __future__ import annotations

from twisted.internet.defer import Deferred, fail
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from smtpeter.linkkeys import LinkKeys, bounce_addresses, identifiers
from smtpeter.message.bounceaddress import BounceAddresses, Claim, Flaw
from smtpeter.store import trackingkeys
from smtpeter.store.trackingkeys import READING_SECONDS, SETTLING_SECONDS, TrackingKey
from smtpeter.transform.identifier import Identified, Identifiers
from tests.events.house import PromptStore
from tests.store.cases import DatabaseCase

WHAT = Identified("m" * 16, "click", 0, 1)


class LinkKeysTests(DatabaseCase):
    """A service that runs while keys are made."""

    def setUp(self) -> None:
        super().setUp()
        self.clock = Clock()
        self.clock.advance(1_000_000)
        self.prompt = PromptStore(self.database)
        with self.database.begin() as connection:
            keys = trackingkeys.existing_keys(connection, self.clock.seconds())
        self.identifiers = identifiers(keys, self.clock.seconds())
        self.first = Identifiers(keys[0].secret)
        self.bounces = bounce_addresses(keys, self.clock.seconds())
        self.service = LinkKeys(
            self.prompt,
            [self.identifiers, self.bounces],
            keys,
            self.clock,
            self.clock.seconds,
        )
        self.service.startService()
        self.addCleanup(self.stop)

    def stop(self) -> None:
        if self.service.running:
            self.service.stopService()

    def rotate(self) -> TrackingKey:
        """What the operator's command does."""
        with self.database.begin() as connection:
            return trackingkeys.add_key(connection, self.clock.seconds())

    def link(self, by: Identifiers | None = None) -> str:
        return (by or self.identifiers).make(WHAT.message_id, WHAT.kind, WHAT.number, WHAT.origin)

    def wait(self, seconds: float) -> None:
        """Let time pass, a second at a time."""
        for _ in range(int(seconds)):
            self.clock.advance(1)

    def test_known_before_used(self) -> None:
        """Links of a new key are read at the next look, long before any are made with it."""
        newer = Identifiers(self.rotate().secret)
        self.assertIsNone(self.identifiers.read(self.link(newer)))
        self.wait(READING_SECONDS)
        self.assertEqual(WHAT, self.identifiers.read(self.link(newer)))
        self.assertEqual(self.link(self.first), self.link())
        self.wait(SETTLING_SECONDS - READING_SECONDS - 1)
        self.assertEqual(self.link(self.first), self.link())
        with capturedLogs() as logged:
            self.wait(1)
        self.assertEqual(self.link(newer), self.link())
        self.assertEqual([2], [each["number"] for each in logged if "number" in each])

    def test_old_links(self) -> None:
        """Links that older keys have made lead on, however many are newer."""
        links = [self.link()]
        for _ in range(3):
            self.rotate()
            self.wait(SETTLING_SECONDS + READING_SECONDS)
            links.append(self.link())
        self.assertEqual(4, len(set(links)))
        self.assertEqual([WHAT] * 4, [self.identifiers.read(link) for link in links])

    def test_bounce_addresses(self) -> None:
        """Bounce addresses get the same keys at the same time; those of older keys hold."""
        newer = BounceAddresses(self.rotate().secret)
        now = self.clock.seconds()
        old, new = (each.make(WHAT.message_id, now) for each in (self.bounces, newer))
        self.assertEqual(Flaw.FORGED, self.bounces.read(new, now))
        self.wait(READING_SECONDS)
        self.assertIsInstance(self.bounces.read(new, now), Claim)
        self.assertEqual(old, self.bounces.make(WHAT.message_id, now))
        self.wait(SETTLING_SECONDS)
        self.assertEqual(new, self.bounces.make(WHAT.message_id, now))
        self.assertIsInstance(self.bounces.read(old, now), Claim)

    def test_at_the_start(self) -> None:
        """A key that was made while the service was stopped makes links from the start."""
        self.stop()
        newer = self.rotate()
        self.wait(SETTLING_SECONDS)
        with self.database.connect() as connection:
            keys = trackingkeys.keys(connection)
        found = identifiers(keys, self.clock.seconds())
        self.assertEqual(self.link(Identifiers(newer.secret)), self.link(found))
        self.assertEqual(WHAT, found.read(self.link(self.first)))

    def test_store_down(self) -> None:
        """While the store is down the known keys serve, also one whose time comes meanwhile."""
        newer = Identifiers(self.rotate().secret)
        self.wait(READING_SECONDS)
        self.prompt.down = True
        with capturedLogs() as logged:
            self.wait(SETTLING_SECONDS)
        self.assertEqual(self.link(newer), self.link())
        self.assertEqual(WHAT, self.identifiers.read(self.link(self.first)))
        self.assertTrue([each for each in logged if "no route" in str(each.get("error"))])

    def test_tried_again(self) -> None:
        """After a fault of any kind the next look is taken in its time."""
        self.prompt.down = True
        self.wait(READING_SECONDS)
        self.prompt.down = False
        newer = Identifiers(self.rotate().secret)

        def broken(*_: object) -> Deferred[object]:
            return fail(ZeroDivisionError())

        self.patch(self.prompt, "read", broken)
        self.wait(READING_SECONDS)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        del self.prompt.read
        self.wait(READING_SECONDS)
        self.assertEqual(WHAT, self.identifiers.read(self.link(newer)))

    def test_keys_gone(self) -> None:
        """A database without keys does not end the links that are known."""
        with self.database.begin() as connection:
            connection.exec_driver_sql("DELETE FROM tracking_keys")
        self.wait(READING_SECONDS)
        self.assertEqual(WHAT, self.identifiers.read(self.link(self.first)))

    def test_seldom(self) -> None:
        """The store is asked twice a minute."""
        self.wait(10 * READING_SECONDS)
        self.assertEqual(10, self.prompt.calls)

    def test_secret(self) -> None:
        """What is logged holds no key."""
        secret = self.rotate().secret
        with capturedLogs() as logged:
            self.wait(SETTLING_SECONDS + READING_SECONDS)
        self.assertTrue(logged)
        self.assertNotIn(repr(secret)[2:-1], repr(logged))

    def test_stopped(self) -> None:
        """After the stop nobody looks."""
        self.stop()
        self.wait(READING_SECONDS)
        self.assertEqual((0, []), (self.prompt.calls, self.clock.getDelayedCalls()))
