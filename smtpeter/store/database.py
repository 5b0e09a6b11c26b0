"""One database, opened: its settings, its migrations, and its errors in our words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import alembic.command
import alembic.config
import alembic.util
from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, SQLAlchemyError

BUSY_SECONDS = 10.0
WAL_CHECKPOINT_PAGES = 16_384  # 64 MiB: the bound, should the checkpointer fall behind

_SQLITE_FULL = 13
_POSTGRESQL_DISK_FULL = "53100"


class StoreError(Exception):
    """The database cannot be used; the text is one line for the operator."""


class StoreUnavailable(StoreError):
    """The database does not answer now, or not as it should."""


class StorageFull(StoreError):
    """There is no room left for what was to be written."""


class Database:
    """
    An open database, used from any thread.

    Connections that only read see one state of it from their first statement to their
    end and never wait for a writer.
    """

    def __init__(self, engine: Engine, directory: Path | None) -> None:
        self.engine = engine
        self.directory = directory

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
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise StoreError(f"database.url: {url!r} is no database URL") from None
        directory: Path | None = None
        if parsed.get_backend_name() == "sqlite":
            if parsed.database and parsed.database != ":memory:":
                path = (state_dir or Path()) / parsed.database
                directory = path.parent
                parsed = parsed.set(database=str(path))
            engine = create_engine(
                parsed.set(drivername="sqlite"),
                connect_args={"timeout": BUSY_SECONDS, "check_same_thread": False},
            )
            _prepare_sqlite(engine)
        elif parsed.get_backend_name() == "postgresql":
            engine = create_engine(
                parsed.set(drivername="postgresql+psycopg"),
                pool_size=readers + 2,
                max_overflow=2,
                pool_pre_ping=True,
                connect_args={"connect_timeout": int(BUSY_SECONDS)},
            )
        else:
            raise StoreError(f"database.url: {parsed.get_backend_name()!r} is not supported")
        database = cls(engine, directory)
        shown = parsed.render_as_string(hide_password=True)
        try:
            database.migrate()
        except (SQLAlchemyError, alembic.util.CommandError) as error:
            engine.dispose()
            cause = getattr(error, "orig", None) or error
            words = " ".join(str(cause).split())
            raise StoreError(f"cannot open the database {shown}: {words}") from error
        return database

    def migrate(self) -> None:
        """Apply the migrations that are missing, in one transaction."""
        config = alembic.config.Config()
        config.set_main_option("script_location", "smtpeter.store:migrations")
        with self.begin() as connection:
            config.attributes["connection"] = connection
            alembic.command.upgrade(config, "head")

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection to read with. Errors of the database become `StoreError`."""
        with _translated(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction to write in; it commits at the end, or leaves nothing behind."""
        with _translated(), self.engine.connect() as connection:
            connection.execution_options(smtpeter_writes=True)
            with connection.begin():
                yield connection

    def close(self) -> None:
        self.engine.dispose()


def _prepare_sqlite(engine: Engine) -> None:
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        # The driver would begin transactions by rules of its own; we say BEGIN ourselves.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in (
            "journal_mode = WAL",
            "synchronous = FULL",  # a commit that returned survives the loss of power
            "foreign_keys = ON",
            f"wal_autocheckpoint = {WAL_CHECKPOINT_PAGES}",
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


def store_error(error: DBAPIError) -> StoreError:
    """What the driver reported, as one of ours."""
    words = " ".join(str(error.orig).split())
    full = (
        getattr(error.orig, "sqlite_errorcode", 0) & 0xFF == _SQLITE_FULL
        or getattr(error.orig, "sqlstate", "") == _POSTGRESQL_DISK_FULL
    )
    return StorageFull(words) if full else StoreUnavailable(words)
