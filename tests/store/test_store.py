import tempfile
import threading
from pathlib import Path

from sqlalchemy import Connection, insert, select
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IReactorThreads
from twisted.trial.unittest import TestCase

from smtpeter.store import store as module
from smtpeter.store.changes import Change, Planned
from smtpeter.store.database import Database, StorageFull, StoreUnavailable
from smtpeter.store.store import Store
from smtpeter.store.tables import nudges
from tests.store.cases import NOW
from tests.store.postgresql import cluster

ADD_NUDGE = insert(nudges)


def nudge(receiver: str) -> Change:
    """A small change."""
    return Change(ADD_NUDGE, [{"destination": receiver, "created": NOW}])


def receivers(connection: Connection) -> list[str]:
    """What was written by `nudge`."""
    return list(connection.execute(select(nudges.c.destination).order_by(nudges.c.id)).scalars())


class StoreCase(TestCase):
    """Starts a store with the threads that it has in the service."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.url = self.new_url()
        self.store = self.started(min_free_octets=0)

    def new_url(self) -> str:
        return f"sqlite:///{self.directory}/test.db"

    def started(self, min_free_octets: int) -> Store:
        store = Store(Database.open(self.url), IReactorThreads(reactor), min_free_octets)
        store.startService()
        self.addCleanup(lambda: store.stopService() if store.running else None)
        return store


class StoreTests(StoreCase):
    """Reads and writes."""

    async def test_written_and_read(self) -> None:
        """What a commit wrote, the next read sees."""
        await self.store.commit(nudge("a"), nudge("b"))
        self.assertEqual(["a", "b"], await self.store.read(receivers))

    async def test_transact(self) -> None:
        """A function may read and write in one transaction, and gives its result."""

        def add(connection: Connection, name: str) -> list[str]:
            connection.execute(ADD_NUDGE, {"destination": name, "created": NOW})
            return receivers(connection)

        self.assertEqual(["a"], await self.store.transact(add, "a"))
        self.assertEqual(["a"], await self.store.read(receivers))

    async def test_reads_fail_alone(self) -> None:
        """A read that raises fails for its caller; the next is well."""

        def fail(_connection: Connection) -> None:
            raise ZeroDivisionError

        with self.assertRaises(ZeroDivisionError):
            await self.store.read(fail)
        self.assertEqual([], await self.store.read(receivers))

    async def test_reader_does_not_hold_up_writer(self) -> None:
        """While a read takes its time, others read and write."""
        begun, go_on = threading.Event(), threading.Event()

        def read_slowly(connection: Connection) -> list[str]:
            found = receivers(connection)
            begun.set()
            go_on.wait(10)
            return found + receivers(connection)

        slow = self.store.read(read_slowly)
        begun.wait(10)
        await self.store.commit(nudge("a"))
        self.assertEqual(["a"], await self.store.read(receivers))
        go_on.set()
        self.assertEqual([], await slow)

    async def test_too_many_reads(self) -> None:
        """More than a fixed number of reads does not wait; the next is refused at once."""
        self.patch(module, "READS_WAITING_LIMIT", 2)
        go_on = threading.Event()
        waiting = [self.store.read(lambda _: go_on.wait(10)) for _ in range(2)]
        self.failureResultOf(self.store.read(receivers), StoreUnavailable)
        go_on.set()
        await gatherResults(waiting)
        self.assertEqual([], await self.store.read(receivers))

    async def test_new_mail(self) -> None:
        """New mail is written while there is room."""
        await self.store.add([nudge("a")], octets=1000)
        self.assertEqual(["a"], await self.store.read(receivers))

    async def test_planned_mail(self) -> None:
        """So is mail that is planned in the transaction."""

        def plan(connection: Connection, name: str) -> Planned[int]:
            return Planned([nudge(name)], len(receivers(connection)))

        self.assertEqual(0, await self.store.add_planned(plan, "a", octets=1000))
        self.assertEqual(1, await self.store.add_planned(plan, "b", octets=1000))
        self.assertEqual(["a", "b"], await self.store.read(receivers))

    async def test_stop_finishes(self) -> None:
        """What was asked for before the stop is done before its end."""
        asked: list[Deferred[None]] = [self.store.commit(nudge(str(n))) for n in range(100)]
        reading = self.store.read(lambda _: "read")
        await self.store.stopService()
        self.assertEqual(100, len(await gatherResults(asked)))
        self.assertEqual("read", await reading)

    async def test_after_stop(self) -> None:
        """What is asked for after the stop is refused, not forgotten."""
        await self.store.stopService()
        self.failureResultOf(self.store.commit(nudge("a")), StoreUnavailable)
        self.failureResultOf(self.store.transact(receivers), StoreUnavailable)
        self.failureResultOf(self.store.read(receivers), StoreUnavailable)
        self.failureResultOf(self.store.add([nudge("a")], 1), StoreUnavailable)


class StoreOnPostgresqlTests(StoreTests):
    """The same on PostgreSQL."""

    def new_url(self) -> str:
        return cluster().new_database()


class RoomTests(StoreCase):
    """The disk below the database."""

    async def test_below_min_free(self) -> None:
        """Below the least room new mail is refused; outcomes are still recorded."""
        store = self.started(min_free_octets=1 << 60)
        self.failureResultOf(store.add([nudge("a")], octets=1), StorageFull)
        self.failureResultOf(store.add_planned(lambda _: Planned((), 1), octets=1), StorageFull)
        await store.commit(nudge("b"))
        self.assertEqual(["b"], await store.read(receivers))

    def test_directory_gone(self) -> None:
        """When the room cannot be told, new mail is refused as for any other fault."""
        self.store.database.directory = self.directory / "gone"
        self.failureResultOf(self.store.add([nudge("a")], octets=1), StoreUnavailable)
