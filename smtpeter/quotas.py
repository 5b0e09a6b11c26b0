"""
Quotas: how many messages may go in an hour, a day, a month, and when one goes that is over. Pure.

Periods are those of the calendar, in UTC. Moments are seconds since the epoch.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import NamedTuple

from smtpeter.values import frozen

PERIODS = HOUR, DAY, MONTH = ("hour", "day", "month")
EVERYBODY = ""
# What would have to wait for longer is not taken.
LONGEST_WAIT_SECONDS = 31 * 86_400.0
# Messages for one period are due one after the other, so that they go in the order they came.
STEP_SECONDS = 1e-6
TOO_LATE_SECONDS = 1.0

_SECONDS = {HOUR: 3600.0, DAY: 86_400.0}
_WORDS = {
    EVERYBODY: "the account",
    "account": "the login of the account itself",
    "login": "the login",
    "token": "the token",
}


@frozen
class Quota:
    """
    How many messages may go in each period of one kind.

    Attributes:
        payer: whose messages count, by its avatar id such as "login:7"; `EVERYBODY` for those
            of the whole account.
        period: one of `PERIODS`.
        messages: one or more.
    """

    payer: str
    period: str
    messages: int

    def __str__(self) -> str:
        unit = "message" if self.messages == 1 else "messages"
        article = "an" if self.period == HOUR else "a"
        whose = _WORDS[self.payer.partition(":")[0]]
        return f"{self.messages} {unit} {article} {self.period} for {whose}"


class Slot(NamedTuple):
    """One period in which the messages of a payer are counted."""

    payer: str
    period: str
    start: float


@frozen
class Place:
    """
    When a message may go.

    Attributes:
        over: the quota that it has to wait for; None when it does not wait.
        too_late: when that has room again, for a message that is of no use then; else None.
    """

    due: float
    over: Quota | None = None
    too_late: float | None = None

    @property
    def room(self) -> float:
        """When the quota lets more go."""
        return self.due if self.too_late is None else self.too_late

    @property
    def words(self) -> str:
        """The quota, and until when it lets nothing more go."""
        until = datetime.fromtimestamp(int(self.room), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        return f"{self.over}, used up until {until}"


class WaitTooLong(Exception):
    """
    A message would have to wait for longer than any may.

    Attributes:
        place: where it would have been.
    """

    def __init__(self, place: Place) -> None:
        super().__init__(str(place.over))
        self.place = place


def start_of(period: str, moment: float) -> float:
    """When the period began in which a moment is."""
    if period == MONTH:
        return _first_of_month(int(moment // _SECONDS[DAY]))
    seconds = _SECONDS[period]
    return math.floor(moment / seconds) * seconds


def end_of(period: str, moment: float) -> float:
    """When the period ends in which a moment is: the start of the next."""
    if period == MONTH:
        # no month has more than 31 days, and 32 days after its first is no second one
        return start_of(MONTH, start_of(MONTH, moment) + 32 * 86_400.0)
    return start_of(period, moment) + _SECONDS[period]


@lru_cache(maxsize=128)
def _first_of_month(day: int) -> float:
    then = datetime.fromtimestamp(day * _SECONDS[DAY], UTC)
    return datetime(then.year, then.month, 1, tzinfo=UTC).timestamp()


class Planner:
    """
    Gives messages their places, each as early as the quotas allow.

    Messages of one payer are placed in the order they come: none goes before an earlier one.

    Args:
        quotas: of one account.
        used: how many messages are counted in which periods.
        longest_wait_seconds: whatever would have to wait for longer has no place.

    Attributes:
        changes: by how much these counts have changed.
    """

    def __init__(
        self,
        quotas: Iterable[Quota],
        used: Mapping[Slot, int],
        longest_wait_seconds: float = LONGEST_WAIT_SECONDS,
    ) -> None:
        self._longest_wait_seconds = longest_wait_seconds
        self._quotas = sorted(quotas, key=lambda each: -PERIODS.index(each.period))
        self._used = Counter(used)
        self._searched: dict[str, Place] = {}
        self.changes: Counter[Slot] = Counter()

    def place(self, payer: str, earliest: float, latest: float = math.inf) -> Place:
        """
        Count a message in the first periods from a moment on that have room for it.

        Args:
            earliest: not before that of the payer's message before.
            latest: when it is of no use any more. What would go later is due then, to fail, and
                is not counted.

        Raises:
            WaitTooLong: it would have to wait for too long; it is not counted.
        """
        found = Place(earliest)
        if earliest > latest:
            return found
        quotas = self._of(payer)
        # Where there was no room for an earlier message of this payer, there is none now.
        searched = self._searched.get(payer, found)
        if searched.due > earliest:
            found = searched
        while (over := self._first_full(quotas, found.due)) is not None:
            found = Place(end_of(over.period, found.due), over)
            if found.due > latest:
                break
            if found.due - earliest > self._longest_wait_seconds:
                raise WaitTooLong(found)
        if found.due > latest:
            return Place(latest + TOO_LATE_SECONDS, found.over, found.due)
        self._searched[payer] = found
        before = sum(self._used[slot] for slot in _slots(quotas, found.due))
        self._count(quotas, found.due, 1)
        if found.over is None:
            return found
        return Place(found.due + before * STEP_SECONDS, found.over)

    def take_back(self, payer: str, due: float) -> None:
        """A message that was placed does not go then: others may have its place."""
        self._count(self._of(payer), due, -1)
        self._searched.clear()

    def _of(self, payer: str) -> list[Quota]:
        return [each for each in self._quotas if each.payer in (EVERYBODY, payer)]

    def _first_full(self, quotas: Iterable[Quota], moment: float) -> Quota | None:
        """Of those without room the one with the longest period, so that its end is the last."""
        return next(
            (each for each in quotas if self._used[_slot(each, moment)] >= each.messages), None
        )

    def _count(self, quotas: Iterable[Quota], moment: float, number: int) -> None:
        for slot in _slots(quotas, moment):
            self._used[slot] += number
            self.changes[slot] += number


def _slot(quota: Quota, moment: float) -> Slot:
    return Slot(quota.payer, quota.period, start_of(quota.period, moment))


def _slots(quotas: Iterable[Quota], moment: float) -> list[Slot]:
    return [_slot(each, moment) for each in quotas]
