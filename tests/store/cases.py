"""What the tests of the store start from: a database of each kind, and mail to put in it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache
from itertools import count
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from twisted.internet.interfaces import IReactorFromThreads
from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content
from smtpeter.message.envelope import Recipient, Trace
from smtpeter.message.features import Features
from smtpeter.store import messages
from smtpeter.store.database import Database
from smtpeter.store.keys import message_id
from smtpeter.store.messages import Message, Parcel
from tests.store.postgresql import cluster

NOW = 1_700_000_000.0
CONTENT = Content.from_octets(b"From: noor@shop.example\r\n\r\nIt is on its way.\r\n")
WAIT_SECONDS = 30.0

_keys = count(1)


class DatabaseCase(SynchronousTestCase):
    """Tests on SQLite, each with a file of its own; the base of the same on PostgreSQL."""

    def setUp(self) -> None:
        directory = tempfile.TemporaryDirectory()
        self.addCleanup(directory.cleanup)
        self.directory = Path(directory.name)
        self.url = self.new_url()
        self.database = self.open(self.url)

    def new_url(self) -> str:
        """Where a database of this test is."""
        file = self.directory / "test.db"
        file.write_bytes(_new_file())
        return f"sqlite:///{file}"

    def empty_url(self) -> str:
        """Where a database without tables is."""
        return f"sqlite:///{self.directory}/empty.db"

    def open(self, url: str) -> Database:
        """Open a database until the end of the test."""
        database = Database.open(url)
        self.addCleanup(database.close)
        return database

    def store(self, *stored: Message, content: Content = CONTENT) -> None:
        """Put messages of one submission into the database."""
        with self.database.begin() as connection:
            for change in messages.additions(stored[0].parcel, content, stored):
                connection.execute(change.statement, change.rows)


@lru_cache(maxsize=1)
def _new_file() -> bytes:
    """A database of SQLite that has the tables."""
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory) / "new.db"
        Database.open(f"sqlite:///{file}").close()
        return file.read_bytes()


class OnPostgresql:
    """Mixed into a `DatabaseCase`, makes its tests run on PostgreSQL."""

    addCleanup: Callable[..., None]

    def new_url(self) -> str:
        url = cluster().new_database()
        self.addCleanup(cluster().take_back, url)
        return url

    def empty_url(self) -> str:
        return cluster().empty_database()


@implementer(IReactorFromThreads)
class CallsFromThreads:
    """Stands in for the reactor: a test runs what threads ask for, when it wants to."""

    def __init__(self) -> None:
        self._calls: SimpleQueue[Callable[[], Any]] = SimpleQueue()

    def callFromThread(
        self,
        callable: Callable[..., Any],  # noqa: A002 - the interface's name
        *args: object,
        **kwargs: object,
    ) -> None:
        self._calls.put(lambda: callable(*args, **kwargs))

    def callLater(
        self,
        delay: float,  # noqa: ARG002
        callable: Callable[..., Any],  # noqa: A002
    ) -> object:
        """A turn of this reactor is over as soon as something is asked for."""
        return callable()

    def run_one(self) -> None:
        """Wait for a call and run it."""
        self._calls.get(timeout=WAIT_SECONDS)()

    def run_all(self) -> None:
        """Run what has been asked for until now."""
        while not self._calls.empty():
            self._calls.get()()


def parcel(sender: str = "noor@shop.example", **changed: Any) -> Parcel:
    """A submission, unlike any other in its key."""
    facts: dict[str, Any] = {
        "key": next(_keys),
        "account_id": None,
        "origin": "smtp",
        "login": "noor",
        "sender": Mailbox.parse(sender) if sender else None,
        "ret": None,
        "envid": None,
        "eightbit": False,
        "smtputf8": False,
        "features": Features(),
        "trace": Trace("desk.shop.example", "192.0.2.7", "ESMTPSA"),
        "template_id": 0,
        "received": NOW,
        "deliver_by": NOW + 86_400,
        "octets": CONTENT.octets,
    }
    return Parcel(**(facts | changed))


def message(
    address: str = "kees@mailbox.example",
    due: float = NOW,
    destination: str = "mailbox.example",
    of: Parcel | None = None,
    **wishes: Any,
) -> Message:
    """A message that waits."""
    recipient = Recipient(Mailbox.parse(address), address, **wishes)
    return Message(message_id(), of or parcel(), recipient, destination, 0, due)
