from typing import Any

from sqlalchemy import update

from smtpeter.store import messages, queue
from smtpeter.store.due import Due, Unreadable, due_messages, noticed, put_off, without_notice
from smtpeter.store.events import events_of
from smtpeter.store.messages import NORMAL, Message, State, Stream
from smtpeter.store.tables import messages as table
from smtpeter.store.tables import submissions
from tests.store.cases import NOW, DatabaseCase, OnPostgresql, message, parcel

HERE = "mailbox.example"
DAY = 86_400


class DueCase(DatabaseCase):
    """Looks for what one receiver is to be sent."""

    def due(self, now: float = NOW, destination: str = HERE) -> Due:
        with self.database.connect() as connection:
            return due_messages(connection, Stream(destination, 0, NORMAL, ""), now, 1000)


class DueTests(DueCase):
    """What one receiver is to be sent."""

    def test_later(self) -> None:
        """The time of the next look is that of the first message that is not due yet."""
        for seconds in (0, 7, 9):
            self.store(message(due=NOW + seconds))
        self.assertEqual(NOW + 7, self.due().later)
        self.assertIsNone(self.due(NOW + 9).later)
        self.assertIsNone(self.due(destination="other.example").later)


class NoticeTests(DatabaseCase):
    """Whose senders are to be told of a delay."""

    def found(self, now: float = NOW) -> list[str]:
        with self.database.connect() as connection:
            return sorted(each.id for each in without_notice(connection, now, 100.0, 10))

    def test_asked_for(self) -> None:
        """Those who asked for it, once the time is over; others are left in peace."""
        asked = message(notify=frozenset({"DELAY", "FAILURE"}))
        self.store(asked)
        self.store(message(notify=frozenset({"SUCCESS"})))
        self.store(message())
        self.store(message(notify=frozenset({"DELAY"}), of=parcel("")))
        self.assertEqual([], self.found(NOW + 99))
        self.assertEqual([asked.id], self.found(NOW + 100))

    def test_told(self) -> None:
        """Not those who were told, by an attempt since or by a notice; it waits on as it did."""
        tried, told = (message(notify=frozenset({"DELAY"})) for _ in range(2))
        self.store(tried)
        self.store(told)
        changes = [
            messages.outcome(tried, State.WAITING, due=NOW, reply="", now=NOW + 101),
            noticed(told, "has to wait", NOW + 102),
        ]
        with self.database.begin() as connection:
            for change in changes:
                connection.execute(change.statement, change.rows)
        self.assertEqual([], self.found(NOW + 200))
        stream = Stream(HERE, 0, NORMAL, "")
        with self.database.connect() as connection:
            [again] = [
                each
                for each in due_messages(connection, stream, NOW, 10).found
                if each.id == told.id
            ]
        self.assertEqual((0, NOW, NOW + 102), (again.attempts, again.due, again.attempted))


class UnreadableTests(DueCase):
    """Rows that this program would not have written."""

    def stored(self, **changed: Any) -> Message:
        """A message in the store, of which columns were changed since."""
        new = message()
        self.store(new)
        with self.database.begin() as connection:
            for column, value in changed.items():
                if column in table.c:
                    query = update(table).where(table.c.id == new.id)
                else:
                    query = update(submissions).where(submissions.c.key == new.parcel.key)
                connection.execute(query.values({column: value}))
        return new

    def put_off(self, unreadable: Unreadable) -> None:
        with self.database.begin() as connection:
            for change in put_off(unreadable, NOW + DAY, NOW):
                connection.execute(change.statement, change.rows)

    def test_others_go_on(self) -> None:
        """Whatever is wrong with a row, the others come, and it is told which is the bad one."""
        bad = [
            self.stored(features="{"),
            self.stored(features="[]"),
            self.stored(sender="no mailbox"),
            self.stored(recipient="no mailbox"),
        ]
        good = message()
        self.store(good)
        due = self.due()
        self.assertEqual([good], due.found)
        self.assertEqual({each.id for each in bad}, {each.row.id for each in due.unreadable})
        for each in due.unreadable:
            self.assertIn(f"message {each.row.id} cannot be read: ", str(each))

    def test_put_off(self) -> None:
        """A bad row waits on with an event, and says why in the queue; it is back when due."""
        bad = self.stored(features="{")
        [unreadable] = self.due().unreadable
        self.put_off(unreadable)
        self.assertEqual(Due([], NOW + DAY, []), self.due())
        with self.database.connect() as connection:
            [waiting] = queue.overview(connection)
            [happened] = events_of(connection, bad.id)
        self.assertEqual((1, NOW + DAY), (waiting.depth, waiting.next_attempt))
        self.assertIn(f"message {bad.id} cannot be read: ", waiting.last_reply)
        self.assertEqual("deferral", happened.kind)
        self.assertIn("JSONDecodeError", happened.details["description"])
        self.assertEqual(1, len(self.due(NOW + DAY).unreadable))

    def test_story(self) -> None:
        """Its story cannot be told, and the error says why."""
        bad = self.stored(recipient="no mailbox")
        with self.database.connect() as connection:
            error = self.assertRaises(Unreadable, queue.message_story, connection, bad.id)
        self.assertIn(bad.id, str(error))

    def test_cancel(self) -> None:
        """An operator can cancel it."""
        bad = self.stored(recipient="no mailbox", features="{")
        with self.database.begin() as connection:
            self.assertEqual(1, queue.cancel(connection, NOW, message_id=bad.id))
            self.assertEqual([], queue.overview(connection))
            [happened] = events_of(connection, bad.id)
        self.assertEqual(("cancellation", "no mailbox"), (happened.kind, happened.recipient))

    def test_reroute(self) -> None:
        """Other receivers in the configuration are taken up for all others."""
        bad = self.stored(recipient="no mailbox")
        good = message()
        self.store(good)
        with self.database.begin() as connection:
            messages.reroute(connection, lambda _: "relay.example:587")
        self.assertEqual(
            [good.id], [each.id for each in self.due(destination="relay.example:587").found]
        )
        self.assertEqual([bad.id], [each.row.id for each in self.due().unreadable])


class DueOnPostgresqlTests(OnPostgresql, DueTests):
    """The same on PostgreSQL."""


class NoticeOnPostgresqlTests(OnPostgresql, NoticeTests):
    """The same on PostgreSQL."""


class UnreadableOnPostgresqlTests(OnPostgresql, UnreadableTests):
    """The same on PostgreSQL."""
