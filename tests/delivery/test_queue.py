from functools import partial
from itertools import pairwise
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import LogLevel, capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery import queue, windows
from smtpeter.delivery.blocks import FIRST_SECONDS, SERIES
from smtpeter.delivery.dispatch import LINED_UP_TOGETHER
from smtpeter.delivery.queue import BEGUN_AT_ONCE
from smtpeter.delivery.receivers import Receiver
from smtpeter.delivery.route import Way
from smtpeter.delivery.turns import HIGHER_TOGETHER
from smtpeter.store.database import StoreUnavailable
from smtpeter.store.messages import HIGH, Message, State
from tests.delivery.house import DEFERRED, DELIVERED, FAILED, FakeLimits, House
from tests.store.cases import CONTENT, NOW, message, parcel

A, B, C = "a.example", "b.example", "c.example"


def mail(receiver: str = A, due: float = NOW, octets: int = CONTENT.octets) -> Message:
    """A message that nobody wants a report on."""
    return message(f"kees@{receiver}", due, receiver, parcel(sender="", octets=octets))


def of_account(account: int) -> Message:
    """A message of an account."""
    return message(destination=A, of=parcel(account_id=account, sender=""))


class CallsTests(SynchronousTestCase):
    """A message is under way once, whatever the order of answers."""

    def test_goes_out_at_once(self) -> None:
        """What was stored a moment ago leaves without the store being asked for it."""
        house = House()
        house.store.prompt = False
        one = mail()
        house.queue.added([one], CONTENT)
        self.assertEqual([one.id], house.under_way)
        self.assertEqual([], house.store.reads)

    def test_found_before_it_was_announced(self) -> None:
        """A message that is read from the store before the queue is told of it goes out once."""
        house = House()
        first, second = mail(), mail()
        house.store.put(first)
        house.nudge(A)
        house.store.prompt = False
        house.submit(second)
        house.store.writes[0].do()
        house.clock.advance(0)
        house.store.answer(house.store.reads[0])
        house.store.answer(house.store.writes[0])
        house.store.catch_up()
        self.assertEqual(sorted([first.id, second.id]), sorted(house.carrier.ids))

    def test_ended_while_the_store_was_asked(self) -> None:
        """A message whose end was recorded while an older state was read goes out once."""
        house = House()
        house.submit(mail())
        house.store.prompt = False
        house.nudge(A)
        house.clock.advance(0)
        asked = house.store.reads[-1]
        asked.do()
        house.end()
        house.store.answer(house.store.writes[0])
        house.store.answer(asked)
        house.store.catch_up()
        self.assertEqual(1, len(house.carrier.trips))

    def test_changed_while_the_store_was_asked(self) -> None:
        """What the operator cancels while its receiver is read does not go out."""
        house = House()
        one = mail()
        house.store.put(one)
        house.store.prompt = False
        house.nudge(A)
        house.clock.advance(0)
        house.store.answer(house.store.reads[0])
        house.clock.advance(0)
        [asked] = house.store.reads
        asked.do()
        house.store.rows[one.id].state = State.CANCELLED
        house.nudge(A)
        house.store.answer(asked)
        house.store.catch_up()
        self.assertEqual([], house.carrier.trips)

    def test_cancelled_in_the_window(self) -> None:
        """What is cancelled while it waits in memory does not go out."""
        house = House()
        house.limits[A] = FakeLimits(1)
        first, second = mail(), mail()
        house.submit(first, second)
        house.store.rows[second.id].state = State.CANCELLED
        house.nudge(A)
        house.end()
        house.clock.advance(1)
        self.assertEqual([first.id], house.carrier.ids)


class OrderTests(SynchronousTestCase):
    """Who goes before whom."""

    def test_backlog_first(self) -> None:
        """New mail does not overtake what waits in the store for the same receiver."""
        self.patch(windows, "WINDOW", 2)
        house = House()
        house.limits[A] = FakeLimits(1)
        old = [mail(due=NOW - 10 + number) for number in range(5)]
        house.store.put(*old)
        house.nudge(A)
        house.clock.advance(0)
        new = mail()
        house.submit(new)
        while house.under_way:
            house.end()
        self.assertEqual([each.id for each in [*old, new]], house.carrier.ids)

    def test_second_attempt_is_not_starved(self) -> None:
        """A deferred message gets its next attempt however much new mail there is."""
        self.patch(windows, "WINDOW", 2)
        house = House()
        house.limits[A] = FakeLimits(1)
        patient = mail()
        house.submit(patient)
        house.end(DEFERRED)
        house.submit(mail(), mail(), mail())
        house.clock.advance(61)
        for _ in range(8):
            house.submit(mail(due=house.clock.seconds()))
            house.end()
        self.assertIn(patient.id, house.carrier.ids[1:])

    def test_places_go_round(self) -> None:
        """With no place free, receivers take turns, whoever has most mail."""
        house = House(max_connections=1)
        house.submit(*[mail(A) for _ in range(5)])
        house.submit(mail(B), mail(C))
        order = []
        while house.under_way:
            order.append(house.carrier.under_way[0].receiver)
            house.end()
        self.assertEqual([A, A, B, C, A, A, A], order)

    def test_place_is_not_lost(self) -> None:
        """A place that the first in line has no use for any more goes to the next."""
        house = House(max_connections=1)
        cancelled = mail(B)
        house.submit(mail(A))
        house.submit(cancelled)
        last = mail(C)
        house.submit(last)
        house.store.rows[cancelled.id].state = State.CANCELLED
        house.nudge(B)
        house.end()
        self.assertEqual([last.id], house.under_way)

    def test_stuck_receiver(self) -> None:
        """A receiver that never answers keeps its connections and nothing else."""
        house = House(octets_per_receiver=100 * CONTENT.octets)
        house.submit(*[mail(A) for _ in range(40)])
        self.assertEqual(10, len(house.under_way))
        other = mail(B)
        house.submit(other)
        self.assertIn(other.id, house.under_way)

    def test_dead_receivers(self) -> None:
        """Receivers that cannot be reached do not keep all places from one that can."""
        house = House(max_connections=20)
        for number in range(10):
            house.submit(*[mail(f"{number}.example") for _ in range(30)])
        house.submit(*[mail(A) for _ in range(30)])
        self.assertNotIn(A, [trip.receiver for trip in house.carrier.under_way])
        for _ in range(60):
            dead = [each for each in house.carrier.under_way if each.receiver != A]
            if dead:
                house.carrier.answer(dead[0], evolve(DEFERRED, state="connect", code=0))
        self.assertEqual([A] * 10, [trip.receiver for trip in house.carrier.under_way])

    def test_single_mail_beside_a_campaign(self) -> None:
        """One account's campaign holds up a single mail of another by a few messages at most."""
        house = House()
        campaign = parcel(account_id=1)
        for _ in range(300):
            house.submit(message(destination=A, of=campaign))
        for _ in range(100):
            house.end()
        single = message(destination=A, of=parcel(account_id=2))
        house.submit(single)
        behind = 0
        while single.id not in house.carrier.ids:
            house.end()
            behind += 1
        self.assertLessEqual(behind, 2)

    def test_high_priority(self) -> None:
        """What is urgent goes before what waits already, also of the same account."""
        house = House()
        for _ in range(100):
            house.submit(message(destination=A, of=parcel(account_id=1)))
        urgent = evolve(message(destination=A, of=parcel(account_id=1)), priority=HIGH)
        house.submit(urgent)
        house.end()
        self.assertIn(urgent.id, house.under_way)

    def test_domains_of_one_receiver(self) -> None:
        """Domains with the same hosts share one receiver's connections."""
        house = House()
        for number in range(30):
            name = f"{number}.example"
            house.carrier.ways[name] = partial(Way, name, "hoster.example", ())
            house.submit(message(destination=name))
        self.assertEqual(10, len(house.under_way))
        self.assertEqual({"hoster.example"}, {trip.receiver for trip in house.carrier.trips})
        while house.under_way:
            house.end()
        self.assertEqual(30, len(house.carrier.trips))
        house.clock.advance(queue.NEWS_SECONDS)
        self.assertEqual("hoster.example", house.store.destinations["7.example"].receiver)

    def test_memory_is_shared(self) -> None:
        """Large messages to one receiver do not take all memory for contents."""
        house = House(budget_octets=1000, octets_per_receiver=400)
        house.submit(*[mail(A, octets=300) for _ in range(5)])
        other = mail(B, octets=300)
        house.submit(other)
        self.assertEqual([A, B], [trip.receiver for trip in house.carrier.trips])
        while house.under_way:
            house.end()
        self.assertEqual(6, len(house.carrier.trips))


class FairnessTests(SynchronousTestCase):
    """
    How long one message of an account waits for the campaign of another.

    Attributes:
        PLACES: messages that may be on their way at a time.
    """

    PLACES = 20

    def setUp(self) -> None:
        self.house = House(max_connections=self.PLACES)
        self.campaign = parcel(account_id=1, sender="")
        self.single = parcel(account_id=2, sender="")

    def begin(self, receivers: int, each: int = 3) -> None:
        """A campaign of one account for many receivers, which takes all places."""
        for number in range(receivers):
            name = f"{number}.example"
            self.house.submit(*[message(destination=name, of=self.campaign) for _ in range(each)])
        self.assertEqual(self.PLACES, len(self.house.under_way))

    def ended_before(self, one: Message, limit: int = 100) -> int:
        """How many messages of the campaign end before a message leaves."""
        for count in range(limit):
            if one.id in self.house.carrier.ids:
                return count
            self.house.end()
        raise AssertionError("it does not leave")

    def test_same_receiver(self) -> None:
        """At a receiver whose connections are used up it leaves with the second that is free."""
        self.house = House()
        for _ in range(2):
            self.house.submit(*[message(destination=A, of=self.campaign) for _ in range(1000)])
            for _ in range(200):
                self.house.end()
            one = message(destination=A, of=self.single)
            self.house.submit(one)
            self.assertLessEqual(self.ended_before(one), 2)

    def test_domains_of_a_receiver(self) -> None:
        """A campaign for very many domains of that receiver has no more turns than for one."""
        self.house = House()
        for number in range(1000):
            name = f"{number}.example"
            self.house.carrier.ways[name] = partial(Way, name, "hoster.example", ())
            self.house.submit(*[message(destination=name, of=self.campaign) for _ in range(2)])
        one = message(destination="7.example", of=self.single)
        self.house.submit(one)
        self.assertLessEqual(self.ended_before(one), 2)

    def test_many_receivers(self) -> None:
        """When all places are taken, accounts take turns, not receivers."""
        self.begin(300)
        for destination in ("250.example", "new.example"):
            one = message(destination=destination, of=self.single)
            self.house.submit(one)
            self.assertLessEqual(self.ended_before(one), 2)

    def test_receiver_that_is_full(self) -> None:
        """When the receiver has no room, it leaves soon after that has."""
        self.house.limits["0.example"] = FakeLimits(1)
        self.begin(300)
        one = message(destination="0.example", of=self.single)
        self.house.submit(one)
        for _ in range(50):
            last = self.house.carrier.under_way[-1]
            self.house.carrier.answer(last, DELIVERED)
        self.assertNotIn(one.id, self.house.carrier.ids)
        [there] = [each for each in self.house.carrier.under_way if each.receiver == "0.example"]
        self.house.carrier.answer(there, DELIVERED)
        self.assertLessEqual(self.ended_before(one), 2)

    def test_many_accounts(self) -> None:
        """With more accounts it waits for one message of each."""
        self.begin(50, each=1)
        for account in range(3, 10):
            for number in range(50):
                of = parcel(account_id=account, sender="")
                self.house.submit(message(destination=f"{number}.example", of=of))
        one = message(destination="7.example", of=self.single)
        self.house.submit(one)
        self.assertLessEqual(self.ended_before(one), 9)

    def test_no_starvation_by_priority(self) -> None:
        """However much urgent mail there is, other mail leaves, though seldom."""
        self.begin(100)
        one = message(destination="new.example", of=self.single)
        self.house.submit(one)
        urgent = parcel(account_id=3, sender="")
        ended = 0
        while one.id not in self.house.carrier.ids:
            self.house.submit(
                *[
                    evolve(message(destination=f"{n}.example", of=urgent), priority=HIGH)
                    for n in range(3)
                ]
            )
            self.house.end()
            ended += 1
            self.assertLessEqual(ended, 3 * HIGHER_TOGETHER)

    def test_from_the_store(self) -> None:
        """When all of it has to be loaded, it leaves with the first messages."""
        house = self.house = House(max_connections=self.PLACES, start=False)
        for number in range(200):
            due = NOW - 1000 + number
            of = self.campaign
            house.store.put(
                *[message(due=due, destination=f"{number}.example", of=of) for _ in range(20)]
            )
        one = message(due=NOW - 1, destination="150.example", of=self.single)
        house.store.put(one)
        house.queue.startService()
        house.clock.pump([0] * 5)
        self.assertLessEqual(self.ended_before(one), 2)


class LimitsTests(SynchronousTestCase):
    """What receivers are spared."""

    def test_learns(self) -> None:
        """When a receiver wants less its mail pauses, comes again soon, and all is remembered."""
        house = House()
        house.submit(*[mail(A) for _ in range(40)])
        house.submit(mail(B))
        throttled = evolve(DEFERRED, state="mailfrom", code=421, status="4.7.28", text="too many")
        for trip in [trip for trip in house.carrier.under_way if trip.receiver == A]:
            house.carrier.answer(trip, throttled)
        self.assertEqual([B], [trip.receiver for trip in house.carrier.under_way])
        house.clock.advance(queue.NEWS_SECONDS)
        self.assertIn("421 too many", house.store.receivers[A]["throttled"])
        self.assertEqual(1, sum(trip.receiver == A for trip in house.carrier.under_way))
        house.carrier.answer(house.carrier.under_way[-1], DELIVERED)
        for _ in range(600):
            house.clock.advance(1)
            for trip in list(house.carrier.under_way):
                house.carrier.answer(trip, DELIVERED)
        self.assertEqual(41, len({trip.id for trip in house.carrier.trips}))

    def test_remembers(self) -> None:
        """What was learnt holds after a restart."""
        house = House(start=False)
        house.submit(mail(A))
        receiver = Receiver(A, "", FakeLimits(), NOW)
        until = receiver.heard(evolve(DEFERRED, text="try again in 5 minutes", code=421), NOW, NOW)
        house.store.receivers[A] = receiver.as_dict()
        house.queue.startService()
        house.clock.advance(290)
        self.assertEqual((NOW + 300, []), (until, house.under_way))
        house.clock.advance(10)
        self.assertEqual(1, len(house.under_way))

    def test_expires_while_it_pauses(self) -> None:
        """A message whose time is over fails, whether or not its receiver takes mail then."""
        house = House()
        house.submit(mail(A))
        old = message(destination=A, of=parcel(deliver_by=NOW + 60))
        house.submit(old)
        for trip in list(house.carrier.under_way):
            house.carrier.answer(trip, evolve(DEFERRED, code=421, text="try again in 1 hour"))
        house.clock.advance(61)
        self.assertEqual(State.FAILED, house.store.state(old))

    def test_expired_while_one_asks(self) -> None:
        """Mail whose time is over tells nothing of its receiver: one message asks, and no more."""
        house = House()
        house.submit(mail(A))
        house.end(evolve(DEFERRED, code=421, status="4.7.28", text="Too many messages"))
        house.clock.advance(60)
        self.assertEqual(1, len(house.under_way))
        late = message(destination=A, of=parcel(account_id=2, sender="", deliver_by=NOW - 1))
        house.submit(late)
        self.assertEqual(State.FAILED, house.store.state(late))
        house.submit(mail(A))
        self.assertEqual(1, len(house.under_way))

    def test_rate(self) -> None:
        """A rate holds, and all mail goes out in the end."""
        house = House()
        house.limits[A] = FakeLimits(10, 0.5)
        house.submit(*[mail() for _ in range(4)])
        for seconds, count in ((0, 1), (1.9, 1), (0.2, 2), (2, 3), (2, 4)):
            house.clock.advance(seconds)
            self.assertEqual(count, len(house.carrier.trips), seconds)

    def test_rate_outlives_the_lane(self) -> None:
        """A receiver whose mail has all gone has its rate nevertheless."""
        house = House()
        house.limits[A] = FakeLimits(10, 0.1)
        house.submit(mail())
        house.end()
        house.submit(mail())
        self.assertEqual(1, len(house.carrier.trips))
        house.clock.advance(10)
        self.assertEqual(2, len(house.carrier.trips))

    def test_changed(self) -> None:
        """New limits hold at once; those that stay the same begin no new burst."""
        house = House()
        house.limits[A] = FakeLimits(1)
        house.limits[B] = FakeLimits(10, 0.1)
        house.submit(*[mail(A) for _ in range(4)])
        house.submit(*[mail(B) for _ in range(4)])
        house.limits[A] = FakeLimits(3)
        house.queue.limits_changed()
        self.assertEqual(3, sum(trip.receiver == A for trip in house.carrier.trips))
        self.assertEqual(1, sum(trip.receiver == B for trip in house.carrier.trips))


class RefusedTests(SynchronousTestCase):
    """A campaign whose every message is refused for who we are."""

    def setUp(self) -> None:
        self.house = House()
        campaign = parcel(account_id=1, sender="", deliver_by=NOW + 1e6)
        self.campaign = [message(destination=A, of=campaign) for _ in range(300)]
        self.house.submit(*self.campaign)
        self.blocked = evolve(FAILED, status="5.7.1", text="Client host blocked using a list")

    def answer(self) -> None:
        """Let all that are on their way end."""
        while self.house.under_way:
            campaign = self.house.under_way[0] in {each.id for each in self.campaign}
            self.house.end(self.blocked if campaign else DELIVERED)

    def test_campaign(self) -> None:
        """Few of its messages are lost: the others wait, and one of them asks now and then."""
        with capturedLogs() as logged:
            self.answer()
        self.assertLessEqual(len(self.house.carrier.trips), 2 * SERIES)
        told = [each for each in logged if each["log_level"] is LogLevel.error]
        self.assertEqual(["account 1"], [each["whom"] for each in told])
        for _ in range(24 * 60):
            self.house.clock.advance(60)
            self.answer()
        self.assertLessEqual(len(self.house.carrier.trips), 2 * SERIES + 30)
        self.assertGreaterEqual(len(self.house.carrier.trips), 2 * SERIES + 20)
        self.blocked = DELIVERED
        for _ in range(61):
            self.house.clock.advance(60)
            self.answer()
        self.assertEqual(300, len(self.house.carrier.trips))

    def test_others(self) -> None:
        """Mail of another account to the same receiver leaves at once, and ends no wait."""
        self.answer()
        before = len(self.house.carrier.trips)
        for _ in range(20):
            other = message(destination=A, of=parcel(account_id=2, sender=""))
            self.house.submit(other)
            self.assertEqual([other.id], self.house.under_way)
            self.answer()
        self.assertEqual(before + 20, len(self.house.carrier.trips))

    def test_all_places_taken(self) -> None:
        """Accounts whose mail waits do not keep that of another one from getting a place."""
        house = House(max_connections=2)
        house.limits[A] = FakeLimits(1)
        house.submit(of_account(99))
        receiver = house.queue._book.named(A)
        assert receiver is not None
        refused = range(1, LINED_UP_TOGETHER + 1)
        for account in refused:
            for _ in range(SERIES):
                receiver.blocks.refused(account, NOW, NOW)
            receiver.blocks.taken(99)
        receiver.blocks.begun.clear()
        house.submit(*[mail(B) for _ in range(20)])
        house.submit(*[of_account(account) for account in refused])
        one = of_account(98)
        house.submit(one)

        def end(receiver: str) -> None:
            trips = [each for each in house.carrier.under_way if each.receiver == receiver]
            house.carrier.answer(trips[0], DELIVERED)

        end(B)
        end(B)  # the other receiver has no room yet: who waits for it loses his place in the line
        end(A)
        end(B)
        end(B)
        self.assertIn(one.id, house.under_way)
        end(A)
        house.clock.advance(FIRST_SECONDS)
        end(B)
        end(B)
        self.assertIn(A, [each.receiver for each in house.carrier.under_way])

    def test_remembered(self) -> None:
        """The wait holds after a restart, and ends when the operator has it tried again."""
        self.answer()
        self.house.clock.advance(queue.NEWS_SECONDS)
        again = House(start=False)
        again.store.receivers = self.house.store.receivers
        again.store.put(*self.campaign[100:])
        again.queue.startService()
        again.clock.pump([0, 60])
        self.assertEqual([], again.under_way)
        again.nudge(A, again=True)
        again.clock.advance(0)
        self.assertEqual(10, len(again.under_way))


class AgainTests(SynchronousTestCase):
    """What the operator has tried again."""

    def setUp(self) -> None:
        self.house = House()
        for _ in range(3):
            self.house.submit(mail(A))
            self.house.end(evolve(DEFERRED, state="connect", code=0))
        self.assertEqual({}, self.house.queue._lanes)
        for row in self.house.store.rows.values():
            row.message = evolve(row.message, due=NOW)

    def test_again(self) -> None:
        """A receiver of whose mail nothing is in memory is tried, whatever was learnt of it."""
        self.house.nudge(A, again=True)
        self.house.clock.advance(0)
        self.assertEqual(3, len(self.house.under_way))

    def test_other_change(self) -> None:
        """What else an operator changes does not end a suspension."""
        self.house.nudge(A)
        self.house.clock.advance(0)
        self.assertEqual([], self.house.under_way)
        self.house.clock.advance(30)
        self.assertEqual(1, len(self.house.under_way))

    def test_learns_anew(self) -> None:
        """What is learnt after that is not forgotten with the next domain of the receiver."""
        names = [f"{number}.example" for number in range(20)]
        for name in names:
            self.house.carrier.ways[name] = partial(Way, name, "hoster.example", ())
            self.house.store.put(mail(name, due=NOW))
            self.house.nudge(name, again=True)
        self.house.clock.advance(0)
        throttled = evolve(DEFERRED, code=421, text="try again in 5 minutes")
        self.house.end(throttled)
        for name in names:
            self.house.submit(mail(name))
        while self.house.under_way:
            self.house.end()
        trips = self.house.carrier.trips
        self.assertEqual(10, sum(trip.receiver == "hoster.example" for trip in trips))
        self.house.clock.advance(301)
        self.assertEqual(11, sum(trip.receiver == "hoster.example" for trip in trips))

    def test_many(self) -> None:
        """Very many nudges at once ask the store a few times, and again when it does not answer."""
        house = House()
        house.store.prompt = False
        for number in range(3000):
            house.nudge(f"{number}.example", again=True)
        house.store.put(mail("2999.example"))
        house.store.fail(house.store.reads[0])
        house.store.prompt = True
        house.clock.advance(windows.STORE_RETRY_SECONDS)
        house.clock.advance(0)
        self.assertEqual(["2999.example"], [trip.receiver for trip in house.carrier.trips])
        self.assertLess(house.store.asked, 20)


class MemoryTests(SynchronousTestCase):
    """What the queue holds."""

    def test_nothing_is_left(self) -> None:
        """When all mail has gone, nothing of its receivers is in memory."""
        house = House()
        house.submit(*[mail(f"{number}.example") for number in range(20)])
        house.limits["0.example"] = FakeLimits(1, 1.0)
        while house.under_way:
            house.end()
        house.clock.advance(5)
        self.assertEqual({}, house.queue._lanes)
        self.assertEqual(0, len(house.queue._alarm))

    def test_sleeping_receiver(self) -> None:
        """A receiver whose mail waits for another attempt costs one time and no more."""
        house = House()
        house.submit(mail())
        house.end(DEFERRED)
        self.assertEqual({}, house.queue._lanes)
        self.assertEqual(1, len(house.queue._alarm))
        house.clock.advance(61)
        self.assertEqual(1, len(house.under_way))

    def test_window(self) -> None:
        """Of a long queue only a window is in memory, and all of it goes out."""
        house = House()
        house.limits[A] = FakeLimits(1)
        house.submit(*[mail() for _ in range(300)])
        [lane] = house.queue._lanes.values()
        while house.under_way:
            self.assertLessEqual(len(lane.window), 2 * windows.WINDOW)
            house.end()
        self.assertEqual(300, len(set(house.carrier.ids)))

    def test_crowd_of_receivers(self) -> None:
        """The more receivers have mail at once, the smaller is the window of each."""
        self.patch(windows, "WINDOWS_LIMIT", 20)
        house = House(max_connections=1)
        for number in range(40):
            house.submit(*[mail(f"{number}.example") for _ in range(5)])
        self.assertLess(sum(len(lane.window) for lane in house.queue._lanes.values()), 90)
        while house.under_way:
            house.end()
            house.clock.advance(0)
        self.assertEqual(200, len(set(house.carrier.ids)))

    def test_finds_at_once(self) -> None:
        """However many domains a submission is for, DNS is asked for a few at a time."""
        self.patch(queue, "FINDS_AT_ONCE", 5)
        house = House()
        ways: list[tuple[str, Deferred[Way]]] = []

        def way_to(name: str) -> Deferred[Way]:
            if name.startswith("known"):
                return succeed(Way(name, name, ()))
            ways.append((name, Deferred()))
            return ways[-1][1]

        self.patch(house.carrier, "way_to", way_to)
        house.submit(*[mail(f"{number}.example") for number in range(20)])
        house.submit(*[mail(f"known{number}.example") for number in range(500)])
        self.assertEqual(5, len(ways))
        while ways:
            name, finding = ways.pop(0)
            finding.callback(Way(name, name, ()))
            self.assertLessEqual(len(ways), 5)
        house.clock.pump([0] * 200)
        self.assertEqual(500, len(house.carrier.trips))
        for _ in range(20):
            house.end()
        self.assertEqual(520, len(house.carrier.trips))

    def test_begun_at_once(self) -> None:
        """However many domains a submission is for, few messages begin in a turn."""
        house = House()
        new = [mail(f"{number}.example") for number in range(100)]
        house.store.put(*new)
        turns = self.count_begun(house)
        house.queue.added(new, CONTENT)
        house.clock.advance(0)
        self.assertEqual([*range(BEGUN_AT_ONCE, 100, BEGUN_AT_ONCE)], turns)
        self.assertEqual(100, len(house.carrier.trips))

    def test_found_at_once(self) -> None:
        """However many ways are known once others are found, few messages begin in a turn."""
        self.patch(queue, "FINDS_AT_ONCE", 5)
        house = House()
        house.carrier.prompt = False
        house.submit(*[mail(f"{number}.example") for number in range(100)])
        house.carrier.prompt = True
        for name, finding in house.carrier.finds:
            finding.callback(Way(name, name, ()))
        self.assertEqual(5 + BEGUN_AT_ONCE, len(house.carrier.trips))
        turns = self.count_begun(house)
        house.clock.advance(0)
        self.assertEqual({BEGUN_AT_ONCE}, {after - before for before, after in pairwise(turns)})
        self.assertEqual(100, len(house.carrier.trips))

    def count_begun(self, house: House) -> list[int]:
        """How many messages have begun at the end of each turn that is not the last."""
        turns: list[int] = []
        call_later = house.clock.callLater

        def counted(delay: float, *called: Any) -> IDelayedCall:
            if not delay:
                turns.append(len(house.carrier.trips))
            return call_later(delay, *called)

        self.patch(house.clock, "callLater", counted)
        return turns

    def test_reads_at_once(self) -> None:
        """However many receivers are due at once, the store is asked for a few at a time."""
        house = House(start=False)
        for number in range(500):
            house.store.put(mail(f"{number}.example"))
        house.queue.startService()
        house.store.prompt = False
        house.clock.advance(0)
        self.assertEqual(windows.LOADS_AT_ONCE, len(house.store.reads))
        house.store.prompt = True
        house.store.catch_up()
        house.clock.pump([0] * 10)
        self.assertEqual(500, len(house.carrier.trips))


class StoreTroubleTests(SynchronousTestCase):
    """When the store does not answer."""

    def test_unreadable(self) -> None:
        """A queue that cannot be read is read again a little later."""
        house = House()
        house.store.put(mail())
        house.store.prompt = False
        house.nudge(A)
        house.clock.advance(0)
        house.store.fail(house.store.reads[0])
        house.store.prompt = True
        house.clock.advance(windows.STORE_RETRY_SECONDS)
        self.assertEqual(1, len(house.under_way))

    def test_does_not_start(self) -> None:
        """A queue that cannot read at its start does not start."""
        house = House(start=False)
        house.store.prompt = False
        starting = house.queue.startService()
        assert starting is not None
        house.store.fail(house.store.writes[0])
        self.failureResultOf(starting, StoreUnavailable)

    def test_rounds(self) -> None:
        """Mail that came into the store without the queue hearing of it is found."""
        house = House()
        house.store.put(mail())
        house.clock.advance(queue.ROUND_SECONDS)
        house.clock.advance(0)
        self.assertEqual(1, len(house.under_way))

    def test_large_round(self) -> None:
        """Very many streams are noted a part at a time, so that others have their turn."""
        self.patch(queue, "NOTED_AT_ONCE", 2)
        house = House(start=False)
        house.store.put(*[mail(f"{number}.example", due=NOW + 60) for number in range(5)])
        noted: list[int] = []
        house.queue.startService()
        house.clock.callLater(0, lambda: noted.append(len(house.queue._alarm)))
        house.clock.advance(0)
        self.assertEqual([4], noted)
        self.assertEqual(5, len(house.queue._alarm))
        house.clock.advance(60)
        house.clock.advance(0)
        self.assertEqual(5, len(house.under_way))

    def test_failing_round(self) -> None:
        """A round that fails is repeated a little later."""
        house = House()
        house.store.put(mail())
        house.store.prompt = False
        house.clock.advance(queue.ROUND_SECONDS)
        house.store.fail(house.store.reads[0])
        house.store.prompt = True
        house.clock.advance(windows.STORE_RETRY_SECONDS)
        house.clock.advance(0)
        self.assertEqual(1, len(house.under_way))

    def test_starts_without_a_look(self) -> None:
        """The start does not wait until all is found that waits; if it fails, it is repeated."""
        house = House(start=False)
        house.store.put(mail())
        house.store.prompt = False
        starting = house.queue.startService()
        assert starting is not None
        house.store.answer(house.store.writes[0])
        house.store.answer(house.store.reads[0])
        self.successResultOf(starting)
        house.store.fail(house.store.reads[0])
        house.store.prompt = True
        house.clock.advance(windows.STORE_RETRY_SECONDS)
        house.clock.advance(0)
        self.assertEqual(1, len(house.under_way))

    def test_end_that_cannot_be_recorded(self) -> None:
        """A message whose end cannot be recorded is left alone for long; others go on."""
        house = House()
        one, other = mail(), mail()
        house.submit(one, other)
        house.store.prompt = False
        house.end()
        house.store.fail(house.store.writes[0], ZeroDivisionError("a fault"))
        house.store.prompt = True
        house.end()
        house.nudge(A)
        house.clock.advance(windows.FAULT_SECONDS - 1)
        self.assertEqual([one.id, other.id], house.carrier.ids)
        house.clock.advance(2)
        house.clock.advance(0)
        self.assertEqual([one.id, other.id, one.id], house.carrier.ids)
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))


class UnreadableTests(SynchronousTestCase):
    """What the store holds of a message cannot be read."""

    def test_others_go_on(self) -> None:
        """It is put off for a day with an event; what was behind it goes out."""
        house = House()
        bad, good = mail(), mail()
        house.store.spoilt.add(bad.id)
        house.store.put(bad, good)
        house.nudge(A)
        house.clock.advance(0)
        self.assertEqual([good.id], house.under_way)
        self.assertEqual(NOW + windows.UNREADABLE_SECONDS, house.store.rows[bad.id].message.due)
        self.assertEqual([bad.id], [each["message"] for each in house.store.events])

    def test_mended(self) -> None:
        """When it can be read after the day, it goes out."""
        house = House()
        bad = mail()
        house.store.spoilt.add(bad.id)
        house.store.put(bad)
        house.nudge(A)
        house.clock.advance(0)
        house.store.spoilt.clear()
        house.clock.advance(windows.UNREADABLE_SECONDS - 1)
        self.assertEqual([], house.under_way)
        house.clock.advance(1)
        house.clock.advance(0)
        self.assertEqual([bad.id], house.under_way)

    def test_more_than_a_window(self) -> None:
        """So many of them that nothing else is loaded hold up what is behind for no longer."""
        house = House()
        bad = [mail(due=NOW - 1) for _ in range(3 * windows.WINDOW)]
        house.store.spoilt.update(each.id for each in bad)
        good = mail()
        house.store.put(*bad, good)
        house.nudge(A)
        for _ in range(10):
            house.clock.advance(0)
        self.assertEqual([good.id], house.under_way)
        self.assertEqual(len(bad), len(house.store.events))

    def test_no_hot_loop(self) -> None:
        """While it cannot be written down that they are put off, the store is not asked again."""
        house = House()
        bad, good = mail(), mail()
        house.store.spoilt.add(bad.id)
        house.store.put(bad, good)
        house.store.prompt = False
        house.nudge(A)
        house.clock.advance(0)
        house.store.answer(house.store.reads[0])
        house.clock.advance(0)
        house.store.answer(house.store.reads[0])
        house.store.fail(house.store.writes[0])
        asked = len(house.store.reads)
        house.clock.pump([1] * 60)
        self.assertLessEqual(len(house.store.reads), asked + 1)
        self.assertEqual(1, len(self.flushLoggedErrors(StoreUnavailable)))


class StopTests(SynchronousTestCase):
    """How the queue ends."""

    def stop(self, house: House) -> list[None]:
        """Have it stop; the list is not empty when it has."""
        stopped: list[None] = []
        house.queue.stopService().addCallback(stopped.append)
        return stopped

    def test_nothing_to_do(self) -> None:
        """An empty queue stops at once and leaves no call behind."""
        house = House()
        house.submit(mail())
        house.end(DEFERRED)
        self.assertTrue(self.stop(house))
        self.assertEqual([], house.clock.getDelayedCalls())

    def test_grace(self) -> None:
        """What is on its way may end, and nothing new begins."""
        house = House()
        house.limits[A] = FakeLimits(1)
        first, second = mail(), mail()
        house.submit(first, second)
        stopped = self.stop(house)
        house.submit(mail(B))
        house.clock.advance(queue.GRACE_SECONDS - 1)
        self.assertFalse(stopped or house.carrier.stopping)
        house.end()
        self.assertTrue(stopped and house.carrier.stopping)
        self.assertEqual([first.id], house.carrier.ids)
        self.assertEqual(State.DELIVERED, house.store.state(first))
        self.assertEqual([], house.clock.getDelayedCalls())

    def test_waiting_for_memory(self) -> None:
        """What waited for memory when the stop began does not begin, and is not an attempt."""
        house = House(budget_octets=100)
        first, second = mail(A, octets=80), mail(B, octets=80)
        house.submit(first)
        house.submit(second)
        stopped = self.stop(house)
        house.end()
        self.assertTrue(stopped)
        self.assertEqual([first.id], house.carrier.ids)
        self.assertEqual(0, house.store.rows[second.id].message.attempts)
        self.assertEqual(0, house.budget.used_octets)

    def test_cut_short(self) -> None:
        """An attempt that our own stop cuts short is not counted, and has no event."""
        house = House()
        one = mail()
        house.submit(one)
        stopped = self.stop(house)
        house.clock.advance(queue.GRACE_SECONDS)
        self.assertTrue(stopped)
        row = house.store.rows[one.id]
        self.assertEqual(
            (State.WAITING, 0, NOW), (row.state, row.message.attempts, row.message.due)
        )
        self.assertEqual([], house.store.kinds(one))
        self.assertEqual([1], [trip.releases for trip in house.carrier.trips])

    def test_verdicts_count_in_the_end(self) -> None:
        """What a receiver says during the time of grace is recorded."""
        house = House()
        ends = {mail(): DELIVERED, mail(): DEFERRED, mail(): FAILED}
        house.submit(*ends)
        stopped = self.stop(house)
        for outcome in ends.values():
            house.end(outcome)
        self.assertTrue(stopped)
        kinds = [house.store.kinds(each) for each in ends]
        self.assertEqual([["delivery"], ["deferral"], ["failure"]], kinds)

    def test_store_is_away(self) -> None:
        """The stop comes to an end though the store never answers."""
        house = House()
        one = mail()
        house.submit(one)
        house.store.prompt = False
        house.end()
        stopped = self.stop(house)
        house.clock.advance(queue.GRACE_SECONDS)
        house.clock.advance(queue.RECORDING_SECONDS)
        house.clock.advance(queue.NEWS_AT_STOP_SECONDS)
        self.assertTrue(stopped)

    def test_store_fails_to_the_end(self) -> None:
        """A store that fails is given a last chance at the stop, and no more."""
        house = House()
        one = mail()
        house.submit(one)
        house.store.prompt = False
        house.end()
        house.store.fail(house.store.writes[0])
        stopped = self.stop(house)
        house.clock.advance(4)
        house.clock.advance(1)
        house.store.fail(house.store.writes[0])
        self.assertFalse(stopped)
        house.clock.advance(queue.GRACE_SECONDS)
        house.store.fail(house.store.writes[0])
        house.store.fail(house.store.writes[0])
        self.assertTrue(stopped)
        self.assertEqual([1], [trip.releases for trip in house.carrier.trips])
