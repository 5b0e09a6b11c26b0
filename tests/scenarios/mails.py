"""Mail for scenarios, and what they look for in it."""

from __future__ import annotations

import email
import email.message
import email.policy
from typing import Any, Protocol

SENDER = "noor@shop.example"
RECIPIENT = "kees@mailbox.example"


def mail(subject: str = "A scenario", body: str = "Hello,\r\n.a dot at the start\r\n") -> bytes:
    """A message as octets."""
    header = (
        f"From: <{SENDER}>\r\nTo: <{RECIPIENT}>\r\nSubject: {subject}\r\n"
        "Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\n"
    )
    return f"{header}\r\n{body}".encode()


def parsed(octets: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(octets, policy=email.policy.default)


def subjects(contents: list[bytes]) -> list[str]:
    """Sorted, to compare with others."""
    return sorted(str(parsed(content)["Subject"]) for content in contents)


class Listening(Protocol):
    """Somebody who takes mail on a port of 127.0.0.1."""

    port: int


def smarthost(receiver: Listening, **more: Any) -> dict[str, Any]:
    """Settings for a daemon that delivers everything to one server; `more` with "_" for "."."""
    return {
        "delivery.mode": "smarthost",
        "delivery.smarthost": f"127.0.0.1:{receiver.port}",
        "delivery.tls": "opportunistic",
        "delivery.retry": ["1s"],
        **{name.replace("_", ".", 1): value for name, value in more.items()},
    }
