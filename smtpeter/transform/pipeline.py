"""Runs the stages that a message's features ask for, in order, each fault by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from smtpeter.message.features import Features
from smtpeter.transform.draft import Draft
from smtpeter.values import frozen


@frozen
class Stage:
    """
    One step on the way out.

    Attributes:
        name: for events and logs.
        wanted: whether a message with these features goes through the stage.
        apply: gives a draft for a draft, or a Deferred of one.
    """

    name: str
    wanted: Callable[[Features], bool]
    apply: Callable[[Draft], Draft | Deferred[Draft]]


@frozen
class Problem:
    """A stage that failed and was skipped: which, and why."""

    stage: str
    reason: str


@frozen
class Transformed:
    """What leaves, and which stages it left without."""

    draft: Draft
    problems: tuple[Problem, ...] = ()


class Pipeline:
    """
    The stages of the house.

    A stage that fails is skipped for that message, which goes out without its work:
    mail is never lost over a feature.
    """

    _log = Logger()

    def __init__(self, stages: Sequence[Stage]) -> None:
        self._stages = tuple(stages)

    async def run(self, draft: Draft) -> Transformed:
        """Send a draft through the stages it wants. Never fails."""
        problems: list[Problem] = []
        for stage in self._stages:
            try:
                if not stage.wanted(draft.features):
                    continue
                result = stage.apply(draft)
                draft = await result if isinstance(result, Deferred) else result
            except Exception as error:
                self._log.failure(
                    "stage {stage} failed for message {message}",
                    stage=stage.name,
                    message=draft.message_id,
                )
                problems.append(Problem(stage.name, repr(error)))
        return Transformed(draft, tuple(problems))


def always(features: Features) -> bool:  # noqa: ARG001
    """For stages that no feature switches."""
    return True
