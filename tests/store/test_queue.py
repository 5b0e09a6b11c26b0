from smtpeter.store import events, messages, queue
from smtpeter.store.messages import Message, State
from smtpeter.store.queue import ReceiverQueue
from tests.store.cases import NOW, DatabaseCase, OnPostgresql, message, parcel

LATER = NOW + 100
OTHER = "other.example"


class QueueTests(DatabaseCase):
    """What an operator sees and changes."""

    def conclude(self, each: Message, state: State, reply: str, now: float) -> None:
        change = messages.outcome(each, state, due=now + 60, reply=reply, now=now)
        with self.database.begin() as connection:
            connection.execute(change.statement, change.rows)

    def overview(self, receiver: str | None = None) -> list[ReceiverQueue]:
        with self.database.connect() as connection:
            return queue.overview(connection, receiver)

    def story(self, each: Message) -> queue.Story:
        with self.database.connect() as connection:
            found = queue.message_story(connection, each.id)
        assert found is not None
        return found

    def state(self, each: Message) -> State:
        return self.story(each).state

    def nudges(self, *, again: bool = True) -> list[str]:
        """The destinations that were nudged, all of them to be tried again, or none."""
        with self.database.begin() as connection:
            taken = queue.take_nudges(connection)
        self.assertEqual([again] * len(taken), [each.again for each in taken])
        return [each.destination for each in taken]

    def test_empty(self) -> None:
        """When nothing waits there is nothing to see."""
        self.assertEqual([], self.overview())

    def test_overview(self) -> None:
        """Each receiver has its depth, its oldest message, its next attempt."""
        self.store(message(due=NOW + 5, of=parcel(received=NOW - 10)))
        self.store(message(due=NOW + 3, of=parcel(received=NOW - 5)))
        self.store(message(destination=OTHER, due=NOW + 9))
        self.assertEqual(
            [
                ReceiverQueue("mailbox.example", 2, 1, NOW - 10, NOW + 3, ""),
                ReceiverQueue(OTHER, 1, 1, NOW, NOW + 9, ""),
            ],
            self.overview(),
        )
        self.assertEqual([OTHER], [each.receiver for each in self.overview(OTHER)])
        self.assertEqual([], self.overview("third.example"))

    def test_last_reply(self) -> None:
        """The last reply is that of the most recent attempt among those that wait."""
        first, second, never, gone = (message() for _ in range(4))
        for each in (first, second, never, gone):
            self.store(each)
        self.conclude(second, State.WAITING, "451 newer", NOW + 20)
        self.conclude(first, State.WAITING, "450 older", NOW + 10)
        self.conclude(gone, State.FAILED, "550 newest", NOW + 30)
        (found,) = self.overview()
        self.assertEqual("451 newer", found.last_reply)
        self.assertEqual(3, found.depth)

    def test_retry_one(self) -> None:
        """One message is made due, and its receiver is nudged once."""
        first, second = message(due=LATER), message(due=LATER)
        self.store(first)
        self.store(second)
        with self.database.begin() as connection:
            self.assertEqual(1, queue.retry(connection, NOW, message_id=first.id))
        self.assertEqual(NOW, self.story(first).message.due)
        self.assertEqual(LATER, self.story(second).message.due)
        self.assertEqual(["mailbox.example"], self.nudges())

    def test_retry_receiver(self) -> None:
        """All messages of a receiver are made due, and nobody else's."""
        here, there = message(due=LATER), message(due=LATER, destination=OTHER)
        self.store(here)
        self.store(there)
        with self.database.begin() as connection:
            self.assertEqual(1, queue.retry(connection, NOW, receiver=OTHER))
        self.assertEqual(LATER, self.story(here).message.due)
        self.assertEqual(NOW, self.story(there).message.due)
        self.assertEqual([OTHER], self.nudges())

    def test_retry_all(self) -> None:
        """All messages are made due; what does not wait any more stays as it is."""
        done = message(due=LATER)
        self.store(done)
        self.conclude(done, State.DELIVERED, "250 ok", NOW)
        for receiver in ("mailbox.example", OTHER, OTHER):
            self.store(message(due=LATER, destination=receiver))
        with self.database.begin() as connection:
            self.assertEqual(3, queue.retry(connection, NOW))
        self.assertEqual(State.DELIVERED, self.state(done))
        self.assertEqual(["mailbox.example", OTHER], self.nudges())

    def test_retry_nothing(self) -> None:
        """Where nothing waits nobody is nudged."""
        with self.database.begin() as connection:
            self.assertEqual(0, queue.retry(connection, NOW, message_id="a" * 16))
            self.assertEqual(0, queue.retry(connection, NOW))
        self.assertEqual([], self.nudges())

    def test_cancel_one(self) -> None:
        """A cancelled message is over, tells so in an event, and its receiver is nudged."""
        first, second = message(), message()
        self.store(first)
        self.store(second)
        with self.database.begin() as connection:
            self.assertEqual(1, queue.cancel(connection, LATER, message_id=first.id))
        story = self.story(first)
        self.assertEqual((State.CANCELLED, LATER), (story.state, story.finished))
        (event,) = story.events
        self.assertEqual(("cancellation", LATER), (event.kind, event.time))
        self.assertEqual("kees@mailbox.example", event.recipient)
        self.assertEqual(State.WAITING, self.state(second))
        self.assertEqual(["mailbox.example"], self.nudges(again=False))

    def test_cancel_twice(self) -> None:
        """What is over cannot be cancelled."""
        new = message()
        self.store(new)
        with self.database.begin() as connection:
            queue.cancel(connection, NOW, message_id=new.id)
            self.assertEqual(0, queue.cancel(connection, LATER, message_id=new.id))
        self.assertEqual(NOW, self.story(new).finished)
        self.assertEqual(1, len(self.story(new).events))

    def test_cancel_many(self) -> None:
        """A receiver with more messages than are handled at once is emptied."""
        self.patch(queue, "CANCELLED_AT_ONCE", 3)
        cancelled = [message() for _ in range(8)]
        kept = message(destination=OTHER)
        for each in (*cancelled, kept):
            self.store(each)
        with self.database.begin() as connection:
            self.assertEqual(8, queue.cancel(connection, NOW, receiver="mailbox.example"))
        self.assertEqual({State.CANCELLED}, {self.state(each) for each in cancelled})
        self.assertEqual(State.WAITING, self.state(kept))
        self.assertEqual([1] * 8, [len(self.story(each).events) for each in cancelled])

    def test_cancel_everything(self) -> None:
        """There is no way to cancel without saying what."""
        with self.database.begin() as connection, self.assertRaises(ValueError):
            queue.cancel(connection, NOW)

    def test_outcome_after_cancel(self) -> None:
        """A message that was on its way when it was cancelled stays cancelled."""
        new = message()
        self.store(new)
        with self.database.begin() as connection:
            queue.cancel(connection, NOW, message_id=new.id)
        self.conclude(new, State.WAITING, "450 later", LATER)
        self.assertEqual(State.CANCELLED, self.state(new))

    def test_nudges_are_taken_once(self) -> None:
        """A nudge is given once, however often it was made."""
        self.store(message())
        for _ in range(2):
            with self.database.begin() as connection:
                queue.retry(connection, NOW)
        with self.database.connect() as connection:
            self.assertTrue(queue.has_nudges(connection))
        self.assertEqual(["mailbox.example"], self.nudges())
        with self.database.connect() as connection:
            self.assertFalse(queue.has_nudges(connection))
        self.assertEqual([], self.nudges())

    def test_story(self) -> None:
        """A story has the message, its submission, its state, and its events in order."""
        new = message()
        self.store(new)
        self.conclude(new, State.FAILED, "550 no", LATER)
        happened = [
            events.Event(NOW, kind, None, new.id, "", "kees@mailbox.example", "", 0, {})
            for kind in ("attempt", "failure")
        ]
        change = events.append(happened)
        with self.database.begin() as connection:
            connection.execute(change.statement, change.rows)
        story = self.story(new)
        self.assertEqual(new.parcel, story.parcel)
        self.assertEqual(
            (State.FAILED, "550 no", LATER), (story.state, story.last_reply, story.finished)
        )
        self.assertEqual(happened, story.events)

    def test_no_story(self) -> None:
        """Of a message that never was there is no story."""
        with self.database.connect() as connection:
            self.assertIsNone(queue.message_story(connection, "a" * 16))


class QueueOnPostgresqlTests(OnPostgresql, QueueTests):
    """The same on PostgreSQL."""
