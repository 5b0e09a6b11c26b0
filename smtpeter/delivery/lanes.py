"""What waits in one stream, as far as it is in memory. Knows no clock and no store."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING

from attrs import define, field

from smtpeter.store.messages import Message, Stream

if TYPE_CHECKING:
    from smtpeter.delivery.receivers import Receiver
    from smtpeter.delivery.route import Way

# Messages that met a fault of ours; with more of them, the fault is not theirs.
ASIDE_LIMIT = 64


@define(eq=False)
class Lane:
    """
    A stream that has mail to deliver now.

    Only a window of what waits is in memory; the rest is in the store.

    Attributes:
        receiver: who takes its mail; None while that is not known.
        way: to the receiver.
        way_until: when it is to be found anew.
        window: messages that are due, the first to go first.
        held: ids that must not be taken from the store again: in the window, on their
            way, or set aside.
        released: ids let go while the store was being asked: what it answers may be older.
        on_their_way: how many messages are.
        more: there may be due messages in the store beyond the window.
        loading: the store is being asked for them.
        outdated: what the store is about to answer must not be used.
        finding: it is being found out who takes its mail.
    """

    stream: Stream
    receiver: Receiver | None = None
    way: Way | None = None
    way_until: float = 0.0
    window: deque[Message] = field(factory=deque)
    held: set[str] = field(factory=set)
    released: set[str] = field(factory=set)
    on_their_way: int = 0
    more: bool = False
    loading: bool = False
    outdated: bool = False
    finding: bool = False

    @property
    def account(self) -> int:
        """Whose mail it is."""
        return self.stream.account

    @property
    def priority(self) -> int:
        """As `Stream.priority`."""
        return self.stream.priority

    @property
    def idle(self) -> bool:
        """Nothing waits here, nothing moves, and nobody will ask."""
        return not (self.window or self.held or self.more or self.loading or self.finding)

    @property
    def aside(self) -> int:
        """How many messages are neither in the window nor on their way, but held."""
        return len(self.held) - len(self.window) - self.on_their_way

    @property
    def sendable(self) -> bool:
        """There is a message to send; not when so many met a fault of ours before it."""
        return bool(self.window) and self.aside < ASIDE_LIMIT

    def send_off(self) -> Message:
        """Take the first message out of the window; it is on its way."""
        self.on_their_way += 1
        return self.window.popleft()

    def add(self, message: Message, limit: int) -> None:
        """Put a new message behind the others; it stays in the store when there are so many."""
        if message.id in self.held:  # it was loaded before we were told of it
            return
        if self.more or self.loading or len(self.window) >= limit:
            self.more = True
            return
        self.window.append(message)
        self.held.add(message.id)

    def fill(self, found: Iterable[Message]) -> None:
        """Take what the store had, less what is here already."""
        for message in found:
            if self.hold(message.id):
                self.window.append(message)

    def hold(self, message_id: str) -> bool:
        """Keep a message from being taken from the store again; False when it was held already."""
        if message_id in self.held or message_id in self.released:
            return False
        self.held.add(message_id)
        return True

    def release(self, message_id: str) -> None:
        """From now on what the store says about a message counts."""
        self.held.discard(message_id)
        if self.loading:
            self.released.add(message_id)

    def empty_window(self) -> None:
        """Forget what has not begun; the store knows it better now."""
        self.held.difference_update(each.id for each in self.window)
        self.window.clear()
        self.more = True
        self.outdated = self.loading
