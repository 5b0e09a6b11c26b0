from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.wakes import AT_ONCE, Alarm, Rota, WakeTimes


class WakeTimesTests(SynchronousTestCase):
    """One time for each receiver."""

    def test_earliest_counts(self) -> None:
        """Of all times that were noted for a receiver the earliest holds."""
        times: WakeTimes[str] = WakeTimes()
        for when in (30.0, 10.0, 20.0):
            times.note("a.example", when)
        self.assertEqual(10.0, times.earliest())
        self.assertEqual("a.example", times.take_due(10.0))
        self.assertIsNone(times.take_due(100.0))

    @given(
        st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 50), st.booleans()), max_size=200)
    )
    def test_like_a_mapping(self, steps: list[tuple[str, int, bool]]) -> None:
        """However it is used, it is a mapping from which the smallest is taken, and as small."""
        times, model = WakeTimes[str](), dict[str, float]()
        for name, when, take in steps:
            if take:
                due = min((time for time in model.values() if time <= when), default=None)
                taken = times.take_due(when)
                self.assertEqual(due, model.pop(taken) if taken else None)
            else:
                times.note(name, when)
                model[name] = min(when, model.get(name, when))
            self.assertEqual(min(model.values(), default=None), times.earliest())
            self.assertLessEqual(len(times._heap), 2 * len(times) + 64)

    def test_nothing_piles_up(self) -> None:
        """A receiver that is woken again and again before a late time leaves nothing behind."""
        times: WakeTimes[str] = WakeTimes()
        for second in range(10_000):
            times.note("a.example", 1e6)
            times.note("a.example", float(second))
            times.take_due(float(second))
        self.assertLess(len(times._heap), 100)


class RotaTests(SynchronousTestCase):
    """Keys that are due."""

    def test_turns(self) -> None:
        """One of each kind in turn, those of a kind in their order, each once."""
        rota: Rota[str] = Rota(lambda key: key[0])
        for key in ("a1", "a2", "a3", "b1", "a1", "c1", "c2"):
            rota.add(key)
        self.assertEqual(6, len(rota))
        self.assertIn("c2", rota)
        taken = [rota.take() for _ in range(6)]
        self.assertEqual(["a1", "b1", "c1", "a2", "c2", "a3"], taken)
        self.assertEqual((0, False), (len(rota), "a1" in rota))


class AlarmTests(SynchronousTestCase):
    """When receivers are woken."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.woken: list[str] = []
        self.room = True
        self.alarm = Alarm(self.clock, self.woken.append, lambda: self.room)

    def test_at_their_times(self) -> None:
        """Each is woken at its time, in order, with one delayed call for all."""
        for name, when in (("c", 3.0), ("a", 1.0), ("b", 2.0)):
            self.alarm.note(name, when)
        self.assertEqual(1, len(self.clock.getDelayedCalls()))
        self.clock.advance(1.0)
        self.assertEqual(["a"], self.woken)
        self.clock.advance(2.0)
        self.assertEqual(["a", "b", "c"], self.woken)
        self.assertEqual([], self.clock.getDelayedCalls())

    def test_a_time_that_has_passed(self) -> None:
        """Whose time has passed is woken in the next turn of the reactor, not in this one."""
        self.alarm.note("a", -5.0)
        self.assertEqual([], self.woken)
        self.clock.advance(0.0)
        self.assertEqual(["a"], self.woken)

    def test_crowd(self) -> None:
        """When many are due, the reactor gets its turn in between."""
        turns: list[int] = []
        call_later = self.clock.callLater

        def counted(delay: float, function: Callable[[], None]) -> IDelayedCall:
            turns.append(len(self.woken))
            return call_later(delay, function)

        self.patch(self.clock, "callLater", counted)
        for number in range(AT_ONCE + 1):
            self.alarm.note(str(number), 0.0)
        self.clock.advance(0.0)
        self.assertEqual([0, AT_ONCE], turns)
        self.assertEqual(AT_ONCE + 1, len(self.woken))

    def test_fault(self) -> None:
        """A key whose waking meets a fault of ours does not keep the others asleep."""

        def wake(key: str) -> None:
            self.woken.append(key)
            if key == "a":
                raise ZeroDivisionError

        alarm = Alarm(self.clock, wake, lambda: True)
        for key in ("a", "b"):
            alarm.note(key, 0.0)
        self.assertRaises(ZeroDivisionError, self.clock.advance, 0.0)
        self.clock.advance(0.0)
        self.assertEqual(["a", "b"], self.woken)

    def test_kinds(self) -> None:
        """One that is due waits for one of each other kind, not for all that were due before."""
        alarm = Alarm(self.clock, self.woken.append, lambda: self.room, lambda key: key[0])
        self.room = False
        for number in range(500):
            alarm.note(f"a{number}", 0.0)
        alarm.note("b", 0.0)
        self.room = True
        alarm.resume()
        self.clock.advance(0.0)
        self.assertIn("b", self.woken[:2])

    def test_earlier(self) -> None:
        """One that is due at once after all is woken once."""
        self.alarm.note("a", 5.0)
        self.alarm.note("a", 0.0)
        self.alarm.note("a", 7.0)
        self.assertEqual(1, len(self.alarm))
        self.clock.pump([0.0, 10.0])
        self.assertEqual(["a"], self.woken)

    def test_no_room(self) -> None:
        """While there is no room nobody is woken and no call is made for nothing."""
        self.room = False
        self.alarm.note("a", 0.0)
        self.assertEqual([], self.clock.getDelayedCalls())
        self.room = True
        self.alarm.resume()
        self.clock.advance(0.0)
        self.assertEqual(["a"], self.woken)

    def test_room_runs_out(self) -> None:
        """Whom there is no room for any more keeps its time."""
        self.alarm.note("a", 0.0)
        self.alarm.note("b", 1.0)
        self.room = False
        self.clock.advance(1.0)
        self.assertEqual([], self.woken)
        self.assertEqual(2, len(self.alarm))

    def test_stopped(self) -> None:
        """After its stop it wakes nobody and leaves no call behind."""
        self.alarm.note("a", 1.0)
        self.alarm.stop()
        self.alarm.note("b", 1.0)
        self.assertEqual([], self.clock.getDelayedCalls())
