"""Tests for `smtpeter.events.recorder` and `takeover`, on a real database and real files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.logger import capturedLogs

from smtpeter.events import recorder as module
from smtpeter.events.places import Places
from smtpeter.events.recorder import LAST_SECONDS, RETRY_SECONDS, ROUND_SECONDS, Recorder
from smtpeter.events.sealing import Seal
from smtpeter.events.signals import PROGRAM, SOON
from smtpeter.events.takeover import AT_ONCE
from smtpeter.events.visit import LINE_VISITS, Visit, line_of
from smtpeter.store import accounts, tables
from smtpeter.store.database import ValueRefused
from smtpeter.store.events import Event, events_of
from smtpeter.store.switching import change_login
from tests.events.house import NOW, PromptStore, in_thread, visit
from tests.events.test_places import FewRecords
from tests.store.cases import DatabaseCase, OnPostgresql, message, parcel


class RecorderTests(DatabaseCase):
    """Visits on their way into the store."""

    def setUp(self) -> None:
        super().setUp()
        self.sent = message()
        super().store(self.sent)
        self.prompt = PromptStore(self.database)
        self.clock = Clock()
        self.threads: list[str] = []
        self.records = FewRecords()
        self.places = Places(self.records)
        self.recorder = self.started()

    def in_thread(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        self.threads.append(function.__name__)
        return in_thread(function, *args)

    def stop(self) -> None:
        """Stop the service, which may take its time."""
        stopped = self.recorder.stopService()
        while not stopped.called:
            self.clock.advance(0)
        self.successResultOf(stopped)

    def started(self) -> Recorder:
        """A recorder as a process has it that starts; it is not stopped by itself."""
        directory = self.directory / "visits"
        recorder = Recorder(self.prompt, directory, self.places, self.in_thread, self.clock)
        recorder.startService()
        return recorder

    def crash(self) -> None:
        """End the process at once, and start another."""
        for loop, _ in self.recorder._rounds:
            loop.stop()
        self.recorder = self.started()

    def visit(self, link: int = 0, **changed: Any) -> Visit:
        return visit(link, message=self.sent.id, **changed)

    def note(self, *links: int) -> None:
        for link in links:
            self.recorder.note(self.visit(link, destination=f"https://shop.example/{link}"))

    def round(self, seconds: float = ROUND_SECONDS) -> None:
        """Let time pass, so that both halves have had their turn."""
        self.clock.advance(seconds)
        self.clock.advance(ROUND_SECONDS)

    def events(self) -> list[Event]:
        with self.database.connect() as connection:
            return events_of(connection, self.sent.id)

    def links(self) -> list[int]:
        """The links of which there are events."""
        return [int(event.details["destination"].rpartition("/")[2]) for event in self.events()]

    def files(self) -> int:
        return len(list((self.directory / "visits").iterdir()))

    def batches(self) -> int:
        """How many rows tell of the progress."""
        with self.database.connect() as connection:
            count = select(func.count()).select_from(tables.journal_batches)
            return int(connection.execute(count).scalar_one())

    def test_recorded(self) -> None:
        """A visit is an event a moment later, with what is known of its message."""
        self.recorder.note(self.visit())
        self.round()
        (event,) = self.events()
        self.assertEqual(("click", NOW), (event.kind, event.time))
        self.assertEqual("kees@mailbox.example", event.recipient)
        self.assertEqual("noor@shop.example", event.envelope)
        self.assertEqual(0, self.files())

    def test_a_few_at_a_time(self) -> None:
        """Many visits are looked at in many turns of the reactor."""
        turns: list[float] = []
        really = self.clock.callLater

        def call_later(delay: float, *args: Any) -> Any:
            turns.append(delay)
            return really(delay, *args)

        self.patch(self.clock, "callLater", call_later)
        self.note(*range(100))
        self.round()
        self.assertGreaterEqual(turns.count(0), 100 // AT_ONCE + 100 // LINE_VISITS)

    def test_order(self) -> None:
        """Events come in the order of the visits."""
        self.note(*range(600))
        self.round()
        self.note(600)
        self.round()
        self.assertEqual(list(range(601)), self.links())
        self.assertEqual(0, self.files())

    def test_nothing_to_do(self) -> None:
        """Without visits nobody is asked for anything."""
        before = self.prompt.calls
        self.round()
        self.assertEqual(before, self.prompt.calls)

    def test_store_down(self) -> None:
        """While the store is down visits gather in the journal; later each is an event."""
        self.prompt.down = True
        for link in range(5):
            self.note(link)
            self.round()
        self.assertEqual([], self.events())
        self.assertEqual(1, self.files())
        self.prompt.down = False
        self.round(RETRY_SECONDS)
        self.assertEqual([0, 1, 2, 3, 4], self.links())
        self.assertEqual(0, self.files())

    def test_retried_in_time(self) -> None:
        """A store that is down is asked now and then, not all the time."""
        self.prompt.down = True
        self.note(1)
        self.round()
        before = self.prompt.calls
        self.clock.pump([ROUND_SECONDS] * int(RETRY_SECONDS / ROUND_SECONDS - 2))
        self.assertEqual(before, self.prompt.calls)
        self.round(RETRY_SECONDS)
        self.assertEqual(before + 1, self.prompt.calls)

    def test_crash(self) -> None:
        """What is in the journal when the process dies the next one records, once."""
        self.prompt.down = True
        self.note(1, 2)
        self.round()
        self.crash()
        self.prompt.down = False
        self.note(3)
        self.round(RETRY_SECONDS)
        self.assertEqual([1, 2, 3], self.links())

    def test_answer_lost(self) -> None:
        """Events that were written though nobody heard of it are not written twice."""
        really = self.prompt.commit

        def commit(*changes: Any) -> Deferred[None]:
            self.prompt.silent, self.prompt.commit = True, really  # type: ignore[method-assign]
            answer = really(*changes)
            self.prompt.silent = False
            return answer

        self.prompt.commit = commit  # type: ignore[method-assign]
        self.note(1, 2)
        self.round()
        self.assertEqual([1, 2], self.links())
        self.assertEqual(1, self.files())
        self.round(RETRY_SECONDS)
        self.assertEqual(([1, 2], 0), (self.links(), self.files()))

    def test_crash_after_commit(self) -> None:
        """A process that died between the commit and the removal has recorded all the same."""
        self.note(1, 2)
        self.patch(self.recorder._journal, "remove_finished", self.fail_to_remove)
        self.round()
        self.assertEqual([1, 2], self.links())
        self.crash()
        self.round()
        self.assertEqual(([1, 2], 0), (self.links(), self.files()))

    @staticmethod
    def fail_to_remove(position: int) -> bool:
        if position:
            raise OSError("the machine stops here")
        return False

    def test_progress_is_forgotten(self) -> None:
        """Of journals that are done no more than the last leaves a trace in the store."""
        for link in range(5):
            self.note(link)
            self.round()
        self.assertEqual([0, 1, 2, 3, 4], self.links())
        self.assertEqual(1, self.batches())

    def test_torn(self) -> None:
        """A line that a crash has cut off holds up nothing."""
        path = self.directory / "visits" / "0000000000000000001-aaaaaaaaaaaa.visits"
        one, two = (line_of([self.visit(link)], Seal()) for link in (1, 2))
        path.write_bytes(one + two[:100])
        self.crash()
        self.note(3)
        self.round()
        self.assertEqual((2, 0), (len(self.events()), self.files()))

    def test_refused(self) -> None:
        """Visits that the database does not take are left out, and hold up nothing."""
        really = self.prompt.commit

        def commit(*changes: Any) -> Deferred[None]:
            if changes[0].rows and len(changes) > 1:
                self.prompt.commit = really  # type: ignore[method-assign]
                raise ValueRefused("no such text")
            return really(*changes)

        self.prompt.commit = commit  # type: ignore[method-assign]
        self.note(1)
        self.round()
        self.note(2)
        self.round()
        self.assertEqual(([2], 0), (self.links(), self.files()))

    def test_disk_full(self) -> None:
        """What the disk does not take waits in memory."""
        journal = self.recorder._journal
        really = journal.append

        def append(_visits: object) -> None:
            raise OSError(28, "No space left on device")

        journal.append = append  # type: ignore[assignment,method-assign]
        self.note(1)
        self.round()
        self.assertEqual([], self.events())
        journal.append = really  # type: ignore[method-assign]
        self.round()
        self.assertEqual([1], self.links())

    def test_bounded(self) -> None:
        """What is too much is lost, and counted."""
        self.patch(module, "WAITING_LIMIT", 2)
        self.note(1, 2, 3, 4)
        self.assertEqual(2, self.recorder._lost)
        self.round()
        self.assertEqual([1, 2], self.links())
        self.note(5)
        self.round()
        self.assertEqual([1, 2, 5], self.links())

    def test_stop(self) -> None:
        """At the end what was noted is in the store, with all that is known of it."""
        self.note(1, 2)
        self.stop()
        self.assertEqual(([1, 2], 0), (self.links(), self.files()))
        self.assertEqual({"203.0.113.9"}, {event.details["ip"] for event in self.events()})
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_stop_without_the_store(self) -> None:
        """What the store does not take at the end is in the journal, for the next process."""
        self.prompt.down = True
        self.note(1)
        self.stop()
        self.assertEqual(([], 1), (self.links(), self.files()))
        self.assertEqual([], self.clock.getDelayedCalls())
        self.prompt.down = False
        self.recorder = self.started()
        self.round()
        self.assertEqual([1], self.links())

    def test_stop_in_time(self) -> None:
        """What would take too long at the end is left to the next process."""
        really = self.prompt.commit

        def slow(*changes: Any) -> Deferred[None]:
            self.clock.rightNow += LAST_SECONDS
            return really(*changes)

        self.note(1)
        self.prompt.commit = slow  # type: ignore[method-assign]
        self.stop()
        self.assertEqual(([1], 1), (self.links(), self.files()))

    def test_places(self) -> None:
        """Addresses are looked up in a thread, all of a batch in one go."""
        self.note(1, 2)
        self.recorder.note(self.visit(3, address="192.0.2.1", destination="https://a.example/3"))
        self.round()
        cities = [event.details["city"] for event in self.events()]
        self.assertEqual(["Utrecht", "Utrecht", ""], cities)
        self.assertEqual(1, self.threads.count("of_all"))
        self.assertEqual({"203.0.113.9", "192.0.2.1"}, set(self.records.asked))

    def test_no_places(self) -> None:
        """Without a file of places no thread is bothered."""
        self.places = Places()
        self.crash()
        self.note(1)
        self.round()
        self.assertEqual("", self.events()[0].details["city"])
        self.assertNotIn("of_all", self.threads)

    def journals(self) -> bytes:
        """All that is in the files of the journal."""
        return b"".join(each.read_bytes() for each in (self.directory / "visits").iterdir())

    def make_private(self) -> None:
        """Have a message of a login that wants privacy."""
        with self.database.begin() as connection:
            noor = accounts.add_account(connection, "noor@shop.example", "hash", NOW)
            accounts.add_login(connection, noor.id, "desk", "hash", NOW)
            change_login(connection, "desk", settings={"privacy": True})
        self.sent = message(of=parcel(login="desk", account_id=noor.id))
        super().store(self.sent)

    def test_privacy(self) -> None:
        """Where the sender wants privacy, the event is all that is left, in whatever place."""
        self.make_private()
        self.prompt.down = True
        with capturedLogs() as logged:
            self.recorder.note(self.visit())
            self.recorder.note(self.visit(1, kind="open"))
            self.recorder.note(self.visit(2, headers="User-Agent: curl/8\nAccept-Language: nl"))
            self.round()
            on_disk = self.journals()
            self.prompt.down = False
            self.round(RETRY_SECONDS)
        self.assertGreater(len(on_disk), 300)
        events = self.events()
        self.assertEqual(["click", "open", "click"], [event.kind for event in events])
        for event in events:
            for name in ("ip", "headers", "city", "countryname", "countrycode", "regioncode"):
                self.assertEqual("", event.details[name], name)
        self.assertEqual([SOON, SOON, PROGRAM], [event.details["reason"] for event in events])
        self.assertEqual([], self.records.asked)
        with self.database.connect() as connection:
            stored = repr(connection.execute(select(tables.events)).all())
        for place in (repr(on_disk), stored, repr(logged)):
            for told in ("203.0.113.9", "Firefox", "curl", "Accept-Language", "Utrecht"):
                self.assertNotIn(told, place)
        self.assertEqual(0, self.files())

    def test_privacy_switched_later(self) -> None:
        """What holds for a visit is the setting at the time when it becomes an event."""
        self.make_private()
        with self.database.begin() as connection:
            change_login(connection, "desk", settings={"privacy": False})
        self.recorder.note(self.visit())
        with self.database.begin() as connection:
            change_login(connection, "desk", settings={"privacy": True})
        self.round()
        self.assertEqual("", self.events()[0].details["ip"])
        with self.database.begin() as connection:
            change_login(connection, "desk", settings={"privacy": False})
        self.recorder.note(self.visit())
        self.round()
        self.assertEqual("203.0.113.9", self.events()[1].details["ip"])

    def test_crash_hides(self) -> None:
        """After a crash it is not known any more who came, but still whether it was a program."""
        self.prompt.down = True
        self.recorder.note(self.visit(1))
        self.recorder.note(self.visit(2, headers="User-Agent: curl/8"))
        self.round()
        self.crash()
        self.prompt.down = False
        self.round(RETRY_SECONDS)
        details = [event.details for event in self.events()]
        self.assertEqual(
            [("", SOON), ("", PROGRAM)], [(each["ip"], each["reason"]) for each in details]
        )

    def test_unknown_message(self) -> None:
        """Visits of messages that are known no longer are passed over."""
        self.recorder.note(visit(message="0" * 16))
        self.round()
        with self.database.connect() as connection:
            self.assertEqual([], events_of(connection, "0" * 16))
        self.assertEqual(0, self.files())


class RecorderOnPostgresqlTests(OnPostgresql, RecorderTests):
    """The same on PostgreSQL."""
