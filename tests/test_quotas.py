from __future__ import annotations

import math
from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.quotas import (
    DAY,
    EVERYBODY,
    HOUR,
    LONGEST_WAIT_SECONDS,
    MONTH,
    PERIODS,
    Place,
    Planner,
    Quota,
    Slot,
    WaitTooLong,
    end_of,
    start_of,
)

DESK, TILL = "login:1", "token:1"
PAYERS = (DESK, TILL)
MOMENTS = st.floats(min_value=0, max_value=4e9)
QUOTAS = st.dictionaries(
    st.tuples(st.sampled_from((EVERYBODY, *PAYERS)), st.sampled_from(PERIODS)),
    st.integers(1, 5),
    max_size=6,
).map(lambda found: [Quota(*which, messages) for which, messages in found.items()])


def moment(text: str) -> float:
    """Such as "2026-11-20 11:33"."""
    return datetime.fromisoformat(f"{text}+00:00").timestamp()


def written(seconds: float) -> str:
    """The other way, without microseconds."""
    return datetime.fromtimestamp(int(seconds), UTC).isoformat(" ", "minutes")[:16]


NOW = moment("2026-11-20 11:33")


def places(quotas: list[Quota], count: int, payer: str = DESK, now: float = NOW) -> list[str]:
    """When messages go that come at one moment."""
    planner = Planner(quotas, {})
    return [written(planner.place(payer, now).due) for _ in range(count)]


class PeriodTests(SynchronousTestCase):
    """Periods of the calendar."""

    def test_start_and_end(self) -> None:
        """A period begins and ends where that of the calendar does, in UTC."""
        for period, start, end in (
            (HOUR, "2026-11-20 11:00", "2026-11-20 12:00"),
            (DAY, "2026-11-20 00:00", "2026-11-21 00:00"),
            (MONTH, "2026-11-01 00:00", "2026-12-01 00:00"),
        ):
            self.assertEqual(start, written(start_of(period, NOW)))
            self.assertEqual(end, written(end_of(period, NOW)))

    def test_months(self) -> None:
        """Months have the days that they have."""
        for within, end in (
            ("2026-12-31 23:59", "2027-01-01 00:00"),
            ("2027-02-01 00:00", "2027-03-01 00:00"),
            ("2028-02-29 12:00", "2028-03-01 00:00"),
            ("2027-01-31 12:00", "2027-02-01 00:00"),
        ):
            self.assertEqual(end, written(end_of(MONTH, moment(within))))

    @given(MOMENTS, st.sampled_from(PERIODS))
    def test_within(self, when: float, period: str) -> None:
        """Every moment is in one period, whose end begins the next."""
        start, end = start_of(period, when), end_of(period, when)
        self.assertTrue(start <= when < end)
        self.assertEqual(start, start_of(period, start))
        self.assertEqual(end, start_of(period, end))


class PlannerTests(SynchronousTestCase):
    """When messages go."""

    def test_no_quota(self) -> None:
        """Without a quota everything goes at once, and nothing is counted."""
        planner = Planner([Quota(TILL, HOUR, 1)], {})
        self.assertEqual([Place(NOW)] * 3, [planner.place(DESK, NOW) for _ in range(3)])
        self.assertEqual({}, planner.changes)

    def test_room(self) -> None:
        """What there is room for goes at once; the rest in the next hours."""
        self.assertEqual(
            ["2026-11-20 11:33"] * 2 + ["2026-11-20 12:00"] * 2 + ["2026-11-20 13:00"],
            places([Quota(EVERYBODY, HOUR, 2)], 5),
        )

    def test_what_was_sent(self) -> None:
        """What was counted before takes room."""
        quota = Quota(EVERYBODY, DAY, 3)
        used = {Slot(EVERYBODY, DAY, start_of(DAY, NOW)): 2}
        planner = Planner([quota], used)
        first, second = planner.place(DESK, NOW), planner.place(DESK, NOW)
        self.assertEqual(Place(NOW), first)
        self.assertEqual(("2026-11-21 00:00", quota), (written(second.due), second.over))
        self.assertEqual(
            {
                Slot(EVERYBODY, DAY, start_of(DAY, NOW)): 1,
                Slot(EVERYBODY, DAY, end_of(DAY, NOW)): 1,
            },
            planner.changes,
        )

    def test_all_periods(self) -> None:
        """A message goes when there is room in the hour, in the day and in the month."""
        quotas = [Quota(EVERYBODY, HOUR, 2), Quota(EVERYBODY, DAY, 3), Quota(EVERYBODY, MONTH, 5)]
        self.assertEqual(
            [
                *["2026-11-20 11:33"] * 2,
                "2026-11-20 12:00",
                *["2026-11-21 00:00"] * 2,
                "2026-12-01 00:00",
            ],
            places(quotas, 6),
        )

    def test_login_and_account(self) -> None:
        """Quotas of one login hold back no other; those of the account are for all together."""
        planner = Planner([Quota(DESK, HOUR, 1), Quota(EVERYBODY, HOUR, 3)], {})
        order = (DESK, DESK, TILL, TILL, TILL, DESK)
        found = [planner.place(payer, NOW) for payer in order]
        self.assertEqual(
            [
                "2026-11-20 11:33",
                "2026-11-20 12:00",
                *["2026-11-20 11:33"] * 2,
                "2026-11-20 12:00",
                "2026-11-20 13:00",
            ],
            [written(each.due) for each in found],
        )
        self.assertEqual(
            ["the login", "the account"],
            [str(found[number].over).partition(" for ")[2] for number in (1, 4)],
        )

    def test_taken_back(self) -> None:
        """The place of a message that does not go is there for others."""
        planner = Planner([Quota(EVERYBODY, HOUR, 1)], {})
        first, second = planner.place(DESK, NOW), planner.place(DESK, NOW)
        planner.take_back(DESK, first.due)
        self.assertEqual(Place(NOW), planner.place(TILL, NOW))
        planner.take_back(DESK, second.due)
        self.assertEqual(second, planner.place(DESK, NOW))

    def test_too_long(self) -> None:
        """What would wait for more than a month has no place, and is not counted."""
        planner = Planner([Quota(EVERYBODY, MONTH, 1)], {})
        found = [planner.place(DESK, NOW) for _ in range(2)]
        self.assertEqual("2026-12-01 00:00", written(found[1].due))
        for _ in range(2):
            with self.assertRaises(WaitTooLong) as raised:
                planner.place(DESK, NOW)
            self.assertEqual("2027-01-01 00:00", written(raised.exception.place.due))
        self.assertEqual(2, sum(planner.changes.values()))

    def test_too_late(self) -> None:
        """What would go when it is of no use is due when that begins, and is not counted."""
        planner = Planner([Quota(EVERYBODY, HOUR, 1)], {})
        planner.place(DESK, NOW, NOW)
        late = planner.place(DESK, NOW, NOW + 60)
        self.assertEqual((NOW + 61, HOUR), (late.due, late.over and late.over.period))
        words = "1 message an hour for the account, used up until 2026-11-20T12:00:00Z"
        self.assertEqual((words, moment("2026-11-20 12:00")), (late.words, late.room))
        self.assertEqual(Place(NOW), planner.place(DESK, NOW, NOW - 60))
        self.assertEqual("2026-11-20 12:00", written(planner.place(DESK, NOW, NOW + 3600).due))
        self.assertEqual(2, sum(planner.changes.values()))

    def test_however_long(self) -> None:
        """Who says so has messages wait for as long as it takes."""
        planner = Planner([Quota(EVERYBODY, MONTH, 1)], {}, math.inf)
        found = [written(planner.place(DESK, NOW).due) for _ in range(14)]
        self.assertEqual(["2026-12-01 00:00", "2027-12-01 00:00"], [found[1], found[13]])

    def test_words(self) -> None:
        """A quota is named in words."""
        self.assertEqual("1 message an hour for the account", str(Quota(EVERYBODY, HOUR, 1)))
        self.assertEqual("500 messages a month for the token", str(Quota(TILL, MONTH, 500)))

    @given(QUOTAS, st.lists(st.tuples(st.sampled_from(PAYERS), st.integers(0, 100_000))), MOMENTS)
    def test_properties(
        self, quotas: list[Quota], messages: list[tuple[str, int]], now: float
    ) -> None:
        """No period gets more than it may; each payer's order is kept; nothing waits in vain."""
        planner = Planner(quotas, {})
        counted: Counter[Slot] = Counter()
        dues: dict[str, list[float]] = {payer: [] for payer in PAYERS}
        for payer, seconds in messages:
            now += seconds
            try:
                place = planner.place(payer, now)
            except WaitTooLong as fault:
                self.assertGreater(fault.place.due, now + LONGEST_WAIT_SECONDS)
                continue
            self.assert_early(counted, [q for q in quotas if q.payer in ("", payer)], now, place)
            dues[payer].append(place.due)
            for quota in quotas:
                if quota.payer in (EVERYBODY, payer):
                    counted[slot(quota, place.due)] += 1
        for quota in quotas:
            most = max((n for s, n in counted.items() if s[:2] == slot(quota, 0)[:2]), default=0)
            self.assertLessEqual(most, quota.messages)
        for of_payer in dues.values():
            self.assertTrue(all(first <= second for first, second in pairwise(of_payer)))
        self.assertEqual(counted, planner.changes)

    def assert_early(
        self, counted: Counter[Slot], quotas: list[Quota], now: float, place: Place
    ) -> None:
        """In all hours before its own, one quota or another leaves no room for a message."""
        hour = now
        while hour < start_of(HOUR, place.due):
            self.assertTrue(any(counted[slot(q, hour)] >= q.messages for q in quotas))
            hour = end_of(HOUR, hour)
        self.assertEqual(place.over is None, place.due == now)

    @given(QUOTAS, st.lists(st.sampled_from(PAYERS), max_size=20), st.data())
    def test_planned_anew(
        self, quotas: list[Quota], payers: list[str], data: st.DataObject
    ) -> None:
        """Who takes all places back and gives them anew, gives the same."""
        assume(payers)
        planner = Planner(quotas, {})
        found = []
        for payer in payers:
            try:
                found.append((payer, planner.place(payer, NOW)))
            except WaitTooLong:
                continue
        for payer, place in data.draw(st.permutations(found)):
            planner.take_back(payer, place.due)
        self.assertEqual(0, sum(map(abs, planner.changes.values())))
        self.assertEqual(found, [(payer, planner.place(payer, NOW)) for payer, _ in found])


def slot(quota: Quota, when: float) -> Slot:
    """Where a quota counts a message that goes then."""
    return Slot(quota.payer, quota.period, start_of(quota.period, when))
