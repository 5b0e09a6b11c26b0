"""
The delivery queue: takes what is due to its receivers, and records what became of it.

The store is the truth; memory holds, for each receiver with work to do, a window of what
comes next. A receiver that sleeps costs one entry in a list of times.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol as Shape

from attrs import frozen
from sqlalchemy import Connection
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from smtpeter.delivery.contents import ContentSource
from smtpeter.delivery.courier import Courier
from smtpeter.delivery.lanes import LOW_WATER, WINDOW, Lane, WakeTimes
from smtpeter.delivery.receivers import TokenBucket
from smtpeter.message.content import Content
from smtpeter.store import messages
from smtpeter.store.database import StoreError
from smtpeter.store.messages import Message, State
from smtpeter.store.store import Store
from smtpeter.store.writer import WriterBusy

# A message that met a fault of ours is left alone for so long.
FAULT_SECONDS = 60.0
STORE_RETRY_SECONDS = 5.0
GRACE_SECONDS = 20.0
# Messages in the windows of all receivers together.
WINDOWS_LIMIT = 20_000


class ReceiverLimits(Shape):
    """What one receiver is spared."""

    @property
    def connections(self) -> int: ...

    @property
    def messages_per_second(self) -> float | None: ...


@frozen
class QueueSettings:
    """
    What the operator decided for all deliveries.

    Attributes:
        max_connections: messages on their way at one moment, over all receivers.
        limits_of: the limits of a receiver.
        receiver_of: names the receiver for a domain.
    """

    max_connections: int
    limits_of: Callable[[str], ReceiverLimits]
    receiver_of: Callable[[str], str]


class DeliveryQueue(Service):
    """
    Delivers what is stored.

    One receiver's trouble stays in its own lane: it has its own window, its own limits,
    and waits on its own.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        courier: Courier,
        contents: ContentSource,
        settings: QueueSettings,
        clock: IReactorTime,
    ) -> None:
        self._store = store
        self._courier = courier
        self._contents = contents
        self._settings = settings
        self._clock = clock
        self._lanes: dict[str, Lane] = {}
        self._ready: deque[Lane] = deque()
        self._wakes = WakeTimes()
        self._alarm: IDelayedCall | None = None
        self._on_their_way = 0
        self._windowed = 0
        self._all_home: Deferred[None] | None = None

    # Life.

    def startService(self) -> Deferred[None]:
        Service.startService(self)
        return Deferred.fromCoroutine(self._begin())

    async def _begin(self) -> None:
        # What waits may have been meant for the receivers of another configuration.
        await self._store.transact(messages.reroute, self._settings.receiver_of)
        for receiver, due in await self._store.read(messages.waiting_receivers):
            self._wakes.note(receiver, due)
        self._set_alarm()

    def stopService(self) -> Deferred[None]:
        """Begin nothing more; give what is on its way a time of grace."""
        Service.stopService(self)
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        return Deferred.fromCoroutine(self._come_home())

    async def _come_home(self) -> None:
        if self._on_their_way:
            self._all_home = Deferred()
            grace = self._clock.callLater(GRACE_SECONDS, self._all_home.callback, None)
            await self._all_home
            self._all_home = None
            if grace.active():
                grace.cancel()
        await self._courier.go_home()
        if self._on_their_way:
            self._all_home = Deferred()
            await self._all_home

    # What comes in.

    def added(self, new: Sequence[Message], content: Content) -> None:
        """Messages were stored that are due at once."""
        if not self.running:
            return
        parcel = new[0].parcel
        self._contents.keep(parcel.key, content)
        touched: dict[str, Lane] = {}
        for message in new:
            lane = self._lane(message.receiver)
            touched[lane.name] = lane
            if self._windowed >= WINDOWS_LIMIT:
                lane.more = True
            elif lane.add(message):
                self._windowed += 1
        for lane in touched.values():
            self._dispatch(lane)

    def nudged(self, receiver: str) -> None:
        """The operator changed something for a receiver: see what the store says now."""
        lane = self._lane(receiver)
        self._windowed -= len(lane.window)
        lane.empty_window()
        self._dispatch(lane)

    def limits_changed(self) -> None:
        """The operator gave receivers other limits: `limits_of` tells them from now on."""
        for lane in list(self._lanes.values()):
            self._limit(lane)
            self._dispatch(lane)

    # Lanes.

    def _lane(self, receiver: str) -> Lane:
        lane = self._lanes.get(receiver)
        if lane is None:
            lane = self._lanes[receiver] = Lane(receiver)
            self._limit(lane)
        return lane

    def _limit(self, lane: Lane) -> None:
        limits = self._settings.limits_of(lane.name)
        rate = limits.messages_per_second
        lane.connections = limits.connections
        lane.bucket = TokenBucket(rate, self._clock.seconds()) if rate else None

    def _dispatch(self, lane: Lane) -> None:
        """Send off what may go now; see to it that somebody returns for the rest."""
        while self.running and lane.on_their_way < lane.connections:
            if not lane.window and not lane.more:
                break
            if self._on_their_way >= self._settings.max_connections:
                if not lane.ready:
                    lane.ready = True
                    self._ready.append(lane)
                return
            if not lane.window:
                break
            wait = lane.bucket.take(self._clock.seconds()) if lane.bucket else 0.0
            if wait > 0:
                self._wake_later(lane.name, self._clock.seconds() + wait)
                return
            self._windowed -= 1
            self._send_off(lane, lane.window.popleft())
        if lane.more and not lane.loading and len(lane.window) < LOW_WATER and self.running:
            self._load(lane)
        elif lane.idle:
            self._retire(lane)

    def _retire(self, lane: Lane) -> None:
        """Forget a lane without work, but not before its limit on the rate has rested."""
        rest = lane.bucket.seconds_until_full(self._clock.seconds()) if lane.bucket else 0.0
        if rest > 0:
            self._wake_later(lane.name, self._clock.seconds() + rest)
        else:
            self._lanes.pop(lane.name, None)

    def _load(self, lane: Lane) -> None:
        lane.loading = True
        lane.more = False
        limit = WINDOW + len(lane.held)
        loading = self._store.read(_due_and_next, lane.name, self._clock.seconds(), limit)
        loading.addCallbacks(
            self._loaded, self._not_loaded, callbackArgs=(lane, limit), errbackArgs=(lane,)
        )
        loading.addErrback(self._unforeseen)

    def _loaded(self, answer: tuple[list[Message], float | None], lane: Lane, limit: int) -> None:
        found, later = answer
        lane.loading = False
        if lane.outdated:
            lane.outdated = False
            lane.more = True
        else:
            before = len(lane.window)
            lane.fill(found)
            self._windowed += len(lane.window) - before
            lane.more = lane.more or len(found) == limit
        lane.released.clear()
        if later is not None:
            self._wake_later(lane.name, later)
        self._dispatch(lane)

    def _not_loaded(self, failure: Failure, lane: Lane) -> None:
        self._log.error("the queue cannot be read: {error}", error=failure.value)
        lane.loading = lane.outdated = False
        lane.released.clear()
        lane.more = True
        self._wake_later(lane.name, self._clock.seconds() + STORE_RETRY_SECONDS)

    # Time.

    def _wake_later(self, receiver: str, when: float) -> None:
        self._wakes.note(receiver, when)
        self._set_alarm()

    def _set_alarm(self) -> None:
        earliest = self._wakes.earliest()
        if earliest is None or not self.running:
            return
        if self._alarm is not None:
            if self._alarm.getTime() <= earliest:
                return
            self._alarm.cancel()
        wait = max(0.0, earliest - self._clock.seconds())
        self._alarm = self._clock.callLater(wait, self._wake)

    def _wake(self) -> None:
        self._alarm = None
        for receiver in self._wakes.take_due(self._clock.seconds()):
            lane = self._lane(receiver)
            lane.more = True
            self._dispatch(lane)
        self._set_alarm()

    # One message.

    def _send_off(self, lane: Lane, message: Message) -> None:
        lane.on_their_way += 1
        self._on_their_way += 1
        Deferred.fromCoroutine(self._deliver(lane, message)).addErrback(self._unforeseen)

    async def _deliver(self, lane: Lane, message: Message) -> None:
        try:
            concluded = await self._courier.deliver(lane.name, message)
        except Exception as error:
            if isinstance(error, StoreError | WriterBusy):
                self._log.error("message {id} waits for the store: {e}", id=message.id, e=error)
            else:
                self._log.failure("message {id} met a fault of ours", id=message.id)
            self._clock.callLater(FAULT_SECONDS, self._let_go, lane, message)
        else:
            lane.release(message.id)
            if concluded.report is not None:
                self.added([concluded.report[0]], concluded.report[1])
            if concluded.judgement.state is State.WAITING:
                self._wake_later(lane.name, concluded.judgement.due)
        finally:
            lane.on_their_way -= 1
            self._on_their_way -= 1
            self._proceed(lane)

    def _let_go(self, lane: Lane, message: Message) -> None:
        lane.release(message.id)
        self._wake_later(lane.name, self._clock.seconds())
        self._dispatch(lane)

    def _proceed(self, lane: Lane) -> None:
        """A place is free: whoever waited longest for one comes first."""
        if self._ready:
            first = self._ready.popleft()
            first.ready = False
            self._dispatch(first)
        self._dispatch(lane)
        if self._all_home is not None and not self._on_their_way and not self._all_home.called:
            self._all_home.callback(None)

    def _unforeseen(self, failure: Failure) -> None:
        self._log.failure("the queue met a fault of ours", failure)


def _due_and_next(
    connection: Connection, receiver: str, now: float, limit: int
) -> tuple[list[Message], float | None]:
    """The messages that are due, and when the first of the others will be."""
    return (
        messages.due_messages(connection, receiver, now, limit),
        messages.next_due(connection, receiver, now),
    )
