import threading
from typing import Any

from sqlalchemy import Connection, event, insert, select
from sqlalchemy.exc import IntegrityError, OperationalError
from twisted.internet.defer import Deferred

from smtpeter.store import writer as module
from smtpeter.store.changes import Change, Planned
from smtpeter.store.database import StorageFull, StoreUnavailable, ValueRefused
from smtpeter.store.tables import idempotency, nudges
from smtpeter.store.writer import FEW, GROUP_LIMIT, GroupCommitWriter, WriterBusy
from tests.store.cases import NOW, WAIT_SECONDS, CallsFromThreads, DatabaseCase, OnPostgresql

ADD_NUDGE = insert(nudges)
ADD_KEY = insert(idempotency)


def nudge(receiver: object) -> Change:
    """A change that never clashes."""
    return Change(ADD_NUDGE, [{"destination": receiver, "created": NOW}])


def key(name: str) -> Change:
    """A change that clashes with another of the same name."""
    row = {"account_id": 1, "key": name, "fingerprint": "", "answer": "", "created": NOW}
    return Change(ADD_KEY, [row])


def receivers(connection: Connection) -> list[str]:
    """The names that were written by `nudge`, in the order of their rows."""
    return list(connection.execute(select(nudges.c.destination).order_by(nudges.c.id)).scalars())


class WriterTests(DatabaseCase):
    """One writer for all. What is asked for before its start meets in one group."""

    def setUp(self) -> None:
        super().setUp()
        self.commits = 0
        self.reactor = CallsFromThreads()
        self.writer = GroupCommitWriter(self.database, self.reactor)
        event.listen(self.database.engine, "commit", self.committed)

    def committed(self, _connection: Connection) -> None:
        self.commits += 1

    def write(self) -> None:
        """Write all that waits, and let everybody know."""
        self.writer.start()
        self.writer.stop()
        self.writer.join()
        self.reactor.run_all()

    def written(self) -> list[str]:
        with self.database.connect() as connection:
            return receivers(connection)

    def test_many_in_one_commit(self) -> None:
        """What waits together is committed together."""
        waiting = [self.writer.commit([nudge(f"r{number}")]) for number in range(50)]
        self.write()
        for done in waiting:
            self.assertIsNone(self.successResultOf(done))
        self.assertEqual(1, self.commits)
        self.assertEqual(50, len(self.written()))

    def test_group_is_bounded(self) -> None:
        """A group has a greatest size; the next commit takes the rest."""
        for number in range(GROUP_LIMIT + 1):
            self.writer.commit([nudge(f"r{number}")])
        self.write()
        self.assertEqual(2, self.commits)
        self.assertEqual(GROUP_LIMIT + 1, len(self.written()))

    def test_under_load_more_may_come(self) -> None:
        """After a group of several the writer waits for a lull, and takes what came until then."""
        waits, lull = threading.Event(), threading.Event()

        def wait_for_lull() -> None:
            waits.set()
            lull.wait(WAIT_SECONDS)

        self.writer = GroupCommitWriter(self.database, self.reactor, wait_for_lull)
        for number in range(FEW + 1):
            self.writer.commit([nudge(f"r{number}")])
        self.writer.start()
        self.reactor.run_one()
        self.writer.commit([nudge("next")])
        self.assertTrue(waits.wait(WAIT_SECONDS))
        self.writer.commit([nudge("late")])
        lull.set()
        self.writer.stop()
        self.writer.join()
        self.assertEqual(2, self.commits)
        self.assertEqual(FEW + 3, len(self.written()))

    def test_alone_nobody_waits(self) -> None:
        """A single change is written at once, whatever comes later."""
        lulls: list[None] = []
        self.writer = GroupCommitWriter(self.database, self.reactor, lambda: lulls.append(None))
        self.writer.commit([nudge("r")])
        self.write()
        self.assertEqual([], lulls)

    def test_order(self) -> None:
        """Rows are written and answers given in the order in which they were asked for."""
        answered: list[int] = []
        for number in range(10):
            done = self.writer.commit([nudge(f"r{number}")])
            done.addCallback(lambda _, asked: answered.append(asked), number)
        self.write()
        self.assertEqual([f"r{number}" for number in range(10)], self.written())
        self.assertEqual(list(range(10)), answered)

    def test_changes_of_several_kinds(self) -> None:
        """All changes of one commit are written, and one without changes is answered too."""
        done = self.writer.commit([nudge("a"), key("k"), nudge("b"), Change(ADD_NUDGE, [])])
        nothing = self.writer.commit([])
        self.write()
        self.successResultOf(done)
        self.successResultOf(nothing)
        self.assertEqual(["a", "b"], self.written())

    def test_many_rows(self) -> None:
        """A change of many rows writes them all, in their order."""
        names = [str(number) for number in range(1000)]
        rows = [{"destination": name, "created": NOW} for name in names]
        self.writer.commit([Change(ADD_NUDGE, rows)])
        self.write()
        self.assertEqual(names, self.written())

    def test_answer_after_commit(self) -> None:
        """When the answer leaves the thread, everybody else sees what was written."""
        seen: list[list[str]] = []
        tell = self.reactor.callFromThread

        def look_and_tell(*call: Any) -> None:
            seen.append(self.written())
            tell(*call)

        self.patch(self.reactor, "callFromThread", look_and_tell)
        done = self.writer.commit([nudge("a")])
        self.write()
        self.assertEqual([["a"]], seen)
        self.successResultOf(done)

    def test_no_answer_without_the_reactor(self) -> None:
        """An answer is given in the thread of the reactor, never in that of the writer."""
        threads: list[threading.Thread] = []
        done = self.writer.commit([nudge("a")])
        done.addCallback(lambda _: threads.append(threading.current_thread()))
        self.writer.start()
        self.writer.stop()
        self.writer.join()
        self.assertNoResult(done)
        self.reactor.run_all()
        self.assertEqual([threading.main_thread()], threads)

    def test_one_member_clashes(self) -> None:
        """A row that clashes fails for its owner; the others of the group are written."""
        first = self.writer.commit([key("k"), nudge("a")])
        second = self.writer.commit([key("k"), nudge("b")])
        third = self.writer.commit([nudge("c")])
        self.write()
        self.successResultOf(first)
        self.failureResultOf(second, IntegrityError)
        self.successResultOf(third)
        self.assertEqual(["a", "c"], self.written())

    def test_one_member_has_an_impossible_value(self) -> None:
        """A value that no column takes fails for its owner alone."""
        bad = self.writer.commit([nudge("half \ud800")])
        good = self.writer.commit([nudge("whole")])
        self.write()
        self.failureResultOf(bad, ValueRefused)
        self.successResultOf(good)
        self.assertEqual(["whole"], self.written())

    def test_one_function_raises(self) -> None:
        """A function that raises fails for its caller; the others of the group are written."""

        def fail(connection: Connection) -> None:
            connection.execute(ADD_NUDGE, {"destination": "x", "created": NOW})
            raise ZeroDivisionError

        bad = self.writer.transact(fail)
        good = self.writer.commit([nudge("a")])
        self.write()
        self.failureResultOf(bad, ZeroDivisionError)
        self.successResultOf(good)
        self.assertEqual(["a"], self.written())

    def test_function(self) -> None:
        """A function sees the rows before it and gives its result."""
        self.writer.commit([nudge("a")])
        found = self.writer.transact(receivers)
        self.write()
        self.assertEqual(["a"], self.successResultOf(found))

    def broken(self, error: Exception, times: int) -> list[int]:
        """Let the next transactions fail when they begin; gives the places of all that began."""
        begun: list[int] = []

        @event.listens_for(self.database.engine, "begin")
        def _fail(_connection: Connection) -> None:
            begun.append(len(begun))
            if len(begun) <= times:
                raise error

        return begun

    def test_plan(self) -> None:
        """What a plan says is written in the same commit; plans see what those before wrote."""
        seen: list[list[str]] = []

        def plan(connection: Connection, name: str) -> Planned[str]:
            seen.append(receivers(connection))
            connection.execute(ADD_NUDGE, {"destination": f"by {name}", "created": NOW})
            return Planned([nudge(f"for {name}")], f"{name} is planned")

        waiting: list[Deferred[Any]] = [
            self.writer.commit_planned(plan, "a"),
            self.writer.commit([nudge("c")]),
            self.writer.commit_planned(plan, "b"),
        ]
        self.write()
        answers = [self.successResultOf(each) for each in waiting]
        self.assertEqual(["a is planned", None, "b is planned"], answers)
        self.assertEqual([[], ["by a"]], seen)
        self.assertEqual(["by a", "by b", "for a", "c", "for b"], self.written())
        self.assertEqual(1, self.commits)

    def test_plan_clashes(self) -> None:
        """A plan that clashes leaves nothing behind, and the others are planned again."""

        def plan(connection: Connection, name: str) -> Planned[list[str]]:
            before = receivers(connection)
            connection.execute(ADD_NUDGE, {"destination": name, "created": NOW})
            return Planned([key("same")], before)

        first, second = (self.writer.commit_planned(plan, name) for name in ("a", "b"))
        third = self.writer.commit_planned(lambda c: Planned((), receivers(c)))
        self.write()
        self.assertEqual([], self.successResultOf(first))
        self.failureResultOf(second, IntegrityError)
        self.assertEqual(["a"], self.successResultOf(third))
        self.assertEqual(["a"], self.written())

    def test_database_fails(self) -> None:
        """When the database itself fails, nobody of the group waits for it a second time."""
        begun = self.broken(OperationalError("", None, Exception("gone")), times=1)
        waiting = [self.writer.commit([nudge("a")]) for _ in range(20)]
        self.write()
        for done in waiting:
            self.failureResultOf(done, StoreUnavailable)
        self.assertEqual([0], begun)

    def test_recovers(self) -> None:
        """After a failure of the database the writer goes on."""
        self.broken(OperationalError("", None, Exception("gone")), times=1)
        failed = self.writer.commit([nudge("a")])
        self.writer.start()
        self.reactor.run_one()
        self.failureResultOf(failed, StoreUnavailable)
        good = self.writer.commit([nudge("b")])
        self.reactor.run_one()
        self.successResultOf(good)
        self.writer.stop()
        self.writer.join()

    def test_no_room_for_one(self) -> None:
        """Where there is no room for the group, those that fit are written."""

        def too_large(_connection: Connection) -> None:
            raise StorageFull

        large = self.writer.transact(too_large)
        small = self.writer.commit([nudge("a")])
        self.write()
        self.failureResultOf(large, StorageFull)
        self.successResultOf(small)

    def test_bound(self) -> None:
        """More than a fixed number of changes does not wait; the next is refused at once."""
        self.patch(module, "WAITING_LIMIT", 3)
        waiting = [self.writer.commit([nudge("a")]) for _ in range(3)]
        self.failureResultOf(self.writer.commit([nudge("b")]), WriterBusy)
        self.failureResultOf(self.writer.transact(receivers), WriterBusy)
        self.write()
        for done in waiting:
            self.successResultOf(done)

    def test_stopped(self) -> None:
        """What waits at the stop is written; what comes after it is refused, not forgotten."""
        before = self.writer.commit([nudge("a")])
        self.writer.stop()
        after = self.writer.commit([nudge("b")])
        self.failureResultOf(after, StoreUnavailable)
        self.write()
        self.successResultOf(before)
        self.assertEqual(["a"], self.written())

    def test_owner_has_lost_interest(self) -> None:
        """A change whose owner has cancelled is written, and nobody else is disturbed."""
        cancelled: Deferred[None] = self.writer.commit([nudge("a")])
        other = self.writer.commit([nudge("b")])
        cancelled.addErrback(lambda _: None)
        cancelled.cancel()
        self.write()
        self.successResultOf(other)
        self.assertEqual(["a", "b"], self.written())


class WriterOnPostgresqlTests(OnPostgresql, WriterTests):
    """The same on PostgreSQL, and what only PostgreSQL refuses."""

    def test_nul(self) -> None:
        """A NUL that slipped through fails for its owner alone."""
        bad = self.writer.commit([nudge("a\0b")])
        good = self.writer.commit([nudge("c")])
        self.write()
        self.failureResultOf(bad, ValueRefused)
        self.successResultOf(good)
