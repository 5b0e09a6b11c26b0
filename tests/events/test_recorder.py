"""Tests for `smtpeter.events.recorder` and `takeover`, on a real database and real files."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock

from smtpeter.events import recorder as module
from smtpeter.events.places import Places
from smtpeter.events.recorder import RETRY_SECONDS, ROUND_SECONDS, Recorder
from smtpeter.events.takeover import AT_ONCE
from smtpeter.events.visit import Visit
from smtpeter.store import tables
from smtpeter.store.database import ValueRefused
from smtpeter.store.events import Event, events_of
from tests.events.house import NOW, PromptStore, in_thread, visit
from tests.store.cases import DatabaseCase, OnPostgresql, message


class RecorderTests(DatabaseCase):
    """Visits on their way into the store."""

    def setUp(self) -> None:
        super().setUp()
        self.sent = message()
        super().store(self.sent)
        self.prompt = PromptStore(self.database)
        self.clock = Clock()
        self.recorder = self.started()

    def started(self) -> Recorder:
        """A recorder as a process has it that starts; it is not stopped by itself."""
        recorder = Recorder(self.prompt, self.directory / "visits", Places(), in_thread, self.clock)
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
        self.assertGreaterEqual(turns.count(0), 2 * 100 // AT_ONCE)

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
        path.write_bytes(self.visit(1).line() + self.visit(2).line()[:100])
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
        """At the end what was noted is in the journal, for the next process."""
        self.note(1)
        self.successResultOf(self.recorder.stopService())
        self.assertEqual(([], 1), (self.links(), self.files()))
        self.assertEqual([], self.clock.getDelayedCalls())
        self.recorder = self.started()
        self.round()
        self.assertEqual([1], self.links())

    def test_unknown_message(self) -> None:
        """Visits of messages that are known no longer are passed over."""
        self.recorder.note(visit(message="0" * 16))
        self.round()
        with self.database.connect() as connection:
            self.assertEqual([], events_of(connection, "0" * 16))
        self.assertEqual(0, self.files())


class RecorderOnPostgresqlTests(OnPostgresql, RecorderTests):
    """The same on PostgreSQL."""
