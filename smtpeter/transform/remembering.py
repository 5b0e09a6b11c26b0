"""Answers that are remembered, as long as the questions are short."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache, wraps
from typing import ParamSpec, TypeVar

CHARACTERS = 500

_P = ParamSpec("_P")
_R = TypeVar("_R")


def remembered(entries: int) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """
    Remember what a function of texts gave for those asked for last.

    Texts are what somebody sent, so that a bound on their number alone would be none.

    Args:
        entries: how many are remembered, of `CHARACTERS` at most.
    """

    def decorated(function: Callable[_P, _R]) -> Callable[_P, _R]:
        cached = lru_cache(entries)(function)

        @wraps(function)
        def answer(*texts: _P.args, **named: _P.kwargs) -> _R:
            if sum(map(len, texts)) > CHARACTERS:  # type: ignore[arg-type]  # all are texts
                return function(*texts, **named)
            return cached(*texts, **named)  # type: ignore[arg-type]  # texts can be hashed

        return answer

    return decorated
