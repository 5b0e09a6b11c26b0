from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from functools import partial
from typing import Any

from attrs import evolve
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery import blocks, queue, windows
from smtpeter.delivery.queue import WAY_SECONDS
from smtpeter.delivery.route import Way
from smtpeter.message.outcome import Outcome
from smtpeter.store.messages import BULK, HIGH, NORMAL, State
from smtpeter.store.receivers import receiver_name
from tests.delivery.house import DEFERRED, DELIVERED, FAILED, LOST, FakeLimits, House, Trip
from tests.store.cases import CONTENT, message, parcel

NARROW, SLOW, WIDE = "narrow.example", "slow.example", "wide.example"
ONE, TWO = "one.example", "two.example"  # of the same hosts at first
HOSTS = "hosts.example"
SENDER = f"noor@{NARROW}"
LIMITS = {
    NARROW: FakeLimits(1),
    SLOW: FakeLimits(3, 0.2),
    WIDE: FakeLimits(3),
    HOSTS: FakeLimits(2),
}
MAX_CONNECTIONS = 3
THROTTLED = evolve(DEFERRED, state="mailfrom", code=421, status="4.7.28", text="Too many messages")
OUTCOMES = (
    DEFERRED,
    FAILED,
    THROTTLED,
    evolve(THROTTLED, text="Rate limited, try again in 5 minutes"),
    evolve(THROTTLED, state="intro", text="Too many connections"),
    evolve(DEFERRED, state="connect", code=0, status="4.4.1", text="connection refused"),
    evolve(DEFERRED, state="dns", code=0, status="4.4.3", text="no answer"),
    evolve(LOST, state="data"),
    evolve(FAILED, status="5.7.1", text="Client host blocked using a list"),
)
DESTINATIONS = (NARROW, SLOW, WIDE, ONE, TWO)
SECONDS = (0.0, 1.0, 5.0, 30.0, 61.0, 400.0)
HEALING_ROUNDS = 400
HEALING_SECONDS = 20.0
STEPS = 60
EXAMPLES = int(os.environ.get("SMTPETER_TEST_EXAMPLES", "50"))


class QueueMachine(RuleBasedStateMachine):
    """
    A queue among a store, receivers, a clock and an operator who do what they like.

    Everything that has a beginning and an end in the real house has both here, and
    anything may come between them. There are few rules, each with much to choose from: rules
    are left out at random, and without one of them the others would have little to do.

    Attributes:
        forgetful: mail may get into the store without the queue hearing of it.
        unsteady: the clock may be set back.
    """

    forgetful = False
    unsteady = False

    def __init__(self) -> None:
        super().__init__()
        self.house = House(max_connections=MAX_CONNECTIONS)
        self.house.limits.update(LIMITS)
        self.store, self.carrier = self.house.store, self.house.carrier
        self.store.prompt = False
        self.carrier.prompt = False
        self.carrier.looks = self.begins
        self.carrier.releases = self.released
        for name in (ONE, TWO):
            self.carrier.ways[name] = partial(Way, name, HOSTS, ())
        self.broken: list[str] = []
        self.changed: list[tuple[str, bool]] = []
        self.began: dict[str, list[float]] = defaultdict(list)
        self.attempts: dict[str, int] = {}
        self.cancelled: set[str] = set()
        self.lost_seconds = 0.0
        self.destinations: list[str] = []
        self.outcomes: list[Outcome] = []

    @initialize(
        destinations=st.lists(st.sampled_from(DESTINATIONS), min_size=1, max_size=2),
        outcomes=st.lists(st.sampled_from(OUTCOMES), min_size=1, max_size=3),
        prompt_store=st.booleans(),
        prompt_ways=st.booleans(),
    )
    def choose(
        self,
        *,
        destinations: list[str],
        outcomes: list[Outcome],
        prompt_store: bool,
        prompt_ways: bool,
    ) -> None:
        """Only a part of all there may be, so that more of it meets."""
        self.store.prompt, self.carrier.prompt = prompt_store, prompt_ways
        self.store.catch_up()
        self.destinations, self.outcomes = destinations, [DELIVERED, *outcomes]

    # What must hold at each moment.

    def begins(self, trip: Trip) -> None:
        """A message leaves the house."""
        others = [each for each in self.carrier.under_way if each is not trip]
        if any(each.id == trip.id for each in others):
            self.broken.append(f"{trip} is under way twice")
        row = self.store.rows[trip.id]
        if row.state in (State.DELIVERED, State.FAILED):
            self.broken.append(f"{trip} has ended before")
        if trip.id in self.cancelled:
            self.broken.append(f"{trip} was cancelled")
        # What was due before the clock was set back may be in memory.
        if row.message.due > self.house.clock.seconds() + self.lost_seconds and not self.changed:
            self.broken.append(f"{trip} is not due")
        if trip.allowance.name != receiver_name(trip.receiver, trip.allowance.pool):
            self.broken.append(f"{trip} is on the account of {trip.allowance.name}")
        there = sum(each.allowance is trip.allowance for each in self.carrier.under_way)
        if there > trip.allowance.connections:
            self.broken.append(f"{there} are on their way to {trip.receiver}")
        if len(self.carrier.under_way) > MAX_CONNECTIONS:
            self.broken.append("too many are on their way")
        self.attempts[trip.id] = row.message.attempts
        self.began[trip.allowance.name].append(self.house.clock.seconds())

    def released(self, trip: Trip) -> None:
        """A connection is free for another message."""
        row = self.store.rows[trip.id]
        recorded = row.message.attempts > self.attempts[trip.id]
        if not recorded and row.state is not State.CANCELLED:
            self.broken.append(f"{trip} was released before its end was recorded")

    @invariant()
    def nothing_is_broken(self) -> None:
        """None of the rules above was broken."""
        assert not self.broken, self.broken

    @invariant()
    def rates_hold(self) -> None:
        """No more left for a receiver in any time than its rate allows, and a burst of one."""
        for name in (SLOW, f"{SLOW} (news)"):
            times = self.began[name]
            rate = LIMITS[SLOW].messages_per_second or 0
            for first, start in enumerate(times):
                for count, end in enumerate(times[first:], start=1):
                    assert count <= 1 + rate * (end - start) + 0.01

    @invariant()
    def somebody_returns(self) -> None:
        """There is no message for which nobody will do anything any more."""
        queue, dispatcher = self.house.queue, self.house.queue._dispatcher
        for lane in queue._lanes.values():
            if not lane.sendable:
                continue
            if lane.receiver is None:
                assert lane.finding or lane.stream in queue._alarm, lane
                continue
            returns = lane.receiver.on_their_way or lane.receiver.name in dispatcher._pauses
            places = dispatcher._on_their_way >= MAX_CONNECTIONS and dispatcher._line
            assert lane in lane.receiver.turns, lane
            assert returns or places, lane

    @invariant()
    def somebody_is_asked(self) -> None:
        """Whoever waits for an answer waits for a message that is on its way."""
        book = self.house.queue._book
        for receiver in (*book._busy.values(), *book._resting.values()):
            accounts = [receiver.blocks._of[each] for each in receiver.blocks.accounts]
            asking: list[Any] = [receiver._pace, receiver.blocks.of_all, *accounts]
            if any(each._asked_at is not None for each in asking):
                assert receiver.on_their_way, receiver.name

    # What happens.

    @rule(
        data=st.data(),
        count=st.integers(1, 5),
        account=st.integers(1, 2),
        priority=st.sampled_from([NORMAL, NORMAL, HIGH, BULK]),
        pool=st.sampled_from(["", "", "", "news"]),
    )
    def submit(
        self, data: st.DataObject, count: int, account: int, priority: int, pool: str
    ) -> None:
        """A client hands in a message for some recipients."""
        destination = data.draw(st.sampled_from(self.destinations))
        now = self.house.clock.seconds()
        of = parcel(sender=SENDER, received=now, deliver_by=now + 1e6, account_id=account)
        for number in range(count):
            each = message(f"u{number}@{destination}", now, destination, of)
            self.house.submit(evolve(each, priority=priority, pool=pool))

    @precondition(lambda self: self.forgetful)
    @rule(data=st.data())
    def find(self, data: st.DataObject) -> None:
        """Mail is in the store of which the queue was not told: the answer was lost."""
        destination = data.draw(st.sampled_from(self.destinations))
        now = self.house.clock.seconds()
        of = parcel(sender=SENDER, received=now, deliver_by=now + 1e6)
        self.store.put(message(f"u@{destination}", now, destination, of))
        # The rate is kept where messages are sent off, before their contents are read.
        self.house.contents.keep(of.key, CONTENT)

    @rule(seconds=st.sampled_from(SECONDS))
    def advance(self, seconds: float) -> None:
        """Time passes."""
        self.house.clock.advance(seconds)

    @precondition(lambda self: self.unsteady)
    @rule(seconds=st.sampled_from([0.01, 3.0, 5000.0]))
    def set_back(self, seconds: float) -> None:
        """The clock is set back; what was to be done later is done that much later."""
        self.house.clock.rightNow -= seconds
        self.lost_seconds += seconds
        self.began.clear()

    @rule(data=st.data(), count=st.integers(1, 4))
    def go_on(self, data: st.DataObject, count: int) -> None:
        """What others were asked for goes on: the store, DNS, and receivers."""
        for _ in range(count):
            steps: list[Callable[[st.DataObject], None]] = []
            if self.store.reads:
                steps.append(self.read)
            if self.store.writes:
                steps.append(self.write)
            if self.carrier.finds:
                steps.append(self.look_up)
            if self.carrier.under_way:
                steps += [self.answer, self.answer]
            if steps:
                data.draw(st.sampled_from(steps))(data)

    def read(self, data: st.DataObject) -> None:
        """A thread reads, or its answer arrives, or it fails."""
        asked = data.draw(st.sampled_from(self.store.reads))
        ending = data.draw(st.sampled_from(["answer", "answer", "look", "fail"]))
        if ending == "look":
            asked.do()
        elif ending == "answer":
            self.store.answer(asked)
        else:
            self.store.fail(asked)

    def write(self, data: st.DataObject) -> None:
        """The writer commits the next change, or answers, or fails before or after it."""
        ending = data.draw(st.sampled_from(["answer", "answer", "commit", "lose", "fail"]))
        if ending == "commit":
            waiting = [each for each in self.store.writes if not each.done]
            if waiting:
                waiting[0].do()
        elif ending == "answer":
            self.store.answer(self.store.writes[0])
        elif ending == "lose" and self.forgetful:
            self.store.writes[0].do()
            self.store.fail(self.store.writes[0])
        elif not self.store.writes[0].done:
            self.store.fail(self.store.writes[0])

    def look_up(self, data: st.DataObject) -> None:
        """DNS answers, or there is a fault."""
        name, finding = data.draw(st.sampled_from(self.carrier.finds))
        self.carrier.finds.remove((name, finding))
        if data.draw(st.sampled_from([True, True, True, False])):
            finding.callback(self.carrier.way_of(name))
        else:
            finding.errback(ZeroDivisionError("a fault"))

    def answer(self, data: st.DataObject) -> None:
        """A receiver says what becomes of a message."""
        trip = data.draw(st.sampled_from(self.carrier.under_way))
        self.carrier.answer(trip, data.draw(st.sampled_from(self.outcomes)))

    @precondition(lambda self: self.carrier.under_way)
    @rule(data=st.data(), count=st.integers(1, 8))
    def insist(self, data: st.DataObject, count: int) -> None:
        """Receivers say the same of one message after the other."""
        outcome = data.draw(st.sampled_from(self.outcomes))
        for _ in range(count):
            if self.carrier.under_way:
                self.carrier.answer(self.carrier.under_way[0], outcome)
                self.store.catch_up()

    @rule(data=st.data())
    def operate(self, data: st.DataObject) -> None:
        """The operator changes something, or the queue hears of it; or domains move."""
        steps: list[Callable[[st.DataObject], None]] = [self.retry, self.limit, self.move]
        if self.store.rows:
            steps.append(self.cancel)
        if self.changed:
            steps += [self.nudge, self.nudge]
        data.draw(st.sampled_from(steps))(data)

    def move(self, data: st.DataObject) -> None:
        """The mail for a domain is taken elsewhere from now on, and time passes."""
        destination = data.draw(st.sampled_from(self.destinations))
        receiver = data.draw(st.sampled_from([*LIMITS, ONE]))
        self.carrier.ways[destination] = partial(Way, destination, receiver, ())
        self.house.clock.advance(data.draw(st.sampled_from([0.0, WAY_SECONDS])))

    def limit(self, data: st.DataObject) -> None:
        """The operator gives a receiver other limits, and they are read again."""
        receiver = data.draw(st.sampled_from([NARROW, WIDE, HOSTS]))
        self.house.limits[receiver] = FakeLimits(data.draw(st.integers(1, 4)))
        self.house.queue.limits_changed()

    def cancel(self, data: st.DataObject) -> None:
        """The operator cancels a message."""
        row = data.draw(st.sampled_from(list(self.store.rows.values())))
        if row.state is State.WAITING:
            row.state = State.CANCELLED
        self.changed.append((row.message.destination, False))

    def retry(self, data: st.DataObject) -> None:
        """The operator has all mail of a receiver tried again."""
        receiver = data.draw(st.sampled_from(self.destinations))
        for row in self.store.rows.values():
            if row.state is State.WAITING and row.message.destination == receiver:
                row.message = evolve(row.message, due=self.house.clock.seconds())
        self.changed.append((receiver, True))

    def nudge(self, _: st.DataObject) -> None:
        """The queue hears of what the operator changed."""
        receiver, again = self.changed.pop(0)
        self.house.nudge(receiver, again=again)
        if self.store.writes:  # the queue may not have heard of a message yet
            return
        lanes = self.house.queue._lanes.values()
        there = [lane.held for lane in lanes if lane.stream.destination == receiver]
        begun = set[str]().union(*there)
        self.cancelled.update(
            row.message.id
            for row in self.store.rows.values()
            if row.state is State.CANCELLED and row.message.destination == receiver
            if row.message.id not in begun
        )

    # In the end.

    def teardown(self) -> None:
        """When the world is well again, all mail is delivered and nothing is left over."""
        for receiver, again in self.changed:
            self.house.nudge(receiver, again=again)
        self.store.prompt = self.carrier.prompt = True
        for name, finding in self.carrier.finds:
            finding.callback(self.carrier.way_of(name))
        self.store.catch_up()
        self.house.clock.advance(self.lost_seconds)
        for _ in range(HEALING_ROUNDS):
            while self.carrier.under_way:
                self.house.end(DELIVERED)
            waiting = any(row.state is State.WAITING for row in self.store.rows.values())
            if not waiting and not self.house.queue._lanes:
                break
            self.house.clock.advance(HEALING_SECONDS)
        assert not self.broken, self.broken
        stuck = [row for row in self.store.rows.values() if row.state is State.WAITING]
        assert not stuck, stuck
        assert all(trip.releases == 1 for trip in self.carrier.trips)
        assert self.house.budget.used_octets == 0
        assert not self.house.queue._lanes
        assert not self.house.queue._there
        assert not self.house.queue._book._busy
        assert not self.house.queue._dispatcher._line
        assert self.house.queue._dispatcher._on_their_way == 0


class ForgetfulMachine(QueueMachine):
    """The same where the store takes mail and cannot say so."""

    forgetful = True


class UnsteadyMachine(QueueMachine):
    """The same where the clock may be set back."""

    unsteady = True


class QueueModelTests(SynchronousTestCase):
    """What holds for the queue whatever happens, and in whatever order."""

    def setUp(self) -> None:
        # Small, so that windows are left and loads wait for each other.
        self.patch(windows, "WINDOW", 2)
        self.patch(windows, "LOADS_AT_ONCE", 2)
        self.patch(blocks, "SERIES", 3)
        self.patch(blocks, "SERIES_OF_ALL", 5)

    def test_whatever_happens(self) -> None:
        """No message leaves twice or too early, no limit is passed, and nothing sticks."""
        self.patch(queue, "ROUND_SECONDS", 1e9)
        self._try(QueueMachine)

    def test_lost_answers(self) -> None:
        """The same holds when mail comes into the store of which the queue does not hear."""
        self._try(ForgetfulMachine)

    def test_clock_set_back(self) -> None:
        """The same holds when the clock is set back."""
        self._try(UnsteadyMachine)

    def _try(self, machine: type[QueueMachine]) -> None:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=STEPS,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        self.flushLoggedErrors()
