"""Reads what was kept in a JSON document, which may be of another release, or be spoilt."""

from __future__ import annotations

from typing import TypeVar

LARGEST = 1e12

_D = TypeVar("_D")


def entry(kept: object, name: str) -> object:
    """What an object has under a name; None for nothing, and where there is no object."""
    return kept.get(name) if isinstance(kept, dict) else None


def number(
    kept: object, name: str, default: _D, *, least: float = 0.0, most: float = LARGEST
) -> float | _D:
    """The number under a name, when it is one from `least` to `most`."""
    value = entry(kept, name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return default
    return float(value) if least <= value <= most else default


def whole(kept: object, name: str, default: _D, *, least: int = 0) -> int | _D:
    """The whole number under a name, when it is one and not less than `least`."""
    value = entry(kept, name)
    if isinstance(value, bool) or not isinstance(value, int):
        return default
    return value if least <= value <= LARGEST else default


def entries(kept: object, name: str) -> list[object]:
    """The list under a name; an empty one for anything else."""
    value = entry(kept, name)
    return value if isinstance(value, list) else []
