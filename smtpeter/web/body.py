"""The body of a request while it comes in: bounded for one request, and for all together."""

from __future__ import annotations

from io import BytesIO
from typing import Protocol

from smtpeter.message.reply import too_much_in_flight
from smtpeter.web.problem import Problem


class Budget(Protocol):
    """The memory for all contents that are on their way."""

    def reserve(self, octets: int) -> bool:
        """Take so many octets now; False when they are not to be had."""

    def release(self, octets: int) -> None:
        """Give back what was taken."""


class Reservation:
    """The memory reserved for a body that was taken over, and for what is made of it."""

    def __init__(self, octets: int, budget: Budget) -> None:
        self._octets = octets
        self._budget = budget

    def release(self) -> None:
        """Give it back, when the message made of the body is stored or dropped."""
        octets, self._octets = self._octets, 0
        self._budget.release(octets)


class BodySpool:
    """
    Takes a body octet by octet; what it may not keep it counts and drops.

    It is the file that `twisted.web` writes a body to. Memory is reserved as the octets
    arrive, not when they are announced: else a client could claim it all and send nothing.
    """

    def __init__(self, limit_octets: int, budget: Budget) -> None:
        self.limit_octets = limit_octets
        self.received_octets = 0
        self._budget = budget
        self._kept = BytesIO()
        self._problem: Problem | None = None

    def write(self, data: bytes) -> int:
        self.received_octets += len(data)
        if self._problem is None:
            if self.received_octets > self.limit_octets:
                self._drop(Problem(413, "Message too big"))
            elif not self._budget.reserve(len(data)):
                self._drop(Problem.from_refused(too_much_in_flight()))
            else:
                self._kept.write(data)
        return len(data)

    def take(self) -> tuple[bytes, Reservation]:
        """
        Take over the body; the memory for it stays reserved until the reservation is released.

        Raises:
            Problem: 413 or 503, it was dropped.
        """
        if self._problem is not None:
            raise self._problem
        octets = self._kept.getvalue()
        self._kept = BytesIO()
        return octets, Reservation(len(octets), self._budget)

    def tell(self) -> int:
        return self._kept.tell()

    def seek(self, position: int, whence: int = 0) -> int:
        return self._kept.seek(position, whence)

    def read(self, octets: int = -1) -> bytes:
        return self._kept.read(octets)

    def close(self) -> None:
        """Forget a body that nobody has taken over."""
        self._budget.release(len(self._kept.getbuffer()))
        self._kept = BytesIO()

    def _drop(self, problem: Problem) -> None:
        self.close()
        self._problem = problem
