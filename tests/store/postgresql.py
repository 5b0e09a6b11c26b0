"""A PostgreSQL server of the tests' own, in a temporary directory, without a port."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, NullPool, create_engine, make_url
from sqlalchemy.exc import SQLAlchemyError

from smtpeter.store.database import Database
from tests.scenarios.programs import missing

START_SECONDS = 60.0
DEBIAN = Path("/usr/lib/postgresql")
ADMINISTRATOR = "smtpeter"
# initdb and the server refuse to run as root.
UNPRIVILEGED = ("postgres", "nobody")

LOCK_SECONDS = 1

_numbers = count(1)

# What a database consists of, besides rows: what is made anew gets another number.
_SCHEMA = """
SELECT md5(string_agg(concat_ws(' ', c.oid, c.relname, a.attnum, a.attname, a.atttypid,
    a.attnotnull, a.attisdropped), ',' ORDER BY c.oid, a.attnum))
    || (SELECT string_agg(version_num, ',') FROM alembic_version)
FROM pg_class c LEFT JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace
"""
# No rows, whichever refer to others, and numbers begin with 1.
_EMPTY = """
DO $$
DECLARE name regclass;
BEGIN
    SET LOCAL session_replication_role = replica;
    FOR name IN SELECT oid FROM pg_class WHERE relkind = 'r'
            AND relnamespace = 'public'::regnamespace AND relname <> 'alembic_version' LOOP
        EXECUTE 'DELETE FROM ' || name;
    END LOOP;
    FOR name IN SELECT oid FROM pg_class WHERE relkind = 'S' LOOP
        PERFORM setval(name, 1, false);
    END LOOP;
END $$
"""


class Cluster:
    """A running server; it ends with the process that made it."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._directory = Path(tempfile.mkdtemp(prefix="smtpeter-pg-"))
        self._template = ""
        self._schema = ""
        self._used: list[str] = []
        self._identity = _identity()
        if self._identity:
            shutil.chown(self._directory, self._identity["user"], self._identity["group"])
        atexit.register(self._stop)
        self._run(
            *("initdb", "--pgdata", self._data, "--username", ADMINISTRATOR),
            *("--auth", "trust", "--encoding", "UTF8", "--no-locale", "--no-sync"),
        )
        settings = f"-k {self._directory} -c listen_addresses= -c fsync=off"
        log = self._directory / "log"
        self._run("pg_ctl", "start", "-w", "-D", self._data, "-l", log, "-o", settings)

    @property
    def _data(self) -> Path:
        return self._directory / "data"

    def new_database(self) -> str:
        """Make a database that has the tables, or take a used one; gives its URL."""
        if self._used:
            return self._used.pop()
        if not self._template:
            empty = self.empty_database()
            Database.open(empty).close()
            with _connected(empty) as connection:
                self._schema = _schema_of(connection)
            self._template = str(make_url(empty).database)
        return self._copy(self._template)

    def take_back(self, url: str) -> None:
        """Have a database used again that nobody needs any more, if it can be made as new."""
        with suppress(SQLAlchemyError):
            with _connected(url) as connection:
                as_new = _schema_of(connection) == self._schema
                if as_new:
                    connection.exec_driver_sql(_EMPTY)
            if as_new:
                self._used.append(url)

    def empty_database(self) -> str:
        """Make a database without tables, and give its URL."""
        return self._copy("template0")

    def _copy(self, template: str) -> str:
        name = f"test{next(_numbers)}"
        self._run("createdb", "-h", self._directory, "-U", ADMINISTRATOR, "-T", template, name)
        return f"postgresql://{ADMINISTRATOR}@/{name}?host={self._directory}"

    def _stop(self) -> None:
        if (self._data / "postmaster.pid").exists():
            self._run("pg_ctl", "stop", "-w", "-m", "immediate", "-D", self._data)
        shutil.rmtree(self._directory)

    def _run(self, program: str, *arguments: str | Path) -> None:
        done = subprocess.run(
            [self._programs / program, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,  # a pipe would stay open in the server
            stderr=subprocess.DEVNULL if program == "pg_ctl" else subprocess.PIPE,
            cwd=self._directory,
            timeout=START_SECONDS,
            check=False,
            **self._identity,
        )
        if done.returncode != 0:
            raise AssertionError(f"{program} failed: {(done.stderr or b'').decode()}")


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    arguments = {"options": f"-c lock_timeout={LOCK_SECONDS}s"}  # whoever left a lock behind
    located = make_url(url).set(drivername="postgresql+psycopg")
    engine = create_engine(located, poolclass=NullPool, connect_args=arguments)
    with engine.begin() as connection:
        yield connection


def _schema_of(connection: Connection) -> str:
    return str(connection.exec_driver_sql(_SCHEMA).scalar_one())


def _identity() -> dict[str, Any]:
    """Who runs the server: somebody else when we are root."""
    if os.getuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = next((known[name] for name in UNPRIVILEGED if name in known), None)
    if entry is None:
        missing("root finds no unprivileged user to run PostgreSQL as")
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


def _programs() -> Path:
    """Where initdb is: on the path, or where Debian hides it, the newest first."""
    if found := shutil.which("initdb"):
        return Path(found).resolve().parent
    versions = [each for each in DEBIAN.glob("*/bin") if (each / "initdb").exists()]
    if not versions:
        missing("PostgreSQL is not installed")
    return max(versions, key=lambda each: float(each.parent.name))


@lru_cache(maxsize=1)
def cluster() -> Cluster:
    """
    The server of this run of the tests, started by the first who asks.

    Raises:
        SkipTest: PostgreSQL or its driver is not installed.
        AssertionError: the same, and scenarios were asked for.
    """
    try:
        import psycopg  # noqa: F401, PLC0415 - an optional part of the installation
    except ImportError:
        missing("psycopg is not installed")
    return Cluster(_programs())
