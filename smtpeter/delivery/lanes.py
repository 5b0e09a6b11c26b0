"""What waits for each receiver, as far as it is in memory. Knows no clock and no store."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from attrs import define, field

from smtpeter.delivery.receivers import TokenBucket
from smtpeter.message.outcome import Outcome
from smtpeter.store.messages import Message

# Messages that met a fault of ours; with more of them, the fault is not theirs.
ASIDE_LIMIT = 64
# Where an attempt ends that does not reach a server. Each may take a minute, and a place.
UNREACHED = frozenset({"dns", "bind", "connect", "intro"})


@define(eq=False)
class Lane:
    """
    One receiver that has mail to deliver now.

    Only a window of what waits is in memory; the rest is in the store.

    Attributes:
        connections: how many messages may be on their way at one moment.
        window: messages that are due, the first to go first.
        held: ids that must not be taken from the store again: in the window, on their
            way, or set aside.
        released: ids let go while the store was being asked: what it answers may be older.
        on_their_way: how many messages are.
        octets: of the messages on their way.
        reachable: the last attempt reached a server; while none does, one at a time is made.
        more: there may be due messages in the store beyond the window.
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
    octets: int = 0
    reachable: bool = True
    more: bool = False
    loading: bool = False
    outdated: bool = False
    ready: bool = False

    @property
    def idle(self) -> bool:
        """Nothing waits here, nothing moves, and nobody will ask."""
        return not (self.window or self.held or self.more or self.loading or self.ready)

    @property
    def aside(self) -> int:
        """How many messages are neither in the window nor on their way, but held."""
        return len(self.held) - len(self.window) - self.on_their_way

    def may_send(self, octets_limit: int) -> bool:
        """
        True when the receiver may be sent the first message of the window now.

        Args:
            octets_limit: for all that is on its way; one message may always go.
        """
        connections = self.connections if self.reachable else 1
        if not self.window or self.on_their_way >= connections or self.aside >= ASIDE_LIMIT:
            return False
        octets = self.window[0].parcel.octets
        return not self.on_their_way or self.octets + octets <= octets_limit

    def send_off(self) -> Message:
        """Take the first message out of the window; it is on its way."""
        message = self.window.popleft()
        self.on_their_way += 1
        self.octets += message.parcel.octets
        return message

    def came_home(self, message: Message) -> None:
        """A message is on its way no longer; unless it is released it stays held."""
        self.on_their_way -= 1
        self.octets -= message.parcel.octets

    def heard(self, outcome: Outcome) -> None:
        """Take in what an attempt tells of the receiver, if it was made at all."""
        if outcome.state != "process":
            self.reachable = outcome.state not in UNREACHED

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
