"""Mails that come back, and such as only look like it, which lie beside this file."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from attrs import field

from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content
from smtpeter.message.incoming.findings import (
    AggregateReport,
    AutomaticResponse,
    Complaint,
    DeliveryReport,
    OtherMessage,
    PrivateError,
    RecipientReport,
    Recognised,
)
from smtpeter.message.incoming.recognition import recognise
from smtpeter.values import frozen

_DIRECTORY = Path(__file__).parent
_MARK = "7hQx2LmPzR9aTc04"

_KINDS = {
    "report": DeliveryReport,
    "error": PrivateError,
    "complaint": Complaint,
    "dmarc": AggregateReport,
    "automatic": AutomaticResponse,
    "other": OtherMessage,
}


@frozen
class Shape:
    """
    A mail, and what a person reads in it.

    Attributes:
        sender: the reverse-path, None for the null one.
        expected: its entry in `index.toml`.
    """

    name: str
    octets: bytes = field(repr=False)
    sender: Mailbox | None
    expected: dict[str, Any]

    def recognised(self) -> Recognised:
        return recognise(Content.from_octets(self.octets), self.sender)

    def faults(self) -> list[str]:
        """What was read in another way."""
        found = self.recognised()
        if not isinstance(found, _KINDS[self.expected["kind"]]):
            return [f"{self.name} is {found}"]
        return [
            f"{self.name}: {what} {got!r} instead of {wanted!r}"
            for what, wanted, got in self._compared(found)
            if wanted != got
        ]

    def _compared(self, found: Recognised) -> list[tuple[str, Any, Any]]:
        if isinstance(found, DeliveryReport | PrivateError):
            wanted = self.expected.get("recipients", [])
            return [
                ("recipients", wanted, list(map(_as_listed, found.recipients, wanted))),
                ("number", len(wanted), len(found.recipients)),
                ("returned", self._is_returned, found.returned.first("x-message-id") == _MARK),
            ]
        if isinstance(found, Complaint):
            return [
                ("recipients", self.expected.get("recipients", []), list(found.recipients)),
                ("type", self.expected["feedback_type"], found.feedback_type),
                ("returned", self._is_returned, found.returned.first("x-message-id") == _MARK),
            ]
        if isinstance(found, AggregateReport):
            counts = (found.messages, found.failed_spf, found.failed_dkim)
            names = (found.domain, found.sending_domain, found.report_id)
            return [
                ("counts", (45, 5, 3), counts),
                ("names", ("shop.example", "mailbox.example", "1234567890"), names),
            ]
        if isinstance(found, AutomaticResponse):
            return [("sort", self.expected.get("automatic", "reply"), found.kind.value)]
        return []

    @property
    def _is_returned(self) -> bool:
        return bool(self.expected.get("returned", True))


def _as_listed(each: RecipientReport, wanted: dict[str, Any]) -> dict[str, Any]:
    """What was read, in the form of the index; a status counts where the index has one."""
    status = each.exact
    if wanted["status"].endswith(".0.0"):
        status = f"{status[:1]}.0.0"
    listed: dict[str, Any] = {
        "address": each.recipient,
        "action": each.action.value,
        "status": status,
        "code": each.code,
        "permanent": each.permanent,
    }
    return listed | {"original": each.original} if "original" in wanted else listed


def shapes() -> list[Shape]:
    """All of them, in the order of the index."""
    with (_DIRECTORY / "index.toml").open("rb") as file:
        index = tomllib.load(file)
    return [
        Shape(
            name,
            (_DIRECTORY / f"{name}.eml").read_bytes(),
            Mailbox.parse(entry["sender"]) if "sender" in entry else None,
            entry,
        )
        for name, entry in index.items()
    ]
