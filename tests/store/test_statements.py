from sqlalchemy import Connection, bindparam, select, text

from smtpeter.store import journal
from smtpeter.store.changes import Change
from smtpeter.store.statements import Query, Statements, Upsert
from smtpeter.store.tables import journal_batches
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


class QueryTests(DatabaseCase):
    """Queries that are compiled once."""

    def test_rows(self) -> None:
        """A query gives its rows for whatever values, on each database that it is asked of."""
        column = journal_batches.c
        query = Query(
            select(column.begin, column.end)
            .where(column.journal == bindparam("name"), column.end <= bindparam("most"))
            .order_by(column.begin)
        )
        other = self.open(self.empty_url())
        with self.database.begin() as connection:
            done = [journal.done("one", begin, begin + 5) for begin in (0, 5, 10)]
            rows = [row for change in done for row in change.rows]
            connection.execute(journal.DONE, rows)
            for most, expected in ((10, [(0, 5), (5, 10)]), (5, [(0, 5)]), (4, [])):
                found = query.rows(connection, {"most": most, "name": "one"})
                self.assertEqual(expected, [tuple(row) for row in found])
        with other.connect() as connection:
            self.assertEqual([], query.rows(connection, {"most": 9, "name": "one"}))


class QueryOnPostgresqlTests(OnPostgresql, QueryTests):
    """The same on PostgreSQL."""


ADD = "(journal, begin) DO UPDATE SET end = journal_batches.end + excluded.end"


class UpsertTests(DatabaseCase):
    """Statements that change the row where there is one."""

    def ends(self, *conflicts: str) -> list[tuple[str, int]]:
        """What is there after each of these was the conflict of two rows."""
        rows = [{"journal": name, "begin": 0, "end": end} for name, end in (("a", 5), ("b", 6))]
        with self.database.begin() as connection:
            for conflict in conflicts:
                statement = Upsert(journal_batches, conflict.replace("end", '"end"'))
                Statements(self.database.engine.dialect).run(connection, statement, rows)
                connection.execute(statement, rows)
                connection.execute(statement, rows[0])
        with self.database.connect() as connection:
            found = select(journal_batches.c.journal, journal_batches.c.end).order_by("journal")
            return [(name, end) for name, end in connection.execute(found)]

    def test_conflict(self) -> None:
        """A row that is there is changed, whichever way the statement is run."""
        self.assertEqual([("a", 15), ("b", 12)], self.ends(ADD))

    def test_two_of_a_table(self) -> None:
        """Two statements for one table are told apart by their words."""
        self.assertEqual([("a", 15), ("b", 12)], self.ends(ADD, "DO NOTHING"))


class UpsertOnPostgresqlTests(OnPostgresql, UpsertTests):
    """The same on PostgreSQL."""


class StatementsOnPostgresqlTests(OnPostgresql, StatementsTests):
    """The same on PostgreSQL."""
