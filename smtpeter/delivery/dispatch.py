"""Sends off messages, as far as their receivers and the limits for all allow."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection

from twisted.internet.defer import Deferred, succeed
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from smtpeter.delivery.book import ReceiverBook
from smtpeter.delivery.courier import Concluded, Courier, Interrupted
from smtpeter.delivery.lanes import Lane
from smtpeter.delivery.receivers import QueueSettings, Receiver
from smtpeter.delivery.turns import Turns
from smtpeter.delivery.wakes import Alarm
from smtpeter.store.messages import Message
from smtpeter.values import frozen

# Accounts with mail of one priority for one receiver that wait together for places.
LINED_UP_TOGETHER = 16


class _Leave(enum.Enum):
    """What a receiver says to a message that wants to go."""

    GIVEN = enum.auto()
    NOT_GIVEN = enum.auto()
    NOT_NEEDED = enum.auto()  # and so it was not asked, and learns nothing from its end


@frozen
class _Waiting:
    """An account with mail for a receiver that waits for a place among all."""

    receiver: Receiver
    account: int
    priority: int

    @property
    def lane(self) -> Lane | None:
        """Its message goes next."""
        return self.receiver.turns.first_of(self.account, self.priority)

    @property
    def sendable(self) -> bool:
        """There is one."""
        return self.lane is not None


class Dispatcher:
    """
    Gives each receiver what it may have, one message at a time.

    Args:
        concluded: is told of the end of each attempt that was recorded; of one that met a fault
            of ours, None.
        left: is given a lane from which messages were sent off, or came home.
    """

    _log = Logger()

    def __init__(
        self,
        courier: Courier,
        book: ReceiverBook,
        settings: QueueSettings,
        clock: IReactorTime,
        concluded: Callable[[Lane, Message, Concluded | None], None],
        left: Callable[[Lane], None],
    ) -> None:
        self._courier = courier
        self._book = book
        self._settings = settings
        self._clock = clock
        self._concluded = concluded
        self._left = left
        # Those that could send at once if there were a place; while there is one, nobody
        # is in this line.
        self._line: Turns[_Waiting] = Turns()
        self._pauses: Alarm[str] = Alarm(clock, self._go_on, lambda: True)
        self._on_their_way = 0
        self._all_home: Deferred[None] = succeed(None)
        self._stopped = False

    def stop(self) -> None:
        """Send nothing off any more."""
        self._stopped = True
        self._pauses.stop()
        self._courier.begin_nothing()

    async def wait_for_all(self, seconds: float) -> None:
        """Wait until everybody has come home, so long at most."""
        if self._on_their_way:
            self._all_home = Deferred()
            try:
                await self._all_home.addTimeout(seconds, self._clock)
            except TimedOut:
                self._log.warn("{count} messages are still on their way", count=self._on_their_way)

    def dispatch(self, receiver: Receiver, lane: Lane | None = None) -> None:
        """
        Send off what may go now; see to it that somebody returns for the rest.

        Args:
            lane: has messages for the receiver that it had not before.
        """
        while not self._stopped:
            if self._on_their_way >= self._settings.max_connections:
                self._line_up(receiver, lane)
                return
            held_back = self._held_back(receiver)
            first = receiver.turns.first(held_back)
            if first is None:
                if held_back:
                    self._return_to_held_back(receiver)
                return
            leave = self._ask(receiver, first)
            if leave is _Leave.NOT_GIVEN:
                return
            self._send_off(receiver, first, leave)

    def _held_back(self, receiver: Receiver) -> Collection[int]:
        """Accounts whose mail has to wait, though the receiver takes that of others."""
        return receiver.blocks.held_back(self._clock.seconds())

    def _return_to_held_back(self, receiver: Receiver) -> None:
        now = self._clock.seconds()
        self._pauses.note(receiver.name, now + receiver.blocks.soonest(now))

    def _ask(self, receiver: Receiver, lane: Lane) -> _Leave:
        """Ask for leave to send off the first message of a lane."""
        now = self._clock.seconds()
        parcel = lane.window[0].parcel
        if parcel.deliver_by < now:  # it goes nowhere: it fails
            return _Leave.NOT_NEEDED
        if not receiver.has_room(parcel.octets, self._settings.octets_per_receiver):
            return _Leave.NOT_GIVEN
        wait = receiver.wait(now, lane.account)
        if wait > 0:
            self._pauses.note(receiver.name, min(now + wait, parcel.deliver_by + 1))
            return _Leave.NOT_GIVEN
        return _Leave.GIVEN

    def _line_up(self, receiver: Receiver, lane: Lane | None) -> None:
        """Have accounts wait for a place; those that are left out come with the next message."""
        if lane is not None:
            self._line.add(_Waiting(receiver, lane.account, lane.priority))
        if receiver.on_their_way < receiver.connections:
            held_back = self._held_back(receiver)
            if held_back:
                self._return_to_held_back(receiver)
            for account, priority in receiver.turns.accounts(LINED_UP_TOGETHER, held_back):
                self._line.add(_Waiting(receiver, account, priority))

    def _give_places(self) -> None:
        """Places are free: those who waited for one come first."""
        while self._on_their_way < self._settings.max_connections and not self._stopped:
            first = self._line.first()
            if first is None:
                return
            lane = first.lane
            leave = _Leave.NOT_GIVEN if lane is None else self._ask(first.receiver, lane)
            if lane is None or leave is _Leave.NOT_GIVEN:
                self._line.remove(first)  # when that changes, it is lined up again
            else:
                self._line.passed(first)
                self._send_off(first.receiver, lane, leave)

    def _go_on(self, name: str) -> None:
        receiver = self._book.named(name)
        if receiver is not None:
            self.dispatch(receiver)

    def _send_off(self, receiver: Receiver, lane: Lane, leave: _Leave) -> None:
        receiver.turns.passed(lane)
        message = lane.send_off()
        self._on_their_way += 1
        receiver.on_their_way += 1
        receiver.octets += message.parcel.octets
        delivering = self._deliver(receiver, lane, message, asked=leave is _Leave.GIVEN)
        Deferred.fromCoroutine(delivering).addErrback(self._unforeseen)
        self._left(lane)

    async def _deliver(
        self, receiver: Receiver, lane: Lane, message: Message, *, asked: bool
    ) -> None:
        assert lane.way is not None
        try:
            concluded = await self._courier.deliver(lane.way, receiver, message, asked=asked)
        except Interrupted:  # it waits in the store for the next start
            if asked:
                receiver.withdrawn(lane.account)
        except Exception:
            if asked:
                receiver.withdrawn(lane.account)
            self._log.failure("message {id} met a fault of ours", id=message.id)
            self._concluded(lane, message, None)
        else:
            self._book.touched(receiver)
            if receiver.blocks.begun:
                self._tell_blocks(receiver)
            self._concluded(lane, message, concluded)
        finally:
            self._on_their_way -= 1
            lane.on_their_way -= 1
            receiver.on_their_way -= 1
            receiver.octets -= message.parcel.octets
            self._proceed(receiver, lane)

    def _tell_blocks(self, receiver: Receiver) -> None:
        """An operator has to do something about it."""
        while receiver.blocks.begun:
            account = receiver.blocks.begun.pop()
            self._log.error(
                "{name} refuses all mail of {whom}, which waits now; lastly: {reply}",
                name=receiver.name,
                whom="everybody" if account is None else f"account {account}",
                reply=receiver.last_replies[-1].text,
            )

    def _proceed(self, receiver: Receiver, lane: Lane) -> None:
        self._give_places()
        self.dispatch(receiver)
        self._left(lane)
        self._book.retired(receiver, self._clock.seconds())  # the lane may have left it before
        if not self._on_their_way and not self._all_home.called:
            self._all_home.callback(None)

    def _unforeseen(self, failure: Failure) -> None:
        self._log.failure("the queue met a fault of ours", failure)
