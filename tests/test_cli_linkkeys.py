"""The operator's commands for the keys of links."""

from __future__ import annotations

import base64

from sqlalchemy.exc import IntegrityError

from smtpeter.store import trackingkeys
from smtpeter.store.database import Database
from smtpeter.store.trackingkeys import SETTLING_SECONDS, TrackingKey
from tests.commands import NOW, CommandCase


class LinkKeyTests(CommandCase):
    """Commands against a database of their own."""

    def setUp(self) -> None:
        super().setUp()
        self.state.mkdir()
        self.database = Database.open("sqlite:///smtpeter.db", self.state)
        self.addCleanup(self.database.close)

    def start(self) -> None:
        """What the first start of a service does."""
        with self.database.begin() as connection:
            trackingkeys.existing_keys(connection, NOW)

    def keys(self) -> list[TrackingKey]:
        with self.database.connect() as connection:
            return trackingkeys.keys(connection)

    def states(self) -> list[tuple[int, str]]:
        return [(each["number"], each["state"]) for each in self.document("link-key", "list")]

    def test_rotate(self) -> None:
        """A new key waits until all processes know it; then it makes links, and all are read."""
        self.start()
        self.clock += 3600
        self.assertEqual([(1, "makes links")], self.states())
        made = self.document("link-key", "rotate")
        self.assertEqual(
            {
                "number": 2,
                "created": "2023-11-14T23:13:20Z",
                "in_use_since": "2023-11-14T23:15:20Z",
            },
            made,
        )
        self.assertEqual([(1, "makes links"), (2, "waits")], self.states())
        self.clock += SETTLING_SECONDS
        self.assertEqual([(1, "still read"), (2, "makes links")], self.states())
        self.assertEqual([2, 1], [each.number for each in self.keys()])

    def test_for_people(self) -> None:
        """The text says from when on the key is used; the list shows the same."""
        self.start()
        self.assertIn(
            "Key 2 was made. New links have it from 2023-11-14T22:15:20Z on",
            self.text("link-key", "rotate"),
        )
        self.assertEqual(
            "NUMBER  CREATED               IN USE SINCE          STATE\n"
            "1       2023-11-14T22:13:20Z  2023-11-14T22:13:20Z  makes links\n"
            "2       2023-11-14T22:13:20Z  2023-11-14T22:15:20Z  waits\n",
            self.text("link-key", "list"),
        )

    def test_before_the_first_start(self) -> None:
        """Where no service was started there is no key; one that is made serves at once."""
        self.assertEqual([], self.states())
        self.assertEqual(1, self.document("link-key", "rotate")["number"])
        self.assertEqual([(1, "makes links")], self.states())

    def test_secret(self) -> None:
        """No command shows a key."""
        self.start()
        said = self.text("link-key", "rotate", "--json") + self.text("link-key", "list")
        said += self.text("link-key", "list", "--json") + self.text("link-key", "rotate")
        for each in self.keys():
            for shown in (each.secret.hex(), base64.b64encode(each.secret).decode()):
                self.assertNotIn(shown[:8], said)

    def test_at_the_same_moment(self) -> None:
        """Who is second to make a key is told so."""

        def add_key(*_: object) -> TrackingKey:
            raise IntegrityError("", {}, Exception())

        self.patch(trackingkeys, "add_key", add_key)
        self.assertIn("at the same moment", self.complaint("link-key", "rotate"))
