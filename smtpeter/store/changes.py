"""What is to be written, for the writer to put many into one commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Generic, TypeVar

from sqlalchemy import UpdateBase

from smtpeter.values import frozen

_T = TypeVar("_T")


@frozen
class Change:
    """
    Rows for one statement.

    Attributes:
        statement: a module's constant, so that changes of one kind are known by identity.
        rows: the values of its parameters, one mapping for each row.
    """

    statement: UpdateBase
    rows: Sequence[Mapping[str, Any]]


@frozen
class Planned(Generic[_T]):
    """What is to be written, and what whoever asked for it is told when it is."""

    changes: Sequence[Change]
    answer: _T
