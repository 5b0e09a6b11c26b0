from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.store import events
from smtpeter.store.events import Event
from tests.store.cases import NOW, DatabaseCase, OnPostgresql


def happened(kind: str = "attempt", message: str = "a" * 16, **details: str) -> Event:
    """Something that happened to a message."""
    return Event(
        time=NOW,
        kind=kind,
        account_id=None,
        message=message,
        envelope="noor@shop.example",
        recipient="kees@mailbox.example",
        tags="news;may",
        template_id=7,
        details=details,
    )


class EventTests(DatabaseCase):
    """What happened, written and read."""

    def append(self, *new: Event) -> None:
        change = events.append(new)
        with self.database.begin() as connection:
            connection.execute(change.statement, change.rows)

    def read(self, message: str = "a" * 16) -> list[Event]:
        with self.database.connect() as connection:
            return events.events_of(connection, message)

    def test_written_and_read(self) -> None:
        """An event is read back as it was written."""
        event = happened(description="Grüße, \U0001f600", code="250")
        self.append(event)
        self.assertEqual([event], self.read())

    def test_order(self) -> None:
        """The events of a message come in the order in which they happened."""
        first, second, third = happened("attempt"), happened("deferral"), happened("delivery")
        self.append(first, happened(message="b" * 16))
        self.append(second)
        self.append(third)
        self.assertEqual([first, second, third], self.read())

    def test_none(self) -> None:
        """A message of which nothing is known has no events."""
        self.assertEqual([], self.read("c" * 16))

    def test_what_no_column_takes(self) -> None:
        """Details may hold any character, even NUL and half a surrogate pair."""
        event = happened(description="a\0b \ud800 \u2028")
        self.append(event)
        self.assertEqual([event], self.read())


class EventOnPostgresqlTests(OnPostgresql, EventTests):
    """The same on PostgreSQL."""


class RowTests(SynchronousTestCase):
    """What stands in the columns."""

    @given(st.dictionaries(st.text(max_size=20), st.text(max_size=50), max_size=5))
    def test_details_are_ascii(self, details: dict[str, str]) -> None:
        """Details are written so that every database takes them."""
        (row,) = events.append([evolve(happened(), details=details)]).rows
        self.assertTrue(row["details"].isascii())
        self.assertNotIn("\0", row["details"])
