"""Takes one message out of the house once, and writes down what became of it."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar
from typing import Protocol as Shape

from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from smtpeter.budget import ContentBudget
from smtpeter.delivery.carrier import Allowance, Carried, ICarrier, nothing_to_release
from smtpeter.delivery.contents import ContentSource
from smtpeter.delivery.envelopes import as_handed_in
from smtpeter.delivery.judgement import (
    Judgement,
    content_gone,
    event_of,
    expired,
    fault_of_ours,
    held_up,
    judge,
    skipped_event,
)
from smtpeter.delivery.route import Way
from smtpeter.delivery.schedule import Schedule
from smtpeter.delivery.suppressing import suppression_after
from smtpeter.message.content import Content
from smtpeter.message.envelope import Envelope
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.store import events, messages
from smtpeter.store.database import StorageFull, StoreUnavailable, ValueRefused
from smtpeter.store.due import noticed
from smtpeter.store.messages import Message, State
from smtpeter.store.store import Store
from smtpeter.store.suppressions import USUAL, Lifetimes
from smtpeter.store.writer import WriterBusy
from smtpeter.transform.draft import Draft, Run
from smtpeter.transform.pipeline import Pipeline
from smtpeter.values import frozen

STORE_RETRY_SECONDS = 5.0
# What passes: a message waits for its end.
STORE_TROUBLE = (StoreUnavailable, StorageFull, WriterBusy)

_T = TypeVar("_T")


class Interrupted(Exception):
    """The service stops: an attempt was not made, or was cut short, or cannot be recorded."""


class Hearing(Allowance, Shape):
    """A receiver that learns from what comes of attempts."""

    def heard(self, outcome: Outcome, began: float, now: float, account: int) -> float | None: ...


class Reporter(Shape):
    """Makes the messages that tell senders what became of theirs."""

    def report(
        self, message: Message, judged: Judgement, content: Content | None, now: float
    ) -> Deferred[tuple[Message, Content] | None]: ...


@frozen
class Concluded:
    """
    The end of an attempt, written down.

    Attributes:
        report: a new message to the sender and its content, stored with the rest; or None.
    """

    judgement: Judgement
    report: tuple[Message, Content] | None


class Courier:
    """
    Makes one attempt at a time for as many messages as it is given.

    Args:
        budget: room in memory for the contents on their way.
        delay_notice_seconds: after this time of trying, a sender who asked for it is told.
        jitter: a random number from 0.0 to 1.0.
        envelope_for: makes the envelope of a message with its content as it was handed in.
        lifetimes: of the entries that failures leave on suppression lists.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        carrier: ICarrier,
        pipeline: Pipeline,
        contents: ContentSource,
        budget: ContentBudget,
        reporter: Reporter,
        schedule: Schedule,
        delay_notice_seconds: float,
        clock: IReactorTime,
        jitter: Callable[[], float] = random.random,
        envelope_for: Callable[[Message, Content], Awaitable[Envelope]] = as_handed_in,
        lifetimes: Lifetimes = USUAL,
    ) -> None:
        self._store = store
        self._carrier = carrier
        self._pipeline = pipeline
        self._contents = contents
        self._budget = budget
        self._reporter = reporter
        self._schedule = schedule
        self._delay_notice_seconds = delay_notice_seconds
        self._clock = clock
        self._jitter = jitter
        self._envelope_for = envelope_for
        self._lifetimes = lifetimes
        self._trouble: tuple[type[Exception], ...] = (*STORE_TROUBLE, *pipeline.postponing)
        self._pauses: set[Deferred[None]] = set()
        self._ending = False
        self._at_home = False

    def begin_nothing(self) -> None:
        """From now on nothing leaves the house that has not left it yet."""
        self._ending = True

    def go_home(self) -> Deferred[None]:
        """Cut short what is still on its way; fires when no connection is left."""
        self._ending = self._at_home = True
        for pause in list(self._pauses):
            pause.cancel()
        return self._carrier.shutdown()

    async def deliver(
        self, way: Way, receiver: Hearing, message: Message, *, asked: bool = True
    ) -> Concluded:
        """
        Make one attempt and record it.

        Args:
            way: to the destination of the message.
            receiver: at its end; is told what came of it.
            asked: the receiver has given leave; else it is told nothing.

        Raises:
            Interrupted: the service stops; nothing of the attempt is recorded.
        """
        octets = message.parcel.octets
        await self._budget.acquire(octets)
        try:
            return await self._attempt(way, receiver, message, asked=asked)
        finally:
            self._budget.release(octets)

    async def _attempt(
        self, way: Way, receiver: Hearing, message: Message, *, asked: bool
    ) -> Concluded:
        content: Content | None = None
        runs: tuple[Run, ...] = ()
        began = self._clock.seconds()
        try:
            content = await self._patiently(self._contents.get, message.parcel.key)
            carried, runs = await self._carry(way, receiver, message, content)
        except Interrupted:
            raise
        except Exception:
            self._log.failure("no attempt could be made for message {id}", id=message.id)
            carried = _nowhere(fault_of_ours())
        try:
            outcome = carried.outcomes[0]
            if self._at_home and outcome.verdict is Verdict.DEFERRED and not outcome.code:
                raise Interrupted  # it was cut short: by us, not by the receiver
            retry_at = self._tell(receiver, outcome, began, message) if asked else None
            return await self._conclude(message, outcome, retry_at, content, runs)
        finally:
            carried.release()

    def _tell(
        self, receiver: Hearing, outcome: Outcome, began: float, message: Message
    ) -> float | None:
        """Let a receiver learn. No fault in that keeps the outcome from being recorded."""
        try:
            account = message.parcel.account_id or 0
            return receiver.heard(outcome, began, self._clock.seconds(), account)
        except Exception:
            self._log.failure("nothing was learnt from message {id}", id=message.id)
            return None

    async def _carry(
        self, way: Way, receiver: Hearing, message: Message, content: Content | None
    ) -> tuple[Carried, tuple[Run, ...]]:
        parcel = message.parcel
        if parcel.deliver_by < self._clock.seconds():
            return _nowhere(expired()), ()
        if content is None:
            return _nowhere(content_gone()), ()
        draft = draft_of(message, content)
        envelope = await self._patiently(self._envelope_for, message, content)
        transformed = await self._patiently(self._pipeline.run, draft)
        if self._ending:
            raise Interrupted
        carried = await self._carrier.carry(
            way, receiver, envelope, transformed.draft.content, message.id
        )
        return carried, transformed.runs

    async def _conclude(
        self,
        message: Message,
        outcome: Outcome,
        retry_at: float | None,
        content: Content | None,
        runs: Sequence[Run],
    ) -> Concluded:
        """Write down what became of an attempt, with the report that it calls for."""
        now = self._clock.seconds()
        judged = judge(
            message,
            outcome,
            self._schedule,
            now=now,
            jitter=self._jitter(),
            delay_notice_seconds=self._delay_notice_seconds,
            retry_at=retry_at,
        )
        happened = [event_of(message, judged, now, runs)]
        happened += [skipped_event(message, run, now) for run in runs if run.problem]
        reply = f"{outcome.code} {outcome.text}" if outcome.code else outcome.text
        ended = messages.outcome(message, judged.state, due=judged.due, reply=reply, now=now)
        report = await self._report(message, judged, content, now)
        changes = [ended, events.append(happened)]
        changes += suppression_after(message, outcome, self._lifetimes, now)
        if report is not None:
            changes += messages.additions(report[0].parcel, report[1], [report[0]])
        try:
            await self._patiently(self._store.commit, *changes)
        except (IntegrityError, ValueRefused) as refused:
            # Either an earlier try was recorded, though we were not told; then the report is
            # there, and the queue will come upon it. Or the database does not take something
            # of what came from outside. What was delivered must not go out again: so the end
            # alone is written down.
            self._log.error("message {id}: {error}", id=message.id, error=refused)
            report = None
            bare = messages.outcome(message, judged.state, due=judged.due, reply="", now=now)
            await self._patiently(self._store.commit, bare)
        if judged.state is not State.DELIVERED:
            self._log.info(
                "message {id} to {recipient}: {kind}, {reply}",
                id=message.id,
                recipient=str(message.recipient.mailbox),
                kind=happened[0].kind,
                reply=reply,
            )
        return Concluded(judged, report)

    async def tell_delay(self, message: Message) -> tuple[Message, Content] | None:
        """
        Report to the sender that a message waits, without an attempt. It waits on as it did.

        Returns:
            The report, stored and due.

        Raises:
            Interrupted: the service stops.
        """
        now = self._clock.seconds()
        judged = Judgement(State.WAITING, held_up(), message.due, "delayed")
        content = await self._patiently(self._contents.get, message.parcel.key)
        report = await self._report(message, judged, content, now)
        changes = [noticed(message, judged.outcome.text, now)]
        changes.append(events.append([event_of(message, judged, now)]))
        if report is not None:
            changes += messages.additions(report[0].parcel, report[1], [report[0]])
        await self._patiently(self._store.commit, *changes)
        return report

    async def _report(
        self, message: Message, judged: Judgement, content: Content | None, now: float
    ) -> tuple[Message, Content] | None:
        """The report that a judgement calls for. A fault in it keeps nothing else back."""
        if not judged.action or message.parcel.sender is None:
            return None
        try:
            return await self._reporter.report(message, judged, content, now)
        except Exception:
            self._log.failure("no report could be made on message {id}", id=message.id)
            return None

    async def _patiently(self, ask: Callable[..., Awaitable[_T]], *args: Any) -> _T:
        """
        Ask the store, or the pipeline, again and again while it does not answer.

        Raises:
            Interrupted: it did not answer, and the service ends.
        """
        while True:
            try:
                return await ask(*args)
            except self._trouble as error:
                if self._at_home:
                    raise Interrupted from error
                self._log.error("a delivery has to wait: {error}", error=error)
                await self._pause()

    async def _pause(self) -> None:
        pause: Deferred[None] = deferLater(self._clock, STORE_RETRY_SECONDS)
        self._pauses.add(pause)
        try:
            await pause
        except CancelledError:
            pass
        finally:
            self._pauses.discard(pause)


def draft_of(message: Message, content: Content) -> Draft:
    """The beginning of a message's way through the stages."""
    parcel = message.parcel
    return Draft(
        message.id,
        parcel.features,
        parcel.trace,
        parcel.received,
        content,
        parcel.key,
        parcel.account_id,
        parcel.login,
        parcel.origin,
        parcel.template_id,
    )


def _nowhere(outcome: Outcome) -> Carried:
    return Carried((outcome,), nothing_to_release)
