"""
The one writer: whatever waits to be written goes into one commit.

A flush to disk costs the same for one message as for a hundred. While one commit runs,
further changes gather; the next commit takes them all. So a single client gets its
answer after one flush, and many clients share theirs.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from queue import Empty, SimpleQueue
from typing import Any, TypeVar
from typing import Protocol as Shape

from attrs import field
from sqlalchemy import Connection, UpdateBase
from twisted.internet.defer import Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from smtpeter.store.changes import Change, Planned
from smtpeter.store.database import Database, StoreUnavailable
from smtpeter.store.lull import Lull, thread_seconds
from smtpeter.store.priority import let_the_reactor_go_first
from smtpeter.store.statements import Statements
from smtpeter.values import frozen

GROUP_LIMIT = 500
# A group of more than so many means that others are only a moment away. Then the writer waits
# for a lull, for a commit of their own would cost more than their share in one commit for all.
# A client that is alone never waits.
FEW = 2
WAITING_LIMIT = 20_000

_T = TypeVar("_T")


@frozen
class _Waiting:
    """Changes, or a function to call in the transaction, and who wants to know the end."""

    changes: Sequence[Change] = ()
    function: Callable[[Connection], Any] | None = None
    plan: Callable[[Connection], Planned[Any]] | None = None
    done: Deferred[Any] = field(factory=Deferred)


class WriterBusy(Exception):
    """More changes wait for the writer than it may hold."""


class Reactor(Shape):
    """What is needed of the reactor."""

    def callFromThread(self, callable: Callable[..., Any], *args: object) -> None: ...  # noqa: A002

    def callLater(
        self,
        delay: float,
        callable: Callable[..., Any],  # noqa: A002
    ) -> object: ...


class GroupCommitWriter:
    """
    Commits changes in its own thread, in the order they came.

    Changes that meet in one commit must not depend on each other: each was asked for
    before the answer to the others was known. That lets rows of the same statement
    travel together. When a group fails, each of its members is tried alone, so that a
    fault stays with the one that has it. So a function may be called twice.

    All methods but `join` are called in the thread of the reactor.
    """

    _log = Logger()

    def __init__(
        self,
        database: Database,
        reactor: Reactor,
        wait_for_lull: Callable[[], None] | None = None,
    ) -> None:
        self._database = database
        self._reactor = reactor
        self._statements = Statements(database.engine.dialect)
        self._queue: SimpleQueue[list[_Waiting] | None] = SimpleQueue()
        self._stopped = False
        self._wait_for_lull = wait_for_lull
        self._last_group = 0
        self._turn: list[_Waiting] = []
        self._waiting = 0
        self._thread = threading.Thread(target=self._run, name="store writer", daemon=True)

    def start(self) -> None:
        if self._wait_for_lull is None:
            self._wait_for_lull = Lull(thread_seconds()).wait
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more; what waits is still committed."""
        self._stopped = True
        self._hand_over()
        self._queue.put(None)

    def join(self) -> None:
        """Wait until everything is committed; call it from a thread of your own."""
        self._thread.join()

    def commit(self, changes: Sequence[Change]) -> Deferred[None]:
        """
        Write the changes together; fires when the commit that holds them has returned.

        Fails with `StoreError`, or with SQLAlchemy's IntegrityError where a row clashes.
        """
        return self._submit(_Waiting(changes))

    def transact(self, function: Callable[..., _T], *args: Any) -> Deferred[_T]:
        """Call `function(connection, *args)` in the thread of the writer, then commit."""
        return self._submit(_Waiting(function=lambda connection: function(connection, *args)))

    def commit_planned(self, plan: Callable[..., Planned[_T]], *args: Any) -> Deferred[_T]:
        """
        Call `plan(connection, *args)` in the thread of the writer, and write what it says.

        It sees what the plans before it in the same commit have written themselves. What they
        said is written after all of them, with the changes of others.
        """
        return self._submit(_Waiting(plan=lambda connection: plan(connection, *args)))

    def _submit(self, waiting: _Waiting) -> Deferred[Any]:
        if self._stopped:
            waiting.done.errback(StoreUnavailable("the store is closed"))
        elif self._waiting >= WAITING_LIMIT:
            waiting.done.errback(WriterBusy("too many changes are waiting"))
        else:
            self._waiting += 1
            self._turn.append(waiting)
            if len(self._turn) == 1:
                self._reactor.callLater(0, self._hand_over)
        return waiting.done

    def _hand_over(self) -> None:
        """What one turn of the reactor asked for wakes the thread once, not once for each."""
        turn, self._turn = self._turn, []
        for start in range(0, len(turn), GROUP_LIMIT):
            self._queue.put(turn[start : start + GROUP_LIMIT])

    def _run(self) -> None:
        let_the_reactor_go_first()
        while True:
            group, last = self._gather()
            self._last_group = len(group)
            if group:
                answers = self._write(group)
                self._reactor.callFromThread(self._answer, answers)
            if last:
                return

    def _answer(self, answers: list[tuple[Deferred[Any], Any]]) -> None:
        self._waiting -= len(answers)
        for done, result in answers:
            done.callback(result)

    def _gather(self) -> tuple[list[_Waiting], bool]:
        """Wait for one, then take what else is there; the flag says that the end was reached."""
        group: list[_Waiting] = []
        waiting = self._queue.get()
        if waiting is not None and self._last_group > FEW and self._wait_for_lull is not None:
            self._wait_for_lull()
        while waiting is not None:
            group += waiting
            if len(group) >= GROUP_LIMIT:
                return group, False
            try:
                waiting = self._queue.get_nowait()
            except Empty:
                return group, False
        return group, True

    def _write(self, group: list[_Waiting]) -> list[tuple[Deferred[Any], Any]]:
        try:
            results = self._write_together(group)
        except Exception as error:
            # Nobody fares better alone when it is the database that fails; each would wait
            # for it anew.
            if len(group) == 1 or isinstance(error, StoreUnavailable):
                return [(each.done, Failure(error)) for each in group]
            self._log.info("{count} changes are written one by one", count=len(group))
            return [answer for each in group for answer in self._write([each])]
        return [(each.done, result) for each, result in zip(group, results, strict=True)]

    def _write_together(self, group: list[_Waiting]) -> list[Any]:
        with self._database.begin() as connection:
            planned = [
                each.plan(connection) if each.plan else Planned(each.changes, None)
                for each in group
            ]
            for statement, rows in merged(planned).items():
                self._statements.run(connection, statement, rows)
            return [
                each.function(connection) if each.function else plan.answer
                for each, plan in zip(group, planned, strict=True)
            ]


def merged(planned: Sequence[Planned[Any]]) -> dict[UpdateBase, list[Mapping[str, Any]]]:
    """The rows of a group, gathered by statement in the order the statements first came."""
    rows: dict[UpdateBase, list[Mapping[str, Any]]] = {}
    for each in planned:
        for change in each.changes:
            rows.setdefault(change.statement, []).extend(change.rows)
    return rows
