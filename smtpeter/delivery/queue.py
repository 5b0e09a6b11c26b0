"""
The delivery queue: takes what is due to its receivers, and records what became of it.

The store is the truth; memory holds, for each stream with mail to deliver, a window of what
comes next. A stream that sleeps costs one entry in a list of times.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Coroutine, Sequence
from itertools import islice
from math import inf
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from smtpeter.delivery.book import KNOWN_DESTINATIONS, ReceiverBook
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
from smtpeter.store.queue import Nudge
from smtpeter.store.store import Store

ROUND_SECONDS = 600.0
NOTED_AT_ONCE = 500  # of the streams that a round finds
# What an operator wants to be tried again is, when it is known within that time who takes it.
AGAIN_SECONDS = 300.0
CHANGED_AT_ONCE = 100  # lanes that hear of other limits
# Lanes of one submission that are seen to in one turn of the reactor, and lanes that begin to look
# for their receivers after others have found theirs: as with those that are woken.
BEGUN_AT_ONCE = 4
NUDGED_AT_ONCE = 500  # destinations that the store is asked about together
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
        self._there: dict[str, dict[Stream, Lane]] = {}  # by destination
        self._nudged: dict[str, None] = {}
        self._looking = False
        self._again: OrderedDict[str, float] = OrderedDict()  # since when, the longest first
        self._alarm: Alarm[Stream] = Alarm(
            clock, self._wake, self._may_wake, lambda stream: stream.account
        )
        self._windows = Windows(store, clock, self._alarm.note, self._filled)
        self._dispatcher = Dispatcher(courier, book, settings, clock, self._concluded, self._left)
        self._rounds = LoopingCall(self._logged, self._look_around)
        self._writing = LoopingCall(self._logged, self._save_news)
        self._rounds.clock = self._writing.clock = clock
        self._to_find: deque[Lane] = deque()
        self._searching = False
        self._finding = 0

    # Life.

    def startService(self) -> Deferred[None]:
        Service.startService(self)
        return Deferred.fromCoroutine(self._begin())

    async def _begin(self) -> None:
        # What waits may have been meant for the receivers of another configuration.
        await self._store.transact(messages.reroute, self._settings.destination_of)
        self._book.restore(await self._store.read(receivers.load))
        if self.running:
            # Clients need not wait until everybody with mail has been thought of.
            self._rounds.start(ROUND_SECONDS)
            self._writing.start(NEWS_SECONDS, now=False)

    async def _look_around(self) -> None:
        # There is nobody of whom nobody thought, unless the store took mail and could not
        # say so, or we have a fault.
        found = await self._waiting_streams()
        for start in range(0, len(found), NOTED_AT_ONCE):
            if start:  # there may be tens of thousands, and others want their turn
                await deferLater(self._clock, 0)
            for stream, due in found[start : start + NOTED_AT_ONCE]:
                self._alarm.note(stream, due)

    async def _waiting_streams(self) -> Sequence[tuple[Stream, float]]:
        while self.running:
            try:
                return await self._store.read(messages.waiting_streams)
            except StoreError as error:
                self._log.error("what waits cannot be read: {e}", e=error)
                await deferLater(self._clock, STORE_RETRY_SECONDS)
        return ()

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
        lanes = list(touched.values())
        for lane in lanes[:BEGUN_AT_ONCE]:
            self._tend(lane)
        if len(lanes) > BEGUN_AT_ONCE:
            self._clock.callLater(0, self._tend_some, deque(lanes[BEGUN_AT_ONCE:]))

    def _tend_some(self, lanes: deque[Lane]) -> None:
        for _ in range(min(BEGUN_AT_ONCE, len(lanes))):
            lane = lanes.popleft()
            if self._lanes.get(lane.stream) is lane:
                self._tend(lane)
        if lanes and self.running:
            self._clock.callLater(0, self._tend_some, lanes)

    def nudged(self, nudge: Nudge) -> None:
        """The operator changed something for a destination: see what the store says now."""
        now = self._clock.seconds()
        if nudge.again:
            self._try_again(nudge.destination, now)
        for lane in self._there.get(nudge.destination, {}).values():
            lane.empty_window()
            if lane.receiver is not None and nudge.again:
                self._lift(lane.receiver)
            self._alarm.note(lane.stream, now)
        self._nudged[nudge.destination] = None
        if not self._looking:
            self._logged(self._look_at_nudged)

    def _try_again(self, destination: str, now: float) -> None:
        """Whoever takes the mail for a destination will be tried, when that is known."""
        self._again[destination] = now
        self._again.move_to_end(destination)
        if len(self._again) > KNOWN_DESTINATIONS:
            self._again.popitem(last=False)

    def _lift(self, receiver: Receiver) -> None:
        receiver.lift(self._clock.seconds())
        self._book.touched(receiver)

    async def _look_at_nudged(self) -> None:
        self._looking = True
        try:
            while self._nudged and self.running:
                await self._look_at(list(islice(self._nudged, NUDGED_AT_ONCE)))
        finally:
            self._looking = False

    async def _look_at(self, destinations: Sequence[str]) -> None:
        for each in destinations:
            del self._nudged[each]
        try:
            found = await self._store.read(messages.waiting_streams, destinations)
        except StoreError as error:
            self._log.error("mail that was changed cannot be read: {e}", e=error)
            self._nudged.update(dict.fromkeys(destinations))
            await deferLater(self._clock, STORE_RETRY_SECONDS)
        else:
            for stream, due in found:
                self._alarm.note(stream, due)

    def limits_changed(self) -> None:
        """The operator gave receivers other limits: the book tells them from now on."""
        self._logged(self._change_limits, list(self._lanes.values()))

    async def _change_limits(self, lanes: Sequence[Lane]) -> None:
        for count, lane in enumerate(lanes, start=1):
            if self._lanes.get(lane.stream) is lane:
                if lane.way is not None:
                    self._join(lane, lane.way)
                self._tend(lane)
            if count % CHANGED_AT_ONCE == 0:
                await deferLater(self._clock, 0)

    # Lanes.

    def _lane(self, stream: Stream) -> Lane:
        lane = self._lanes.get(stream)
        if lane is None:
            lane = self._lanes[stream] = Lane(stream)
            self._there.setdefault(stream.destination, {})[stream] = lane
            self._windows.share(len(self._lanes))
        return lane

    def _may_wake(self) -> bool:
        return self._windows.has_room and len(self._to_find) < FINDS_AT_ONCE

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
            self._dispatcher.dispatch(lane.receiver, lane)

    def _left(self, lane: Lane) -> None:
        """A lane may want more messages, or nothing any more."""
        if self.running:
            if lane.more:
                self._windows.tend(lane)
            elif lane.idle:
                self._retire(lane)

    def _retire(self, lane: Lane) -> None:
        """Forget a lane without work."""
        if self._lanes.get(lane.stream) is not lane:
            return
        del self._lanes[lane.stream]
        there = self._there[lane.stream.destination]
        del there[lane.stream]
        if not there:
            del self._there[lane.stream.destination]
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
        if not lane.finding:
            lane.finding = True
            self._to_find.append(lane)
            self._find_some()

    def _find_some(self) -> None:
        """Begin with those that were not begun with; what is known already is found at once."""
        if self._searching or not self.running:
            return
        self._searching = True
        for _ in range(BEGUN_AT_ONCE):
            if not self._to_find or self._finding >= FINDS_AT_ONCE:
                self._searching = False
                return
            self._begin_to_find(self._to_find.popleft())
        self._clock.callLater(0, self._find_more)

    def _find_more(self) -> None:
        self._searching = False
        self._find_some()

    def _begin_to_find(self, lane: Lane) -> None:
        self._finding += 1
        finding = self._carrier.way_to(lane.stream.destination)
        finding.addBoth(self._find_ended, lane)
        finding.addCallbacks(self._found, self._not_found, (lane,), errbackArgs=(lane,))
        finding.addErrback(self._unforeseen)
        finding.addBoth(lambda _: self._find_some())

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
        again = self._again.get(lane.stream.destination, -inf)
        if again > max(receiver.lifted_at, now - AGAIN_SECONDS):
            self._lift(receiver)
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
            self._alarm.note(message.stream, self._clock.seconds())
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
