from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.features import PRIORITIES
from smtpeter.store import accounts
from smtpeter.store.accounts import Account
from smtpeter.store.settings import NO_SETTINGS, LoginSettings, settings_of
from smtpeter.store.switching import change_token
from tests.store.cases import NOW, DatabaseCase, OnPostgresql

SETTINGS = LoginSettings(presentational=True, privacy=True)


class LoginSettingsTests(SynchronousTestCase):
    """Settings as a column holds them."""

    @given(
        st.builds(
            LoginSettings, st.booleans(), st.booleans(), st.booleans(), st.sampled_from(PRIORITIES)
        )
    )
    def test_read_back(self, each: LoginSettings) -> None:
        """Settings are read back as they were written."""
        self.assertEqual(each, LoginSettings.from_json(each.as_json()))

    def test_of_another_version(self) -> None:
        """What a column does not say is off, and what it says beyond our knowledge is passed."""
        self.assertEqual(NO_SETTINGS, LoginSettings.from_json("{}"))
        written = '{"privacy": true, "of tomorrow": 7, "priority": ["soon"]}'
        self.assertEqual(LoginSettings(privacy=True), LoginSettings.from_json(written))


PRIVATE = LoginSettings(privacy=True)
HONEYPOT = LoginSettings(honeypot=True)


class StoredSettingsTests(DatabaseCase):
    """Whose settings hold for a submission."""

    def setUp(self) -> None:
        super().setUp()
        with self.database.begin() as connection:
            self.noor, self.kees = (
                accounts.add_account(connection, f"{name}@shop.example", "hash", NOW)
                for name in ("noor", "kees")
            )

    def login(self, of: Account, username: str, settings: LoginSettings = NO_SETTINGS) -> None:
        with self.database.begin() as connection:
            accounts.add_login(connection, of.id, username, "hash", NOW, settings=settings)

    def token(self, of: Account, label: str = "", settings: LoginSettings = NO_SETTINGS) -> int:
        with self.database.begin() as connection:
            count = len(accounts.tokens(connection))
            return accounts.add_token(
                connection, of.id, f"{count:064}", NOW, label=label, settings=settings
            ).id

    def settings(self, origin: str, of: Account | None, login: str) -> LoginSettings:
        with self.database.connect() as connection:
            return settings_of(connection, origin, of.id if of else None, login)

    def test_of_a_login(self) -> None:
        """A login has the settings it was given, none where nothing was said."""
        self.login(self.noor, "one")
        self.login(self.noor, "two", SETTINGS)
        self.assertEqual(NO_SETTINGS, self.settings("smtp", self.noor, "one"))
        self.assertEqual(SETTINGS, self.settings("smtp", self.noor, "two"))
        with self.database.connect() as connection:
            found = [each.settings for each in accounts.logins(connection)]
        self.assertEqual([NO_SETTINGS, SETTINGS], found)

    def test_of_a_token(self) -> None:
        """So has a token, with a label or without one."""
        self.token(self.noor, "crm", SETTINGS)
        number = self.token(self.noor, settings=PRIVATE)
        self.assertEqual(SETTINGS, self.settings("rest", self.noor, "crm"))
        self.assertEqual(PRIVATE, self.settings("rest", self.noor, f"token {number}"))
        with self.database.connect() as connection:
            found = [(each.name, each.settings) for each in accounts.tokens(connection)]
        self.assertEqual([("crm", SETTINGS), (f"token {number}", PRIVATE)], found)

    def test_after_the_end(self) -> None:
        """The settings of what was revoked hold for the mail that it has sent."""
        self.login(self.noor, "desk", PRIVATE)
        number = self.token(self.noor, "crm", PRIVATE)
        with self.database.begin() as connection:
            accounts.revoke_login(connection, "desk", NOW)
            accounts.revoke_token(connection, number, NOW)
        self.assertEqual(PRIVATE, self.settings("smtp", self.noor, "desk"))
        self.assertEqual(PRIVATE, self.settings("rest", self.noor, "crm"))

    def test_label_like_a_user_name(self) -> None:
        """A token that is labelled like a login does not have its settings, nor the other way."""
        self.login(self.noor, "desk", SETTINGS)
        self.token(self.noor, "desk", HONEYPOT)
        self.token(self.kees, "desk")
        self.assertEqual(SETTINGS, self.settings("smtp", self.noor, "desk"))
        self.assertEqual(HONEYPOT, self.settings("rest", self.noor, "desk"))
        self.assertEqual(NO_SETTINGS, self.settings("rest", self.kees, "desk"))
        self.assertEqual(NO_SETTINGS, self.settings("smtp", self.kees, "desk"))

    def test_label_of_another_account(self) -> None:
        """Accounts that label their tokens alike have their own settings."""
        self.token(self.noor, "crm", PRIVATE)
        self.token(self.kees, "crm", HONEYPOT)
        self.assertEqual(PRIVATE, self.settings("rest", self.noor, "crm"))
        self.assertEqual(HONEYPOT, self.settings("rest", self.kees, "crm"))

    def test_shared_label(self) -> None:
        """What is on at one of several tokens of a label is on."""
        self.token(self.noor, "crm", PRIVATE)
        self.token(self.noor, "crm", HONEYPOT)
        self.token(self.noor, "till", LoginSettings(presentational=True))
        both = LoginSettings(honeypot=True, privacy=True)
        self.assertEqual(both, self.settings("rest", self.noor, "crm"))

    def test_label_like_a_number(self) -> None:
        """A label like the name of a token without one is shared with that token."""
        number = self.token(self.noor, settings=PRIVATE)
        self.token(self.noor, f"token {number}", HONEYPOT)
        both = LoginSettings(honeypot=True, privacy=True)
        self.assertEqual(both, self.settings("rest", self.noor, f"token {number}"))

    def test_former_labels(self) -> None:
        """Mail sent under a former label of a token has that token's settings."""
        number = self.token(self.noor, settings=PRIVATE)
        for label in ("crm", "till", "", "crm"):
            with self.database.begin() as connection:
                change_token(connection, number, label=label)
        for name in (f"token {number}", "crm", "till"):
            self.assertEqual(PRIVATE, self.settings("rest", self.noor, name), name)

    def test_nobody(self) -> None:
        """Who is not known has no settings; nor have an account's address, and our own reports."""
        self.login(self.noor, "desk", SETTINGS)
        for origin, of, login in (
            ("smtp", self.noor, "nobody"),
            ("smtp", self.noor, self.noor.email),
            ("rest", self.noor, "nobody"),
            ("report", None, ""),
            ("smtp", None, "desk"),
        ):
            self.assertEqual(NO_SETTINGS, self.settings(origin, of, login))


class StoredSettingsOnPostgresqlTests(OnPostgresql, StoredSettingsTests):
    """The same on PostgreSQL."""
