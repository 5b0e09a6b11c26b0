"""The operator's commands for accounts, logins and tokens."""

from __future__ import annotations

import json

import click
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.accounts.passwords import matches, token_digest
from smtpeter.cli import main
from smtpeter.cli.output import moment, table
from smtpeter.cli.values import (
    FEATURE_NAMES,
    parse_email,
    parse_feature,
    parse_line,
    parse_number,
    parse_password,
    parse_setting,
)
from smtpeter.store import accounts as store
from smtpeter.store.database import Database
from smtpeter.store.settings import SWITCHES
from tests.commands import NOW, CommandCase

NOOR = "noor@shop.example"
USUAL = {"priority": "normal"}


class CommandTests(CommandCase):
    """Commands against a database of their own; what it holds is the only witness."""

    def account(self, email: str = NOOR) -> store.Account:
        database = Database.open("sqlite:///smtpeter.db", self.state)
        self.addCleanup(database.close)
        with database.connect() as connection:
            return store.existing_account(connection, email)

    def test_account_add(self) -> None:
        """A new account has a password that is shown once and stored as a hash."""
        document = self.document("account", "add", "Noor@Shop.example", "--name", "Noor")
        self.assertEqual({"account", "password"}, set(document))
        self.assertEqual(NOOR, document["account"])
        account = self.account()
        self.assertTrue(matches(document["password"], account.password_hash))
        self.assertTrue(account.password_hash.startswith("$2b$04$"))
        self.assertEqual(("Noor", True, NOW), (account.name, account.may_send, account.created))

    def test_account_add_for_people(self) -> None:
        """Without --json the password is shown in words, with its spaces."""
        self.assertRegex(
            self.text("account", "add", NOOR),
            r"noor@shop.example was added[^ ]*(.|\n)* (\w{5} ){4}",
        )

    def test_state_directory_is_private(self) -> None:
        """The first account makes the state directory, for its owner only."""
        self.text("account", "add", NOOR)
        self.assertEqual(0o700, self.state.stat().st_mode & 0o777)

    def test_given_password(self) -> None:
        """A password on standard input is taken to its last blank and never shown."""
        document = self.document("account", "add", NOOR, "--password-stdin", stdin=b" a  b \n")
        self.assertEqual({"account": NOOR, "password": None}, document)
        self.assertTrue(matches(" a  b ", self.account().password_hash))
        said = self.text("account", "add", "b@shop.example", "--password-stdin", stdin=b"s3cret")
        self.assertNotIn("s3cret", said)

    def test_unusable_password(self) -> None:
        """A password that no client could use is refused before anything is made."""
        for stdin, said in ((b"", "empty"), (b"\xff", "UTF-8"), (b"x" * 2000, "1024 octets")):
            complaint = self.complaint("account", "add", NOOR, "--password-stdin", stdin=stdin)
            self.assertIn(said, complaint)
        self.assertFalse(self.state.exists())

    def test_no_send(self) -> None:
        """An account that is added with --no-send may not send."""
        self.text("account", "add", NOOR, "--no-send")
        self.assertFalse(self.account().may_send)

    def test_account_twice(self) -> None:
        """An address can be added once only."""
        self.text("account", "add", NOOR)
        said = self.complaint("account", "add", "NOOR@shop.example")
        self.assertEqual("the account 'noor@shop.example' exists already", said)

    def test_account_list(self) -> None:
        """The list of accounts tells all but their secrets."""
        self.text("account", "add", NOOR, "--name", "Noor")
        expected = {
            "account": NOOR,
            "name": "Noor",
            "may_send": True,
            "smtp_account_login": True,
            "created": "2023-11-14T22:13:20Z",
            "pool": "",
        }
        self.assertEqual([expected], self.document("account", "list"))
        text = self.text("account", "list")
        self.assertIn(NOOR, text)
        self.assertNotIn("$2b$", text)

    def test_account_set(self) -> None:
        """The name and the pool of an account are changed; what is not named stays."""
        with self.config.open("a") as file:
            file.write('[delivery.pools.news]\naddresses = ["192.0.2.17"]\n')
        self.text("account", "add", NOOR, "--name", "Noor")
        changed = self.document("account", "set", NOOR, "--pool", "news")
        self.assertEqual([IDENTITY_SECONDS], self.slept)
        self.assertEqual(("Noor", "news"), (changed["name"], changed["pool"]))
        self.assertEqual([changed], self.document("account", "list"))
        self.assertEqual(
            f"The account {NOOR} is changed:\n\n    name  The shop\n    pool\n",
            self.text("account", "set", NOOR, "--pool", "", "--name", "The shop"),
        )
        self.assertIn("nothing was named", self.complaint("account", "set", NOOR))
        complaint = self.complaint("account", "set", NOOR, "--pool", "gone")
        self.assertIn("there is no pool 'gone' in the configuration; there: news", complaint)
        complaint = self.complaint("account", "set", "eva@club.example", "--name", "Eva")
        self.assertIn("there is no account", complaint)

    def test_permission(self) -> None:
        """To forbid and to allow sending changes the account, and waits until it is in force."""
        self.text("account", "add", NOOR)
        self.assertFalse(self.document("account", "forbid-sending", NOOR)["may_send"])
        self.assertFalse(self.account().may_send)
        self.assertTrue(self.document("account", "allow-sending", NOOR)["may_send"])
        self.assertTrue(self.account().may_send)
        self.assertEqual([IDENTITY_SECONDS] * 2, self.slept)

    def test_smtp_login(self) -> None:
        """An account can be kept from SMTP and be let back."""
        self.text("account", "add", NOOR)
        self.assertFalse(self.document("account", "smtp-login", NOOR, "off")["smtp_account_login"])
        self.assertFalse(self.account().smtp_account_login)
        self.text("account", "smtp-login", NOOR, "on")
        self.assertTrue(self.account().smtp_account_login)
        self.assertEqual([IDENTITY_SECONDS] * 2, self.slept)

    def test_new_password(self) -> None:
        """The password of an account can be replaced, by a made one or a given one."""
        self.text("account", "add", NOOR)
        made = self.document("account", "password", NOOR)["password"]
        self.assertTrue(matches(made, self.account().password_hash))
        self.text("account", "password", NOOR, "--password-stdin", stdin=b"given\r\n")
        self.assertTrue(matches("given", self.account().password_hash))
        self.assertEqual([IDENTITY_SECONDS] * 2, self.slept)

    def test_unknown_account(self) -> None:
        """Every command that is told an account wants it to be there."""
        self.text("account", "add", NOOR)
        for words in (
            ("account", "allow-sending"),
            ("account", "forbid-sending"),
            ("account", "password"),
            ("login", "add"),
            ("login", "list"),
            ("token", "add"),
            ("token", "list"),
        ):
            said = self.complaint(*words, "q@shop.example")
            self.assertEqual("there is no account 'q@shop.example'", said)
        self.assertEqual([], self.slept)

    def test_login_add(self) -> None:
        """A new login has a made user name, a password of groups, and the features chosen."""
        self.text("account", "add", NOOR)
        document = self.document(
            *("login", "add", NOOR, "--label", "web"),
            *("--feature", "trackclicks=on", "--feature", "images=on"),
            *("--feature", "inlinecss=on", "--feature", "inlinecss=off"),
        )
        self.assertEqual({"username", "password", "features", "settings"}, set(document))
        self.assertRegex(document["username"], r"\A[a-z0-9]{12}\Z")
        self.assertRegex(document["password"], r"\A\w{5}( \w{5}){4}\Z")
        expected = {
            "inlinecss": False,
            "trackclicks": True,
            "trackopens": False,
            "trackbounces": False,
            "preventscam": False,
            "images": "hosted",
        }
        self.assertEqual(expected, document["features"])
        (listed,) = self.document("login", "list")
        self.assertEqual(
            (document["username"], NOOR, "web", expected, None),
            tuple(listed[key] for key in ("username", "account", "label", "features", "revoked")),
        )

    def test_login_add_for_people(self) -> None:
        """Without --json the login is shown with its features by name."""
        self.text("account", "add", NOOR)
        text = self.text("login", "add", NOOR, "--feature", "trackopens=on")
        self.assertRegex(text, r"user name +[a-z0-9]{12}\n +password +(\w{5} ){4}\w{5}\n")
        self.assertIn("trackopens", text)

    def test_login_settings(self) -> None:
        """A new login has the settings that were chosen; the list shows them with the features."""
        self.text("account", "add", NOOR)
        made = self.document("login", "add", NOOR, "--setting", "privacy=on")
        expected = {"presentational": False, "honeypot": False, "privacy": True} | USUAL
        self.assertEqual(expected, made["settings"])
        self.document("login", "add", NOOR, "--feature", "trackopens=on")
        first, second = self.document("login", "list")
        self.assertEqual(expected, first["settings"])
        self.assertEqual({False, "normal"}, set(second["settings"].values()))
        self.assertTrue(second["features"]["trackopens"])
        _, one, two = self.text("login", "list").splitlines()
        self.assertEqual(["good", "none", "privacy"], one.split()[-3:])
        self.assertEqual(["good", "trackopens", "none"], two.split()[-3:])

    def test_priority(self) -> None:
        """A login and a token may have a priority, which is shown where it is not the usual one."""
        self.text("account", "add", NOOR)
        made = self.document("login", "add", NOOR, "--setting", "priority=bulk")
        self.assertEqual("bulk", made["settings"]["priority"])
        self.assertIn(" priority=bulk", self.text("login", "list"))
        self.text("token", "add", NOOR, "--setting", "privacy=on", "--setting", "priority=high")
        self.assertIn(" privacy, priority=high", self.text("token", "list"))
        self.assertNotIn("priority", self.text("token", "set", "1", "--setting", "priority=normal"))

    def test_login_set(self) -> None:
        """What is named of a login is changed, the rest stays; the command waits."""
        self.text("account", "add", NOOR)
        username = self.document(
            *("login", "add", NOOR, "--label", "web", "--feature", "trackclicks=on"),
            *("--feature", "inlinecss=on", "--setting", "privacy=on"),
        )["username"]
        changed = self.document(
            *("login", "set", username, "--feature", "trackclicks=off", "--feature", "images=on"),
            *("--setting", "honeypot=on"),
        )
        self.assertEqual([IDENTITY_SECONDS], self.slept)
        self.assertEqual([changed], self.document("login", "list"))
        self.assertEqual("web", changed["label"])
        on = {name for name, value in changed["features"].items() if value is True}
        self.assertEqual(({"inlinecss"}, "hosted"), (on, changed["features"]["images"]))
        expected = {"presentational": False, "honeypot": True, "privacy": True} | USUAL
        self.assertEqual(expected, changed["settings"])
        self.text("login", "set", username, "--feature", "images=off", "--label", "")
        (listed,) = self.document("login", "list")
        self.assertEqual(("", "default"), (listed["label"], listed["features"]["images"]))
        self.assertEqual(expected, listed["settings"])

    def test_login_set_for_people(self) -> None:
        """Without --json the login is shown as it is now."""
        self.text("account", "add", NOOR)
        username = self.document("login", "add", NOOR, "--feature", "trackclicks=on")["username"]
        self.assertEqual(
            f"The login {username} is changed:\n\n"
            "    label     web shop\n"
            "    features  trackclicks\n"
            "    settings  presentational, privacy\n",
            self.text(
                *("login", "set", username, "--label", "web shop"),
                *("--setting", "privacy=on", "--setting", "presentational=on"),
            ),
        )

    def test_set_nothing(self) -> None:
        """A change of nothing, or of what is not there, is an error, and nobody waits."""
        self.text("account", "add", NOOR)
        username = self.document("login", "add", NOOR)["username"]
        self.text("token", "add", NOOR)
        for words in (("login", "set", username), ("token", "set", "1")):
            self.assertIn("nothing was named", self.complaint(*words))
        for words, said in (
            (("login", "set", "abc"), "there is no login 'abc'"),
            (("token", "set", "9"), "there is no token 9"),
        ):
            self.assertEqual(said, self.complaint(*words, "--setting", "privacy=on"))
        self.assertEqual([], self.slept)

    def test_login_list(self) -> None:
        """Logins are listed for all accounts or for one, and never with a password."""
        for email in (NOOR, "kees@shop.example"):
            self.text("account", "add", email)
            self.text("login", "add", email)
        owners = [each["account"] for each in self.document("login", "list")]
        self.assertEqual([NOOR, "kees@shop.example"], owners)
        (only,) = self.document("login", "list", "Kees@shop.example")
        self.assertEqual("kees@shop.example", only["account"])
        self.assertNotIn("$2b$", self.text("login", "list", "--json"))
        self.assertEqual(3, len(self.text("login", "list").splitlines()))

    def test_login_revoke(self) -> None:
        """A login that is revoked stays in the list with its time; the command waits."""
        self.text("account", "add", NOOR)
        username = self.document("login", "add", NOOR)["username"]
        self.clock += 60
        revoked = self.document("login", "revoke", username)
        self.assertEqual("2023-11-14T22:14:20Z", revoked["revoked"])
        self.assertEqual([revoked], self.document("login", "list"))
        self.assertIn("revoked", self.text("login", "list"))
        self.assertEqual([IDENTITY_SECONDS], self.slept)

    def test_unknown_login(self) -> None:
        """To revoke a login that is not there is an error that names it."""
        self.text("account", "add", NOOR)
        self.assertEqual("there is no login 'abc'", self.complaint("login", "revoke", "abc"))

    def test_several_tokens(self) -> None:
        """An account has several tokens, each shown once and listed by number and label."""
        self.text("account", "add", NOOR)
        first = self.document("token", "add", NOOR, "--label", "shop")
        second = self.document("token", "add", NOOR)
        self.assertEqual({"token"}, set(first))
        self.assertRegex(first["token"], r"\A[A-Za-z0-9]{40,}\Z")
        self.assertNotEqual(first, second)
        listed = self.document("token", "list", NOOR)
        self.assertEqual(
            [("shop", None), ("", None)], [(each["label"], each["revoked"]) for each in listed]
        )
        text = self.text("token", "list")
        self.assertNotIn(first["token"], text)
        self.assertNotIn(token_digest(first["token"]), text)

    def test_token_revoke(self) -> None:
        """One token is revoked by its number, the others stay good; the command waits."""
        self.text("account", "add", NOOR)
        self.assertRegex(self.text("token", "add", NOOR), r"Token 1 (.|\n)*    \w{40}\n")
        self.text("token", "add", NOOR)
        self.assertEqual(moment(NOW), self.document("token", "revoke", "1")["revoked"])
        states = [each["revoked"] for each in self.document("token", "list")]
        self.assertEqual([moment(NOW), None], states)
        self.assertEqual([IDENTITY_SECONDS], self.slept)
        self.assertEqual("there is no token 9", self.complaint("token", "revoke", "9"))

    def test_token_settings(self) -> None:
        """Tokens have settings too; they are shown in the list, and can be changed."""
        self.text("account", "add", NOOR)
        self.text("token", "add", NOOR, "--label", "crm", "--setting", "privacy=on")
        self.text("token", "add", NOOR)
        listed = self.document("token", "list")
        self.assertEqual([True, False], [each["settings"]["privacy"] for each in listed])
        changed = self.document("token", "set", "1", "--label", "shop", "--setting", "honeypot=on")
        self.assertEqual([IDENTITY_SECONDS], self.slept)
        self.assertEqual(changed, self.document("token", "list")[0])
        expected = {"presentational": False, "honeypot": True, "privacy": True} | USUAL
        self.assertEqual(("shop", expected), (changed["label"], changed["settings"]))
        self.assertEqual(
            "Token 1 is changed:\n\n    label     shop\n    settings  privacy\n",
            self.text("token", "set", "1", "--setting", "honeypot=off"),
        )
        _, one, two = self.text("token", "list").splitlines()
        self.assertEqual(["good", "privacy", "shop"], one.split()[-3:])
        self.assertEqual(["good", "none"], two.split()[-2:])

    def test_wrong_calls(self) -> None:
        """What is typed wrong ends with status 1 and one line that says what and where."""
        for words, said in (
            ((), "Missing command (see `smtpeter --help`)"),
            (("account",), "Missing command (see `smtpeter account --help`)"),
            (("acount",), "'acount'"),
            (("account", "add"), "'EMAIL'"),
            (("account", "add", "noor"), "'noor' is no e-mail address: it has no @"),
            (("account", "add", NOOR, "--name", "a\x1bb"), "'a\\x1bb' holds a control character"),
            (("account", "list", "--jsn"), "--jsn"),
            (
                ("login", "add", NOOR, "--feature", "x=on"),
                f"allowed are {', '.join(FEATURE_NAMES)}",
            ),
            (("login", "add", NOOR, "--feature", "images"), "neither images=on nor images=off"),
            (
                ("login", "set", "a", "--setting", "x=on"),
                f"allowed are {', '.join(SWITCHES)}, priority",
            ),
            (("token", "set", "1", "--setting", "priority=on"), "names none of high, normal, bulk"),
            (("token", "add", NOOR, "--setting", "privacy"), "neither privacy=on nor privacy=off"),
            (("token", "revoke", "first"), "'first' is no number"),
        ):
            self.assertIn(said, self.complaint(*words))

    def test_help(self) -> None:
        """Help is printed on standard output and is no failure."""
        self.assertIn("--feature NAME=on|off", self.text("login", "add", "--help"))

    def test_config_first_or_last(self) -> None:
        """--config may stand before the command or after it, and there it counts more."""
        config = str(self.config)
        self.config = self.config.with_name("absent.toml")
        self.assertIn("absent.toml: cannot be read", self.complaint("account", "list"))
        self.text("--config", config, "account", "add", NOOR)
        self.text("account", "--config", config, "list")
        self.text("--config", "absent.toml", "account", "list", "--config", config)

    def test_config_from_the_environment(self) -> None:
        """SMTPETER_CONFIG names the configuration where no option does."""
        self.text("account", "add", NOOR)
        result = CliRunner(env={"SMTPETER_CONFIG": str(self.config)}).invoke(
            main, ["account", "list", "--json"]
        )
        self.assertEqual([NOOR], [each["account"] for each in json.loads(result.stdout)])

    def test_wrong_config(self) -> None:
        """A fault in the configuration is told by its key."""
        self.config.write_text('hostnam = "x"\n')
        self.assertIn("hostnam", self.complaint("account", "list"))

    def test_no_state_directory(self) -> None:
        """Where no service was started, a list says so and makes nothing."""
        said = self.complaint("account", "list")
        self.assertIn(f"there is no state directory {self.state}", said)
        self.assertFalse(self.state.exists())

    def test_damaged_database(self) -> None:
        """A database that cannot be opened is told in one line."""
        self.state.mkdir()
        (self.state / "smtpeter.db").write_bytes(b"this is no database" * 100)
        self.assertIn("is not a database", self.complaint("account", "list"))


class ValueTests(SynchronousTestCase):
    """What may be typed."""

    def test_email(self) -> None:
        """An address is put into lower case, and refused when it is none."""
        self.assertEqual(NOOR, parse_email("Noor@SHOP.example"))
        with self.assertRaises(click.BadParameter):
            parse_email("noor@shop..example")

    def test_line(self) -> None:
        """A label is one line of printable text of bounded length."""
        self.assertEqual("B\u00fcro, 2. Stock", parse_line("B\u00fcro, 2. Stock"))
        for text in ("a\nb", "a\x1b[31m", "\udcff", "x" * 201):
            with self.assertRaises(click.BadParameter):
                parse_line(text)

    def test_features(self) -> None:
        """Each feature can be said to be on or off."""
        for name in FEATURE_NAMES:
            self.assertEqual((name, True), parse_feature(f"{name}=on"))
            self.assertEqual((name, False), parse_feature(f"{name}=off"))
        for name in SWITCHES:
            self.assertEqual((name, True), parse_setting(f"{name}=on"))
            self.assertEqual((name, False), parse_setting(f"{name}=off"))
        self.assertEqual(("priority", "bulk"), parse_setting("priority=bulk"))

    @given(st.text() | st.tuples(st.sampled_from(FEATURE_NAMES), st.text()).map("=".join))
    def test_any_feature(self, text: str) -> None:
        """Any other text is refused with a reason."""
        try:
            name, state = parse_feature(text)
        except click.BadParameter as error:
            self.assertTrue(error.message)
        else:
            self.assertEqual(text, f"{name}={'on' if state else 'off'}")

    @given(st.text() | st.integers().map(str))
    def test_any_number(self, text: str) -> None:
        """Only numbers that a row can have are taken."""
        try:
            number = parse_number(text)
        except click.BadParameter:
            self.assertFalse(
                text.isascii() and text.isdigit() and 0 < int(text) < 10**9 and text[0] != "0"
            )
        else:
            self.assertEqual(text, str(number))
            self.assertTrue(0 < number < 2**31)

    @given(st.binary(max_size=30))
    def test_any_password(self, octets: bytes) -> None:
        """A password keeps every octet but one line ending at its end, or is refused."""
        try:
            password = parse_password(octets)
        except click.BadParameter:
            return
        self.assertIn(octets.removeprefix(password.encode()), (b"", b"\n", b"\r", b"\r\n"))
        self.assertTrue(password)
        self.assertFalse(set(password) & set("\r\n\0"))

    def test_piped_passwords(self) -> None:
        """Line endings of either kind are no part of a password; inner ones are refused."""
        for octets in (b"a b", b"a b\n", b"a b\r\n"):
            self.assertEqual("a b", parse_password(octets))
        for octets in (b"a\nb\n", b"a\n\n", b"\n", b"a\0b", b"\xff"):
            with self.assertRaises(click.BadParameter):
                parse_password(octets)


class OutputTests(SynchronousTestCase):
    """What is printed."""

    def test_table(self) -> None:
        """Columns are as wide as their widest entry, and lines end without blanks."""
        text = table(("id", "label"), [("1", "shop"), ("1000", "")])
        self.assertEqual("ID    LABEL\n1     shop\n1000", text)

    def test_moment(self) -> None:
        """Times are printed in UTC, to the second."""
        self.assertEqual("2023-11-14T22:13:20Z", moment(NOW))
