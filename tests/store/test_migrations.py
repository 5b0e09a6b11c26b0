from concurrent.futures import ThreadPoolExecutor

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import text

from smtpeter.store.database import Database, StoreError
from smtpeter.store.tables import metadata
from tests.store.cases import DatabaseCase, OnPostgresql


class MigrationTests(DatabaseCase):
    """From nothing to the tables of today."""

    def test_tables_as_described(self) -> None:
        """The migrations make exactly the tables that the program describes."""
        database = self.open(self.empty_url())
        with database.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            self.assertEqual([], compare_metadata(context, metadata))

    def test_opened_twice(self) -> None:
        """Opening a database again changes nothing in it."""
        with self.database.begin() as connection:
            connection.execute(text("INSERT INTO nudges (receiver, created) VALUES ('a', 1)"))
        again = self.open(self.url)
        with again.connect() as connection:
            self.assertEqual(1, connection.execute(text("SELECT count(*) FROM nudges")).scalar())

    def test_opened_by_several_at_once(self) -> None:
        """Of several who find an empty database, one makes the tables and the others wait."""
        url = self.empty_url()
        with ThreadPoolExecutor(4) as threads:
            databases = list(threads.map(Database.open, [url] * 4))
        for database in databases:
            self.addCleanup(database.close)
            with database.connect() as connection:
                self.assertEqual([], connection.execute(text("SELECT * FROM messages")).all())

    def test_newer(self) -> None:
        """A database that a newer program has changed is left alone, with one line that says so."""
        with self.database.begin() as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = 'from tomorrow'"))
        with self.assertRaisesRegex(StoreError, "a newer version of this program") as caught:
            Database.open(self.url)
        self.assertNotIn("\n", str(caught.exception))


class MigrationOnPostgresqlTests(OnPostgresql, MigrationTests):
    """The same on PostgreSQL."""
