"""
Which tables a database has, and how it gets those of today.

Alembic takes as long to load as a command runs. It is needed where a migration is missing, and
nowhere else.
"""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

from sqlalchemy import (
    Column,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    String,
    Table,
    inspect,
    select,
)

from smtpeter.store.tables import metadata

# As Alembic has it.
_versions = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)
_MIGRATIONS = Path(__file__).parent / "migrations" / "versions"
_FILE_NAME = re.compile(r"([0-9]{4})_\w+\.py")


@lru_cache(maxsize=1)
def known_revisions() -> tuple[str, ...]:
    """The revisions that migrations lead to, as the names of their files begin; the newest last."""
    names = (_FILE_NAME.fullmatch(file.name) for file in _MIGRATIONS.iterdir())
    return tuple(sorted(name[1] for name in names if name))


def current_revision(connection: Connection) -> str | None:
    """The revision of the tables in a database, None when it has none."""
    if not inspect(connection).has_table(_versions.name):
        return None
    return connection.execute(select(_versions.c.version_num)).scalar_one_or_none()


def create_tables(connection: Connection) -> None:
    """Make the tables of today at once, where there are none."""
    metadata.create_all(connection, checkfirst=False)
    _versions.create(connection, checkfirst=True)
    connection.execute(_versions.insert().values(version_num=known_revisions()[-1]))


def apply_migrations(connection: Connection, target: str = "head") -> None:
    """
    Bring the tables up to date, one migration after the other.

    Args:
        target: the last revision to go to.
    """
    import alembic.command  # noqa: PLC0415
    import alembic.config  # noqa: PLC0415

    config = alembic.config.Config()
    config.set_main_option("script_location", "smtpeter.store:migrations")
    config.attributes["connection"] = connection
    alembic.command.upgrade(config, target)
