"""What waits for each receiver, as far as it is in memory. Knows no clock and no store."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable

from attrs import define, field

from smtpeter.delivery.receivers import TokenBucket
from smtpeter.store.messages import Message

WINDOW = 64
LOW_WATER = WINDOW // 2


@define(eq=False)
class Lane:
    """
    One receiver that has mail to deliver now.

    Only a window of what waits is in memory; the rest is in the store.

    Attributes:
        connections: how many messages may be on their way at one moment.
        window: messages that are due, the first to go first.
        held: ids that must not be taken from the store again: in the window, on their
            way, or waiting to have their outcome recorded.
        more: there may be due messages in the store beyond the window.
        released: ids let go while the store was being asked: what it answers may be older.
        loading: the store is being asked for them.
        outdated: what the store is about to answer must not be used.
        ready: it is in line for a place among all that are on their way.
    """

    name: str
    connections: int = 1
    bucket: TokenBucket | None = None
    window: deque[Message] = field(factory=deque)
    held: set[str] = field(factory=set)
    released: set[str] = field(factory=set)
    on_their_way: int = 0
    more: bool = False
    loading: bool = False
    outdated: bool = False
    ready: bool = False

    @property
    def idle(self) -> bool:
        """Nothing waits here, nothing moves, and nobody will ask."""
        return not (self.window or self.held or self.more or self.loading)

    def add(self, message: Message) -> bool:
        """Put a new message behind the others; False when it has to stay in the store."""
        if self.more or self.loading or len(self.window) >= WINDOW:
            self.more = True
            return False
        self.window.append(message)
        self.held.add(message.id)
        return True

    def fill(self, found: Iterable[Message]) -> None:
        """Take what the store had, less what is here already."""
        for message in found:
            if message.id not in self.held and message.id not in self.released:
                self.window.append(message)
                self.held.add(message.id)

    def release(self, message_id: str) -> None:
        """Its outcome is in the store; from now on what the store says about it counts."""
        self.held.discard(message_id)
        if self.loading:
            self.released.add(message_id)

    def empty_window(self) -> None:
        """Forget what has not begun; the store knows it better now."""
        self.held.difference_update(each.id for each in self.window)
        self.window.clear()
        self.more = True
        self.outdated = self.loading


class WakeTimes:
    """When to look at which receiver again: one time for each, the earliest."""

    def __init__(self) -> None:
        self._times: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def __len__(self) -> int:
        return len(self._times)

    def note(self, receiver: str, when: float) -> None:
        """Look at the receiver at this time, if not before."""
        known = self._times.get(receiver)
        if known is None or when < known:
            self._times[receiver] = when
            heapq.heappush(self._heap, (when, receiver))

    def earliest(self) -> float | None:
        """The next time there is something to look at."""
        while self._heap and self._times.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def take_due(self, now: float) -> list[str]:
        """The receivers whose time has come; they have no time any more."""
        due = []
        while (when := self.earliest()) is not None and when <= now:
            _, receiver = heapq.heappop(self._heap)
            del self._times[receiver]
            due.append(receiver)
        return due
