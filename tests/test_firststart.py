import io
import json
import shlex
from pathlib import Path

from attrs import evolve
from sqlalchemy import func, select

from smtpeter import config
from smtpeter.accounts.passwords import matches, token_digest
from smtpeter.config import Config
from smtpeter.firststart import EMAIL, FirstCredentials, first_start, rest_command, smtp_command
from smtpeter.message.features import ALL_ON
from smtpeter.store import accounts, tables
from tests.store.cases import DatabaseCase

MADE = FirstCredentials("account word", "user1", "pass word", "token1")


class BrokenScreen(io.StringIO):
    """Nobody looks."""

    def flush(self) -> None:
        raise BrokenPipeError


class FirstStartTests(DatabaseCase):
    """The first start without a configuration."""

    def setUp(self) -> None:
        super().setUp()
        self.config = cheap(config.Config())
        self.screen = io.StringIO()

    def shown(self, label: str) -> str:
        """What stands behind a label on the screen."""
        [line] = [each for each in self.screen.getvalue().splitlines() if label in each]
        return line.partition(label)[2].partition("     (")[0].strip()

    def accounts(self) -> int:
        """How many accounts there are."""
        with self.database.connect() as connection:
            return connection.execute(
                select(func.count()).select_from(tables.accounts)
            ).scalar_one()

    def test_made(self) -> None:
        """What is shown works: a login with all features on, and a token, of one account."""
        first_start(self.database, self.config, self.screen)
        with self.database.connect() as connection:
            login = accounts.login_by_username(connection, self.shown("SMTP login"))
            token = connection.execute(select(tables.tokens.c.digest)).scalar_one()
            account = accounts.account_by_email(connection, EMAIL)
        assert login is not None
        assert account is not None
        self.assertEqual(ALL_ON, login.features)
        self.assertEqual(token_digest(self.shown("REST token")), token)
        account_password, login_password = (
            line.partition("password")[2].partition("     (")[0].strip()
            for line in self.screen.getvalue().splitlines()
            if line.startswith("  password")
        )
        self.assertTrue(matches(login_password, login.password_hash))
        self.assertTrue(matches(account_password, account.password_hash))

    def test_once(self) -> None:
        """A second start makes nothing and shows nothing."""
        first_start(self.database, self.config, self.screen)
        again = io.StringIO()
        first_start(self.database, self.config, again)
        self.assertEqual(("", 1), (again.getvalue(), self.accounts()))

    def test_nobody_saw_it(self) -> None:
        """What could not be shown is not kept."""
        with self.assertRaises(BrokenPipeError):
            first_start(self.database, self.config, BrokenScreen())
        self.assertEqual(0, self.accounts())
        first_start(self.database, self.config, self.screen)
        self.assertIn("REST token", self.screen.getvalue())

    def test_smtp_command(self) -> None:
        """The line to paste logs in with the password as one word, blanks and all."""
        words = shlex.split(smtp_command(MADE, self.config))
        self.assertEqual("user1:pass word", words[words.index("--user") + 1])
        self.assertEqual("smtp://127.0.0.1:2525", words[words.index("--url") + 1])

    def test_rest_command(self) -> None:
        """The line to paste sends a JSON document with the token."""
        words = shlex.split(rest_command(MADE, self.config))
        self.assertEqual("Authorization: Bearer token1", words[words.index("--header") + 1])
        self.assertEqual(EMAIL, json.loads(words[words.index("--data") + 1])["from"])
        self.assertTrue(words[-1].endswith("/v1/send"))


def cheap(loaded: Config) -> Config:
    """The same with hashes that take no time."""
    return evolve(
        loaded,
        state_dir=Path("state"),
        accounts=evolve(loaded.accounts, bcrypt_cost=4),
        http=evolve(loaded.http, public_url="https://localhost:8443"),
    )
