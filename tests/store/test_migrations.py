import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, inspect, make_url, select, text
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.features import ALL_ON
from smtpeter.store import accounts, domains
from smtpeter.store.database import Database, StoreError
from smtpeter.store.origins import numbers_of
from smtpeter.store.revisions import apply_migrations, current_revision, known_revisions
from smtpeter.store.settings import NO_SETTINGS
from smtpeter.store.switching import change_token
from smtpeter.store.tables import messages, metadata
from tests.store.cases import DatabaseCase, OnPostgresql

FIRST_ORIGIN = ("https://a.example",)
FIRST_TABLES = """
INSERT INTO accounts (email, password_hash, may_send, smtp_account_login, created)
VALUES ('noor@shop.example', 'hash', true, true, 1);
INSERT INTO logins (account_id, username, password_hash, features, created)
VALUES (1, 'desk', 'hash', :features, 1);
INSERT INTO tokens (account_id, digest, label, created) VALUES (1, 'digest', 'crm', 1);
INSERT INTO submissions (key, account_id, origin, login, sender, eightbit, smtputf8,
    features, tags, template_id, helo, client_address, protocol, received, deliver_by,
    octets, header_octets)
VALUES (5, 1, 'smtp', 'desk', '', false, false, '{}', '', 0, '', '', '', 1, 2, 3, 1);
INSERT INTO messages (id, submission, recipient, written, receiver, state, attempts, due,
    last_reply)
VALUES ('0123456789abcdef', 5, 'kees@mailbox.example', '', 'x', 0, 0, 1, '');
INSERT INTO events (time, kind, account_id, message, envelope, recipient, tags,
    template_id, details)
VALUES (1, 'attempt', 1, '0123456789abcdef', '', '', '', 0, '{}')
"""

FIFTH_REPORT = """
INSERT INTO dmarc_reports (time, account_id, organization, email, report_id, "begin", "end",
    domain, sending_domain, messages, failed_spf, failed_dkim, document)
VALUES (1, 0, '', '', :report_id, 1, 2, 'shop.example', 'mx.example', 1, 0, 0, '')
"""


@contextmanager
def connected(url: str) -> Iterator[Connection]:
    """A transaction in a database as it is."""
    engine = create_engine(make_url(url.replace("postgresql://", "postgresql+psycopg://")))
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def fill_first_tables(connection: Connection) -> None:
    """Make the tables of the first version, and use them."""
    apply_migrations(connection, "0001")
    features = json.dumps(ALL_ON.as_dict())
    for statement in FIRST_TABLES.split(";"):
        values = {"features": features} if ":features" in statement else {}
        connection.execute(text(statement), values)


def description(connection: Connection) -> Any:
    """All that the database says of its tables, in any order of columns."""
    found = inspect(connection)
    return {
        table: {
            "columns": {each["name"]: repr(each) for each in found.get_columns(table)},
            "primary key": found.get_pk_constraint(table),
            "foreign keys": sorted(map(repr, found.get_foreign_keys(table))),
            "unique": sorted(map(repr, found.get_unique_constraints(table))),
            "checks": sorted(map(repr, found.get_check_constraints(table))),
            "indexes": sorted(map(shown, found.get_indexes(table))),
        }
        for table in found.get_table_names()
    }


def shown(index: Any) -> str:
    options = {name: str(option) for name, option in index["dialect_options"].items()}
    return repr({**index, "dialect_options": options})


class RevisionTests(SynchronousTestCase):
    """What is known of the migrations without loading them."""

    def test_as_loaded(self) -> None:
        """It is what the migrations themselves say."""
        config = Config()
        config.set_main_option("script_location", "smtpeter.store:migrations")
        scripts = ScriptDirectory.from_config(config)
        newest_first = [script.revision for script in scripts.walk_revisions()]
        self.assertEqual(newest_first[::-1], list(known_revisions()))


class MigrationTests(DatabaseCase):
    """From nothing to the tables of today."""

    def test_tables_as_described(self) -> None:
        """The migrations make exactly the tables that the program describes."""
        with connected(self.empty_url()) as connection:
            apply_migrations(connection)
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            self.assertEqual([], compare_metadata(context, metadata))

    def test_at_once(self) -> None:
        """Tables that are made at once are those that the migrations make."""
        with connected(self.empty_url()) as connection:
            apply_migrations(connection)
            expected = description(connection)
        with self.database.connect() as connection:
            self.assertEqual(known_revisions()[-1], current_revision(connection))
            found = description(connection)
        self.assertEqual(expected.keys(), found.keys())
        for table, facts in expected.items():
            self.assertEqual(facts, found[table], table)
        indexes = [index for facts in expected.values() for index in facts["indexes"]]
        self.assertTrue(any("where" in index for index in indexes), indexes)

    def test_opened_twice(self) -> None:
        """Opening a database again changes nothing in it."""
        with self.database.begin() as connection:
            connection.execute(text("INSERT INTO nudges (destination, created) VALUES ('a', 1)"))
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

    def test_filled(self) -> None:
        """A database that an earlier version has filled keeps all it holds."""
        url = self.empty_url()
        with connected(url) as connection:
            fill_first_tables(connection)
        database = self.open(url)
        with database.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            self.assertEqual([], compare_metadata(context, metadata))
            (login,) = accounts.logins(connection)
            (token,) = accounts.tokens(connection)
            (message,) = connection.execute(select(messages))
            events = connection.execute(text("SELECT kind FROM events")).scalars().all()
        self.assertEqual(("desk", ALL_ON), (login.username, login.features))
        self.assertEqual(NO_SETTINGS, login.settings)
        self.assertEqual(
            ("crm", NO_SETTINGS, ()), (token.name, token.settings, token.former_labels)
        )
        self.assertEqual("kees@mailbox.example", message.recipient)
        self.assertEqual(["attempt"], events)
        with database.begin() as connection:  # and what was added can be used
            accounts.add_login(connection, login.account_id, "till", "hash", 2.0)
            change_token(connection, token.id, label="shop", settings={"privacy": True})
            self.assertEqual({"https://a.example"}, set(numbers_of(connection, FIRST_ORIGIN)))
            domains.add_domain(
                connection,
                login.account_id,
                "shop.example",
                3.0,
                approved=3.0,
                tracking_host="clicks.shop.example",
                bounce_host="bounces.shop.example",
            )
            self.assertEqual(1, len(domains.domains(connection)))

    def test_long_reports(self) -> None:
        """What strangers had sent before is cut where an index could not take it."""
        url = self.empty_url()
        ids = ["plain", "r" * 200, "\u00e9" * 700, "\U0001f600" * 3000]
        with connected(url) as connection:
            apply_migrations(connection, "0005")
            for each in ids:
                connection.execute(text(FIFTH_REPORT), {"report_id": each})
        database = self.open(url)
        with database.connect() as connection:
            found = connection.execute(text("SELECT report_id FROM dmarc_reports ORDER BY id"))
            kept = found.scalars().all()
        self.assertEqual([*ids[:2], ids[2][:500], ids[3][:250]], kept)


class MigrationOnPostgresqlTests(OnPostgresql, MigrationTests):
    """The same on PostgreSQL."""
