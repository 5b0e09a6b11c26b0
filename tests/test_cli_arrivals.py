"""The operator's command for what came to our own addresses."""

from __future__ import annotations

from sqlalchemy import update

from smtpeter.message.content import Content
from smtpeter.store.arrivals import Concluded, Conclusion, Purpose, conclude
from smtpeter.store.database import Database
from smtpeter.store.tables import submissions
from tests.arrivals.house import (
    AWAY,
    BOUNCE,
    CAME,
    LETTER,
    RECIPIENT,
    arrival,
    content_of,
    original,
    put_account,
    put_arrival,
    put_delivered,
)
from tests.commands import CommandCase


class ArrivalsTests(CommandCase):
    """A bounce that was read, and a letter that was not."""

    def setUp(self) -> None:
        super().setUp()
        self.state.mkdir()
        database = Database.open("sqlite:///smtpeter.db", self.state)
        self.addCleanup(database.close)
        self.database = database
        with database.begin() as connection:
            self.original = original(account_id=put_account(connection))
            put_delivered(connection, self.original)
            self.bounce = arrival(self.original)
            self.letter = arrival(
                purpose=Purpose.POSTMASTER, sender=RECIPIENT, recipient="postmaster"
            )
            put_arrival(connection, self.bounce, content_of(AWAY))
            put_arrival(connection, self.letter, content_of(LETTER))
            ended = Concluded(self.bounce.parcel.key, Conclusion("response"))
            conclude(connection, [ended], CAME + 5)

    def test_list(self) -> None:
        """The newest come first, and what is not read yet waits."""
        letter, bounce = self.document("arrivals")
        self.assertEqual(
            {
                "arrival": str(self.bounce.parcel.key),
                "received": "2023-11-14T22:14:20Z",
                "from": "",
                "to": BOUNCE,
                "purpose": "bounce",
                "result": "response",
                "message": self.original.id,
                "finished": "2023-11-14T22:14:25Z",
                "client": "192.0.2.7",
                "helo": "desk.shop.example",
                "octets": 100,
            },
            bounce,
        )
        self.assertEqual(
            (RECIPIENT, "postmaster", "waiting", "", None),
            tuple(letter[name] for name in ("from", "to", "result", "message", "finished")),
        )
        _, first, second = self.text("arrivals").splitlines()
        self.assertRegex(first, rf"{RECIPIENT} +postmaster +waiting$")
        self.assertRegex(second, rf" <> +{BOUNCE[:27]}\.\.\. +response +{self.original.id}$")

    def test_none(self) -> None:
        """Where nothing has come, that is said."""
        self.state.rename(self.state.with_name("other"))
        self.state.mkdir()
        self.assertEqual("Nothing has come.\n", self.text("arrivals"))

    def test_show(self) -> None:
        """One is shown with its source; a terminal is not led astray."""
        odd = Content.from_octets(b"From: a@b.example\r\n\r\n\x1b[2Jtext\xff" + b"x" * 70_000)
        came = arrival(self.original, sender=RECIPIENT)
        with self.database.begin() as connection:
            put_arrival(connection, came, odd)
        key = str(came.parcel.key)
        said = self.text("arrivals", "show", key)
        self.assertIn(f"arrival   {key}\n", said)
        self.assertIn("\n\nFrom: a@b.example\n", said)
        self.assertNotIn("\x1b", said)
        self.assertRegex(said, r"\.\.\. and \d+ octets more\n\Z")
        document = self.document("arrivals", "show", key)
        self.assertEqual(bytes(odd).decode("utf-8", "replace"), document["source"])

    def test_gone(self) -> None:
        """A source that is kept no longer is none."""
        key = self.bounce.parcel.key
        with self.database.begin() as connection:
            gone = update(submissions).where(submissions.c.key == key)
            connection.execute(gone.values(content=None))
        self.assertIn("no longer kept", self.text("arrivals", "show", str(key)))
        self.assertIsNone(self.document("arrivals", "show", str(key))["source"])

    def test_refused(self) -> None:
        """What is not there is said in one line."""
        self.assertEqual("there is no arrival '17'", self.complaint("arrivals", "show", "17"))
        last = str(2**63 - 1)  # that the database could hold
        self.assertIn(f"there is no arrival '{last}'", self.complaint("arrivals", "show", last))
        for word in ("x", "0", "1" * 20, str(2**63)):
            self.assertIn("is no arrival", self.complaint("arrivals", "show", word))
        self.assertIn("options belong", self.complaint("arrivals", "--json", "show", "17"))
