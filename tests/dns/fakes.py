"""The DNS as a test tells it, and a sender domain that should be in it."""

from __future__ import annotations

from collections.abc import Coroutine
from datetime import date
from typing import Any, TypeVar

from attrs import evolve

from smtpeter.dns.dmarc import Dmarc
from smtpeter.dns.names import NoAnswer
from smtpeter.dns.records import Facts, Installation
from smtpeter.message.dkimkeys import Algorithm, DkimKey

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


KEYS = {each: DkimKey.generate(Algorithm.ED25519) for each in ("zero", "one", "two")}

OURS = Installation(
    hostname="mail.relay.example",
    tracking_host="clicks.relay.example",
    tracking_addresses=("192.0.2.80", "2001:db8::80"),
)
HOSTED = evolve(OURS, zone="dns.relay.example")

FACTS = Facts(
    number=7,
    name="shop.example",
    approved=True,
    proof=None,
    tracking_host="clicks.shop.example",
    bounce_host="bounces.shop.example",
    keys=KEYS,
    selector="zero",
    dmarc=Dmarc("quarantine", 40, date(2031, 1, 1), date(2031, 2, 1)),
    reports=("dmarc@bounces.relay.example", "reports@shop.example"),
    sources=("192.0.2.17",),
    terms=("ip4:192.0.2.17", "mx:mx.shop.example"),
)
DAY = date(2031, 1, 11)
POLICY = (
    "v=DMARC1; p=quarantine; pct=12; "
    "rua=mailto:dmarc@bounces.relay.example,mailto:reports@shop.example"
)
SPF = "v=spf1 ip4:192.0.2.17 mx:mx.shop.example -all"
