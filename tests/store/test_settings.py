from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.store import accounts, settings
from smtpeter.store.settings import NO_SETTINGS, LoginSettings
from tests.store.cases import NOW, DatabaseCase, OnPostgresql

SETTINGS = LoginSettings(presentational=True, privacy=True)


class LoginSettingsTests(SynchronousTestCase):
    """Settings as a column holds them."""

    @given(st.builds(LoginSettings, st.booleans(), st.booleans(), st.booleans()))
    def test_read_back(self, each: LoginSettings) -> None:
        """Settings are read back as they were written."""
        self.assertEqual(each, LoginSettings.from_json(each.as_json()))

    def test_of_another_version(self) -> None:
        """What a column does not say is off, and what it says beyond our knowledge is passed."""
        self.assertEqual(NO_SETTINGS, LoginSettings.from_json("{}"))
        written = '{"privacy": true, "of tomorrow": 7}'
        self.assertEqual(LoginSettings(privacy=True), LoginSettings.from_json(written))


class StoredSettingsTests(DatabaseCase):
    """Settings of logins in a database."""

    def test_given_to_a_new_login(self) -> None:
        """A new login has the settings it was given, none where nothing was said."""
        with self.database.begin() as connection:
            noor = accounts.add_account(connection, "noor@shop.example", "hash", NOW)
            made = [
                accounts.add_login(connection, noor.id, "one", "hash", NOW),
                accounts.add_login(connection, noor.id, "two", "hash", NOW, settings=SETTINGS),
            ]
        self.assertEqual([NO_SETTINGS, SETTINGS], [each.settings for each in made])
        with self.database.connect() as connection:
            self.assertEqual(made, accounts.logins(connection))
            self.assertEqual(NO_SETTINGS, settings.settings_of(connection, "one"))
            self.assertEqual(SETTINGS, settings.settings_of(connection, "two"))

    def test_changed(self) -> None:
        """Changed settings touch one login and nothing else of it."""
        with self.database.begin() as connection:
            noor = accounts.add_account(connection, "noor@shop.example", "hash", NOW)
            one, two = (
                accounts.add_login(connection, noor.id, name, "hash", NOW) for name in ("a", "b")
            )
            self.assertTrue(settings.set_settings(connection, "a", SETTINGS))
            found = accounts.logins(connection)
        self.assertEqual([evolve(one, settings=SETTINGS), two], found)

    def test_unknown_login(self) -> None:
        """A login that is not there has no settings, and cannot be given any."""
        with self.database.begin() as connection:
            self.assertEqual(NO_SETTINGS, settings.settings_of(connection, "nobody"))
            self.assertFalse(settings.set_settings(connection, "nobody", SETTINGS))


class StoredSettingsOnPostgresqlTests(OnPostgresql, StoredSettingsTests):
    """The same on PostgreSQL."""
