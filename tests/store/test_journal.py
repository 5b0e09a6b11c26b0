from sqlalchemy.exc import IntegrityError

from smtpeter.store import journal
from smtpeter.store.changes import Change
from tests.store.cases import DatabaseCase, OnPostgresql


class JournalBatchTests(DatabaseCase):
    """How much of a journal is written."""

    def write(self, *changes: Change) -> None:
        with self.database.begin() as connection:
            for change in changes:
                connection.execute(change.statement, change.rows)

    def progress(self, name: str) -> int:
        with self.database.connect() as connection:
            return journal.progress(connection, name)

    def test_progress(self) -> None:
        """Progress is where the last batch of a journal ended, 0 before the first."""
        self.assertEqual(0, self.progress("one"))
        self.write(journal.done("one", 0, 120), journal.done("two", 0, 7))
        self.write(journal.done("one", 120, 300))
        self.assertEqual((300, 7), (self.progress("one"), self.progress("two")))

    def test_twice(self) -> None:
        """A batch cannot be done twice, whatever its end."""
        self.write(journal.done("one", 0, 120))
        with self.assertRaises(IntegrityError):
            self.write(journal.done("one", 0, 240))

    def test_forgotten(self) -> None:
        """Of a journal that is gone nothing stays."""
        self.write(journal.done("one", 0, 120), journal.done("two", 0, 7))
        self.write(journal.gone("one"))
        self.assertEqual((0, 7), (self.progress("one"), self.progress("two")))


class JournalBatchOnPostgresqlTests(OnPostgresql, JournalBatchTests):
    """The same on PostgreSQL."""
