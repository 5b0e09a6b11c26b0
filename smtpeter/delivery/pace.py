"""
How fast a receiver is sent messages: as fast as it takes them. Knows no clock.

A receiver does not tell its rate, it refuses what goes beyond. So the rate is measured: what it
took from one refusal to the next, pauses included, is what it takes. Messages then go a little
slower than that, and ever so slowly faster, until it refuses again. What was refused after a few
messages measures nothing: then they go slowly at first, and faster with each that is taken.
"""

from __future__ import annotations

from typing import Any

from smtpeter.delivery.kept import entry, number, whole

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
TRIAL_PER_SECOND = 1.0  # at least, when nothing was measured
TRIAL = 1.2  # times the rate then, with each message that is taken
DECREASE = 0.75
MANY_PAUSES = 3
FALL = 0.5
REFUSED_RATE = 0.95
SLOWEST_PER_SECOND = 1 / 600
UNHINDERED = 50.0  # times what was measured: the receiver has other limits now
FORGET_SECONDS = 6 * 3600.0
ANSWER_SECONDS = 900.0  # after so long another message asks whether the receiver takes mail again
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
        self._asked_at: float | None = None  # by a message that is on its way
        self._trial = False
        self._next_at = 0.0
        self._epoch = 0.0
        self._taken = 0
        self._taken_before = 0  # from one refusal to the next
        self._active_at = 0.0
        self._hungry = False

    def wait(self, now: float) -> float:
        """
        Ask for leave to send a message.

        Returns:
            0.0 when it may go, or the seconds after which to ask again. While it is not known
            whether the receiver takes mail again, a single one may go; the answer to it comes
            earlier, in general.
        """
        if now < self.paused_until:
            return self.paused_until - now
        if self._pauses:
            if self._asked_at is not None and now < self._asked_at + ANSWER_SECONDS:
                return self._asked_at + ANSWER_SECONDS - now
            self._asked_at = now
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

    @property
    def asks(self) -> bool:
        """It is not known whether the receiver takes mail again."""
        return self._pauses > 0

    def withdrawn(self) -> None:
        """The message that had leave tells nothing: it was not sent, or not answered."""
        self._asked_at = None

    def taken(self, now: float, began: float) -> None:
        """A message was taken, or refused for what it is; its attempt began then."""
        self._taken += 1
        self._active_at = now
        if self._pauses:
            if began >= self.paused_until:
                self._recover(now)
            elif self._asked_at is not None and began >= self._asked_at:
                self._asked_at = None  # meanwhile it was told to wait longer
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
            self._asked_at = None
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

    def set_back(self, seconds: float) -> None:
        """The clock was set back by so much; no time has passed."""
        self.paused_until -= seconds
        self._next_at -= seconds
        self._epoch -= seconds
        self._active_at -= seconds
        if self._refused_at is not None:
            self._refused_at -= seconds
        if self._asked_at is not None:
            self._asked_at -= seconds

    def _first_pause(self) -> float:
        if not self._measured:
            return FIRST_PAUSE_SECONDS
        pause = PAUSE_MESSAGES / self._measured
        return min(max(pause, SHORTEST_PAUSE_SECONDS), LONGEST_FIRST_PAUSE_SECONDS)

    def _begin_epoch(self, now: float) -> None:
        self._epoch = now
        self._taken = 0

    def _recover(self, now: float) -> None:
        few = self.rate is None and self._taken < FEW_MESSAGES
        # A receiver that was out of order for long has no lower limit than before.
        trial = few or (self.rate is None and self._pauses >= MANY_PAUSES)
        least = TRIAL_PER_SECOND if few else SLOWEST_PER_SECOND
        self._measured = max(self._measure(now), least)
        self._trial = trial
        self.rate = START * self._measured
        self._pauses = 0
        self._asked_at = None
        self._taken_before = self._taken
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
        if self._trial:
            return min(over_all, REFUSED_RATE * self.rate)
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
        # What was learnt so long ago is put to the test.
        self._trial = self._trial or now - (self._refused_at or now) > FORGET_SECONDS
        if self._trial:
            self.rate = min(TRIAL * self.rate, UNHINDERED * measured)
        elif beyond < 0:
            self.rate -= RETURN * beyond - PROBE * measured
        else:
            boldness = 1 + (beyond / (BOLDER * measured)) ** 2
            self.rate += min(PROBE * measured * boldness, BOLDEST * self.rate)
        if self.rate >= UNHINDERED * measured and self._taken > self._taken_before:
            self.rate = None
            self._trial = False

    def as_dict(self) -> dict[str, Any]:
        """What is worth keeping, for a JSON document."""
        return {
            "rate": self.rate,
            "measured": self._measured,
            "trial": self._trial,
            "paused_until": self.paused_until,
            "pauses": self._pauses,
            "refused_at": self._refused_at,
        }

    @classmethod
    def from_dict(cls, kept: object, now: float) -> Pace:
        """What `as_dict` gave, as far as it can be made out."""
        pace = cls()
        pace.rate = number(kept, "rate", None, least=START * SLOWEST_PER_SECOND)
        pace._measured = number(kept, "measured", pace.rate or 0.0)
        if pace.rate is not None:
            pace._measured = max(pace._measured, SLOWEST_PER_SECOND)
        pace._trial = entry(kept, "trial") is True
        pace.paused_until = min(number(kept, "paused_until", 0.0), now + LONGEST_NAMED_SECONDS)
        pace._pauses = whole(kept, "pauses", 0)
        pace._refused_at = number(kept, "refused_at", None, most=now)
        if pace._pauses:
            pace._refused_at = pace._epoch = pace._refused_at or now
        return pace
