from sqlalchemy import Connection, text

from smtpeter.store import journal
from smtpeter.store.statements import Statements
from smtpeter.store.writer import Change
from tests.store.cases import DatabaseCase, OnPostgresql


class StatementsTests(DatabaseCase):
    """Statements that are compiled once, for many rows."""

    def setUp(self) -> None:
        super().setUp()
        self.statements = Statements(self.database.engine.dialect)

    def run_changes(self, connection: Connection, *changes: Change) -> None:
        for change in changes:
            self.statements.run(connection, change.statement, change.rows)

    def count(self, connection: Connection) -> int:
        return int(connection.execute(text("SELECT count(*) FROM journal_batches")).scalar_one())

    def test_many_rows(self) -> None:
        """A statement writes all its rows, now and when it is run again."""
        with self.database.begin() as connection:
            for journal_name in ("one", "two"):
                done = [journal.done(journal_name, begin, begin + 5) for begin in range(0, 50, 5)]
                rows = [row for change in done for row in change.rows]
                self.run_changes(connection, Change(journal.DONE, rows))
            self.assertEqual(20, self.count(connection))

    def test_one_parameter(self) -> None:
        """A statement may have a single parameter."""
        with self.database.begin() as connection:
            self.run_changes(connection, journal.done("one", 0, 5), journal.done("two", 0, 5))
            self.run_changes(connection, journal.gone("one"))
            self.assertEqual(1, self.count(connection))

    def test_no_rows(self) -> None:
        """Without rows nothing is done."""
        with self.database.begin() as connection:
            self.run_changes(connection, Change(journal.DONE, []))
            self.assertEqual(0, self.count(connection))


class StatementsOnPostgresqlTests(OnPostgresql, StatementsTests):
    """The same on PostgreSQL."""
