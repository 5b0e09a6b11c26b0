from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from sqlalchemy import update
from twisted.internet.defer import Deferred, execute, fail
from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent

from smtpeter.message.dkimkeys import Algorithm, DkimKey
from smtpeter.message.dkimrecord import key_record
from smtpeter.rotation import DOMAINS_AT_ONCE, LOOK_SECONDS, TOLD_SECONDS, KeyRotation
from smtpeter.store import accounts, dkimkeys
from smtpeter.store.database import StoreUnavailable
from smtpeter.store.domains import SenderDomain, domains
from smtpeter.store.store import Store
from smtpeter.store.tables import dkim_keys
from smtpeter.threads import ThreadsEnded
from tests.dns.fakes import FakeNames
from tests.store.cases import NOW, DatabaseCase
from tests.store.test_domains import SHOP, added

MONTH = 30 * 86_400.0
KEYS = [DkimKey.generate(Algorithm.ED25519) for _ in range(4)]


class StoreAtOnce:
    """Reads and writes without threads, unless there is trouble."""

    def __init__(self, case: DatabaseCase) -> None:
        self._database = case.database
        self.trouble: Exception | None = None

    def read(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return self._done(self._database.connect, function, args)

    def transact(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return self._done(self._database.begin, function, args)

    def _done(
        self, opened: Callable[[], Any], function: Callable[..., Any], args: Any
    ) -> Deferred[Any]:
        if self.trouble is not None:
            return fail(self.trouble)
        with opened() as connection:
            done: Deferred[Any] = execute(function, connection, *args)
        return done


class RotationTests(DatabaseCase):
    """Sender domains that have had their keys for a while."""

    def setUp(self) -> None:
        super().setUp()
        with self.database.begin() as connection:
            self.noor = accounts.add_account(connection, "noor@shop.example", "hash", NOW).id
        self.add(SHOP)
        self.names = FakeNames()
        self.at_once = StoreAtOnce(self)
        self.clock = Clock()
        self.threads: Callable[..., Deferred[Any]] = execute
        self.rotation = KeyRotation(
            cast("Store", self.at_once),
            self.names,
            self.in_thread,
            MONTH,
            self.clock,
            lambda: NOW + self.clock.seconds(),
        )
        self.patch(dkimkeys, "new_key", lambda: KEYS[3])

    def add(self, name: str) -> None:
        with self.database.begin() as connection:
            domain = added(connection, self.noor, name)
            dkimkeys.add_own_keys(connection, domain, KEYS[:3], NOW)

    def in_thread(self, function: Callable[..., Any]) -> Deferred[Any]:
        return self.threads(function)

    def publish(self, selector: str, name: str = SHOP) -> None:
        key = KEYS[["zero", "one", "two"].index(selector)]
        self.names.records[f"{selector}._domainkey.{name}", "TXT"] = (key_record(key),)

    def look(self) -> list[str]:
        """Let it look once; what it logs."""
        with capturedLogs() as logged:
            self.clock.advance(LOOK_SECONDS)
        return [formatEvent(each) for each in logged if each["log_namespace"].endswith("Rotation")]

    def stored(self) -> list[SenderDomain]:
        with self.database.connect() as connection:
            return domains(connection)

    def selectors(self) -> list[str]:
        return [each.selector for each in self.stored()]

    def begin(self) -> None:
        self.rotation.startService()
        self.addCleanup(self.rotation.stopService)

    def test_rotates(self) -> None:
        """After its time the next key signs, and after as long again the one after it."""
        for selector in ("zero", "one", "two"):
            self.publish(selector)
        self.begin()
        self.assertEqual([], self.look())
        self.clock.advance(MONTH - 2 * LOOK_SECONDS - 1)
        self.assertEqual(["zero"], self.selectors())
        self.clock.pump([LOOK_SECONDS] * 2)
        self.assertEqual(["one"], self.selectors())
        rotated = self.stored()[0].rotated
        assert rotated is not None
        self.assertTrue(NOW + MONTH <= rotated <= NOW + MONTH + 2 * LOOK_SECONDS)
        self.clock.pump([LOOK_SECONDS] * int(MONTH / LOOK_SECONDS - 2))
        self.assertEqual(["one"], self.selectors())
        self.clock.pump([LOOK_SECONDS] * 3)
        self.assertEqual(["two"], self.selectors())
        with self.database.connect() as connection:
            kept = dkimkeys.own_keys(connection, self.stored()[0])
        self.assertEqual([KEYS[3], *KEYS[1:3]], [each.key for each in kept.values()])

    def test_said(self) -> None:
        self.clock.advance(MONTH)
        self.publish("one")
        self.begin()
        self.assertEqual(["the key one of shop.example signs now"], self.look())

    def test_not_published(self) -> None:
        """A key that the DNS does not have, or not yet, does not sign; that is said."""
        self.clock.advance(MONTH)
        self.begin()
        name = "one._domainkey.shop.example"
        start = "the key one of shop.example does not sign yet: "
        self.assertEqual([f"{start}there is no TXT record at {name}"], self.look())
        self.assertEqual([], self.look())
        self.clock.pump([LOOK_SECONDS] * int(TOLD_SECONDS / LOOK_SECONDS - 2))
        self.assertEqual([f"{start}there is no TXT record at {name}"], self.look())
        self.names.silent(name)
        self.assertEqual([f"{start}no answer for {name}"], self.look())
        self.names.records[name, "TXT"] = (key_record(KEYS[2]),)
        self.assertEqual([f"{start}it holds another key"], self.look())
        self.assertEqual(["zero"], self.selectors())
        self.publish("one")
        self.look()
        self.assertEqual(["one"], self.selectors())

    def test_many(self) -> None:
        """Those that wait for their records keep no others from getting their turn."""
        for number in range(DOMAINS_AT_ONCE):
            self.add(f"shop{number}.example")
        self.clock.advance(MONTH)
        self.publish("one", f"shop{DOMAINS_AT_ONCE - 1}.example")
        self.begin()
        *waiting, last = self.look()
        self.assertEqual(DOMAINS_AT_ONCE, len(waiting))
        self.assertIn("signs now", last)
        self.assertEqual(1, self.selectors().count("one"))

    def test_unreadable(self) -> None:
        """A key that cannot be read keeps no other from its turn; it is told."""
        self.add("club.example")
        spoil = update(dkim_keys).where(dkim_keys.c.domain == SHOP).values(private_key="spoilt")
        with self.database.begin() as connection:
            connection.execute(spoil)
        self.clock.advance(MONTH)
        self.publish("one", "club.example")
        self.begin()
        told, done = self.look()
        self.assertIn("the key one of shop.example does not sign yet: the key", told)
        self.assertEqual("the key one of club.example signs now", done)

    def test_not_approved(self) -> None:
        """A domain that is not approved, or has no keys, is left alone."""
        with self.database.begin() as connection:
            domain = added(connection, self.noor, "club.example", approved=None)
            dkimkeys.add_own_keys(connection, domain, KEYS[:3], NOW)
            added(connection, self.noor, "farm.example")
        self.clock.advance(MONTH)
        for name in (SHOP, "club.example", "farm.example"):
            self.publish("one", name)
        self.begin()
        self.look()
        self.assertEqual(["zero", "", "one"], self.selectors())

    def test_trouble(self) -> None:
        """When it cannot be done, it is tried the next time."""
        self.clock.advance(MONTH)
        self.publish("one")
        self.begin()
        self.at_once.trouble = StoreUnavailable("it is gone")
        self.assertEqual(["the keys of sender domains stay: it is gone"], self.look())
        self.at_once.trouble = None
        self.threads = lambda *_: fail(ThreadsEnded())
        self.assertEqual(["the keys of sender domains stay: "], self.look())
        self.threads = execute
        self.look()
        self.assertEqual(["one"], self.selectors())

    def test_quicker(self) -> None:
        """An operator may have been quicker."""
        self.clock.advance(MONTH)
        self.publish("one")
        self.begin()

        def meanwhile(*_: Any) -> Deferred[Any]:
            with self.database.begin() as connection:
                dkimkeys.rotate(connection, self.stored()[0], KEYS[3], NOW)
            return execute(lambda: KEYS[3])

        self.threads = meanwhile
        [said] = self.look()
        self.assertIn("somebody else has changed the keys of 'shop.example'", said)
        self.assertEqual(["one"], self.selectors())

    def test_fault(self) -> None:
        """A fault of ours is logged, and does not end it."""
        self.clock.advance(MONTH)
        self.publish("one")
        self.begin()
        self.threads = lambda *_: fail(ZeroDivisionError())
        self.look()
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))
        self.threads = execute
        self.look()
        self.assertEqual(["one"], self.selectors())

    def test_stopped(self) -> None:
        self.rotation.startService()
        self.rotation.stopService()
        self.assertEqual([], self.clock.getDelayedCalls())
