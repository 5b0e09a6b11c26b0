"""A fixed limit on a rate. Knows no clock."""

from __future__ import annotations


class TokenBucket:
    """
    Lets so many per second pass, and about one second's worth at once after a rest.

    It counts what passed since it was last full instead of adding up what flows in, so
    that no error of rounding grows with time.

    Args:
        per_second: more than 0; kept as an attribute.
        now: seconds of any clock, the one that `take` is given as well.
    """

    def __init__(self, per_second: float, now: float) -> None:
        self.per_second = per_second
        self._burst = max(1, round(per_second))
        self._full_at = now
        self._taken = 0
        self._latest = now

    def take(self, now: float) -> float:
        """
        Take one token.

        Returns:
            0.0 with a token taken, or the seconds after which there will be one; then
            none was taken.
        """
        wait = self.wait(now)
        if not wait:
            self._taken += 1
        return wait

    def wait(self, now: float) -> float:
        """The seconds after which there will be a token, 0.0 when there is one."""
        self._notice(now)
        at = self._full_at + (self._taken + 1 - self._burst) / self.per_second
        return max(0.0, at - now)

    def seconds_until_full(self, now: float) -> float:
        """The rest after which it is as if nothing had ever been taken; 0.0 when it is now."""
        self._notice(now)
        return max(0.0, self._full_at + self._taken / self.per_second - now)

    def _notice(self, now: float) -> None:
        if now < self._latest:  # the clock was set back: no time has passed
            self._full_at -= self._latest - now
        elif now >= self._full_at + self._taken / self.per_second:
            self._full_at = now
            self._taken = 0
        self._latest = now
