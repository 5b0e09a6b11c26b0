from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, insert, select, update
from sqlalchemy.exc import IntegrityError

from smtpeter.domains import organizational_domain
from smtpeter.message.dkimkeys import Algorithm, DkimKey
from smtpeter.store import accounts
from smtpeter.store.dkimkeys import (
    MOST_CUSTOM_KEYS,
    SELECTORS,
    KeyProblem,
    StoredKey,
    add_own_keys,
    custom_key,
    keys,
    new_keys,
    next_selector,
    own_keys,
    put_custom_key,
    remove_key,
    rotate,
    signing_keys,
)
from smtpeter.store.domains import SenderDomain, named_domain, remove_domain
from smtpeter.store.tables import dkim_keys
from tests.store.cases import NOW, DatabaseCase, OnPostgresql
from tests.store.test_domains import SHOP, added

KEYS = tuple(DkimKey.generate(Algorithm.ED25519) for _ in range(8))
MADE = KEYS[:3]


def with_keys(connection: Connection, domain: SenderDomain) -> SenderDomain:
    return add_own_keys(connection, domain, MADE, NOW)


class DkimKeysTests(DatabaseCase):
    """Keys of two accounts; the first has a sender domain with keys."""

    def setUp(self) -> None:
        super().setUp()
        with self.database.begin() as connection:
            self.noor, self.kees = (
                accounts.add_account(connection, f"{name}@{SHOP}", "hash", NOW).id
                for name in ("noor", "kees")
            )
            self.shop = with_keys(connection, added(connection, self.noor))

    def custom(self, selector: str, domain: str = SHOP, **settings: Any) -> StoredKey:
        with self.database.begin() as connection:
            return put_custom_key(connection, self.noor, domain, selector, KEYS[3], NOW, **settings)

    def signers(
        self, author: str, at: float = NOW, account_id: int | None = None
    ) -> list[tuple[str, str]]:
        """Domain and selector of the keys that sign."""
        with self.database.connect() as connection:
            found = signing_keys(connection, account_id or self.noor, author, at)
        return [(each.domain, each.selector) for each in found.keys]

    def test_own(self) -> None:
        """A domain gets its keys once; the first is in use."""
        self.assertEqual("zero", self.shop.selector)
        with self.database.begin() as connection:
            again = add_own_keys(connection, self.shop, KEYS[4:7], NOW + 1)
            self.assertEqual(self.shop, again)
            self.assertEqual(self.shop, named_domain(connection, SHOP))
            found = own_keys(connection, self.shop)
        self.assertEqual(list(SELECTORS), list(found))
        self.assertEqual(list(MADE), [each.key for each in found.values()])
        self.assertEqual(
            {(self.noor, SHOP, False, False, None, None, NOW)},
            {
                (e.account_id, e.domain, e.custom, e.always, e.start, e.end, e.created)
                for e in found.values()
            },
        )

    def test_new(self) -> None:
        """The keys of a sender domain are RSA of 2048 bits, each another."""
        new = new_keys()
        self.assertEqual([("rsa", 2048)] * 3, [(each.algorithm.kind, each.bits) for each in new])
        self.assertEqual(3, len({each.public for each in new}))

    def test_secret(self) -> None:
        """What a key shows of itself is not the secret."""
        with self.database.connect() as connection:
            pem = connection.execute(select(dkim_keys.c.private_key).limit(1)).scalar_one()
            [first, *_] = keys(connection)
        self.assertIn("PRIVATE KEY", pem)
        self.assertNotIn("PRIVATE", repr(first))
        self.assertEqual(first.key.private_pem, pem)

    def test_secret_in_errors(self) -> None:
        """Nor does an error of the database show it, which may be logged."""
        with self.database.connect() as connection:
            row = dict(connection.execute(select(dkim_keys).limit(1)).mappings().one())
        with self.assertRaises(IntegrityError) as caught, self.database.begin() as connection:
            connection.execute(insert(dkim_keys), [row])
        self.assertIn("INSERT INTO dkim_keys", str(caught.exception))
        self.assertNotIn("PRIVATE KEY", str(caught.exception))

    def test_rotated(self) -> None:
        """
        The next key is taken, the last one stays, and the one before that is replaced.

        The first time there is none to replace: the third has never been in use.
        """
        in_use = ["zero"]
        shop, expected = self.shop, list(MADE)
        for turn, replaced in ((4, None), (5, 0), (6, 1), (7, 2)):
            with self.database.begin() as connection:
                shop = rotate(connection, shop, KEYS[turn], NOW + turn)
                found = own_keys(connection, shop)
                self.assertEqual(shop, named_domain(connection, SHOP))
            in_use.append(shop.selector)
            if replaced is not None:
                expected[replaced] = KEYS[turn]
                self.assertEqual(NOW + turn, found[SELECTORS[replaced]].created)
            self.assertEqual(expected, [each.key for each in found.values()])
            self.assertEqual(NOW + turn, shop.rotated)
        self.assertEqual(["zero", "one", "two", "zero", "one"], in_use)
        self.assertEqual("zero", next_selector("two"))

    def test_rotated_at_once(self) -> None:
        """Of two who rotate at the same time only one does."""
        with self.database.begin() as connection:
            rotate(connection, self.shop, KEYS[4], NOW)
            with self.assertRaisesRegex(KeyProblem, "somebody else has changed the keys"):
                rotate(connection, self.shop, KEYS[5], NOW)

    def test_custom(self) -> None:
        """A key is added, replaced, found and removed."""
        first = self.custom("mail", always=True, start=1.0, end=2.0)
        self.assertEqual(
            (True, True, 1.0, 2.0), (first.custom, first.always, first.start, first.end)
        )
        second = self.custom("mail", domain="a.news.shop.example")
        replaced = self.custom("mail")
        self.assertEqual((False, None), (replaced.always, replaced.start))
        with self.database.begin() as connection:
            self.assertEqual([second, replaced], [e for e in keys(connection) if e.custom])
            self.assertEqual([], keys(connection, self.kees))
            self.assertEqual(replaced, custom_key(connection, SHOP, "mail"))
            remove_key(connection, replaced)
            for name, selector, account in (
                (SHOP, "mail", None),
                (SHOP, "zero", None),
                (second.domain, "mail", self.kees),
            ):
                with self.assertRaisesRegex(KeyProblem, f"there is no added key '{selector}'"):
                    custom_key(connection, name, selector, account)
            self.assertEqual(second, custom_key(connection, second.domain, "mail", self.noor))

    def test_custom_of_two(self) -> None:
        """Where two accounts have such a key, it has to be said whose is meant."""
        with self.database.begin() as connection:
            added(connection, self.kees, "news.shop.example")
            for account in (self.noor, self.kees):
                put_custom_key(connection, account, "news.shop.example", "mail", KEYS[3], NOW)
            with self.assertRaisesRegex(KeyProblem, "2 accounts have a key 'mail'"):
                custom_key(connection, "news.shop.example", "mail")

    def test_custom_refused(self) -> None:
        """A key needs an approved sender domain, and an account has a bounded number."""
        with self.database.begin() as connection:
            added(connection, self.noor, "club.example", approved=None)
        for domain in ("club.example", "example", "bookshop.example"):
            with self.assertRaisesRegex(KeyProblem, "no approved sender domain"):
                self.custom("mail", domain)
        for number in range(MOST_CUSTOM_KEYS):
            self.custom(f"mail{number}")
        self.custom("mail0")
        with self.assertRaisesRegex(KeyProblem, "has 20 keys already"):
            self.custom("mail")

    def test_signing(self) -> None:
        """The key in use of the domain that applies signs, for its account."""
        self.assertEqual([(SHOP, "zero")], self.signers(SHOP))
        self.assertEqual([(SHOP, "zero")], self.signers("a.news.shop.example"))
        self.assertEqual([], self.signers("club.example"))
        self.assertEqual([], self.signers(SHOP, account_id=self.kees))
        self.assertEqual([], self.signers(""))
        with self.database.begin() as connection:
            rotate(connection, self.shop, KEYS[4], NOW)
            with_keys(connection, added(connection, self.noor, "news.shop.example"))
        self.assertEqual([(SHOP, "one")], self.signers(SHOP))
        self.assertEqual([("news.shop.example", "zero")], self.signers("a.news.shop.example"))

    def test_signing_related(self) -> None:
        """A domain of the same organization signs where none applies."""
        with self.database.begin() as connection:
            club = added(connection, self.kees, "news.club.example")
            with_keys(connection, club)
        self.assertEqual("club.example", organizational_domain("club.example"))
        for author in ("club.example", "shop.club.example"):
            signers = self.signers(author, account_id=self.kees)
            self.assertEqual([("news.club.example", "zero")], signers)
        for author in ("example", "co.uk", "bookclub.example", "..", "a" * 300, "b\u00fccher"):
            self.assertEqual([], self.signers(author, account_id=self.kees))

    def test_signing_custom(self) -> None:
        """Keys that were added sign besides, for their domain and those below it."""
        self.custom("mail")
        self.custom("deep", domain="news.shop.example")
        self.assertEqual([(SHOP, "zero"), (SHOP, "mail")], self.signers(SHOP))
        self.assertEqual(
            [(SHOP, "zero"), (SHOP, "mail"), ("news.shop.example", "deep")],
            self.signers("a.news.shop.example"),
        )
        self.assertEqual([], self.signers("club.example"))

    def test_signing_always(self) -> None:
        """A key that always signs needs no author."""
        self.custom("mail", always=True)
        for author in ("", "club.example"):
            self.assertEqual([(SHOP, "mail")], self.signers(author))
            self.assertEqual([], self.signers(author, account_id=self.kees))

    def test_signing_period(self) -> None:
        """From its beginning on, until its end."""
        self.custom("mail", start=NOW + 10, end=NOW + 20)
        for at, signs in ((9, False), (10, True), (19, True), (20, False)):
            self.assertEqual(signs, (SHOP, "mail") in self.signers(SHOP, NOW + at), at)

    def test_keyless(self) -> None:
        """A domain without keys is told, so that they can be made."""
        with self.database.begin() as connection:
            club = added(connection, self.noor, "club.example")
            put_custom_key(connection, self.noor, "club.example", "mail", KEYS[3], NOW)
            found = signing_keys(connection, self.noor, "news.club.example", NOW)
            self.assertEqual(club, found.keyless)
            self.assertEqual(["mail"], [each.selector for each in found.keys])
            club = add_own_keys(connection, club, MADE, NOW)
            found = signing_keys(connection, self.noor, "club.example", NOW)
        self.assertIsNone(found.keyless)
        self.assertEqual([MADE[0], KEYS[3]], [each.key for each in found.keys])

    def test_domain_removed(self) -> None:
        """With a domain go its keys, and those that no other domain gives a right to."""
        with self.database.begin() as connection:
            news = with_keys(connection, added(connection, self.noor, "news.shop.example"))
        self.custom("mail")
        self.custom("deep", domain="a.news.shop.example")
        with self.database.begin() as connection:
            remove_domain(connection, self.shop)
            self.assertEqual(
                [("a.news.shop.example", "deep"), *((news.name, each) for each in SELECTORS)],
                [(each.domain, each.selector) for each in keys(connection)],
            )
            remove_domain(connection, news)
            self.assertEqual([], keys(connection))

    def test_other_domain_waits(self) -> None:
        """A domain that waits for its proof keeps its keys, which may be published already."""
        with self.database.begin() as connection:
            club = added(connection, self.noor, "club.example", approved=None)
            club = with_keys(connection, club)
            remove_domain(connection, self.shop)
            self.assertEqual(list(SELECTORS), list(own_keys(connection, club)))

    def test_spoilt(self) -> None:
        """A key that cannot be read is named."""
        with self.database.begin() as connection:
            connection.execute(update(dkim_keys).values(private_key="-"))
            with self.assertRaisesRegex(KeyProblem, "the key 'zero' of 'shop.example' in the data"):
                keys(connection)


class DkimKeysOnPostgresqlTests(OnPostgresql, DkimKeysTests):
    """The same on PostgreSQL."""
