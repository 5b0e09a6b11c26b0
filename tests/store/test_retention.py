from __future__ import annotations

from attrs import evolve

from smtpeter.message.content import BLOCK_OCTETS, Content
from smtpeter.store import messages, retention
from smtpeter.store.messages import State
from tests.store.cases import CONTENT, NOW, DatabaseCase, OnPostgresql, message, parcel

LARGE = Content.from_octets(b"From: a@b.example\r\n\r\n" + b"x" * 3 * BLOCK_OCTETS)


class RetentionTests(DatabaseCase):
    """What is removed, and what stays."""

    def add(
        self, key: int, received: float, *, ended: bool = True, content: Content = CONTENT
    ) -> None:
        of = evolve(parcel(key=key), received=received, octets=content.octets)
        new = message(of=of)
        changes = messages.additions(of, content, [new])
        if ended:
            changes.append(
                messages.outcome(new, State.DELIVERED, due=received, reply="", now=received)
            )
        with self.database.begin() as connection:
            for change in changes:
                connection.execute(change.statement, change.rows)

    def drop(self, before: float, after_key: int = 0) -> int | None:
        with self.database.begin() as connection:
            return retention.drop_contents(connection, before, after_key)

    def kept(self, key: int) -> bool:
        with self.database.connect() as connection:
            return messages.load_content(connection, key) is not None

    def test_old(self) -> None:
        """The content of old mail goes, with all its blocks; that of younger mail stays."""
        self.add(1, NOW - 10, content=LARGE)
        self.add(2, NOW + 10)
        self.assertEqual(1, self.drop(NOW))
        self.assertFalse(self.kept(1))
        self.assertTrue(self.kept(2))
        self.assertIsNone(self.drop(NOW, 1))

    def test_waiting(self) -> None:
        """Mail that still waits to be delivered keeps its content, however old it is."""
        self.add(1, NOW - 10, ended=False)
        self.assertEqual(1, self.drop(NOW))
        self.assertTrue(self.kept(1))

    def test_batches(self) -> None:
        """A batch has a greatest size, and the next goes on where it ended."""
        self.patch(retention, "BATCH", 2)
        for key in (1, 2, 3):
            self.add(key, NOW - 10)
        self.assertEqual(2, self.drop(NOW))
        self.assertTrue(self.kept(3))
        self.assertEqual(3, self.drop(NOW, 2))
        self.assertFalse(self.kept(3))


class RetentionOnPostgresqlTests(OnPostgresql, RetentionTests):
    """The same on PostgreSQL."""
