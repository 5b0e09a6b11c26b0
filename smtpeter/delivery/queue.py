"""
The delivery queue: takes what is due to its receivers, and records what became of it.

The store is the truth; memory holds, for each stream with mail to deliver, a window of what
comes next. A stream that sleeps costs one entry in a list of times.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from smtpeter.delivery.book import ReceiverBook
from smtpeter.delivery.carrier import ICarrier
from smtpeter.delivery.contents import ContentSource
from smtpeter.delivery.courier import (
    STORE_RETRY_SECONDS,
    STORE_TROUBLE,
    Concluded,
    Courier,
)
from smtpeter.delivery.dispatch import Dispatcher
from smtpeter.delivery.lanes import Lane
from smtpeter.delivery.receivers import QueueSettings, Receiver
from smtpeter.delivery.route import Way
from smtpeter.delivery.wakes import Alarm
from smtpeter.delivery.windows import Windows
from smtpeter.message.content import Content
from smtpeter.store import messages, receivers
from smtpeter.store.database import StoreError
from smtpeter.store.messages import Message, State, Stream
from smtpeter.store.store import Store

ROUND_SECONDS = 600.0
NOTED_AT_ONCE = 500  # of the streams that a round finds
# What is learnt of receivers is written down so often.
NEWS_SECONDS = 5.0
NEWS_AT_STOP_SECONDS = 1.0
# For what is on its way at the stop; then, once it is cut short, for recording it.
GRACE_SECONDS = 20.0
RECORDING_SECONDS = 4.0
# A question to DNS takes no thread, but may wait for half a minute.
FINDS_AT_ONCE = 256
FIND_AGAIN_SECONDS = 5.0
# A way is looked at again after so long; DNS itself is asked when its answer has grown old.
WAY_SECONDS = 300.0


class DeliveryQueue(Service):
    """
    Delivers what is stored.

    What waits is in lanes, one for each stream; lanes whose mail goes to the same hosts share a
    receiver, which decides whose turn it is, and when. One receiver's trouble stays its own.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        courier: Courier,
        carrier: ICarrier,
        contents: ContentSource,
        book: ReceiverBook,
        settings: QueueSettings,
        clock: IReactorTime,
    ) -> None:
        self._store = store
        self._courier = courier
        self._carrier = carrier
        self._contents = contents
        self._book = book
        self._settings = settings
        self._clock = clock
        self._lanes: dict[Stream, Lane] = {}
        self._alarm: Alarm[Stream] = Alarm(clock, self._wake, self._may_wake)
        self._windows = Windows(store, clock, self._alarm.note, self._filled)
        self._dispatcher = Dispatcher(courier, book, settings, clock, self._concluded, self._left)
        self._rounds = LoopingCall(self._logged, self._look_around)
        self._writing = LoopingCall(self._logged, self._save_news)
        self._rounds.clock = self._writing.clock = clock
        self._finding = 0

    # Life.

    def startService(self) -> Deferred[None]:
        Service.startService(self)
        return Deferred.fromCoroutine(self._begin())

    async def _begin(self) -> None:
        # What waits may have been meant for the receivers of another configuration.
        await self._store.transact(messages.reroute, self._settings.destination_of)
        self._book.restore(await self._store.read(receivers.load))
        await self._look_around()
        if self.running:
            self._rounds.start(ROUND_SECONDS, now=False)
            self._writing.start(NEWS_SECONDS, now=False)

    async def _look_around(self) -> None:
        # There is nobody of whom nobody thought, unless the store took mail and could not
        # say so, or we have a fault.
        found = await self._store.read(messages.waiting_streams)
        for start in range(0, len(found), NOTED_AT_ONCE):
            if start:  # there may be tens of thousands, and others want their turn
                await deferLater(self._clock, 0)
            for stream, due in found[start : start + NOTED_AT_ONCE]:
                self._alarm.note(stream, due)

    async def _save_news(self) -> None:
        for _ in range(self._book.waiting):
            news = self._book.news()
            if news is None:
                return
            try:
                await self._store.transact(receivers.save, news, self._clock.seconds())
            except (*STORE_TROUBLE, CancelledError) as error:
                self._log.error("what was learnt of receivers is not written: {e}", e=error)
                self._book.not_written(news)
                return

    def stopService(self) -> Deferred[None]:
        """Begin nothing more; give what is on its way a time of grace."""
        Service.stopService(self)
        self._alarm.stop()
        for call in (self._rounds, self._writing):
            if call.running:
                call.stop()
        self._dispatcher.stop()
        return Deferred.fromCoroutine(self._come_home())

    async def _come_home(self) -> None:
        await self._dispatcher.wait_for_all(GRACE_SECONDS)
        await self._courier.go_home()
        await self._dispatcher.wait_for_all(RECORDING_SECONDS)
        writing = self._logged(self._save_news)
        await writing.addTimeout(NEWS_AT_STOP_SECONDS, self._clock, lambda *_: None)

    # What comes in.

    def added(self, new: Sequence[Message], content: Content) -> None:
        """Messages were stored, most of which are due at once."""
        if not self.running:
            return
        self._contents.keep(new[0].parcel.key, content)
        now = self._clock.seconds()
        touched: dict[Stream, Lane] = {}
        for message in new:
            stream = message.stream
            if message.due > now:
                self._alarm.note(stream, message.due)
            else:
                lane = touched[stream] = self._lane(stream)
                lane.add(message, self._windows.size)
        for lane in touched.values():
            self._tend(lane)

    def nudged(self, destination: str) -> None:
        """The operator changed something for a destination: see what the store says now."""
        for lane in self._lanes.values():
            if lane.stream.destination == destination:
                lane.empty_window()
                if lane.receiver is not None:
                    lane.receiver.lift()
                self._alarm.note(lane.stream, self._clock.seconds())
        self._logged(self._look_at, destination)

    async def _look_at(self, destination: str) -> None:
        try:
            found = await self._store.read(messages.waiting_streams, destination)
        except StoreError as error:
            self._log.error("mail for {name} cannot be read: {e}", name=destination, e=error)
            self._clock.callLater(STORE_RETRY_SECONDS, self._logged, self._look_at, destination)
        else:
            for stream, due in found:
                self._alarm.note(stream, due)

    def limits_changed(self) -> None:
        """The operator gave receivers other limits: the book tells them from now on."""
        for lane in list(self._lanes.values()):
            if lane.way is not None:
                self._join(lane, lane.way)
            self._tend(lane)

    # Lanes.

    def _lane(self, stream: Stream) -> Lane:
        lane = self._lanes.get(stream)
        if lane is None:
            lane = self._lanes[stream] = Lane(stream)
            self._windows.share(len(self._lanes))
        return lane

    def _may_wake(self) -> bool:
        return self._windows.has_room and self._finding < FINDS_AT_ONCE

    def _wake(self, stream: Stream) -> None:
        lane = self._lane(stream)
        lane.more = True
        self._tend(lane)

    def _filled(self, lane: Lane) -> None:
        self._tend(lane)
        self._alarm.resume()

    def _tend(self, lane: Lane) -> None:
        """See to it that a lane has a receiver and messages, and that they are sent."""
        if not self.running:
            return
        if lane.way is None or self._clock.seconds() >= lane.way_until:
            self._find(lane)
        self._left(lane)
        if lane.receiver is not None and lane.sendable:
            lane.receiver.turns.add(lane)
            self._dispatcher.dispatch(lane.receiver)

    def _left(self, lane: Lane) -> None:
        """A lane may want more messages, or nothing any more."""
        if self.running:
            self._windows.tend(lane)
            if lane.idle:
                self._retire(lane)

    def _retire(self, lane: Lane) -> None:
        """Forget a lane without work."""
        if self._lanes.pop(lane.stream, None) is not None:
            self._windows.share(len(self._lanes))
            self._change_receiver(lane, None)

    def _change_receiver(self, lane: Lane, receiver: Receiver | None) -> None:
        before, lane.receiver = lane.receiver, receiver
        if receiver is not None:
            receiver.lanes += 1
        if before is not None:
            before.turns.remove(lane)
            before.lanes -= 1
            self._book.retired(before, self._clock.seconds())

    # Who takes it.

    def _find(self, lane: Lane) -> None:
        if lane.finding:
            return
        lane.finding = True
        self._finding += 1
        finding = self._carrier.way_to(lane.stream.destination)
        finding.addBoth(self._find_ended, lane)
        finding.addCallbacks(self._found, self._not_found, (lane,), errbackArgs=(lane,))
        finding.addErrback(self._unforeseen)

    def _find_ended(self, result: Way, lane: Lane) -> Way:
        self._finding -= 1
        lane.finding = False
        return result

    def _found(self, way: Way, lane: Lane) -> None:
        self._join(lane, way)
        self._tend(lane)
        self._alarm.resume()

    def _join(self, lane: Lane, way: Way) -> None:
        now = self._clock.seconds()
        lane.way = way
        lane.way_until = now + WAY_SECONDS
        receiver = self._book.receiver_at(way, lane.stream.pool, now)
        if receiver is not lane.receiver:
            self._change_receiver(lane, receiver)

    def _not_found(self, failure: Failure, lane: Lane) -> None:
        self._log.failure("no way to {name}", failure, name=lane.stream.destination)
        lane.way_until = self._clock.seconds() + FIND_AGAIN_SECONDS
        self._alarm.note(lane.stream, lane.way_until)

    # One message.

    def is_on_its_way(self, message: Message) -> bool:
        """Whether an attempt is being made, or one is about to begin."""
        lane = self._lanes.get(message.stream)
        if lane is None or message.id not in lane.held:
            return False
        return all(each.id != message.id for each in lane.window)

    async def tell_delay(self, message: Message) -> None:
        """
        Tell the sender of a message that it has to wait.

        Raises:
            Interrupted: the service stops.
        """
        report = await self._courier.tell_delay(message)
        lane = self._lanes.get(message.stream)
        if lane is not None:  # what it has in memory does not know of the notice
            lane.empty_window()
            self._alarm.note(message.stream, message.due)
        if report is not None:
            self.added([report[0]], report[1])

    def _concluded(self, lane: Lane, message: Message, concluded: Concluded | None) -> None:
        if concluded is None:
            self._windows.let_go_later(lane, [message.id])
            return
        lane.release(message.id)
        if concluded.judgement.outcome.state == "dns":  # by the next message it may be known
            lane.way_until = 0.0
        if concluded.report is not None:
            self.added([concluded.report[0]], concluded.report[1])
        if concluded.judgement.state is State.WAITING:
            self._alarm.note(lane.stream, concluded.judgement.due)

    def _logged(
        self, function: Callable[..., Coroutine[Any, Any, None]], *args: Any
    ) -> Deferred[None]:
        return Deferred.fromCoroutine(function(*args)).addErrback(self._unforeseen)

    def _unforeseen(self, failure: Failure) -> None:
        self._log.failure("the queue met a fault of ours", failure)
