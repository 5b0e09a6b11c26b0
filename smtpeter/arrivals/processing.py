"""
Deals with what came to addresses of our own, in its order and a few at a time.

The store is the truth: what was not dealt with waits there, also over a crash. Memory holds keys,
and the contents of those few that are in hand.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, succeed
from twisted.internet.defer import TimeoutError as TimedOut
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from smtpeter.arrivals.consequences import Consequence, consequence, set_aside
from smtpeter.arrivals.reading import Reading, Unread, read_all
from smtpeter.arrivals.tracing import message_ids
from smtpeter.message.address import Mailbox
from smtpeter.message.bounceaddress import BounceAddresses
from smtpeter.message.content import Content
from smtpeter.message.envelope import NEVER, Recipient
from smtpeter.message.incoming.findings import Complaint
from smtpeter.store import arrivals, keys
from smtpeter.store.arrivals import (
    BEGINNING_OCTETS,
    Arrival,
    Concluded,
    Conclusion,
    Opened,
)
from smtpeter.store.database import StorageFull, StoreUnavailable
from smtpeter.store.messages import BULK, Message
from smtpeter.store.store import Store
from smtpeter.store.suppressions import USUAL, Lifetimes
from smtpeter.store.writer import WriterBusy
from smtpeter.values import frozen
from smtpeter.workers.job import WorkersBusy, WorkersEnded

# What is dealt with together: a handful costs little more than one. A large one goes alone.
HANDFUL = 16
HANDFUL_OCTETS = 1024 * 1024
HANDFULS = 2
# After each handful it rests for as long as that took, so that a storm leaves the most of a service
# that is busy to other mail; but no longer than this.
LONGEST_REST_SECONDS = 1.0
KEYS = 200
READING_SECONDS = 20.0
# What passes: an arrival waits for its end.
TROUBLE = (StoreUnavailable, StorageFull, WriterBusy, WorkersBusy, WorkersEnded)
TROUBLE_SECONDS = 5.0
# Nobody tells of what was stored though we heard otherwise, or by another process.
ROUND_SECONDS = 60.0
STOP_SECONDS = 15.0
# Arrivals with which nothing can be done, not even write that down, are left alone until the next
# start; more of them cannot be the fault of each.
HELD = 1000


@frozen
class Forwarding:
    """
    How what came is sent on.

    Attributes:
        destination_of: names the receiver for a domain.
        added: told of a message once it is stored; it waits to be delivered.
        postmaster: to whom goes what is for people; None: it stays here.
    """

    destination_of: Callable[[str], str]
    added: Callable[[Sequence[Message], Content], None]
    postmaster: Mailbox | None = None


class Arrivals(Service):
    """
    Reads what came, and writes down what follows.

    Args:
        call: `Workers.call`.
        bounces: reads bounce addresses.
        lifetimes: of suppressions.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        call: Callable[..., Deferred[Any]],
        bounces: BounceAddresses,
        forwarding: Forwarding,
        clock: IReactorTime,
        lifetimes: Lifetimes = USUAL,
    ) -> None:
        self._store = store
        self._call = call
        self._bounces = bounces
        self._forwarding = forwarding
        self._clock = clock
        self._lifetimes = lifetimes
        self._waiting: deque[tuple[int, int]] = deque()
        self._in_hand: set[int] = set()
        self._held: set[int] = set()
        self._handfuls = 0
        self._rests: set[IDelayedCall] = set()
        self._more = False
        self._looking = False
        self._pause: IDelayedCall | None = None
        self._rounds = LoopingCall(self.arrived)
        self._rounds.clock = clock
        self._all_done: Deferred[None] = succeed(None)

    # Life.

    def startService(self) -> None:
        Service.startService(self)
        self._rounds.start(ROUND_SECONDS)

    def stopService(self) -> Deferred[None]:
        """What is in hand is brought to its end; the rest waits for the next start."""
        Service.stopService(self)
        self._rounds.stop()
        self._waiting.clear()
        for each in (*self._rests, *filter(None, [self._pause])):
            each.cancel()
        self._rests.clear()
        self._pause = None
        return Deferred.fromCoroutine(self._finish())

    async def _finish(self) -> None:
        if self._in_hand:
            self._all_done = Deferred()
            try:
                await self._all_done.addTimeout(STOP_SECONDS, self._clock)
            except TimedOut:
                self._log.warn("{count} arrivals wait for the next start", count=len(self._in_hand))

    def arrived(self) -> None:
        """There may be something new in the store."""
        self._more = True
        self._go_on()

    # One handful after the other.

    def _go_on(self) -> None:
        if not self.running or self._pause is not None:
            return
        while self._waiting and self._handfuls + len(self._rests) < HANDFULS:
            self._begin(self._handful())
        if self._more and not self._waiting and not self._looking:
            self._look()

    def _handful(self) -> list[int]:
        """Those that come next: one, and others while they are small and few."""
        chosen: list[int] = []
        octets = 0
        while self._waiting and len(chosen) < HANDFUL:
            octets += min(self._waiting[0][1], BEGINNING_OCTETS)
            if chosen and octets > HANDFUL_OCTETS:
                break
            chosen.append(self._waiting.popleft()[0])
        return chosen

    def _look(self) -> None:
        """See what waits in the store: its keys alone."""
        self._more = False
        self._looking = True
        limit = KEYS + len(self._in_hand) + len(self._held)
        looking = self._store.read(arrivals.unfinished, limit)
        looking.addCallback(self._found, limit)
        looking.addErrback(self._trouble)
        looking.addBoth(self._looked)

    def _found(self, found: Sequence[tuple[int, int]], limit: int) -> None:
        if self.running:
            known = self._in_hand | self._held
            self._waiting.extend(each for each in found if each[0] not in known)
            self._more = self._more or len(found) == limit

    def _looked(self, _: object) -> None:
        self._looking = False
        self._go_on()

    def _begin(self, chosen: Sequence[int]) -> None:
        self._handfuls += 1
        self._in_hand.update(chosen)
        dealing = Deferred.fromCoroutine(self._deal_with(chosen))
        dealing.addErrback(self._trouble)
        dealing.addBoth(self._ended, chosen, self._clock.seconds())

    def _ended(self, _: object, chosen: Sequence[int], began: float) -> None:
        self._handfuls -= 1
        self._in_hand.difference_update(chosen)
        if not self._in_hand and not self._all_done.called:
            self._all_done.callback(None)
        seconds = min(self._clock.seconds() - began, LONGEST_REST_SECONDS)
        if seconds > 0 and self.running:
            self._rests.add(self._clock.callLater(seconds, self._rested))
        self._go_on()

    def _rested(self) -> None:
        self._rests = {each for each in self._rests if each.active()}
        self._go_on()

    def _trouble(self, failure: Failure) -> None:
        """Nothing goes on for a while."""
        if failure.check(*TROUBLE):
            self._log.error("arrivals have to wait: {error}", error=failure.value)
        else:
            self._log.failure("arrivals met a fault of ours", failure)
        if self.running and self._pause is None:
            self._pause = self._clock.callLater(TROUBLE_SECONDS, self._pause_ended)

    def _pause_ended(self) -> None:
        self._pause = None
        self.arrived()

    async def _deal_with(self, chosen: Sequence[int]) -> None:
        """Deal with some together; where that fails, with each alone: whose fault is it?"""
        try:
            await self._deal_together(chosen)
        except TROUBLE:
            raise
        except Exception:
            if len(chosen) == 1:
                await self._set_aside(chosen[0])
                return
            for key in chosen:
                await self._deal_with([key])

    async def _set_aside(self, key: int) -> None:
        """What is stored of one cannot be read, or what was said in it cannot be stored."""
        self._log.failure("arrival {key} was set aside", key=key)
        fault = Concluded(key, Conclusion("fault"))
        try:
            await self._store.transact(arrivals.conclude, [fault], self._clock.seconds())
        except TROUBLE:
            raise
        except Exception:
            if len(self._held) >= HELD:
                raise
            self._log.failure("arrival {key} is left alone", key=key)
            self._held.add(key)

    # What follows from them.

    async def _deal_together(self, chosen: Sequence[int]) -> None:
        found = await self._store.read(arrivals.opened, chosen)
        if found:  # else somebody was quicker
            followed = await self._consequences(found)
            await self._write(found, followed)

    async def _consequences(self, found: Sequence[Opened]) -> list[Consequence]:
        try:
            readings = await self._read(found)
        except TROUBLE:
            raise
        except Exception:
            if len(found) > 1:
                raise
            # A fault in reading it keeps nobody from learning that it came.
            [each] = found
            self._log.failure("arrival {key} cannot be read", key=each.arrival.parcel.key)
            return [Consequence(set_aside(each.arrival, each.original))]
        return [
            await self._consequence(each, reading)
            for each, reading in zip(found, readings, strict=True)
        ]

    async def _read(self, found: Sequence[Opened]) -> list[Reading]:
        readings: list[Reading] = await self._call(
            READING_SECONDS, read_all, [_unread(each) for each in found]
        )
        return readings

    async def _consequence(self, opened: Opened, reading: Reading) -> Consequence:
        original = opened.original
        if isinstance(reading.found, Complaint) and original is None:
            ids = message_ids(reading.found, self._bounces, self._clock.seconds())
            original = await self._store.read(arrivals.first_known, ids) if ids else None
        return consequence(
            opened.arrival,
            reading,
            original,
            postmaster=self._forwarding.postmaster,
            lifetimes=self._lifetimes,
        )

    async def _write(self, found: Sequence[Opened], followed: Sequence[Consequence]) -> None:
        now = self._clock.seconds()
        concluded = [
            Concluded(
                each.arrival.parcel.key,
                what.conclusion,
                self._forwarded(each.arrival, what.forward_to, now),
            )
            for each, what in zip(found, followed, strict=True)
        ]
        written = await self._store.transact(arrivals.conclude, concluded, now)
        for opened, each in zip(found, concluded, strict=True):
            if each.key in written:
                self._tell(opened, each)

    def _tell(self, opened: Opened, concluded: Concluded) -> None:
        if concluded.conclusion.result == "unknown":
            self._log.info(
                "arrival {key} for {recipient} was dropped: its message is not known",
                key=concluded.key,
                recipient=opened.arrival.recipient,
            )
        if concluded.forwarded is not None and opened.beginning is not None:
            # of a content that is not whole nothing is kept: it is too large for that
            self._forwarding.added([concluded.forwarded], opened.beginning)

    def _forwarded(self, arrival: Arrival, mailbox: Mailbox | None, now: float) -> Message | None:
        """The message by which it is sent on: nobody hears what becomes of it."""
        if mailbox is None:
            return None
        return Message(
            id=keys.message_id(),
            parcel=arrival.parcel,
            recipient=Recipient(mailbox, str(mailbox), NEVER),
            destination=self._forwarding.destination_of(mailbox.domain_key),
            attempts=0,
            due=now,
            priority=BULK,
        )


class ContentGone(Exception):
    """The content of an arrival is no longer kept."""


def _unread(opened: Opened) -> Unread:
    if opened.beginning is None:
        raise ContentGone
    original = opened.original
    recipient = None if original is None else original.recipient.mailbox
    return Unread(opened.beginning, opened.arrival.parcel.sender, recipient)
