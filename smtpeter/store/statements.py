"""Statements that write many rows, compiled once; and those that meet rows that are there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Compiled, Connection, Dialect, Insert, Select, Table, UpdateBase
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.visitors import InternalTraversal

from smtpeter.values import frozen


@frozen
class _Compiled:
    """
    One statement as its driver takes it.

    Attributes:
        parameters: makes of a row what the driver wants: values in order, or names and values.
    """

    sql: str
    parameters: Callable[[Mapping[str, Any]], Any]


class Statements:
    """
    Runs statements of which there are few, for rows of which there are many.

    SQLAlchemy would look at each value of each row on its way to the driver, at more
    cost than the database has with it. So values have to be what the driver takes:
    str, int, float, bool, bytes or None.
    """

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._compiled: dict[UpdateBase, _Compiled] = {}

    def run(
        self, connection: Connection, statement: UpdateBase, rows: Sequence[Mapping[str, Any]]
    ) -> None:
        """
        Run a statement for each row.

        Args:
            statement: a constant of a module, all values of which are parameters.
            rows: the values of its parameters; all have the same names.
        """
        if not rows:
            return
        compiled = self._compiled.get(statement)
        if compiled is None:
            compiled = self._compiled[statement] = self._compile(statement, list(rows[0]))
        connection.exec_driver_sql(compiled.sql, [*map(compiled.parameters, rows)])

    def _compile(self, statement: UpdateBase, names: list[str]) -> _Compiled:
        return _as_driven(statement.compile(dialect=self._dialect, column_keys=names))


class Query:
    """
    A query that is asked so often that SQLAlchemy's own work on it counts; compiled once.

    Args:
        query: all values of which are parameters.
    """

    def __init__(self, query: Select[Any]) -> None:
        self._query = query
        self._compiled: dict[str, _Compiled] = {}  # by the name of the dialect

    def rows(self, connection: Connection, values: Mapping[str, Any]) -> Sequence[Any]:
        """
        Ask it.

        Args:
            values: of its parameters, by their names.
        """
        dialect = connection.dialect
        compiled = self._compiled.get(dialect.name)
        if compiled is None:
            compiled = _as_driven(self._query.compile(dialect=dialect))
            self._compiled[dialect.name] = compiled
        return connection.exec_driver_sql(compiled.sql, compiled.parameters(values)).all()


def _as_driven(compiled: Compiled) -> _Compiled:
    assert isinstance(compiled, SQLCompiler)
    if compiled.positiontup is None:
        return _Compiled(str(compiled), dict)
    return _Compiled(str(compiled), _values(compiled.positiontup))


def _values(names: Sequence[str]) -> Callable[[Mapping[str, Any]], tuple[Any, ...]]:
    """What takes the values of these names out of a row, as a tuple."""
    if len(names) == 1:  # of one, itemgetter would give the bare value
        (name,) = names
        return lambda row: (row[name],)
    return itemgetter(*names)


class Upsert(Insert):
    """
    An INSERT that changes the row where there is one already.

    It may be a constant of a module, for both databases understand the same words.

    Args:
        conflict: what stands behind ON CONFLICT; it has no parameters.
    """

    inherit_cache = True
    # the words are a part of what SQLAlchemy knows a compiled statement by
    _traverse_internals = [  # noqa: RUF012
        *Insert._traverse_internals,  # noqa: SLF001
        ("conflict", InternalTraversal.dp_string),
    ]

    def __init__(self, table: Table, conflict: str) -> None:
        super().__init__(table)
        self.conflict = conflict
        self._inline = True  # else RETURNING might come before the words


@compiles(Upsert)
def _with_conflict(statement: Upsert, compiler: SQLCompiler, **kw: Any) -> str:
    written: str = compiler.visit_insert(statement, **kw)  # type: ignore[no-untyped-call]
    return f"{written} ON CONFLICT {statement.conflict}"


def insert_missing(table: Table) -> Insert:
    """An INSERT that leaves out the rows whose keys are there."""
    return Upsert(table, "DO NOTHING")


def insert_or_raise(connection: Connection, table: Table, column: str) -> Insert:
    """An INSERT that, where the primary key is there, raises one column to the greater value."""
    key = ", ".join(table.primary_key.columns.keys())
    greatest = "max" if connection.dialect.name == "sqlite" else "greatest"
    value = f"{greatest}({table.name}.{column}, excluded.{column})"
    return Upsert(table, f"({key}) DO UPDATE SET {column} = {value}")
