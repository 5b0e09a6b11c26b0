"""A store in memory, threads that run when told, and an intake that remembers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine
from twisted.internet.defer import Deferred, fail, maybeDeferred, succeed
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smtpeter.accounts.interfaces import IIntake, SenderInfo
from smtpeter.accounts.passwords import hash_password
from smtpeter.message.envelope import Accepted, Submission
from smtpeter.store import accounts as store
from smtpeter.store.database import StoreUnavailable
from smtpeter.store.tables import metadata

PASSWORD = "pass word"
COST = 4  # the least that bcrypt does
NOW = 1_700_000_000.0

_T = TypeVar("_T")


class MemoryStore:
    """
    The real tables in memory; a read is over at once, or when it is let go.

    Attributes:
        reads: how often it was asked.
        reachable: false makes every read fail.
        slow: true makes reads, once they have been done, wait for `let_go`.
    """

    def __init__(self, test: SynchronousTestCase) -> None:
        engine = create_engine("sqlite://")
        metadata.create_all(engine)
        self.connection: Connection = engine.connect()
        test.addCleanup(engine.dispose)
        test.addCleanup(self.connection.close)
        self.reads = 0
        self.reachable = True
        self.slow = False
        self._held: list[tuple[Deferred[Any], Any]] = []

    def read(self, function: Callable[..., _T], *args: Any) -> Deferred[_T]:
        self.reads += 1
        if not self.reachable:
            return fail(StoreUnavailable("connection refused"))
        if not self.slow:
            return maybeDeferred(function, self.connection, *args)
        answer: Deferred[_T] = Deferred()
        self._held.append((answer, function(self.connection, *args)))
        return answer

    def let_go(self) -> None:
        held, self._held = self._held, []
        for answer, result in held:
            answer.callback(result)

    def account(self, email: str, password: str = PASSWORD, **wishes: Any) -> store.Account:
        return store.add_account(
            self.connection, email, hash_password(password, COST), NOW, **wishes
        )

    def login(
        self, account: store.Account, username: str, password: str = PASSWORD, **wishes: Any
    ) -> store.Login:
        return store.add_login(
            self.connection, account.id, username, hash_password(password, COST), NOW, **wishes
        )


class Threads:
    """Calls that wait until a test runs them."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Callable[..., Any], tuple[Any, ...]]] = []

    def in_thread(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self.waiting.append((result, function, args))
        return result

    def run(self) -> int:
        """Run what waits; the number of calls that there were."""
        waiting, self.waiting = self.waiting, []
        for result, function, args in waiting:
            maybeDeferred(function, *args).chainDeferred(result)
        return len(waiting)


@implementer(IIntake)
class MemoryIntake:
    """Takes everything, and remembers who handed over what."""

    def __init__(self) -> None:
        self.taken: list[tuple[SenderInfo, Submission]] = []

    def submit(self, who: SenderInfo, submission: Submission) -> Deferred[Accepted]:
        self.taken.append((who, submission))
        return succeed(Accepted(("7hQx2LmPzR9aTc04",), who.features))
