"""Reports to senders, as messages that are stored and delivered like others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, succeed

from smtpeter.delivery.judgement import Judgement
from smtpeter.message.content import Content
from smtpeter.message.deliverystatus import Action, RecipientStatus
from smtpeter.message.envelope import NEVER, Recipient, Trace
from smtpeter.message.features import Features
from smtpeter.message.report import StatusReport, compose
from smtpeter.store.keys import KeySource, message_id
from smtpeter.store.messages import Message, Parcel

LIFETIME_SECONDS = 5 * 24 * 3600.0
LARGE_OCTETS = 64 * 1024
MANY = 10  # recipients in one report
ORIGIN = "report"


class ReportWriter:
    """
    Writes the reports that senders want (RFC 3461 section 6).

    A report has the null reverse-path, so it never leads to another.
    """

    def __init__(
        self,
        hostname: str,
        keys: KeySource,
        destination_of: Callable[[str], str],
        in_thread: Callable[..., Deferred[Any]],
    ) -> None:
        self._hostname = hostname
        self._keys = keys
        self._destination_of = destination_of
        self._in_thread = in_thread

    def report(
        self, message: Message, judged: Judgement, content: Content | None, now: float
    ) -> Deferred[tuple[Message, Content] | None]:
        """The report on an attempt, ready to be stored; None when nobody would get it."""
        return self.report_on([(message, judged)], content, now)

    def report_on(
        self, judged: Sequence[tuple[Message, Judgement]], content: Content | None, now: float
    ) -> Deferred[tuple[Message, Content] | None]:
        """
        One report on several messages of a submission.

        Args:
            judged: one message or more, each with an action to report.
        """
        parcel = judged[0][0].parcel
        if parcel.sender is None:
            return succeed(None)
        report = StatusReport(
            hostname=self._hostname,
            time=now,
            id=message_id(),
            sender=parcel.sender,
            statuses=tuple(_status(*each, now) for each in judged),
            arrived=parcel.received,
            original=content,
            envid=parcel.envid,
            ret=parcel.ret,
        )
        large = len(judged) > MANY or (content is not None and content.octets > LARGE_OCTETS)
        composed = self._in_thread(compose, report) if large else succeed(compose(report))
        return composed.addCallback(self._addressed, report)

    def _addressed(self, content: Content, report: StatusReport) -> tuple[Message, Content]:
        sender = report.sender
        parcel = Parcel(
            key=self._keys.next(),
            account_id=None,
            origin=ORIGIN,
            login="",
            sender=None,
            ret=None,
            envid=None,
            eightbit=content.eightbit,
            smtputf8=sender.needs_smtputf8,
            features=Features(),
            trace=Trace("", "", ""),
            template_id=0,
            received=report.time,
            deliver_by=report.time + LIFETIME_SECONDS,
            octets=content.octets,
        )
        message = Message(
            id=report.id,
            parcel=parcel,
            recipient=Recipient(sender, str(sender), NEVER),
            destination=self._destination_of(sender.domain_key),
            attempts=0,
            due=report.time,
        )
        return message, content


def _status(message: Message, judged: Judgement, now: float) -> RecipientStatus:
    action = Action(judged.action)
    return RecipientStatus(
        message.recipient,
        action,
        judged.outcome,
        attempted=now,
        retry_until=message.parcel.deliver_by if action is Action.DELAYED else None,
    )
