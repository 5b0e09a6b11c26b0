from __future__ import annotations

from attrs import evolve

from smtpeter.message.features import Features
from smtpeter.store import accounts
from smtpeter.store.accounts import UnknownLogin, UnknownToken
from smtpeter.store.settings import LoginSettings
from smtpeter.store.switching import change_login, change_token
from tests.store.cases import NOW, DatabaseCase, OnPostgresql

FEATURES = Features(trackclicks=True, inlinecss=True)
SETTINGS = LoginSettings(privacy=True)


class SwitchingTests(DatabaseCase):
    """Changes of logins and tokens that are in use."""

    def setUp(self) -> None:
        super().setUp()
        with self.database.begin() as connection:
            noor = accounts.add_account(connection, "noor@shop.example", "hash", NOW)
            self.desk, self.till = (
                accounts.add_login(
                    connection,
                    noor.id,
                    name,
                    "hash",
                    NOW,
                    label="first",
                    features=FEATURES,
                    settings=SETTINGS,
                )
                for name in ("desk", "till")
            )
            self.crm, self.shop = (
                accounts.add_token(connection, noor.id, name, NOW, label=name, settings=SETTINGS)
                for name in ("crm", "shop")
            )

    def test_login(self) -> None:
        """What is named of a login is changed; all else of it stays, and so do other logins."""
        with self.database.begin() as connection:
            changed = change_login(
                connection,
                "desk",
                label="second",
                features={"trackclicks": False, "images": "hosted"},
                settings={"honeypot": True},
            )
            self.assertEqual([changed, self.till], accounts.logins(connection))
        expected = evolve(
            self.desk,
            label="second",
            features=Features(inlinecss=True, images="hosted"),
            settings=LoginSettings(honeypot=True, privacy=True),
        )
        self.assertEqual(expected, changed)

    def test_login_one_thing(self) -> None:
        """Where nothing is named, nothing is changed; an empty label is one."""
        with self.database.begin() as connection:
            self.assertEqual(self.desk, change_login(connection, "desk"))
            self.assertEqual("", change_login(connection, "desk", label="").label)
            off = change_login(connection, "desk", settings={"privacy": False})
        self.assertEqual((FEATURES, LoginSettings()), (off.features, off.settings))

    def test_token(self) -> None:
        """The same for tokens, which know their former labels."""
        with self.database.begin() as connection:
            changed = change_token(connection, self.crm.id, settings={"honeypot": True})
            both = LoginSettings(honeypot=True, privacy=True)
            self.assertEqual(evolve(self.crm, settings=both), changed)
            for label in ("till", "", "crm"):
                changed = change_token(connection, self.crm.id, label=label)
            self.assertEqual(evolve(self.crm, settings=both, former_labels=("till",)), changed)
            self.assertEqual([changed, self.shop], accounts.tokens(connection))

    def test_revoked(self) -> None:
        """What was revoked can be changed: its mail is still read."""
        with self.database.begin() as connection:
            accounts.revoke_login(connection, "desk", NOW)
            accounts.revoke_token(connection, self.crm.id, NOW)
            login = change_login(connection, "desk", settings={"privacy": False})
            token = change_token(connection, self.crm.id, settings={"privacy": False})
        self.assertEqual((NOW, NOW), (login.revoked, token.revoked))
        self.assertEqual((False, False), (login.settings.privacy, token.settings.privacy))

    def test_unknown(self) -> None:
        """What is not there cannot be changed."""
        with self.database.begin() as connection:
            with self.assertRaisesRegex(UnknownLogin, "there is no login 'nobody'"):
                change_login(connection, "nobody", settings={"privacy": True})
            with self.assertRaisesRegex(UnknownToken, "there is no token 99"):
                change_token(connection, 99, label="x")


class SwitchingOnPostgresqlTests(OnPostgresql, SwitchingTests):
    """The same on PostgreSQL."""
