"""Accounts, logins and tokens in a database."""

from __future__ import annotations

from sqlalchemy import Connection, create_engine, make_url
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.features import ALL_ON, Features
from smtpeter.store import accounts as store
from smtpeter.store.tables import metadata
from tests.store.postgresql import cluster

NOW = 1_700_000_000.0


class SqliteTests(SynchronousTestCase):
    """Also the base of the same tests on PostgreSQL."""

    def setUp(self) -> None:
        self.connection = self.connect()

    def connect(self) -> Connection:
        engine = create_engine("sqlite://")
        metadata.create_all(engine)
        connection = engine.connect()
        self.addCleanup(engine.dispose)
        self.addCleanup(connection.close)
        return connection

    def noor(self) -> store.Account:
        return store.add_account(self.connection, "Noor@Shop.example", "hash", NOW, name="Noor")

    def test_account_is_found_again(self) -> None:
        """An account is read back as it was written, by address in any case and by number."""
        noor = self.noor()
        self.assertEqual("noor@shop.example", noor.email)
        self.assertEqual(noor, store.account_by_email(self.connection, "NOOR@shop.EXAMPLE"))
        self.assertEqual(noor, store.account_by_id(self.connection, noor.id))
        self.assertEqual(("Noor", True, True), (noor.name, noor.may_send, noor.smtp_account_login))

    def test_unknown_account(self) -> None:
        """An account that is not there is None, or an error where it has to exist."""
        self.assertIsNone(store.account_by_email(self.connection, "q@shop.example"))
        self.assertIsNone(store.account_by_id(self.connection, 9))
        with self.assertRaisesRegex(store.UnknownAccount, "there is no account 'q@shop.example'"):
            store.existing_account(self.connection, "q@shop.example")

    def test_address_in_use(self) -> None:
        """A second account of the same address is refused, whatever the case of its letters."""
        self.noor()
        with self.assertRaisesRegex(store.AccountExists, "'noor@shop.example' exists already"):
            store.add_account(self.connection, "NOOR@shop.example", "hash", NOW)

    def test_address_in_use_since_a_moment(self) -> None:
        """An account that another process adds between our look and our insert is an error too."""
        self.noor()
        self.patch(store, "account_by_email", lambda _connection, _email: None)
        with self.assertRaises(store.AccountExists):
            self.noor()

    def test_accounts_are_listed_by_address(self) -> None:
        """The list of accounts is in the order of their addresses."""
        for email in ("c@x.example", "a@x.example", "b@x.example"):
            store.add_account(self.connection, email, "hash", NOW, may_send=False)
        found = store.accounts(self.connection)
        self.assertEqual(
            ["a@x.example", "b@x.example", "c@x.example"], [each.email for each in found]
        )
        self.assertEqual([False] * 3, [each.may_send for each in found])

    def test_changes_of_an_account(self) -> None:
        """Permission, SMTP by account, and password are changed each alone."""
        noor = self.noor()
        kees = store.add_account(self.connection, "kees@shop.example", "other", NOW)
        store.set_may_send(self.connection, "noor@shop.example", may_send=False)
        store.set_smtp_account_login(self.connection, "noor@shop.example", allowed=False)
        changed = store.set_password_hash(self.connection, "Noor@shop.example", "new")
        self.assertEqual(changed, store.account_by_id(self.connection, noor.id))
        self.assertEqual(
            (False, False, "new"),
            (changed.may_send, changed.smtp_account_login, changed.password_hash),
        )
        self.assertEqual(kees, store.account_by_id(self.connection, kees.id))

    def test_changes_of_an_unknown_account(self) -> None:
        """What should change an account that is not there is an error."""
        with self.assertRaises(store.UnknownAccount):
            store.set_may_send(self.connection, "q@shop.example", may_send=True)

    def test_login_is_found_again(self) -> None:
        """A login is read back with its features, by user name and by number."""
        login = store.add_login(
            self.connection, self.noor().id, "abc", "hash", NOW, label="web", features=ALL_ON
        )
        self.assertEqual(login, store.login_by_username(self.connection, "abc"))
        self.assertEqual(login, store.login_by_id(self.connection, login.id))
        self.assertEqual((ALL_ON, "web", None), (login.features, login.label, login.revoked))
        self.assertIsNone(store.login_by_username(self.connection, "ABC"))

    def test_features_of_a_login_are_off(self) -> None:
        """A login for which nothing was chosen has every feature off."""
        store.add_login(self.connection, self.noor().id, "abc", "hash", NOW)
        login = store.login_by_username(self.connection, "abc")
        assert login is not None
        self.assertEqual(Features(), login.features)

    def test_logins_of_one_account(self) -> None:
        """Logins are listed in the order they were made, of one account or of all."""
        noor = self.noor()
        kees = store.add_account(self.connection, "kees@shop.example", "hash", NOW)
        for account, username in ((noor, "n1"), (kees, "k1"), (noor, "n2")):
            store.add_login(self.connection, account.id, username, "hash", NOW)
        all_names = [each.username for each in store.logins(self.connection)]
        noors = [each.username for each in store.logins(self.connection, noor.id)]
        self.assertEqual((["n1", "k1", "n2"], ["n1", "n2"]), (all_names, noors))

    def test_revoked_login_stays(self) -> None:
        """A revoked login keeps its row, its first time, and its user name for ever."""
        account_id = self.noor().id
        store.add_login(self.connection, account_id, "abc", "hash", NOW)
        store.revoke_login(self.connection, "abc", NOW + 1)
        again = store.revoke_login(self.connection, "abc", NOW + 2)
        self.assertEqual(NOW + 1, again.revoked)
        self.assertEqual([again], store.logins(self.connection))
        with self.assertRaisesRegex(store.LoginExists, "'abc' is or was in use"):
            store.add_login(self.connection, account_id, "abc", "hash", NOW)

    def test_unknown_login(self) -> None:
        """To revoke a login that is not there is an error that names it."""
        with self.assertRaisesRegex(store.UnknownLogin, "there is no login 'abc'"):
            store.revoke_login(self.connection, "abc", NOW)

    def test_revoking_touches_one_login(self) -> None:
        """Other logins of the same account stay good."""
        account_id = self.noor().id
        store.add_login(self.connection, account_id, "abc", "hash", NOW)
        other = store.add_login(self.connection, account_id, "def", "hash", NOW)
        store.revoke_login(self.connection, "abc", NOW)
        self.assertEqual(other, store.login_by_username(self.connection, "def"))

    def test_login_of_no_account(self) -> None:
        """A login or a token of an account that is not there is refused."""
        with self.assertRaises(store.UnknownAccount):
            store.add_login(self.connection, 9, "abc", "hash", NOW)
        with self.assertRaises(store.UnknownAccount):
            store.add_token(self.connection, 9, "d" * 64, NOW)

    def test_several_tokens(self) -> None:
        """An account has as many tokens as it wants, each found by its digest and its number."""
        noor = self.noor()
        first = store.add_token(self.connection, noor.id, "d" * 64, NOW, label="shop")
        second = store.add_token(self.connection, noor.id, "e" * 64, NOW)
        self.assertEqual(first, store.token_by_digest(self.connection, "d" * 64))
        self.assertEqual(second, store.token_by_id(self.connection, second.id))
        self.assertEqual([first, second], store.tokens(self.connection))
        self.assertEqual([], store.tokens(self.connection, noor.id + 1))

    def test_revoked_token_stays(self) -> None:
        """A revoked token keeps its row and its first time; the account's others stay good."""
        noor = self.noor()
        first = store.add_token(self.connection, noor.id, "d" * 64, NOW)
        second = store.add_token(self.connection, noor.id, "e" * 64, NOW)
        store.revoke_token(self.connection, first.id, NOW + 1)
        store.revoke_token(self.connection, first.id, NOW + 2)
        self.assertEqual(
            [NOW + 1, None], [each.revoked for each in store.tokens(self.connection, noor.id)]
        )
        self.assertEqual(second, store.token_by_id(self.connection, second.id))

    def test_unknown_token(self) -> None:
        """A token that is not there is None, and cannot be revoked."""
        self.assertIsNone(store.token_by_digest(self.connection, "d" * 64))
        with self.assertRaisesRegex(store.UnknownToken, "there is no token 7"):
            store.revoke_token(self.connection, 7, NOW)

    def test_nothing_secret_is_printed(self) -> None:
        """The printed form of a value, as logs have it, holds no hash and no digest."""
        noor = store.add_account(self.connection, "noor@shop.example", "$2b$secret", NOW)
        login = store.add_login(self.connection, noor.id, "abc", "$2b$secret", NOW)
        token = store.add_token(self.connection, noor.id, "5ec7e7" * 10, NOW)
        self.assertNotIn("secret", f"{noor!r} {login!r}")
        self.assertNotIn("5ec7e7", repr(token))


class PostgresqlTests(SqliteTests):
    """The same on PostgreSQL."""

    def connect(self) -> Connection:
        url = cluster().new_database()
        self.addCleanup(cluster().take_back, url)
        engine = create_engine(make_url(url).set(drivername="postgresql+psycopg"))
        self.addCleanup(engine.dispose)
        connection = engine.connect()
        self.addCleanup(connection.close)
        return connection
