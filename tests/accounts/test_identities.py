"""Who is behind a name, as of at most a second ago."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from sqlalchemy import update
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.accounts.identities import IDENTITY_SECONDS, Identities, Identity
from smtpeter.accounts.interfaces import CheckUnavailable
from smtpeter.message.features import ALL_ON, REST_DEFAULTS, Features
from smtpeter.store import accounts as store
from smtpeter.store import quotas, tables
from smtpeter.store.settings import LoginSettings
from smtpeter.store.standing import Standing
from tests.accounts.fakes import NOW, MemoryStore

Lookup = Coroutine[Deferred[Any], Any, Identity | None] | Deferred[Identity | None]


class IdentitiesTests(SynchronousTestCase):
    """Looks into the store, and what is remembered of them."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.store = MemoryStore(self)
        self.identities = Identities(self.store, self.clock.seconds)
        self.noor = self.store.account("noor@shop.example")

    def found(self, lookup: Lookup) -> Identity | None:
        result: Identity | None = self.successResultOf(ensureDeferred(lookup))
        return result

    def test_login(self) -> None:
        """A login opens SMTP with the features that are stored with it."""
        login = self.store.login(self.noor, "abc", features=ALL_ON)
        expected = Identity(
            b"login:%d" % login.id, self.noor.id, True, "smtp", "abc", ALL_ON, login.password_hash
        )
        self.assertEqual(expected, self.found(self.identities.login("abc")))

    def test_account(self) -> None:
        """An account opens SMTP with all features off, by its address in any case."""
        identity = self.found(self.identities.account("Noor@shop.example"))
        expected = Identity(
            b"account:%d" % self.noor.id,
            self.noor.id,
            True,
            "smtp",
            "noor@shop.example",
            Features(),
            self.noor.password_hash,
        )
        self.assertEqual(expected, identity)

    def test_token(self) -> None:
        """A token opens REST with the defaults of REST, under its label."""
        token = store.add_token(self.store.connection, self.noor.id, "d" * 64, NOW, label="shop")
        expected = Identity(
            b"token:%d" % token.id, self.noor.id, True, "rest", "shop", REST_DEFAULTS
        )
        self.assertEqual(expected, self.found(self.identities.token("d" * 64)))

    def test_priority(self) -> None:
        """A login or a token may have a priority of its own, an account has the usual one."""
        bulk = LoginSettings(priority="bulk")
        self.store.login(self.noor, "abc", settings=bulk)
        store.add_token(self.store.connection, self.noor.id, "d" * 64, NOW, settings=bulk)
        for lookup, priority in (
            (self.identities.login("abc"), "bulk"),
            (self.identities.token("d" * 64), "bulk"),
            (self.identities.account("noor@shop.example"), "normal"),
        ):
            identity = self.found(lookup)
            assert identity is not None
            self.assertEqual(priority, identity.features.priority)

    def test_standing(self) -> None:
        """What there is about the account, and about a way to log in, is found with it."""
        login = self.store.login(self.noor, "abc")
        store.add_token(self.store.connection, self.noor.id, "d" * 64, NOW)
        quotas.write(self.store.connection, self.noor.id, f"login:{login.id}", {"hour": 5})
        self.store.connection.execute(update(tables.accounts).values(pool="fast"))
        for lookup, limited in (
            (self.identities.login("abc"), True),
            (self.identities.token("d" * 64), False),
            (self.identities.account("noor@shop.example"), False),
        ):
            identity = self.found(lookup)
            assert identity is not None
            self.assertEqual(Standing("fast", limited=limited), identity.standing)

    def test_token_without_label(self) -> None:
        """A token without a label goes by its number."""
        token = store.add_token(self.store.connection, self.noor.id, "d" * 64, NOW)
        identity = self.found(self.identities.token("d" * 64))
        assert identity is not None
        self.assertEqual(f"token {token.id}", identity.login)

    def test_avatar(self) -> None:
        """Each identity is found by its avatar id too, whoever looked it up before or not."""
        self.store.login(self.noor, "abc")
        store.add_token(self.store.connection, self.noor.id, "d" * 64, NOW)
        for lookup in (
            self.identities.login("abc"),
            self.identities.account("noor@shop.example"),
            self.identities.token("d" * 64),
        ):
            identity = self.found(lookup)
            assert identity is not None
            fresh = Identities(self.store, self.clock.seconds)
            self.assertEqual(identity, self.found(self.identities.avatar(identity.avatar_id)))
            self.assertEqual(identity, self.found(fresh.avatar(identity.avatar_id)))

    def test_nobody(self) -> None:
        """Unknown names, numbers and kinds are nobody."""
        for lookup in (
            self.identities.login("abc"),
            self.identities.account("q@shop.example"),
            self.identities.token("d" * 64),
            self.identities.avatar(b"login:9"),
            self.identities.avatar(b"guest:1"),
        ):
            self.assertIsNone(self.found(lookup))

    def test_revoked_is_nobody(self) -> None:
        """A revoked login or token and an account kept from SMTP are nobody."""
        login = self.store.login(self.noor, "abc")
        token = store.add_token(self.store.connection, self.noor.id, "d" * 64, NOW)
        store.revoke_login(self.store.connection, "abc", NOW)
        store.revoke_token(self.store.connection, token.id, NOW)
        store.set_smtp_account_login(self.store.connection, "noor@shop.example", allowed=False)
        for lookup in (
            self.identities.login("abc"),
            self.identities.avatar(b"login:%d" % login.id),
            self.identities.token("d" * 64),
            self.identities.avatar(b"token:%d" % token.id),
            self.identities.account("noor@shop.example"),
            self.identities.avatar(b"account:%d" % self.noor.id),
        ):
            self.assertIsNone(self.found(lookup))

    def test_one_read_a_second(self) -> None:
        """Who comes again within a second costs no further read, by name or by avatar id."""
        login = self.store.login(self.noor, "abc")
        for _ in range(5):
            self.found(self.identities.login("abc"))
            self.found(self.identities.avatar(b"login:%d" % login.id))
            self.clock.advance(IDENTITY_SECONDS / 5)
        self.assertEqual(1, self.store.reads)
        self.found(self.identities.login("abc"))
        self.assertEqual(2, self.store.reads)

    def test_nobody_is_not_remembered(self) -> None:
        """A login that is made after a vain attempt is good at once."""
        self.found(self.identities.login("abc"))
        self.store.login(self.noor, "abc")
        self.assertIsNotNone(self.found(self.identities.login("abc")))

    def test_memory_counts_from_the_question(self) -> None:
        """What is revoked while a slow read is under way is in force a second later."""
        self.store.login(self.noor, "abc")
        self.store.slow = True
        slow = Deferred.fromCoroutine(self.identities.login("abc"))
        store.revoke_login(self.store.connection, "abc", NOW)
        self.clock.advance(IDENTITY_SECONDS - 0.1)
        self.store.let_go()
        self.assertIsNotNone(self.successResultOf(slow))
        self.clock.advance(0.1)
        self.store.slow = False
        self.assertIsNone(self.found(self.identities.login("abc")))

    def test_store_is_away(self) -> None:
        """When the store cannot be reached, that is said, and not that nobody is there."""
        self.store.reachable = False
        looking = Deferred.fromCoroutine(self.identities.login("abc"))
        self.failureResultOf(looking, CheckUnavailable)

    def test_hash_is_not_printed(self) -> None:
        """The printed form of an identity holds no hash."""
        self.assertNotIn("$2b$", repr(self.found(self.identities.account("noor@shop.example"))))
