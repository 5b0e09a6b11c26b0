"""The operator's commands for quotas."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, select

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.quotas import HOUR, end_of
from smtpeter.store import accounts, messages, quotas, tables
from smtpeter.store.database import Database
from tests.commands import NOW, CommandCase
from tests.store.cases import CONTENT, message, parcel

NOOR = "noor@shop.example"
LIFETIME = 86_400.0


class QuotaCommandTests(CommandCase):
    """Quotas of one account, its login and its token."""

    def setUp(self) -> None:
        super().setUp()
        self.text("account", "add", NOOR)
        self.username = self.document("login", "add", NOOR)["username"]
        self.text("token", "add", NOOR, "--label", "crm")
        self.slept.clear()

    def database(self) -> Database:
        database = Database.open("sqlite:///smtpeter.db", self.state)
        self.addCleanup(database.close)
        return database

    def hand_in(self, count: int) -> None:
        """Messages of the login, placed as the intake does."""
        with self.database().begin() as connection:
            account = accounts.existing_account(connection, NOOR)
            for _ in range(count):
                self.add(connection, account.id)

    def add(self, connection: Connection, account_id: int) -> None:
        planner = quotas.planner_for(connection, account_id, "login:1", NOW)
        due = planner.place("login:1", NOW).due
        quotas.count(connection, account_id, planner.changes)
        of = parcel(
            account_id=account_id, login=self.username, received=NOW, deliver_by=due + LIFETIME
        )
        for change in messages.additions(of, CONTENT, [message(due=due, of=of)]):
            connection.execute(change.statement, change.rows)

    def dues(self) -> list[float]:
        with self.database().connect() as connection:
            found = connection.execute(select(tables.messages.c.due).order_by("due")).scalars()
            return [round(due, 1) for due in found]

    def shown(self, documents: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
        return [
            (each["login"], each["token"], each["period"], each["messages"]) for each in documents
        ]

    def test_set(self) -> None:
        """Quotas are set for the account, for a login, and for a token; the rest stays."""
        self.document("quota", "set", NOOR, "--hour", "100", "--month", "5000")
        self.document("quota", "set", NOOR, "--login", self.username, "--day", "10")
        self.document("quota", "set", NOOR, "--token", "crm", "--hour", "1")
        self.document("quota", "set", NOOR, "--login", NOOR, "--hour", "2")
        self.assertEqual([IDENTITY_SECONDS] * 4, self.slept)
        last = self.document("quota", "set", NOOR, "--day", "1000")
        expected = [
            (None, None, "hour", 100),
            (None, None, "day", 1000),
            (None, None, "month", 5000),
            (NOOR, None, "hour", 2),
            (self.username, None, "day", 10),
            (None, "crm", "hour", 1),
        ]
        self.assertEqual(expected, self.shown(last))
        self.assertEqual(last, self.document("quota", "list", NOOR))
        self.assertEqual(last, self.document("quota", "list"))

    def test_remove(self) -> None:
        """One quota is removed, or all of the account, or of a login."""
        self.text("quota", "set", NOOR, "--hour", "1", "--day", "2", "--month", "3")
        self.text("quota", "set", NOOR, "--token", "1", "--hour", "4")
        left = self.document("quota", "remove", NOOR, "--day")
        self.assertEqual(["hour", "month", "hour"], [each["period"] for each in left])
        left = self.document("quota", "remove", NOOR)
        self.assertEqual([(None, "crm", "hour", 4)], self.shown(left))
        self.assertEqual(
            "There is no quota.\n", self.text("quota", "remove", NOOR, "--token", "crm")
        )
        complaint = self.complaint("quota", "remove", NOOR)
        self.assertEqual(f"there is no such quota of {NOOR}", complaint)

    def test_used(self) -> None:
        """The list tells what is used, what waits, and when a period ends."""
        self.text("quota", "set", NOOR, "--hour", "2")
        self.hand_in(5)
        [listed] = self.document("quota", "list")
        self.assertEqual(
            (2, 3, "2023-11-14T23:00:00Z"),
            (listed["used"], listed["waiting"], listed["resets"]),
        )
        self.assertIn("account  hour    2         2     3", self.text("quota", "list"))

    def test_what_waits(self) -> None:
        """What waits goes by new quotas at once; the queue is told."""
        self.text("quota", "set", NOOR, "--hour", "1")
        self.hand_in(4)
        hours = [end_of(HOUR, NOW) + 3600 * number for number in range(3)]
        self.assertEqual([NOW, *hours], self.dues())
        text = self.text("quota", "set", NOOR, "--hour", "3")
        self.assertTrue(text.startswith("3 messages that waited will go at another time."), text)
        self.assertEqual([NOW] * 3 + hours[:1], self.dues())
        self.text("quota", "remove", NOOR)
        self.assertEqual([NOW] * 4, self.dues())
        with self.database().connect() as connection:
            nudged = connection.execute(select(tables.nudges.c.destination)).scalars().all()
        self.assertEqual({"mailbox.example"}, set(nudged))

    def test_whose(self) -> None:
        """A login or a token has to be one of the account, and good; labels may be shared."""
        self.text("account", "add", "eva@club.example")
        self.text("token", "add", NOOR, "--label", "crm")
        for words, said in (
            (("--login", self.username, "--token", "crm"), "either --login or --token"),
            (("--login", "nobody"), f"{NOOR} has no login 'nobody'"),
            (("--token", "shop"), f"{NOOR} has no token 'shop'"),
            (("--token", "crm"), "name one by its number: 1, 2"),
        ):
            self.assertIn(said, self.complaint("quota", "set", NOOR, "--hour", "1", *words))
        said = self.complaint(
            *("quota", "set", "eva@club.example", "--hour", "1", "--login", self.username)
        )
        self.assertIn("eva@club.example has no login", said)
        self.text("quota", "set", NOOR, "--hour", "1", "--token", "2")
        self.text("token", "revoke", "2")
        self.text("quota", "set", NOOR, "--hour", "1", "--token", "crm")

    def test_wrong_calls(self) -> None:
        """What is typed wrong is told in one line."""
        for words, said in (
            (("set", NOOR), "nothing was named that could be changed"),
            (("set", NOOR, "--hour", "0"), "0 is not in the range"),
            (("set", NOOR, "--hour", "many"), "'many' is not a valid integer"),
            (("set", "eva@club.example", "--hour", "1"), "there is no account"),
            (("list", "eva@club.example"), "there is no account"),
        ):
            self.assertIn(said, self.complaint("quota", *words))
