"""What workers are asked to do."""

from __future__ import annotations

from typing import Any

from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall

from smtpeter.workers.frames import value_of

# Others are through in a few milliseconds.
LARGE_OCTETS = 256 * 1024


class JobError(Exception):
    """A job was not done; the text says why."""


class JobFailed(JobError):
    """The function raised an error."""


class JobLost(JobError):
    """The job took too long, or took its process with it: it may do so again."""


class WorkersBusy(JobError):
    """Too much waits already, or nobody came for the job in `WAIT_SECONDS`."""


class WorkersEnded(JobError):
    """The service stops; nothing more is begun."""


@define(eq=False)
class Job:
    """
    Something to do.

    Attributes:
        patience: until when it waits to be begun.
    """

    seconds: float
    request: bytes = field(repr=False)
    done: Deferred[Any]
    patience: IDelayedCall | None = None

    @property
    def is_large(self) -> bool:
        return len(self.request) > LARGE_OCTETS

    def conclude(self, payload: bytes) -> None:
        """Tell who asked for it what came of it."""
        if self.done.called:  # cancelled, and nobody listens
            return
        try:
            succeeded, value = value_of(payload)
        except Exception as error:
            self.done.errback(JobFailed(f"the answer cannot be read: {error!r}"))
            return
        if succeeded:
            self.done.callback(value)
        else:
            self.done.errback(JobFailed(value))

    def lose(self, reason: str) -> None:
        """Tell who asked for it that nothing will come of it."""
        if not self.done.called:
            self.done.errback(JobLost(reason))
