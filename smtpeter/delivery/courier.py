"""Takes one message out of the house once, and writes down what became of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol as Shape

from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger

from smtpeter.budget import ContentBudget
from smtpeter.delivery.carrier import ICarrier
from smtpeter.delivery.contents import ContentSource
from smtpeter.delivery.judgement import (
    Judgement,
    content_gone,
    event_of,
    expired,
    judge,
    message_event,
)
from smtpeter.delivery.schedule import Schedule
from smtpeter.message.content import Content
from smtpeter.message.outcome import Outcome
from smtpeter.store import events, messages
from smtpeter.store.database import StoreError
from smtpeter.store.messages import Message
from smtpeter.store.store import Store
from smtpeter.store.writer import Change, WriterBusy
from smtpeter.transform.draft import Draft
from smtpeter.transform.pipeline import Pipeline, Problem

STORE_RETRY_SECONDS = 5.0


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
        self._at_home = False

    def go_home(self) -> Deferred[None]:
        """Cut short what is still on its way; fires when no connection is left."""
        self._at_home = True
        return self._carrier.shutdown()

    async def deliver(self, receiver: str, message: Message) -> Concluded:
        """
        Make one attempt and record it.

        Raises:
            StoreError, WriterBusy: nothing of it is recorded.
        """
        parcel = message.parcel
        if parcel.deliver_by < self._clock.seconds():
            content = await self._contents.get(parcel.key) if parcel.sender else None
            return await self._conclude(message, expired(), content)
        await self._budget.acquire(parcel.octets)
        try:
            content = await self._contents.get(parcel.key)
            if content is None:
                return await self._conclude(message, content_gone(), None)
            draft = Draft(message.id, parcel.features, parcel.trace, parcel.received, content)
            transformed = await self._pipeline.run(draft)
            carried = await self._carrier.carry(
                receiver, message.envelope(), transformed.draft.content, message.id
            )
        finally:
            self._budget.release(parcel.octets)
        try:
            outcome = carried.outcomes[0]
            return await self._conclude(message, outcome, content, transformed.problems)
        finally:
            carried.release()

    async def _conclude(
        self,
        message: Message,
        outcome: Outcome,
        content: Content | None,
        problems: tuple[Problem, ...] = (),
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
        )
        happened = [event_of(message, judged, now)]
        for problem in problems:
            details = {"stage": problem.stage, "description": problem.reason}
            happened.append(message_event(message, "transform", now, details))
        reply = f"{outcome.code} {outcome.text}" if outcome.code else outcome.text
        changes = [
            messages.outcome(message, judged.state, due=judged.due, reply=reply, now=now),
            events.append(happened),
        ]
        report = None
        if judged.action and message.parcel.sender is not None:
            report = await self._reporter.report(message, judged, content, now)
        if report is not None:
            changes += messages.additions(report[0].parcel, report[1], [report[0]])
        await self._record(changes)
        return Concluded(judged, report)

    async def _record(self, changes: list[Change]) -> None:
        """Write it down however long that takes: what was delivered must not go out again."""
        while True:
            try:
                await self._store.commit(*changes)
            except (StoreError, WriterBusy) as error:
                if self._at_home:
                    raise
                self._log.error("outcomes cannot be recorded: {error}", error=error)
                await deferLater(self._clock, STORE_RETRY_SECONDS)
            else:
                return
