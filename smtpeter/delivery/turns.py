"""Whose message goes next to a receiver: one of each account in turn. Knows no clock."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Container

from smtpeter.delivery.lanes import Lane
from smtpeter.store.messages import BULK

# Of so many turns, one is of the next lower priority, so that none waits forever; and of that
# many times that many, one is of the lowest.
HIGHER_TOGETHER = 8

_Lanes = OrderedDict[Lane, None]
_Ring = OrderedDict[int, _Lanes]


class Turns:
    """
    The lanes of a receiver that have messages to send.

    Those of a higher priority come first; among these, accounts take turns, and so do the
    lanes of an account. Each step takes the same time, however many lanes there are.
    """

    def __init__(self) -> None:
        self._rings: tuple[_Ring, ...] = tuple(OrderedDict() for _ in range(BULK + 1))
        self._count = 0

    def __contains__(self, lane: Lane) -> bool:
        return lane in self._rings[lane.stream.priority].get(lane.stream.account, ())

    def add(self, lane: Lane) -> None:
        """A lane has messages; it comes behind the others of its account."""
        ring = self._rings[lane.stream.priority]
        ring.setdefault(lane.stream.account, OrderedDict()).setdefault(lane)

    def first(self, but: Container[int] = ()) -> Lane | None:
        """The lane whose turn it is, but for those of some accounts; None when there is none."""
        found = [lane for lane in (_first(ring, but) for ring in self._rings) if lane is not None]
        if not found:
            return None
        if len(found) > 1 and self._count % HIGHER_TOGETHER == HIGHER_TOGETHER - 1:
            lowest = self._count % HIGHER_TOGETHER**2 == HIGHER_TOGETHER**2 - 1
            return found[-1 if lowest else 1]
        return found[0]

    def passed(self, lane: Lane) -> None:
        """The lane has had its turn."""
        self._count += 1
        ring = self._rings[lane.stream.priority]
        ring[lane.stream.account].move_to_end(lane)
        ring.move_to_end(lane.stream.account)

    def has_high(self) -> bool:
        """Whether there is a lane of the highest priority."""
        return _first(self._rings[0], ()) is not None

    def remove(self, lane: Lane) -> None:
        """A lane's mail goes elsewhere, or there is none any more."""
        ring = self._rings[lane.stream.priority]
        lanes = ring.get(lane.stream.account)
        if lanes is not None:
            lanes.pop(lane, None)
            if not lanes:
                del ring[lane.stream.account]


def _first(ring: _Ring, but: Container[int]) -> Lane | None:
    """The first lane with a message; those without any that stand before it are left out."""
    for _ in range(len(ring)):
        account, lanes = next(iter(ring.items()))
        if account in but:
            ring.move_to_end(account)
            continue
        while lanes:
            lane = next(iter(lanes))
            if lane.sendable:
                return lane
            del lanes[lane]
        del ring[account]
    return None
