"""Whose message goes next to a receiver: one of each account in turn. Knows no clock."""

from __future__ import annotations

from collections import OrderedDict, deque

from smtpeter.delivery.lanes import Lane
from smtpeter.store.messages import BULK

# Of so many turns, one is of the next lower priority, so that none waits forever; and of that
# many times that many, one is of the lowest.
HIGHER_TOGETHER = 8

_Ring = OrderedDict[int, deque[Lane]]


class Turns:
    """
    The lanes of a receiver that have messages to send.

    Those of a higher priority come first; among these, accounts take turns, and so do the
    lanes of an account.
    """

    def __init__(self) -> None:
        self._rings: tuple[_Ring, ...] = tuple(OrderedDict() for _ in range(BULK + 1))
        self._count = 0

    def add(self, lane: Lane) -> None:
        """A lane has messages; it comes behind the others of its account."""
        if not lane.in_turn:
            lane.in_turn = True
            ring = self._rings[lane.stream.priority]
            ring.setdefault(lane.stream.account, deque()).append(lane)

    def first(self) -> Lane | None:
        """The lane whose turn it is; None when no lane has a message."""
        rings = [ring for ring in self._rings if _cleared(ring)]
        if not rings:
            return None
        ring = rings[0]
        if len(rings) > 1 and self._count % HIGHER_TOGETHER == HIGHER_TOGETHER - 1:
            lowest = self._count % HIGHER_TOGETHER**2 == HIGHER_TOGETHER**2 - 1
            ring = rings[-1 if lowest else 1]
        return next(iter(ring.values()))[0]

    def passed(self, lane: Lane) -> None:
        """The lane has had its turn."""
        self._count += 1
        ring = self._rings[lane.stream.priority]
        ring[lane.stream.account].rotate(-1)
        ring.move_to_end(lane.stream.account)

    def remove(self, lane: Lane) -> None:
        """A lane's mail goes elsewhere, or there is none any more."""
        if lane.in_turn:
            lane.in_turn = False
            ring = self._rings[lane.stream.priority]
            ring[lane.stream.account].remove(lane)

    def has_high(self) -> bool:
        """Whether there is a lane of the highest priority."""
        return _cleared(self._rings[0])


def _cleared(ring: _Ring) -> bool:
    """Leave out lanes without messages from the front; False when there are no others."""
    while ring:
        account, lanes = next(iter(ring.items()))
        while lanes and not lanes[0].sendable:
            lanes.popleft().in_turn = False
        if lanes:
            return True
        del ring[account]
    return False
