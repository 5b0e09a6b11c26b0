import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

from sqlalchemy import event, func, insert, select, text
from sqlalchemy.exc import IntegrityError

from smtpeter.store import database as module
from smtpeter.store.database import (
    CommitUnclear,
    Database,
    StorageFull,
    StoreError,
    StoreUnavailable,
    ValueRefused,
)
from smtpeter.store.tables import idempotency, nudges
from tests.scenarios.programs import require_root
from tests.store.cases import NOW, DatabaseCase, OnPostgresql

ADD_NUDGE = insert(nudges)


def nudge(receiver: str = "mailbox.example") -> dict[str, object]:
    """A row of a small table."""
    return {"destination": receiver, "created": NOW}


class DatabaseTests(DatabaseCase):
    """Transactions and what goes wrong in them."""

    def add(self, receiver: str = "mailbox.example") -> None:
        with self.database.begin() as connection:
            connection.execute(ADD_NUDGE, nudge(receiver))

    def count(self) -> int:
        with self.database.connect() as connection:
            return connection.execute(select(func.count()).select_from(nudges)).scalar_one()

    def test_commit(self) -> None:
        """What a transaction wrote is there after its end, also when it is opened anew."""
        self.add()
        self.database.close()
        self.database = self.open(self.url)
        self.assertEqual(1, self.count())

    def test_closed_and_used(self) -> None:
        """After its connections were closed, as before a fork, a database makes new ones."""
        self.add()
        self.database.close()
        self.add()
        self.assertEqual(2, self.count())

    def test_commit_without_an_answer(self) -> None:
        """When the connection is lost at the commit, nobody claims to know how it ended."""
        dialect = self.database.engine.dialect
        driver = dialect.loaded_dbapi
        assert driver is not None
        really_commit = dialect.do_commit
        for arrives in (True, False):
            before = self.count()

            def lost(connection: Any, *, arrives: bool = arrives) -> None:
                if arrives:
                    really_commit(connection)
                raise driver.OperationalError("the connection was lost")

            self.patch(dialect, "do_commit", lost)
            self.assertRaises(CommitUnclear, self.add)
            self.patch(dialect, "do_commit", really_commit)
            self.assertEqual(before + arrives, self.count())
            self.add()

    def test_exception_leaves_nothing(self) -> None:
        """A transaction that ends with an exception leaves nothing behind."""
        with self.assertRaises(ZeroDivisionError), self.database.begin() as connection:
            connection.execute(ADD_NUDGE, nudge())
            raise ZeroDivisionError
        self.assertEqual(0, self.count())

    def test_reader_sees_one_state(self) -> None:
        """A reader is not held up by a writer, and sees no commit after its first statement."""
        count = select(func.count()).select_from(nudges)
        with self.database.connect() as reader:
            self.assertEqual(0, reader.execute(count).scalar_one())
            self.add()
            self.assertEqual(0, reader.execute(count).scalar_one())
        self.assertEqual(1, self.count())

    def test_reader_beside_open_transaction(self) -> None:
        """A reader sees nothing of a transaction that has not ended."""
        with self.database.begin() as connection:
            connection.execute(ADD_NUDGE, nudge())
            self.assertEqual(0, self.count())

    def test_clash(self) -> None:
        """A row that clashes is told apart from a database that fails."""
        row = {"account_id": 1, "key": "k", "fingerprint": "", "answer": "", "created": NOW}
        with self.assertRaises(IntegrityError), self.database.begin() as connection:
            connection.execute(insert(idempotency), [row, row])
        self.add()

    def test_nonsense(self) -> None:
        """A statement that makes no sense is an error of one line."""
        with self.assertRaises(StoreError) as caught, self.database.begin() as connection:
            connection.execute(text("SELECT\n* FROM nowhere"))
        self.assertNotIn("\n", str(caught.exception))

    def test_half_a_surrogate_pair(self) -> None:
        """Text that no encoding has is refused, and the database works on."""
        with self.assertRaises(ValueRefused):
            self.add("\ud800")
        self.add("mailbox.example")

    def test_odd_characters(self) -> None:
        """Any other text comes back as it was."""
        odd = "Grüße \U0001f600 \u2028 \ufffe \x01\x7f e\u0301 \\ ' \" %s %(a)s :b ?"
        self.add(odd)
        with self.database.connect() as connection:
            self.assertEqual(odd, connection.execute(select(nudges.c.destination)).scalar_one())

    def test_unusable_urls(self) -> None:
        """What is no database of a known kind is refused, and no password is shown."""
        for url in ("", "nonsense", "mysql://u:secret@h/db", "sqlite://", "sqlite://u:secret@h/"):
            with self.assertRaisesRegex(StoreError, "database.url") as caught:
                Database.open(url, self.directory)
            self.assertNotIn("secret", str(caught.exception))


class DatabaseOnPostgresqlTests(OnPostgresql, DatabaseTests):
    """The same on PostgreSQL, and what only PostgreSQL does."""

    def test_nul(self) -> None:
        """NUL, which no text of PostgreSQL may hold, is refused; the database works on."""
        with self.assertRaises(ValueRefused):
            self.add("a\0b")
        self.add("mailbox.example")

    def test_full_disk(self) -> None:
        """A server without room is told apart from one that fails."""
        full = text("DO $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$")
        with self.assertRaises(StorageFull), self.database.begin() as connection:
            connection.execute(full)

    def test_nobody_answers(self) -> None:
        """A server that is not there is an error of one line, without the password."""
        url = f"postgresql://smtpeter:secret@/test?host={self.directory}"
        with self.assertRaisesRegex(StoreError, "cannot open the database postgres") as caught:
            Database.open(url)
        self.assertNotIn("secret", str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

    def test_connection_lost(self) -> None:
        """A connection that the server ends is an error once; the next is a new one."""
        end = text("SELECT pg_terminate_backend(pg_backend_pid())")
        with self.assertRaises(StoreUnavailable), self.database.begin() as connection:
            connection.execute(end)
        self.add()
        self.assertEqual(1, self.count())


class SqliteTests(DatabaseCase):
    """What only SQLite does."""

    def count(self) -> int:
        with self.database.connect() as connection:
            return connection.execute(select(func.count()).select_from(nudges)).scalar_one()

    def test_settings(self) -> None:
        """Each connection flushes every commit, writes ahead, and watches references."""
        with self.database.begin() as connection:
            found = {
                pragma: connection.exec_driver_sql(f"PRAGMA {pragma}").scalar_one()
                for pragma in ("synchronous", "journal_mode", "foreign_keys")
            }
        self.assertEqual({"synchronous": 2, "journal_mode": "wal", "foreign_keys": 1}, found)

    def test_relative_to_state_directory(self) -> None:
        """A relative file name starts at the state directory, which is watched for room."""
        database = Database.open("sqlite:///other.db", self.directory)
        self.addCleanup(database.close)
        self.assertTrue((self.directory / "other.db").exists())
        self.assertEqual(self.directory, database.directory)

    def assert_refused(self, path: Path, words: str) -> None:
        with self.assertRaisesRegex(StoreError, words) as caught:
            Database.open(f"sqlite:///{path}")
        self.assertIn(str(path), str(caught.exception))
        self.assertNotIn("\n", str(caught.exception))

    def test_not_a_database(self) -> None:
        """A file that is no database is an error of one line that names it."""
        path = self.directory / "noise.db"
        path.write_bytes(b"noise" * 1000)
        self.assert_refused(path, "not a database")

    def test_damaged(self) -> None:
        """So is a database whose first pages were overwritten."""
        self.database.close()
        path = self.directory / "test.db"
        octets = path.read_bytes()
        path.write_bytes(octets[:100] + b"\xff" * 12_000 + octets[12_100:])
        self.assert_refused(path, "malformed")

    def test_no_directory(self) -> None:
        """So is a directory that does not exist."""
        self.assert_refused(self.directory / "missing" / "test.db", "unable to open")

    def test_locked(self) -> None:
        """A writer that waits too long for another is told so, and can try again."""
        self.patch(module, "BUSY_SECONDS", 0.01)
        hasty = self.open(self.url)
        with closing(sqlite3.connect(self.directory / "test.db")) as other:
            other.execute("BEGIN IMMEDIATE")
            with self.assertRaisesRegex(StoreUnavailable, "locked"), hasty.begin():
                self.fail("two writers at once")
        with hasty.begin() as connection:
            connection.execute(ADD_NUDGE, nudge())
        self.assertEqual(1, self.count())

    def fill(self) -> None:
        with self.assertRaises(StorageFull):
            while True:
                with self.database.begin() as connection:
                    connection.execute(ADD_NUDGE, [nudge("x" * 1000)] * 100)

    def test_full(self) -> None:
        """Without room a commit fails as a whole; with room again, the next succeeds."""
        pages = 200

        @event.listens_for(self.database.engine, "begin")
        def _limit(connection: object) -> None:
            connection.exec_driver_sql(  # type: ignore[attr-defined]
                f"PRAGMA max_page_count = {pages}"
            )

        self.fill()
        before = self.count()
        self.assertEqual(0, before % 100)
        pages = 100_000
        with self.database.begin() as connection:
            connection.execute(ADD_NUDGE, nudge())
        self.assertEqual(before + 1, self.count())

    def test_full_disk(self) -> None:
        """A file system without room is the same: nothing is torn, and it recovers."""
        require_root()
        mount = self.directory / "small"
        mount.mkdir()
        command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(mount)]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            self.skipTest("this machine lets nobody mount")
        self.addCleanup(subprocess.run, ["umount", str(mount)])
        self.database = self.open(f"sqlite:///{mount}/test.db")
        self.addCleanup(self.database.close)
        ballast = mount / "ballast"
        ballast.write_bytes(bytes(300_000))
        self.fill()
        before = self.count()
        self.assertEqual(0, before % 100)
        ballast.unlink()
        with self.database.begin() as connection:
            connection.execute(ADD_NUDGE, nudge())
        self.database.close()
        self.assertEqual(before + 1, self.count())
        with self.database.connect() as connection:
            self.assertEqual(
                "ok", connection.exec_driver_sql("PRAGMA integrity_check").scalar_one()
            )
