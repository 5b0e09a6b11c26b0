"""
How fast a receiver is sent messages: as fast as it takes them. Knows no clock.

A receiver does not tell its rate, it refuses what goes beyond. So the rate is measured: what it
took from one refusal to the next, pauses included, is what it takes. Messages then go a little
slower than that, and ever so slowly faster, until it refuses again.
"""

from __future__ import annotations

from typing import Any

FIRST_PAUSE_SECONDS = 0.2
SHORTEST_PAUSE_SECONDS = 0.1
LONGEST_FIRST_PAUSE_SECONDS = 5.0
LONGEST_PAUSE_SECONDS = 300.0
LONGEST_NAMED_SECONDS = 3600.0
PAUSE_MESSAGES = 4  # a first pause lasts as long as so many messages would have taken
START = 0.7  # after a refusal, as a part of what was measured
TARGET = 0.97  # that is soon reached again; beyond it growth is slow
RETURN = 0.1  # of the way to the target, with each message that is taken
# With each message that is taken beyond the target, as a part of what was measured. A refusal
# costs a message or two, and comes after some hundreds.
PROBE = 0.0002
BOLDER = 0.06  # so far beyond the target, as a part of what was measured, growth has doubled
BOLDEST = 0.004  # of the rate, with each message
FEW_MESSAGES = 30  # do not measure anything
DECREASE = 0.75
MANY_PAUSES = 3
FALL = 0.5
REFUSED_RATE = 0.95
SLOWEST_PER_SECOND = 1 / 600
UNHINDERED = 50.0  # times what was measured: the receiver has other limits now
FORGET_SECONDS = 6 * 3600.0
IDLE_SECONDS = 2.0
TOGETHER_SECONDS = 0.05  # messages may leave early by so much, in favour of fewer timers


class Pace:
    """
    The rate for one receiver.

    All times are seconds of one clock.

    Attributes:
        rate: messages a second; None while none was ever refused.
        paused_until: nothing is sent before.
    """

    def __init__(self) -> None:
        self.rate: float | None = None
        self.paused_until = 0.0
        self._measured = 0.0
        self._pauses = 0  # one after the other, without a message taken between them
        self._refused_at: float | None = None  # for the last time
        self._probing = False
        self._next_at = 0.0
        self._epoch = 0.0
        self._taken = 0
        self._active_at = 0.0
        self._hungry = False

    def wait(self, now: float) -> float:
        """
        Ask for leave to send a message.

        Returns:
            0.0 when it may go, or the seconds after which to ask again. While it is not known
            whether the receiver takes mail again, a single one may go: then infinity.
        """
        if now < self.paused_until:
            return self.paused_until - now
        if self._pauses:
            if self._probing:
                return float("inf")
            self._probing = True
        quiet = now - max(self._active_at, self.paused_until)
        if quiet > IDLE_SECONDS + (2 / self.rate if self.rate else 0.0):
            self._begin_epoch(now)
        self._active_at = now
        if self.rate is None or self._pauses:
            return 0.0
        if self._next_at - now > TOGETHER_SECONDS:
            self._hungry = True
            return self._next_at - now
        self._next_at = max(self._next_at, now) + 1 / self.rate
        return 0.0

    def withdrawn(self) -> None:
        """The message that had leave tells nothing: it was not sent, or not answered."""
        self._probing = False

    def taken(self, now: float, began: float) -> None:
        """A message was taken, or refused for what it is; its attempt began then."""
        self._taken += 1
        self._active_at = now
        if self._pauses:
            if began >= self.paused_until:
                self._recover(now)
        elif self.rate is not None:
            self._grow(now)

    def refused(self, now: float, began: float, named_seconds: float | None = None) -> float:
        """
        A message was refused because there are too many.

        Args:
            named_seconds: the wait that the receiver asks for.

        Returns:
            When messages may go again.
        """
        self._active_at = now
        if self._refused_at is None or began > self._refused_at:
            self._pauses += 1
            self._probing = False
            self._refused_at = now
            pause = self._first_pause() * 2 ** min(self._pauses - 1, 20)
            self.paused_until = max(self.paused_until, now + min(pause, LONGEST_PAUSE_SECONDS))
        if named_seconds is not None:
            named_seconds = min(named_seconds, LONGEST_NAMED_SECONDS)
            self.paused_until = max(self.paused_until, now + named_seconds)
        return self.paused_until

    def lift(self) -> None:
        """Forget what was learnt."""
        self.__init__()  # type: ignore[misc]

    def forgive(self, now: float) -> None:
        """Forget what was learnt too long ago."""
        if self._refused_at is not None and now - self._refused_at > FORGET_SECONDS:
            self.lift()

    def _first_pause(self) -> float:
        if not self._measured:
            return FIRST_PAUSE_SECONDS
        pause = PAUSE_MESSAGES / self._measured
        return min(max(pause, SHORTEST_PAUSE_SECONDS), LONGEST_FIRST_PAUSE_SECONDS)

    def _begin_epoch(self, now: float) -> None:
        self._epoch = now
        self._taken = 0

    def _recover(self, now: float) -> None:
        self._measured = max(self._measure(now), SLOWEST_PER_SECOND)
        self.rate = START * self._measured
        self._pauses = 0
        self._probing = False
        self._next_at = now + 1 / self.rate
        self._begin_epoch(now)

    def _measure(self, now: float) -> float:
        """What the receiver takes, by what it has taken since the last refusal but one."""
        # When it began to take mail again, nobody knows: between the last refusal and now.
        assert self._refused_at is not None
        began = (self._refused_at + now) / 2
        over_all = self._taken / max(began - self._epoch, 0.001)
        if self.rate is None:
            return over_all
        if self._pauses >= MANY_PAUSES:
            return max(min(over_all, REFUSED_RATE * self.rate), FALL * self._measured)
        if self._taken >= FEW_MESSAGES:
            return REFUSED_RATE * self.rate
        return DECREASE * self._measured

    def _grow(self, now: float) -> None:
        assert self.rate is not None
        if not self._hungry:
            return
        self._hungry = False
        measured = self._measured
        beyond = self.rate - TARGET * measured
        if beyond < 0:
            self.rate -= RETURN * beyond - PROBE * measured
        else:
            boldness = 1 + (beyond / (BOLDER * measured)) ** 2
            self.rate += min(PROBE * measured * boldness, BOLDEST * self.rate)
        if self.rate > UNHINDERED * measured:
            self.rate = None
        self.forgive(now)

    def as_dict(self) -> dict[str, Any]:
        """What is worth keeping, for a JSON document."""
        return {
            "rate": self.rate,
            "measured": self._measured,
            "paused_until": self.paused_until,
            "pauses": self._pauses,
            "refused_at": self._refused_at,
        }

    @classmethod
    def from_dict(cls, kept: dict[str, Any]) -> Pace:
        """What `as_dict` gave."""
        pace = cls()
        pace.rate = kept["rate"]
        pace.paused_until = kept["paused_until"]
        pace._measured = kept["measured"]
        pace._pauses = kept["pauses"]
        pace._refused_at = kept["refused_at"]
        return pace
