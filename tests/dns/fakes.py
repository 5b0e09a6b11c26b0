"""The DNS as a test tells it."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from smtpeter.dns.names import NoAnswer

T = TypeVar("T")


class FakeNames:
    """
    Answers from a table.

    Attributes:
        records: texts by name and kind; None where nobody answers.
        asked: every question.
    """

    def __init__(self, **records: str) -> None:
        self.records: dict[tuple[str, str], tuple[str, ...] | None] = {}
        self.asked: list[tuple[str, str]] = []
        for kind, lines in records.items():
            for line in lines.splitlines():
                name, value = line.split(" ", 1)
                self.add(name, value, kind.upper())

    def add(self, name: str, value: str, kind: str = "TXT") -> None:
        known = self.records.get((name, kind)) or ()
        self.records[name, kind] = (*known, value)

    def silent(self, name: str, kind: str = "TXT") -> None:
        """Have nobody answer."""
        self.records[name, kind] = None

    async def look_up(self, name: str, kind: str) -> tuple[str, ...]:
        self.asked.append((name, kind))
        found = self.records.get((name, kind), ())
        if found is None:
            raise NoAnswer(f"no answer for {name}")
        alias = self.records.get((name, "CNAME"))
        if not found and alias and kind != "CNAME":
            return await self.look_up(alias[0], kind)
        return found


def result(waiting: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives that never has to wait."""
    try:
        waiting.send(None)
    except StopIteration as end:
        value: T = end.value
        return value
    waiting.close()
    raise AssertionError("it waits")
