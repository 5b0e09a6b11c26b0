"""Runs the stages that a message's features ask for, in order, each fault by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from time import perf_counter

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from smtpeter.message.features import Features
from smtpeter.transform.draft import Draft, Run
from smtpeter.values import frozen


def always(features: Features) -> bool:  # noqa: ARG001
    """For stages that no feature switches."""
    return True


@frozen
class Stage:
    """
    One step on the way out.

    Attributes:
        name: for events and logs.
        wanted: whether a message with these features goes through the stage.
        apply: gives a draft for a draft, or a Deferred of one when it works elsewhere: in
            a thread, or in another process.
        seconds: how long a Deferred may take; None where it is bounded by itself.
        octets: the largest message that goes through; None for any.
    """

    name: str
    wanted: Callable[[Features], bool]
    apply: Callable[[Draft], Draft | Deferred[Draft]]
    seconds: float | None = None
    octets: int | None = None


@frozen
class Transformed:
    """
    What leaves.

    Attributes:
        runs: of the stages that features switch, and of those that it leaves without.
    """

    draft: Draft
    runs: tuple[Run, ...] = ()

    @property
    def problems(self) -> tuple[Run, ...]:
        """The stages that failed and were skipped."""
        return tuple(run for run in self.runs if run.problem)


class TooLarge(Exception):
    """A message passes the size that a stage takes."""


def check_size(draft: Draft, limit: int) -> None:
    """Raise `TooLarge` for a message of more octets than that."""
    octets = draft.content.octets
    if octets > limit:
        raise TooLarge(f"{octets} octets are over {limit}")


class Pipeline:
    """
    The stages of the house.

    A stage that fails, or passes what it may take of time or size, is skipped for that
    message, which goes out without its work: mail is never lost over a feature.

    Args:
        clock: measures the time of stages with a limit.
        postponing: errors after which the message had better wait; they are not a stage's own.
    """

    _log = Logger()

    def __init__(
        self,
        stages: Sequence[Stage],
        clock: IReactorTime | None = None,
        postponing: tuple[type[Exception], ...] = (),
    ) -> None:
        self._stages = tuple(stages)
        self._clock = clock
        self.postponing = postponing

    async def run(self, draft: Draft) -> Transformed:
        """
        Send a draft through the stages it wants.

        Raises:
            Exception: one of those that were named as postponing; no other.
        """
        runs: list[Run] = []
        for stage in self._stages:
            began = perf_counter()
            try:
                if not stage.wanted(draft.features):
                    continue
                if stage.octets is not None:
                    check_size(draft, stage.octets)
                result = stage.apply(draft)
                if isinstance(result, Deferred):
                    if stage.seconds is not None and self._clock is not None:
                        result.addTimeout(stage.seconds, self._clock)
                    result = await result
                draft = result
            except self.postponing:
                raise
            except Exception as error:
                self._log.failure(
                    "stage {stage} failed for message {message}",
                    stage=stage.name,
                    message=draft.message_id,
                )
                runs.append(Run(stage.name, perf_counter() - began, repr(error)))
            else:
                if stage.wanted is not always:
                    runs.append(Run(stage.name, perf_counter() - began))
        return (
            Transformed(draft, (*draft.runs, *runs)) if runs or draft.runs else Transformed(draft)
        )
