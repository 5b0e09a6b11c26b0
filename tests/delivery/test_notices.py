from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.notices import AT_ONCE, ROUND_SECONDS, DelayNotices
from smtpeter.store.database import StoreUnavailable, ValueRefused
from smtpeter.store.messages import Message, State
from tests.delivery.house import DEFERRED, DELIVERED, NOTICE_SECONDS, FakeLimits, House
from tests.store.cases import NOW, message, parcel

A, SENDERS = "a.example", "shop.example"
DELAY = frozenset({"DELAY"})
PAUSE = evolve(DEFERRED, code=421, text="try again in 60 minutes")


class NoticesTests(SynchronousTestCase):
    """Senders of mail that waits without an attempt."""

    def setUp(self) -> None:
        self.house = House(retry=(3600.0,))
        store = self.house.store
        self.notices = DelayNotices(
            store,  # type: ignore[arg-type]
            self.house.queue.tell_delay,
            self.house.queue.is_on_its_way,
            NOTICE_SECONDS,
            self.house.clock,
        )
        self.notices.startService()
        self.addCleanup(self.notices.stopService)

    def hold_up(self) -> None:
        """Let the receiver pause for as long as it is asked."""
        for trip in [each for each in self.house.carrier.under_way if each.receiver == A]:
            self.house.carrier.answer(trip, PAUSE)

    def wait(self, seconds: float) -> None:
        """Let time pass, while the receiver wants nothing."""
        for _ in range(int(seconds / 60)):
            self.house.clock.advance(60)
            self.hold_up()

    def reports(self) -> list[Message]:
        stored = [row.message for row in self.house.store.rows.values()]
        return [each for each in stored if each.parcel.origin == "report"]

    def test_held_up(self) -> None:
        """Who asked for it is told after the time, once, and mail goes on as if nothing was."""
        asked = [message(destination=A, notify=DELAY) for _ in range(20)]
        silent = message(destination=A)
        self.house.submit(*asked, silent)
        self.hold_up()
        self.wait(NOTICE_SECONDS - 60)
        self.assertEqual([], self.reports())
        self.wait(ROUND_SECONDS + 120)
        self.assertEqual(20, len(self.reports()))
        self.assertEqual({SENDERS}, {each.destination for each in self.reports()})
        self.assertNotIn("deferral", self.house.store.kinds(silent))
        self.wait(3 * NOTICE_SECONDS)
        self.assertEqual(20, len(self.reports()))
        for _ in range(4000):
            self.house.clock.advance(60)
            while self.house.under_way:
                self.house.end(DELIVERED)
        states = {self.house.store.state(each) for each in (*asked, silent)}
        self.assertEqual({State.DELIVERED}, states)

    def test_on_its_way(self) -> None:
        """While an attempt is made its end tells of the delay."""
        one = message(destination=A, notify=DELAY)
        self.house.submit(one)
        self.house.clock.advance(NOTICE_SECONDS + ROUND_SECONDS)
        self.assertEqual([], self.reports())
        self.house.end(DEFERRED)
        self.assertEqual(1, len(self.reports()))

    def test_others_go_on(self) -> None:
        """What is due in the same stream does not wait for the next attempt of who was late."""
        self.house.limits[A] = FakeLimits(1)
        self.house.submit(message(destination=A, of=parcel(account_id=1)))
        one = message(destination=A)
        self.house.submit(one)
        late = parcel(received=NOW - 2 * NOTICE_SECONDS)
        self.house.store.put(message(destination=A, due=NOW + 1e6, of=late, notify=DELAY))
        self.house.clock.advance(ROUND_SECONDS)
        self.assertEqual(1, len(self.reports()))
        self.house.end(DELIVERED)
        self.house.clock.advance(1)
        self.assertIn(one.id, self.house.carrier.ids)

    def test_fault(self) -> None:
        """A message of which nobody can be told keeps no other notice back."""
        late = parcel(received=NOW - 2 * NOTICE_SECONDS)
        for _ in range(2):
            self.house.store.put(message(destination=A, due=NOW + 1e6, of=late, notify=DELAY))
        self.house.store.prompt = False
        self.house.clock.advance(ROUND_SECONDS)
        while not self.house.store.writes:
            self.house.store.answer(self.house.store.reads[-1])
        self.house.store.fail(self.house.store.writes[0], ValueRefused("what is that"))
        self.house.store.prompt = True
        self.house.store.catch_up()
        self.assertEqual(1, len(self.reports()))
        self.assertEqual(1, len(self.flushLoggedErrors(ValueRefused)))

    def test_many(self) -> None:
        """Of very many some are told in each round."""
        waiting = parcel(received=NOW - 2 * NOTICE_SECONDS)
        for _ in range(150):
            later = message(destination=A, due=NOW + 1e6, of=waiting, notify=DELAY)
            self.house.store.put(later)
        self.house.clock.advance(ROUND_SECONDS)
        self.assertEqual(AT_ONCE, len(self.reports()))
        self.house.clock.advance(ROUND_SECONDS)
        self.assertEqual(150, len(self.reports()))

    def test_store_is_away(self) -> None:
        """A store that does not answer is asked again in the next round."""
        waiting = parcel(received=NOW - 2 * NOTICE_SECONDS)
        self.house.store.put(message(destination=A, due=NOW + 1e6, of=waiting, notify=DELAY))
        self.house.store.prompt = False
        self.house.clock.advance(ROUND_SECONDS)
        self.house.store.fail(self.house.store.reads[-1], StoreUnavailable("away"))
        self.house.store.prompt = True
        self.house.store.catch_up()
        self.house.clock.advance(ROUND_SECONDS)
        self.assertEqual(1, len(self.reports()))
