"""Messages to suppressed recipients: they fail at once, and their sender is told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import Logger

from smtpeter.batches import Batch
from smtpeter.delivery.judgement import Judgement, failed, suppressed
from smtpeter.message.content import Content
from smtpeter.store.messages import Message
from smtpeter.store.suppressions import Suppression, address_key


class Reporter(Protocol):
    """The part of `smtpeter.delivery.reports.ReportWriter` that is needed here."""

    def report_on(
        self, judged: Sequence[tuple[Message, Judgement]], content: Content | None, now: float
    ) -> Deferred[tuple[Message, Content] | None]: ...


class Suppressing:
    """Has messages fail whose recipients are on a suppression list."""

    _log = Logger()

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter

    async def applied(self, batch: Batch, entries: Mapping[str, Suppression]) -> Batch:
        """
        A batch in which messages have failed, with the report that is due.

        Args:
            entries: of the list, by the keys of addresses.
        """
        now = batch.parcel.received
        judged: list[tuple[Message, Judgement]] = []
        for each in batch.added if entries else ():
            entry = entries.get(address_key(each.recipient.mailbox))
            if entry is not None:
                outcome = suppressed(entry.reason, entry.created)
                judged.append((each, failed(each, outcome, now)))
        if not judged:
            return batch
        report = await self._report(
            [(each, what) for each, what in judged if what.action], batch.content, now
        )
        return evolve(
            batch,
            failed={each.id: what for each, what in judged},
            reports=() if report is None else (report,),
        )

    async def _report(
        self, judged: Sequence[tuple[Message, Judgement]], content: Content, now: float
    ) -> tuple[Message, Content] | None:
        """One report on all. A fault in it keeps nothing else back."""
        if not judged:
            return None
        try:
            return await self._reporter.report_on(judged, content, now)
        except Exception:
            self._log.failure("no report could be made on message {id}", id=judged[0][0].id)
            return None
