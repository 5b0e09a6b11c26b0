"""What was asked for of each message a moment ago: programs follow many links at once."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import TypeVar

from attrs import field

from smtpeter.events.signals import LINKS_WINDOW_SECONDS
from smtpeter.events.visit import Visit
from smtpeter.values import frozen

MESSAGES_LIMIT = 10_000
LIMIT = 50  # of what is remembered of one message

_Key = TypeVar("_Key")


@frozen
class _Recent:
    """
    When something happened last at a message.

    Attributes:
        links: each was followed.
        heads: each address sent a HEAD.
        finders: each address followed the link that no person can see.
    """

    links: dict[tuple[str, int], float] = field(factory=dict)
    heads: dict[str, float] = field(factory=dict)
    finders: dict[str, float] = field(factory=dict)


class Bursts:
    """The latest visits of the messages visited last."""

    def __init__(self) -> None:
        self._messages: OrderedDict[str, _Recent] = OrderedDict()

    def note(self, visit: Visit) -> None:
        """Remember a visit. All of a batch are noted before the first of them is judged."""
        recent = self._messages.get(visit.message)
        if recent is None:
            recent = self._messages[visit.message] = _Recent()
            if len(self._messages) > MESSAGES_LIMIT:
                self._messages.popitem(last=False)
        else:
            self._messages.move_to_end(visit.message)
        _put(recent.links, (visit.kind, visit.link), visit.time)
        if visit.method == "HEAD":
            _put(recent.heads, visit.address, visit.time)
        if visit.honeypot:
            _put(recent.finders, visit.address, visit.time)

    def different_links(self, visit: Visit) -> int:
        """How many links of the message were followed around that time, with this one."""
        links = {(visit.kind, visit.link)}
        recent = self._messages.get(visit.message)
        if recent is not None and len(recent.links) > 1:
            links.update(
                link
                for link, time in recent.links.items()
                if link[0] == visit.kind and _near(time, visit.time)
            )
        return len(links)

    def method(self, visit: Visit) -> str:
        """HEAD for a GET of whoever has sent a HEAD for the same message around that time."""
        recent = self._messages.get(visit.message)
        return "HEAD" if recent and _is_among(recent.heads, visit) else visit.method

    def honeypot(self, visit: Visit) -> bool:
        """Whether who came has followed the honeypot link of the message around that time."""
        recent = self._messages.get(visit.message)
        return visit.honeypot or (recent is not None and _is_among(recent.finders, visit))


def _is_among(times: Mapping[str, float], visit: Visit) -> bool:
    """Whether an address was there around the time of a visit; of who has none nobody knows."""
    time = times.get(visit.address) if visit.address else None
    return time is not None and _near(time, visit.time)


def _put(times: dict[_Key, float], key: _Key, time: float) -> None:
    """Set the time of a key, which makes it the latest."""
    times.pop(key, None)
    times[key] = time
    if len(times) > LIMIT:
        del times[next(iter(times))]


def _near(one: float, other: float) -> bool:
    return abs(one - other) <= LINKS_WINDOW_SECONDS
