"""Visits, and what records them, in memory but for the database and the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, execute, fail

from smtpeter.events.sealing import Seal
from smtpeter.events.visit import Visit
from smtpeter.store.changes import Change
from smtpeter.store.database import Database, StoreUnavailable
from smtpeter.store.store import Store

MESSAGE = "7hQx2LmPzR9aTc04"
NOW = 1_900_000_000.0
BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0"


def visit(link: int = 0, **changed: Any) -> Visit:
    """A click with a browser."""
    facts: dict[str, Any] = {
        "time": NOW,
        "kind": "click",
        "message": MESSAGE,
        "link": link,
        "url": "https://clicks.shop.example/sale-IDENTIFIER",
        "destination": "https://shop.example/sale",
        "method": "GET",
        "protocol": "https",
        "address": "203.0.113.9",
        "headers": f"Host: clicks.shop.example\nUser-Agent: {BROWSER}",
    }
    return Visit(**(facts | changed))


class OpenSeal(Seal):
    """Hides nothing, so that a line is always the same."""

    def close(self, text: str) -> str:
        return text

    def open(self, sealed: str) -> str | None:
        return sealed


class PromptStore(Store):
    """
    A store that answers at once.

    Attributes:
        down: it cannot be reached.
        silent: it writes, but the answer is lost.
        calls: how often it was asked.
    """

    def __init__(self, database: Database) -> None:
        self.database = database
        self.down = False
        self.silent = False
        self.calls = 0

    def read(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return self._answer(self._read, function, args)

    def transact(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        return self._answer(self._transact, function, args)

    def commit(self, *changes: Change) -> Deferred[None]:
        return self._answer(self._commit, changes)

    def _answer(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.calls += 1
        if self.down:
            return fail(StoreUnavailable("no route to the database"))
        answer = execute(function, *args)
        if self.silent:
            return answer.addCallback(lambda _: fail(StoreUnavailable("connection lost")))
        return answer

    def _read(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        with self.database.connect() as connection:
            return function(connection, *args)

    def _transact(self, function: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        with self.database.begin() as connection:
            return function(connection, *args)

    def _commit(self, changes: tuple[Change, ...]) -> None:
        with self.database.begin() as connection:
            for change in changes:
                if change.rows:
                    connection.execute(change.statement, change.rows)


def in_thread(function: Callable[..., Any], *args: Any) -> Deferred[Any]:
    """No thread at all."""
    return execute(function, *args)
