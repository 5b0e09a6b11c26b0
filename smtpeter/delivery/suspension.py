"""A receiver that answers nothing at all is left alone, for longer each time. Knows no clock."""

from __future__ import annotations

from typing import Any

from smtpeter.delivery.kept import number, whole

FAILURES = 3  # one after the other; a single one can be a host among several
FIRST_SECONDS = 30.0
LONGEST_SECONDS = 1800.0


class Suspension:
    """
    Whether a receiver can be reached.

    Attributes:
        failures: attempts that reached nobody, since the last that did.
        until: no attempt is made before.
    """

    def __init__(self, failures: int = 0, until: float = 0.0) -> None:
        self.failures = failures
        self.until = until

    def failed(self, now: float, began: float) -> None:
        """An attempt that began then reached nobody."""
        if began < self.until:  # on its way when it was decided to wait
            return
        self.failures += 1
        beyond = self.failures - FAILURES
        if beyond >= 0:
            seconds = FIRST_SECONDS * 2 ** min(beyond, 16)
            self.until = now + min(seconds, LONGEST_SECONDS)

    def answered(self) -> None:
        """Somebody answered, whatever it was."""
        self.failures = 0
        self.until = 0.0

    def set_back(self, seconds: float) -> None:
        """The clock was set back by so much; no time has passed."""
        self.until -= seconds

    def as_dict(self) -> dict[str, Any]:
        """What is worth keeping, for a JSON document."""
        return {"failures": self.failures, "until": self.until}

    @classmethod
    def from_dict(cls, kept: object, now: float) -> Suspension:
        """What `as_dict` gave, as far as it can be made out."""
        until = min(number(kept, "until", 0.0), now + LONGEST_SECONDS)
        return cls(whole(kept, "failures", 0), until)
