"""A message on its way through the stages."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from attrs import field

from smtpeter.message.content import Content
from smtpeter.message.envelope import Trace
from smtpeter.message.features import Features
from smtpeter.values import frozen

_MILLISECONDS = re.compile(r"\d{1,9}\.\d")


class Run(NamedTuple):
    """
    What became of one stage.

    Attributes:
        seconds: how long it was at work; with a problem, in vain.
        problem: why the message goes without its work, "" when it does not.
    """

    stage: str
    seconds: float
    problem: str = ""


def written_runs(runs: Iterable[Run]) -> str:
    """Runs in one line, with milliseconds: "inlinecss 12.1, trackclicks 1.9"."""
    return ", ".join(f"{run.stage} {run.seconds * 1000:.1f}" for run in runs)


def read_runs(written: str) -> list[tuple[str, float]]:
    """The stages and milliseconds of such a line; what does not look like them is left out."""
    found = (each.rpartition(" ") for each in written.split(", "))
    return [
        (stage, float(milliseconds))
        for stage, _, milliseconds in found
        if _MILLISECONDS.fullmatch(milliseconds)
    ]


@frozen
class Draft:
    """
    One message for one recipient, as far as the stages have brought it.

    Attributes:
        received: when it was handed to us, seconds since the epoch.
        submission: the key that it shares with the other messages of its submission, whose
            content is the same; 0 when it shares with none.
        account_id: whose message it is; None for reports of our own.
        login: which of their logins or tokens handed it in.
        origin: by which door, "smtp" or "rest"; "arrival" for what is sent on as it came.
        template_id: of the template that it was made of, 0 for none.
        runs: what was done in one stage on behalf of several.
    """

    message_id: str
    features: Features
    trace: Trace
    received: float
    content: Content = field(repr=False)
    submission: int = 0
    account_id: int | None = None
    login: str = ""
    origin: str = ""
    template_id: int = 0
    runs: tuple[Run, ...] = ()
