"""When to try again after a temporary failure, and when to give up."""

from __future__ import annotations

from smtpeter.values import frozen

SPREAD = 0.1
# The last attempt is made so long before the end, so that it is still in time.
LAST_CALL_SECONDS = 5.0


@frozen
class Schedule:
    """
    The waits between attempts.

    Short at first, since a greylisting host accepts the second try; long later, since a
    dead host stays dead (RFC 5321 section 4.5.4.1).

    Attributes:
        retry_seconds: the wait after the first attempt, after the second, and so on; the
            last one repeats.
    """

    retry_seconds: tuple[float, ...]

    def next_attempt(
        self,
        attempts: int,
        now: float,
        deliver_by: float,
        jitter: float,
        named: float | None = None,
    ) -> float | None:
        """
        When to try again.

        Args:
            attempts: made so far, 1 or more.
            now: seconds since the epoch, as is `deliver_by`.
            deliver_by: no attempt begins later; one that would is made just before.
            jitter: from 0.0 to 1.0; moves the attempt by up to a tenth of the wait either
                way, so that messages that failed together do not return together.
            named: when the receiver wants it to come again; that stands over the waits.

        Returns:
            Seconds since the epoch, or None when there is no time for another attempt.
        """
        last_call = deliver_by - LAST_CALL_SECONDS
        if last_call <= now:
            return None
        if named is not None:
            return min(named, last_call)
        wait = self.retry_seconds[min(attempts, len(self.retry_seconds)) - 1]
        spread = 1 + SPREAD * (2 * jitter - 1)
        return min(now + wait * spread, last_call)
