"""How much content may be in memory at one moment, over all connections together."""

from __future__ import annotations

from collections import deque

from twisted.internet.defer import Deferred, succeed


class ContentBudget:
    """
    A number of octets that is shared out and comes back.

    Who receives asks with `reserve` and refuses the client on False; who sends waits
    with `acquire` until its turn has come. Both give back with `release`.
    """

    def __init__(self, limit_octets: int) -> None:
        self.limit_octets = limit_octets
        self.used_octets = 0
        self._waiting: deque[tuple[int, Deferred[None]]] = deque()

    @property
    def free_octets(self) -> int:
        return self.limit_octets - self.used_octets

    def reserve(self, octets: int) -> bool:
        """
        Take so many octets now; False when they are not to be had, or somebody waits.

        Nobody is overtaken: small wishes that come without end would starve a great one.
        Who is refused gives back what he has, so that the turn of those who wait comes.
        """
        if self._waiting or octets > self.free_octets:
            return False
        self.used_octets += octets
        return True

    def acquire(self, octets: int) -> Deferred[None]:
        """
        Take so many octets as soon as they are free, in the order of asking.

        What is larger than the whole limit gets its turn when it can be alone.
        """
        if not self._waiting and self._fits(octets):
            self.used_octets += octets
            return succeed(None)
        turn: Deferred[None] = Deferred(self._give_up)
        self._waiting.append((octets, turn))
        return turn

    def _give_up(self, turn: Deferred[None]) -> None:
        """Who cancels leaves the queue, and may have stood in the way of others."""
        self._waiting = deque(each for each in self._waiting if each[1] is not turn)
        self.release(0)

    def release(self, octets: int) -> None:
        """Give back what was taken."""
        self.used_octets -= octets
        while self._waiting and self._fits(self._waiting[0][0]):
            wanted, turn = self._waiting.popleft()
            self.used_octets += wanted
            turn.callback(None)

    def _fits(self, octets: int) -> bool:
        return octets <= self.free_octets or self.used_octets == 0
