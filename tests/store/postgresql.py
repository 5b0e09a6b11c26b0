"""A PostgreSQL server of the tests' own, in a temporary directory, without a port."""

from __future__ import annotations

import atexit
import os
import pwd
import shutil
import subprocess
import tempfile
from functools import lru_cache
from itertools import count
from pathlib import Path
from typing import Any

from sqlalchemy import make_url

from smtpeter.store.database import Database
from tests.scenarios.programs import missing

START_SECONDS = 60.0
DEBIAN = Path("/usr/lib/postgresql")
ADMINISTRATOR = "smtpeter"
# initdb and the server refuse to run as root.
UNPRIVILEGED = ("postgres", "nobody")

_numbers = count(1)


class Cluster:
    """A running server; it ends with the process that made it."""

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        self._directory = Path(tempfile.mkdtemp(prefix="smtpeter-pg-"))
        self._template = ""
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
        """Make a database that has the tables, and give its URL."""
        if not self._template:
            empty = self.empty_database()
            Database.open(empty).close()
            self._template = str(make_url(empty).database)
        return self._copy(self._template)

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
