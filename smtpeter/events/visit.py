"""A request for a tracked link or image, as it is noted when it comes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from smtpeter.events.sealing import Seal
from smtpeter.events.signals import known_client

# Nobody has looked yet what the client gives away.
UNKNOWN = "?"

# So many stand in one line of a journal, at most.
LINE_VISITS = 50

# What these hold is between the reader's program and us. Written as Twisted writes them.
SECRET_FIELDS = frozenset({b"Cookie", b"Authorization", b"Proxy-Authorization"})


class Visit(NamedTuple):
    """
    A click or an open.

    Attributes:
        time: seconds since the epoch.
        kind: "click" or "open".
        message: id of the message.
        link: number of the link or image within the message.
        url: what was asked for, as it stood in the message.
        destination: where that leads: the URL that the sender wrote.
        method: of HTTP. Only a GET becomes an event, others tell something about the next GET.
        protocol: "http" or "https".
        address: the client's IP address.
        headers: the fields of the request, one `Name: value` a line.
        honeypot: it is the link that no person can see.
        client: what the client gives away by its address and its headers, "" for nothing, as
            `smtpeter.events.signals` says it; or `UNKNOWN`.
    """

    time: float
    kind: str
    message: str
    link: int
    url: str
    destination: str
    method: str
    protocol: str
    address: str
    headers: str
    honeypot: bool = False
    client: str = UNKNOWN

    @property
    def user_agent(self) -> str:
        """What the client calls itself, "" when it says nothing."""
        for line in self.headers.split("\n"):
            name, _, value = line.partition(":")
            if name.lower() == "user-agent":
                return value.strip()
        return ""

    def judged(self) -> Visit:
        """The same, with what the client gives away."""
        if self.client != UNKNOWN:
            return self
        return self._replace(client=known_client(self.user_agent, self.address))


def line_of(visits: Sequence[Visit], seal: Seal) -> bytes:
    """
    A line of a journal, of some visits; `visits_in` reads it back.

    Whether the senders want privacy is not known yet, and the store cannot always be asked. So no
    line tells who came, except to the process that wrote it.
    """
    told = [each.judged()._replace(address="", headers="") for each in visits]
    sealed = seal.close(json.dumps([(each.address, each.headers) for each in visits]))
    return json.dumps((told, sealed)).encode() + b"\n"


def visits_in(line: bytes, seal: Seal) -> list[Visit] | None:
    """
    Read a line of a journal; None when it is none, as one that was cut off.

    What another process has noted comes without addresses and headers.
    """
    try:
        written, sealed = json.loads(line)
        told = [Visit(*values) for values in written]
        secrets = json.loads(seal.open(sealed) or "null") or [("", "")] * len(told)
        visits = [
            each._replace(address=address, headers=headers)
            for each, (address, headers) in zip(told, secrets, strict=True)
        ]
    except (ValueError, TypeError):
        return None
    return visits if all(tuple(map(type, each)) == _TYPES for each in visits) else None


_TYPES = (float, str, str, int, str, str, str, str, str, str, bool, str)


def header_lines(fields: Iterable[tuple[bytes, Sequence[bytes]]]) -> str:
    """The fields of a request as a visit has them, without those that are nobody's business."""
    lines = [
        b"%b: %b" % (name, value)
        for name, values in fields
        if name not in SECRET_FIELDS
        for value in values
    ]
    return b"\n".join(lines).decode("latin-1")
