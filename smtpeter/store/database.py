"""One database, opened: its settings, its migrations, and its errors in our words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import (
    ArgumentError,
    DBAPIError,
    IntegrityError,
    InterfaceError,
    InternalError,
    OperationalError,
    SQLAlchemyError,
)

from smtpeter.errors import OperatorError
from smtpeter.store.revisions import (
    apply_migrations,
    create_tables,
    current_revision,
    known_revisions,
)

BUSY_SECONDS = 10.0
# Of a new database. A message is written in half as many pages as by SQLite's 4096.
PAGE_OCTETS = 8192
# The commit that fills the log copies it into the database, and is held up by that: at 4 MiB for
# some milliseconds, at 16 MiB for four times as long, and no cheaper on the whole.
WAL_CHECKPOINT_PAGES = 4 * 1024 * 1024 // PAGE_OCTETS
# What the log may keep of the disk after a long reader has made it grow.
WAL_OCTETS = 64 * 1024 * 1024

# Errors are logged, and do not tell the values that they are about: there are private keys, hashes
# of passwords, and mail among them.
_DISCREET: dict[str, Any] = {"hide_parameters": True}

_SQLITE_FULL = 13
_POSTGRESQL_DISK_FULL = "53100"
_POSTGRESQL_MIGRATION_LOCK = 0x736D7470  # "smtp"; one process at a time brings up to date


class StoreError(OperatorError):
    """The database cannot be used; the text is one line for the operator."""


class StoreUnavailable(StoreError):
    """The database does not answer now, or not as it should."""


class CommitUnclear(StoreUnavailable):
    """The answer to a commit did not come: what was written may be there, or not."""


class StorageFull(StoreError):
    """There is no room left for what was to be written."""


class ValueRefused(StoreError):
    """The database works, but does not take these values."""


class Database:
    """
    An open database, used from any thread.

    Connections that only read see one state of it from their first statement to their
    end and never wait for a writer.
    """

    def __init__(self, engine: Engine, directory: Path | None) -> None:
        self.engine = engine
        self.directory = directory
        self._writing = engine.execution_options(smtpeter_writes=True)
        self._reading = engine
        if engine.dialect.name == "postgresql":
            self._reading = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )

    @classmethod
    def open(cls, url: str, state_dir: Path | None = None, *, readers: int = 5) -> Database:
        """
        Open a database and bring its tables up to date.

        Args:
            url: `sqlite:///FILE` (relative to `state_dir`) or `postgresql://…`.
            state_dir: where relative file names of SQLite start.
            readers: connections kept open beside the writer's.

        Raises:
            StoreError: it cannot be opened, is damaged, or is newer than this program.
        """
        parsed = _located(url, state_dir)
        if parsed.drivername == "sqlite":
            database = cls(_sqlite(parsed), Path(parsed.database or "").parent)
        else:
            database = cls(_postgresql(parsed, readers), None)
        try:
            with _explained(parsed):
                database.migrate()
        except StoreError:
            database.close()
            raise
        return database

    @classmethod
    def examine(cls, url: str, state_dir: Path | None = None) -> None:
        """
        See whether `open` could use a database. Nothing is made or changed; a file that is
        not there is one that `open` makes.

        Raises:
            StoreError: as `open`.
        """
        parsed = _located(url, state_dir)
        if parsed.drivername == "sqlite":
            path = Path(parsed.database or "")
            if not path.exists():
                return
            engine = create_engine(parsed, creator=partial(_existing_file, path), **_DISCREET)
        else:
            engine = _postgresql(parsed, readers=1)
        database = cls(engine, None)
        try:
            with _explained(parsed), database.connect() as connection:
                _is_newest(connection)
        finally:
            database.close()

    def migrate(self) -> None:
        """
        Make the tables, or apply the migrations that are missing, in one transaction.

        Raises:
            StoreError: a newer program has made the tables.
        """
        with self.connect() as connection:
            if _is_newest(connection):
                return
        with self.begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.exec_driver_sql(
                    f"SELECT pg_advisory_xact_lock({_POSTGRESQL_MIGRATION_LOCK})"
                )
            if _is_newest(connection):  # another process was faster
                return
            if current_revision(connection) is None:
                create_tables(connection)
            else:
                apply_migrations(connection)

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection to read with. Errors of the database become `StoreError`."""
        with _translated(), self._reading.connect() as connection:
            yield connection

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """
        A transaction to write in; it commits at the end, or leaves nothing behind.

        Raises:
            CommitUnclear: which of both, nobody knows.
            StoreError: it left nothing behind.
        """
        committing = False
        try:
            with _translated(), self._writing.begin() as connection:
                yield connection
                committing = True
        except StoreUnavailable as error:
            if committing:
                raise CommitUnclear(str(error)) from error
            raise

    def close(self) -> None:
        """
        Close all connections; whoever needs one later gets a new one.

        A process that is going to fork does this before: neither the locks of SQLite nor a
        session of PostgreSQL can be taken along.
        """
        self.engine.dispose()


def _located(url: str, state_dir: Path | None) -> URL:
    """The URL with the driver that is used, and with the whole name of a file."""
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # the text may hold a password
        raise StoreError("database.url: this is no database URL") from None
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        path = (state_dir or Path()) / parsed.database
        return parsed.set(drivername="sqlite", database=str(path))
    if parsed.get_backend_name() == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    raise StoreError("database.url: allowed are sqlite:///FILE and postgresql://…")


@contextmanager
def _explained(url: URL) -> Iterator[None]:
    """Why a database cannot be opened, in one line."""
    try:
        yield
    except (SQLAlchemyError, StoreError) as error:
        words = " ".join(str(getattr(error, "orig", None) or error).split())
        shown = url.render_as_string(hide_password=True)
        raise StoreError(f"cannot open the database {shown}: {words}") from error


def _is_newest(connection: Connection) -> bool:
    """
    True when no migration is missing.

    Raises:
        StoreError: a newer program has made the tables.
    """
    revision, known = current_revision(connection), known_revisions()
    if revision not in {None, *known}:
        raise StoreError("a newer version of this program has changed its tables")
    return revision == known[-1]


def _existing_file(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"file:{quote(str(path))}?mode=rw", timeout=BUSY_SECONDS, uri=True)


def _sqlite(url: URL) -> Engine:
    connect_args = {"timeout": BUSY_SECONDS, "check_same_thread": False}
    engine = create_engine(url, connect_args=connect_args, **_DISCREET)
    _prepare_sqlite(engine)
    return engine


def _postgresql(url: URL, readers: int) -> Engine:
    milliseconds = int(BUSY_SECONDS * 1000)
    try:
        return create_engine(
            url,
            pool_size=readers + 2,
            max_overflow=2,
            pool_pre_ping=True,
            **_DISCREET,
            connect_args={
                "connect_timeout": int(BUSY_SECONDS),
                # A server that has vanished is given up, not waited for.
                "keepalives_idle": int(BUSY_SECONDS),
                "keepalives_interval": int(BUSY_SECONDS),
                "keepalives_count": 3,
                "tcp_user_timeout": 3 * milliseconds,
                "options": f"-c lock_timeout={milliseconds}",
            },
        )
    except ImportError:
        raise StoreError(
            "PostgreSQL needs the package psycopg: pip install 'smtpeter[postgresql]'"
        ) from None


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        # The driver would begin transactions by rules of its own; we say BEGIN ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            f"page_size = {PAGE_OCTETS}",
            "journal_mode = WAL",
            "synchronous = FULL",  # a commit that returned survives the loss of power
            "foreign_keys = ON",
            f"wal_autocheckpoint = {WAL_CHECKPOINT_PAGES}",
            f"journal_size_limit = {WAL_OCTETS}",
            "cache_size = -16384",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A writer takes its lock at once: a read lock cannot always be raised later.
        writes = connection.get_execution_options().get("smtpeter_writes")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise store_error(error) from error
    except UnicodeEncodeError as error:  # half a surrogate pair
        raise ValueRefused(str(error)) from error


def store_error(error: DBAPIError) -> StoreError:
    """What the driver reported, as one of ours."""
    words = " ".join(str(error.orig).split())
    full = (
        getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == _SQLITE_FULL
        or getattr(error.orig, "sqlstate", "") == _POSTGRESQL_DISK_FULL
    )
    if full:
        return StorageFull(words)
    if isinstance(error, OperationalError | InterfaceError | InternalError):
        return StoreUnavailable(words)
    return ValueRefused(words)
