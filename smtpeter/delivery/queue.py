"""
The delivery queue: takes what is due to its receivers, and records what became of it.

The store is the truth; memory holds, for each receiver with work to do, a window of what
comes next. A receiver that sleeps costs one entry in a list of times.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Sequence

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from smtpeter.delivery.contents import ContentSource
from smtpeter.delivery.courier import Courier, Interrupted
from smtpeter.delivery.lanes import Lane
from smtpeter.delivery.receivers import QueueSettings, TokenBucket
from smtpeter.delivery.wakes import Alarm
from smtpeter.message.content import Content
from smtpeter.store import messages
from smtpeter.store.due import Due, Unreadable, due_messages, put_off
from smtpeter.store.messages import Message, State
from smtpeter.store.store import Store
from smtpeter.store.writer import Change

# A message whose end could not be recorded, for a fault of ours, is left alone for so long.
FAULT_SECONDS = 3600.0
# What the store holds of a message cannot be read: the operator may mend it, or a newer program
# read it. `smtpeter queue retry` has it looked at earlier.
UNREADABLE_SECONDS = 86_400.0
STORE_RETRY_SECONDS = 5.0
ROUND_SECONDS = 600.0
# For what is on its way at the stop; then, once it is cut short, for recording it.
GRACE_SECONDS = 20.0
RECORDING_SECONDS = 4.0
# Messages in the window of one receiver, and about so many in the windows of all. When that
# many receivers have mail to deliver at one moment, each has one message in memory.
WINDOW = 64
WINDOWS_LIMIT = 20_000
# The store answers few at a time, and what it has answered takes room.
LOADS_AT_ONCE = 16


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
        # Those that could send at once if there were a place; while there is one, nobody
        # is in this line.
        self._ready: deque[Lane] = deque()
        self._alarm = Alarm(clock, self._wake, lambda: self._loading < LOADS_AT_ONCE)
        self._rounds = LoopingCall(self._go_round)
        self._rounds.clock = clock
        self._loading = 0
        self._on_their_way = 0
        self._all_home: Deferred[None] = succeed(None)

    # Life.

    def startService(self) -> Deferred[None]:
        Service.startService(self)
        return Deferred.fromCoroutine(self._begin())

    async def _begin(self) -> None:
        # What waits may have been meant for the receivers of another configuration.
        await self._store.transact(messages.reroute, self._settings.destination_of)
        await self._look_around()
        if self.running:
            self._rounds.start(ROUND_SECONDS, now=False)

    async def _look_around(self) -> None:
        for receiver, due in await self._store.read(messages.waiting_destinations):
            self._alarm.note(receiver, due)

    def _go_round(self) -> Deferred[None]:
        # There is nobody of whom nobody thought, unless the store took mail and could not
        # say so, or we have a fault.
        return Deferred.fromCoroutine(self._look_around()).addErrback(self._unforeseen)

    def stopService(self) -> Deferred[None]:
        """Begin nothing more; give what is on its way a time of grace."""
        Service.stopService(self)
        self._alarm.stop()
        if self._rounds.running:
            self._rounds.stop()
        self._courier.begin_nothing()
        return Deferred.fromCoroutine(self._come_home())

    async def _come_home(self) -> None:
        await self._wait_for_all(GRACE_SECONDS)
        await self._courier.go_home()
        await self._wait_for_all(RECORDING_SECONDS)

    async def _wait_for_all(self, seconds: float) -> None:
        if self._on_their_way:
            self._all_home = Deferred()
            try:
                await self._all_home.addTimeout(seconds, self._clock)
            except TimedOut:
                self._log.warn("{count} messages are still on their way", count=self._on_their_way)

    # What comes in.

    def added(self, new: Sequence[Message], content: Content) -> None:
        """Messages were stored that are due at once."""
        if not self.running:
            return
        self._contents.keep(new[0].parcel.key, content)
        touched: dict[str, Lane] = {}
        for message in new:
            lane = touched[message.destination] = self._lane(message.destination)
            lane.add(message, self._window())
        for lane in touched.values():
            self._dispatch(lane)

    def nudged(self, receiver: str) -> None:
        """The operator changed something for a receiver: see what the store says now."""
        if receiver in self._lanes:
            self._lanes[receiver].empty_window()
        self._alarm.note(receiver, self._clock.seconds())

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
        if rate != (lane.bucket.per_second if lane.bucket else None):
            lane.bucket = TokenBucket(rate, self._clock.seconds()) if rate else None

    def _window(self) -> int:
        return max(1, min(WINDOW, WINDOWS_LIMIT // max(1, len(self._lanes))))

    def _dispatch(self, lane: Lane) -> None:
        """Send off what may go now; see to it that somebody returns for the rest."""
        while self.running and lane.may_send(self._settings.octets_per_receiver):
            if self._on_their_way >= self._settings.max_connections:
                if not lane.ready:
                    lane.ready = True
                    self._ready.append(lane)
                return
            wait = lane.bucket.take(self._clock.seconds()) if lane.bucket else 0.0
            if wait > 0:
                self._alarm.note(lane.name, self._clock.seconds() + wait)
                break
            self._send_off(lane)
        if lane.more and not lane.loading and len(lane.window) <= self._window() // 2:
            self._load(lane)
        elif lane.idle:
            self._retire(lane)

    def _retire(self, lane: Lane) -> None:
        """Forget a lane without work, but not before its limit on the rate has rested."""
        rest = lane.bucket.seconds_until_full(self._clock.seconds()) if lane.bucket else 0.0
        if rest > 0:
            self._alarm.note(lane.name, self._clock.seconds() + rest)
        else:
            self._lanes.pop(lane.name, None)

    # The store.

    def _load(self, lane: Lane) -> None:
        if not self.running:
            return
        if self._loading >= LOADS_AT_ONCE:
            self._alarm.note(lane.name, self._clock.seconds())
            return
        self._loading += 1
        lane.loading = True
        lane.more = False
        limit = self._window() + len(lane.held)
        loading = self._store.read(due_messages, lane.name, self._clock.seconds(), limit)
        loading.addBoth(self._load_ended, lane)
        loading.addCallbacks(
            self._loaded, self._not_loaded, callbackArgs=(lane, limit), errbackArgs=(lane,)
        )
        loading.addErrback(self._unforeseen)

    def _load_ended(self, result: object, lane: Lane) -> object:
        self._loading -= 1
        lane.loading = False
        return result

    def _loaded(self, due: Due, lane: Lane, limit: int) -> None:
        if lane.outdated:
            lane.more = True
        else:
            lane.fill(due.found)
            self._put_aside(lane, due.unreadable)
            lane.more = lane.more or len(due.found) + len(due.unreadable) == limit
        lane.outdated = False
        lane.released.clear()
        if due.later is not None:
            self._alarm.note(lane.name, due.later)
        self._dispatch(lane)
        self._alarm.resume()

    def _put_aside(self, lane: Lane, unreadable: Sequence[Unreadable]) -> None:
        new = [each for each in unreadable if lane.hold(each.row.id)]
        if new:
            Deferred.fromCoroutine(self._put_off(lane, new)).addErrback(self._unforeseen)

    async def _put_off(self, lane: Lane, unreadable: Sequence[Unreadable]) -> None:
        """Write down that they wait for somebody to see to them. Until then they are held."""
        now = self._clock.seconds()
        changes: list[Change] = []
        for each in unreadable:
            self._log.error("{fault}; it waits for a day", fault=each)
            changes += put_off(each, now + UNREADABLE_SECONDS, now)
        ids = [each.row.id for each in unreadable]
        try:
            await self._store.commit(*changes)
        except Exception:
            self._log.failure("messages that cannot be read could not be put off")
            self._clock.callLater(FAULT_SECONDS, self._let_go, lane, ids)
        else:
            self._let_go(lane, ids)

    def _not_loaded(self, failure: Failure, lane: Lane) -> None:
        self._log.error("mail for {name} cannot be read: {e}", name=lane.name, e=failure.value)
        lane.outdated = False
        lane.released.clear()
        lane.more = True
        self._alarm.note(lane.name, self._clock.seconds() + STORE_RETRY_SECONDS)

    def _wake(self, receiver: str) -> None:
        lane = self._lane(receiver)
        lane.more = True
        self._dispatch(lane)

    # One message.

    def _send_off(self, lane: Lane) -> None:
        self._on_their_way += 1
        delivering = self._deliver(lane, lane.send_off())
        Deferred.fromCoroutine(delivering).addErrback(self._unforeseen)

    async def _deliver(self, lane: Lane, message: Message) -> None:
        try:
            concluded = await self._courier.deliver(lane.name, message)
        except Interrupted:
            pass  # it waits in the store for the next start
        except Exception:
            self._log.failure("message {id} met a fault of ours", id=message.id)
            self._clock.callLater(FAULT_SECONDS, self._let_go, lane, [message.id])
        else:
            lane.release(message.id)
            lane.heard(concluded.judgement.outcome)
            if concluded.report is not None:
                self.added([concluded.report[0]], concluded.report[1])
            if concluded.judgement.state is State.WAITING:
                self._alarm.note(lane.name, concluded.judgement.due)
        finally:
            self._on_their_way -= 1
            lane.came_home(message)
            self._proceed(lane)

    def _let_go(self, lane: Lane, ids: Iterable[str]) -> None:
        for each in ids:
            lane.release(each)
        self._alarm.note(lane.name, self._clock.seconds())

    def _proceed(self, lane: Lane) -> None:
        """A place is free: whoever waited longest for one comes first."""
        while self._ready and self._on_their_way < self._settings.max_connections:
            first = self._ready.popleft()
            first.ready = False
            self._dispatch(first)
        self._dispatch(lane)
        if not self._on_their_way and not self._all_home.called:
            self._all_home.callback(None)

    def _unforeseen(self, failure: Failure) -> None:
        self._log.failure("the queue met a fault of ours", failure)
