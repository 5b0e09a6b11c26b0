from __future__ import annotations

import os
from collections import defaultdict

from attrs import evolve
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery import queue, windows
from smtpeter.store.messages import State
from tests.delivery.house import DEFERRED, DELIVERED, FAILED, FakeLimits, House, Trip
from tests.store.cases import CONTENT, message, parcel

NARROW, SLOW, WIDE = "narrow.example", "slow.example", "wide.example"
SENDER = f"noor@{NARROW}"
LIMITS = {
    NARROW: FakeLimits(1),
    SLOW: FakeLimits(3, 0.2),
    WIDE: FakeLimits(3),
}
MAX_CONNECTIONS = 2
RECEIVERS = st.sampled_from([NARROW, SLOW, WIDE])
OUTCOMES = st.sampled_from([DELIVERED, DEFERRED, FAILED])
SECONDS = st.sampled_from([0.0, 1.0, 5.0, 30.0, 61.0, 400.0])
HEALING_ROUNDS = 400
EXAMPLES = int(os.environ.get("SMTPETER_TEST_EXAMPLES", "60"))


class QueueMachine(RuleBasedStateMachine):
    """
    A queue among a store, receivers, a clock and an operator who do what they like.

    Everything that has a beginning and an end in the real house has both here, and
    anything may come between them.

    Attributes:
        forgetful: mail may get into the store without the queue hearing of it.
    """

    forgetful = False

    def __init__(self) -> None:
        super().__init__()
        self.house = House(max_connections=MAX_CONNECTIONS)
        self.house.limits.update(LIMITS)
        self.store, self.carrier = self.house.store, self.house.carrier
        self.store.prompt = False
        self.carrier.looks = self.begins
        self.carrier.releases = self.released
        self.broken: list[str] = []
        self.changed: list[tuple[str, bool]] = []
        self.began: dict[str, list[float]] = defaultdict(list)
        self.attempts: dict[str, int] = {}
        self.cancelled: set[str] = set()

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
        if row.message.due > self.house.clock.seconds() and not self.changed:
            self.broken.append(f"{trip} is not due")
        there = sum(each.receiver == trip.receiver for each in self.carrier.under_way)
        if there > LIMITS[trip.receiver].connections:
            self.broken.append(f"{there} are on their way to {trip.receiver}")
        if len(self.carrier.under_way) > MAX_CONNECTIONS:
            self.broken.append("too many are on their way")
        self.attempts[trip.id] = row.message.attempts
        self.began[trip.receiver].append(self.house.clock.seconds())

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
        times = self.began[SLOW]
        rate = LIMITS[SLOW].messages_per_second or 0
        for first, start in enumerate(times):
            for count, end in enumerate(times[first:], start=1):
                assert count <= 1 + rate * (end - start) + 0.01

    # What happens.

    @rule(receiver=RECEIVERS, count=st.integers(1, 3))
    def submit(self, receiver: str, count: int) -> None:
        """A client hands in a message for some recipients."""
        now = self.house.clock.seconds()
        of = parcel(sender=SENDER, received=now, deliver_by=now + 1e6)
        self.house.submit(*(message(f"u{n}@{receiver}", now, receiver, of) for n in range(count)))

    @precondition(lambda self: self.forgetful)
    @rule(receiver=RECEIVERS)
    def find(self, receiver: str) -> None:
        """Mail is in the store of which the queue was not told: the answer was lost."""
        now = self.house.clock.seconds()
        of = parcel(sender=SENDER, received=now, deliver_by=now + 1e6)
        self.store.put(message(f"u@{receiver}", now, receiver, of))
        # The rate is kept where messages are sent off, before their contents are read.
        self.house.contents.keep(of.key, CONTENT)

    @rule(seconds=SECONDS)
    def advance(self, seconds: float) -> None:
        """Time passes."""
        self.house.clock.advance(seconds)

    @precondition(lambda self: self.store.reads)
    @rule(data=st.data(), ending=st.sampled_from(["look", "answer", "answer", "fail"]))
    def read(self, data: st.DataObject, ending: str) -> None:
        """A thread reads, or its answer arrives, or it fails."""
        asked = data.draw(st.sampled_from(self.store.reads))
        if ending == "look":
            asked.do()
        elif ending == "answer":
            self.store.answer(asked)
        else:
            self.store.fail(asked)

    @precondition(lambda self: self.store.writes)
    @rule(ending=st.sampled_from(["commit", "commit", "answer", "answer", "lose", "fail"]))
    def write(self, ending: str) -> None:
        """The writer commits the next change, or answers, or fails before or after it."""
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

    @precondition(lambda self: self.carrier.under_way)
    @rule(data=st.data(), outcome=OUTCOMES)
    def answer(self, data: st.DataObject, outcome: object) -> None:
        """A receiver says what becomes of a message."""
        trip = data.draw(st.sampled_from(self.carrier.under_way))
        self.carrier.answer(trip, outcome)  # type: ignore[arg-type]

    @precondition(lambda self: self.store.rows)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """The operator cancels a message."""
        row = data.draw(st.sampled_from(list(self.store.rows.values())))
        if row.state is State.WAITING:
            row.state = State.CANCELLED
        self.changed.append((row.message.destination, False))

    @rule(receiver=RECEIVERS)
    def retry(self, receiver: str) -> None:
        """The operator has all mail of a receiver tried again."""
        for row in self.store.rows.values():
            if row.state is State.WAITING and row.message.destination == receiver:
                row.message = evolve(row.message, due=self.house.clock.seconds())
        self.changed.append((receiver, True))

    @precondition(lambda self: self.changed)
    @rule()
    def nudge(self) -> None:
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

    @rule()
    def reload(self) -> None:
        """The limits are read again."""
        self.house.queue.limits_changed()

    # In the end.

    def teardown(self) -> None:
        """When the world is well again, all mail is delivered and nothing is left over."""
        for receiver, again in self.changed:
            self.house.nudge(receiver, again=again)
        self.store.prompt = True
        self.store.catch_up()
        for _ in range(HEALING_ROUNDS):
            while self.carrier.under_way:
                self.house.end(DELIVERED)
            waiting = any(row.state is State.WAITING for row in self.store.rows.values())
            if not waiting and not self.house.queue._lanes:
                break
            self.house.clock.advance(10.0)
        assert not self.broken, self.broken
        stuck = [row for row in self.store.rows.values() if row.state is State.WAITING]
        assert not stuck, stuck
        assert all(trip.releases == 1 for trip in self.carrier.trips)
        assert self.house.budget.used_octets == 0
        assert not self.house.queue._lanes
        assert not self.house.queue._dispatcher._line
        assert self.house.queue._dispatcher._on_their_way == 0


class ForgetfulMachine(QueueMachine):
    """The same where the store takes mail and cannot say so."""

    forgetful = True


class QueueModelTests(SynchronousTestCase):
    """What holds for the queue whatever happens, and in whatever order."""

    def setUp(self) -> None:
        # Small, so that windows are left and loads wait for each other.
        self.patch(windows, "WINDOW", 2)
        self.patch(windows, "LOADS_AT_ONCE", 2)

    def test_whatever_happens(self) -> None:
        """No message leaves twice or too early, no limit is passed, and nothing sticks."""
        self.patch(queue, "ROUND_SECONDS", 1e9)
        self._try(QueueMachine)

    def test_lost_answers(self) -> None:
        """The same holds when mail comes into the store of which the queue does not hear."""
        self._try(ForgetfulMachine)

    def _try(self, machine: type[QueueMachine]) -> None:
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=EXAMPLES,
                stateful_step_count=60,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        self.flushLoggedErrors()
