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
from smtpeter.arrivals.reading import Reading, read
from smtpeter.arrivals.tracing import message_ids
from smtpeter.budget import ContentBudget
from smtpeter.message.address import Mailbox
from smtpeter.message.bounceaddress import BounceAddresses
from smtpeter.message.content import Content
from smtpeter.message.envelope import NEVER, Recipient
from smtpeter.message.incoming.findings import Complaint
from smtpeter.store import arrivals, keys
from smtpeter.store.arrivals import BEGINNING_OCTETS, Arrival, Conclusion, Opened
from smtpeter.store.database import StorageFull, StoreUnavailable
from smtpeter.store.messages import BULK, Message
from smtpeter.store.store import Store
from smtpeter.store.suppressions import USUAL, Lifetimes
from smtpeter.store.writer import WriterBusy
from smtpeter.values import frozen
from smtpeter.workers.job import WorkersBusy, WorkersEnded

IN_HAND = 4
KEYS = 200
# Room for the contents of those in hand.
CONTENT_OCTETS = 32 * 1024 * 1024
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
        self._budget = ContentBudget(CONTENT_OCTETS)
        self._waiting: deque[tuple[int, int]] = deque()
        self._in_hand: set[int] = set()
        self._held: set[int] = set()
        self._more = False
        self._looking = False
        self._rest: IDelayedCall | None = None
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
        if self._rest is not None:
            self._rest.cancel()
            self._rest = None
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

    # One after the other.

    def _go_on(self) -> None:
        if not self.running or self._rest is not None:
            return
        while self._waiting and len(self._in_hand) < IN_HAND:
            self._begin(*self._waiting.popleft())
        if self._more and not self._waiting and not self._looking:
            self._look()

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

    def _begin(self, key: int, octets: int) -> None:
        self._in_hand.add(key)
        dealing = Deferred.fromCoroutine(self._deal_with(key, min(octets, BEGINNING_OCTETS)))
        dealing.addErrback(self._trouble, key)
        dealing.addBoth(self._ended, key)

    def _ended(self, _: object, key: int) -> None:
        self._in_hand.discard(key)
        if not self._in_hand and not self._all_done.called:
            self._all_done.callback(None)
        self._go_on()

    def _trouble(self, failure: Failure, key: int | None = None) -> None:
        """Nothing goes on for a while; or one is left alone."""
        if failure.check(*TROUBLE):
            self._log.error("arrivals have to wait: {error}", error=failure.value)
        else:
            self._log.failure("an arrival met a fault of ours", failure)
            if key is not None and len(self._held) < HELD:
                self._held.add(key)
                return
        if self.running and self._rest is None:
            self._rest = self._clock.callLater(TROUBLE_SECONDS, self._rested)

    def _rested(self) -> None:
        self._rest = None
        self.arrived()

    # One arrival.

    async def _deal_with(self, key: int, octets: int) -> None:
        await self._budget.acquire(octets)
        try:
            opened = await self._store.read(arrivals.opened, key)
            if opened is not None:  # else somebody was quicker
                await self._write(opened, await self._consequence(opened))
        except TROUBLE:
            raise
        except Exception:  # what is stored cannot be read, or what was said cannot be stored
            self._log.failure("arrival {key} was set aside", key=key)
            now = self._clock.seconds()
            await self._store.transact(arrivals.conclude, key, Conclusion("fault"), None, now)
        finally:
            self._budget.release(octets)

    async def _consequence(self, opened: Opened) -> Consequence:
        """What follows. A fault in reading it keeps nobody from learning that it came."""
        arrival, original = opened.arrival, opened.original
        try:
            reading = await self._read(opened)
            if isinstance(reading.found, Complaint) and original is None:
                original = await self._complained_of(reading.found)
        except TROUBLE:
            raise
        except Exception:
            self._log.failure("arrival {key} cannot be read", key=arrival.parcel.key)
            return Consequence(set_aside(arrival, original))
        return consequence(
            arrival,
            reading,
            original,
            postmaster=self._forwarding.postmaster,
            lifetimes=self._lifetimes,
        )

    async def _read(self, opened: Opened) -> Reading:
        content, original = opened.beginning, opened.original
        if content is None:
            raise ContentGone
        recipient = None if original is None else original.recipient.mailbox
        sender = opened.arrival.parcel.sender
        told: Reading = await self._call(
            READING_SECONDS, read, content.blocks, content.header_octets, sender, recipient
        )
        return told

    async def _complained_of(self, complaint: Complaint) -> Message | None:
        ids = message_ids(complaint, self._bounces, self._clock.seconds())
        return await self._store.read(arrivals.first_known, ids) if ids else None

    async def _write(self, opened: Opened, found: Consequence) -> None:
        arrival = opened.arrival
        forwarded = self._forwarded(arrival, found.forward_to)
        key, now = arrival.parcel.key, self._clock.seconds()
        written = await self._store.transact(
            arrivals.conclude, key, found.conclusion, forwarded, now
        )
        if not written:
            return
        self._log.info(
            "arrival {key} for {recipient}: {result}",
            key=key,
            recipient=arrival.recipient,
            result=found.conclusion.result,
        )
        if forwarded is not None and opened.beginning is not None:
            # of a content that is not whole nothing is kept: it is too large for that
            self._forwarding.added([forwarded], opened.beginning)

    def _forwarded(self, arrival: Arrival, mailbox: Mailbox | None) -> Message | None:
        """The message by which it is sent on: nobody hears what becomes of it."""
        if mailbox is None:
            return None
        return Message(
            id=keys.message_id(),
            parcel=arrival.parcel,
            recipient=Recipient(mailbox, str(mailbox), NEVER),
            destination=self._forwarding.destination_of(mailbox.domain_key),
            attempts=0,
            due=self._clock.seconds(),
            priority=BULK,
        )


class ContentGone(Exception):
    """The content of an arrival is no longer kept."""
