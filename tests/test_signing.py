from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from attrs import evolve
from twisted.internet.defer import Deferred, execute
from twisted.internet.task import Clock

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.message.dkim import SigningKey
from smtpeter.message.dkimkeys import Algorithm, DkimKey
from smtpeter.signing import Signing
from smtpeter.store import accounts, dkimkeys
from smtpeter.store.database import StoreUnavailable
from smtpeter.store.domains import change_domain
from smtpeter.store.store import Store
from smtpeter.transform.draft import Draft
from tests.intakes import OpenStore
from tests.store.cases import NOW, DatabaseCase
from tests.store.test_domains import SHOP, added
from tests.transform.drafts import draft
from tests.verifying import published, verdicts

MAIL = b"From: Noor <noor@news.shop.example>\r\nSubject: Your order\r\n\r\nIt is on its way.\r\n"
KEYS = [DkimKey.generate(Algorithm.ED25519) for _ in range(4)]


class SigningTests(DatabaseCase):
    """Messages of an account with a sender domain."""

    def setUp(self) -> None:
        super().setUp()
        self.open_store = OpenStore(self.database)
        with self.database.begin() as connection:
            self.noor = accounts.add_account(connection, "noor@shop.example", "hash", NOW).id
            self.shop = added(connection, self.noor)
        self.clock = Clock()
        self.threads: list[str] = []
        self.signing = Signing(
            cast("Store", self.open_store), self.in_thread, self.clock.seconds, lambda: NOW
        )
        self.patch(dkimkeys, "new_keys", lambda: KEYS[:3])

    def in_thread(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.threads.append(function.__name__)
        return execute(function, *args)

    def draft(self, octets: bytes = MAIL) -> Draft:
        return evolve(draft(octets), account_id=self.noor)

    def signed(self, unsigned: Draft) -> Draft:
        result = self.signing.apply(unsigned)
        if isinstance(result, Deferred):
            return self.successResultOf(result)
        return result

    def test_signed(self) -> None:
        """A message gets a signature that holds, on top of what it was."""
        result = self.signed(self.draft())
        octets = bytes(result.content)
        self.assertTrue(octets.endswith(MAIL))
        self.assertEqual(1, octets.count(b"DKIM-Signature:"))
        records = published([SigningKey(SHOP, "zero", KEYS[0])])
        self.assertEqual([True], verdicts(octets, 1, records))
        self.assertIn(f"t={int(NOW)};".encode(), octets)
        self.assertEqual("signed", self.threads[-1])

    def test_keys_made(self) -> None:
        """A domain without keys gets them once, whoever comes meanwhile."""
        self.open_store.prompt = False
        waiting = [self.signing.apply(self.draft()) for _ in range(2)]
        other = self.signing.apply(self.draft(MAIL.replace(b"news.", b"old.")))
        while self.open_store.asked:
            self.open_store.answer_one()
        for each in (*waiting, other):
            assert isinstance(each, Deferred)
            self.assertIn(b"DKIM-Signature:", bytes(self.successResultOf(each).content))
        self.assertEqual(["<lambda>", *["signed"] * 3], self.threads)
        with self.database.connect() as connection:
            stored = dkimkeys.keys(connection)
        self.assertEqual(KEYS[:3], [each.key for each in stored])

    def test_several(self) -> None:
        """Each key signs; one of them may be for all mail."""
        with self.database.begin() as connection:
            dkimkeys.put_custom_key(connection, self.noor, SHOP, "mail", KEYS[3], NOW, always=True)
        records = published([SigningKey(SHOP, "zero", KEYS[0]), SigningKey(SHOP, "mail", KEYS[3])])
        octets = bytes(self.signed(self.draft()).content)
        self.assertEqual([True, True], verdicts(octets, 2, records))
        for author in (b"ria@club.example", b"nonsense"):
            octets = bytes(self.signed(self.draft(b"From: " + author + b"\r\n\r\n")).content)
            self.assertEqual(1, octets.count(b"DKIM-Signature:"))
            self.assertIn(b"s=mail;", octets)

    def test_unsigned(self) -> None:
        """Without a key, or an account, a message stays as it is."""
        for unsigned in (self.draft(b"From: ria@club.example\r\n\r\n"), draft(MAIL)):
            self.assertIs(unsigned, self.signed(unsigned))
        self.assertEqual([], self.threads)

    def test_remembered(self) -> None:
        """Which keys sign is remembered until a change shall be in force."""
        self.signed(self.draft())
        with self.database.begin() as connection:
            change_domain(connection, self.shop, selector="one")
        self.assertIn(b"s=zero;", bytes(self.signed(self.draft()).content))
        self.clock.advance(IDENTITY_SECONDS)
        self.assertIn(b"s=one;", bytes(self.signed(self.draft()).content))

    def test_trouble(self) -> None:
        """While the store does not answer, nothing is decided."""
        self.patch(
            self.open_store,
            "read",
            lambda *_: execute(self.fail_with, StoreUnavailable("it is gone")),
        )
        result = self.signing.apply(self.draft())
        assert isinstance(result, Deferred)
        self.failureResultOf(result, StoreUnavailable)

    @staticmethod
    def fail_with(error: Exception) -> None:
        raise error
