"""The one place where mail is taken in: both front doors end here."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smtpeter.accounts.interfaces import IIntake, SenderInfo
from smtpeter.admission import Admission, AdmissionDesk
from smtpeter.batches import Batch, QuotaTerms, as_stored, changes_of, placed
from smtpeter.message.content import Content
from smtpeter.message.envelope import Accepted, Submission
from smtpeter.message.examination import Examination, examine
from smtpeter.message.features import PRIORITIES, Features
from smtpeter.message.reply import Refused, Reply, storage_full, storage_unavailable
from smtpeter.repetition import Repetition
from smtpeter.store import messages
from smtpeter.store.database import CommitUnclear, StorageFull, StoreError
from smtpeter.store.idempotency import Answer, Claim
from smtpeter.store.keys import KeySource, message_id
from smtpeter.store.messages import Message, Parcel
from smtpeter.store.store import Store
from smtpeter.store.writer import WriterBusy
from smtpeter.suppressing import Suppressing
from smtpeter.values import frozen

MAX_HOPS = 100  # RFC 5321 section 6.3
# Work on more than this leaves the reactor's thread.
LARGE_HEADER_OCTETS = 16 * 1024
LARGE_CONTENT_OCTETS = 1024 * 1024

NO_AUTHOR = Reply(550, "5.6.0", "Message has no valid From header")
TOO_MANY_HOPS = Reply(554, "5.4.6", "Too many hops")


@frozen
class IntakeSettings:
    """
    What holds for all mail that is taken in.

    Attributes:
        header_prefixes: of instruction headers, in lower case, the documented one first.
        refuse_over_quota: what is over a quota is refused; else it waits.
    """

    hostname: str
    lifetime_seconds: float
    header_prefixes: tuple[str, ...]
    refuse_over_quota: bool = False


@frozen
class _Taken:
    """A submission that has been looked at."""

    who: SenderInfo
    submission: Submission
    examination: Examination
    features: Features

    @property
    def idempotency_key(self) -> str | None:
        return self.submission.idempotency_key or self.examination.idempotency_key


@implementer(IIntake)
class Intake:
    """
    Takes submissions in: examines them, decides their features, stores them.

    Args:
        desk: tells whether they may go.
        suppressing: ends those whose recipients want no more.
        destination_of: names the receiver for a domain.
        added: told of the messages once they are stored; they wait to be delivered, most of
            them at once.
        in_thread: calls a function in a thread, for what would hold up the reactor.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        keys: KeySource,
        settings: IntakeSettings,
        desk: AdmissionDesk,
        suppressing: Suppressing,
        destination_of: Callable[[str], str],
        added: Callable[[Sequence[Message], Content], None],
        in_thread: Callable[..., Deferred[Any]],
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._keys = keys
        self._settings = settings
        self._desk = desk
        self._suppressing = suppressing
        self._destination_of = destination_of
        self._added = added
        self._in_thread = in_thread
        self._seconds = seconds
        self._repetition = Repetition(store, in_thread, seconds)

    # The way of most mail is walked by every message, so it is one of plain calls. Where a
    # key has to be looked up, coroutines read better.

    def submit(self, who: SenderInfo, submission: Submission) -> Deferred[Accepted]:
        examined = self._examine(submission.content)
        taken: Deferred[Accepted] = examined.addCallback(self._take, who, submission)
        return taken.addErrback(self._not_stored)

    def _not_stored(self, failure: Failure) -> Failure:
        return cannot_be_stored(failure, self._log)

    def _examine(self, content: Content) -> Deferred[Examination]:
        prefixes = self._settings.header_prefixes
        if content.header_octets > LARGE_HEADER_OCTETS or content.octets > LARGE_CONTENT_OCTETS:
            return self._in_thread(examine, content, prefixes)
        return succeed(examine(content, prefixes))

    def _take(
        self, examination: Examination, who: SenderInfo, submission: Submission
    ) -> Deferred[Accepted]:
        if examination.author is None:
            raise Refused(NO_AUTHOR, 400)
        if examination.hops > MAX_HOPS:
            raise Refused(TOO_MANY_HOPS, 400)
        for fault in examination.warnings:
            self._log.warn("{fault}, from {login}", fault=fault, login=who.login)
        features = who.features.overridden(submission.overrides)
        features = features.overridden(examination.overrides)
        taken = _Taken(who, submission, examination, features)
        admission = self._desk.at_once(who)
        if admission is not None:
            return self._keep(taken, self._prepare(taken, admission))
        admitted = self._desk.admit(
            who,
            examination.author,
            submission.content,
            submission.envelope.recipients,
            self._seconds(),
        )
        prepared = Deferred.fromCoroutine(self._prepared(taken, admitted))
        return prepared.addCallback(lambda batch: self._keep(taken, batch))

    async def _prepared(self, taken: _Taken, admitted: Awaitable[Admission]) -> Batch:
        admission = await admitted
        batch = self._prepare(taken, admission)
        return await self._suppressing.applied(batch, admission.suppressed)

    def _keep(self, taken: _Taken, batch: Batch) -> Deferred[Accepted]:
        """Store a batch, and tell of it."""
        key = taken.idempotency_key
        if key is None:
            kept = self._write(taken, batch, None)
            kept.addErrback(self._look_whether_stored, batch)
            return kept.addCallback(self._stored, batch, taken.features)
        once = self._repetition.once(
            taken.who.account_id,
            key,
            taken.submission,
            batch,
            lambda claim: self._write(taken, batch, claim),
        )
        return Deferred.fromCoroutine(once).addCallback(self._stored, batch, taken.features)

    def _write(self, taken: _Taken, batch: Batch, claim: Claim | None) -> Deferred[Batch | None]:
        """Fires with the batch as it is stored; with None when that is as it was given."""
        octets = batch.content.octets
        if not taken.who.standing.limited or not batch.waiting:
            added: Deferred[Any] = self._store.add(changes_of(batch, claim), octets)
            return added
        terms = QuotaTerms(
            taken.who.account_id,
            taken.who.payer,
            self._settings.refuse_over_quota,
            taken.submission.deliver_by is not None,
        )
        planned = self._store.add_planned(placed, batch, terms, claim, octets=octets)
        return planned.addCallback(_unless_refused)

    def _look_whether_stored(self, failure: Failure, batch: Batch) -> Failure | Deferred[Batch]:
        """A client whose mail is stored shall not be told to send it again."""
        if not failure.check(CommitUnclear):
            return failure

        def found(stored: bool) -> Failure | Deferred[Batch]:  # noqa: FBT001
            return self._store.read(as_stored, batch) if stored else failure

        return self._store.read(messages.is_stored, batch.parcel.key).addCallback(found)

    def _stored(self, kept: Batch | Answer | None, given: Batch, features: Features) -> Accepted:
        if isinstance(kept, Answer):
            return Accepted(kept.ids, features, kept.suppressed)
        batch = kept or given
        if not batch.failed:
            self._added(batch.added, batch.content)
            return Accepted(batch.ids, features)
        if batch.waiting:
            self._added(batch.waiting, batch.content)
        for report, content in batch.reports:
            self._added([report], content)
        for name, judged in batch.failed.items():
            self._log.info("message {id}: failure, {text}", id=name, text=judged.outcome.text)
        return Accepted(batch.ids, features, frozenset(batch.failed))

    def _prepare(self, taken: _Taken, admission: Admission) -> Batch:
        """The messages of a submission, one for each recipient, and the content they share."""
        who, submission, examination = taken.who, taken.submission, taken.examination
        now = self._seconds()
        envelope = submission.envelope
        key = self._keys.next()
        content = submission.content.prepended(self._missing(submission, examination, key, now))
        parcel = Parcel(
            key=key,
            account_id=who.account_id,
            origin=who.origin,
            login=who.login,
            sender=envelope.sender,
            ret=envelope.ret,
            envid=envelope.envid,
            eightbit=envelope.eightbit or examination.eightbit,
            smtputf8=envelope.smtputf8,
            features=taken.features,
            trace=submission.trace,
            template_id=submission.template_id,
            received=now,
            deliver_by=self._deliver_by(submission, now),
            octets=content.octets,
        )
        added = [
            Message(
                id=message_id(),
                parcel=parcel,
                recipient=recipient,
                destination=self._destination_of(recipient.mailbox.domain_key),
                attempts=0,
                due=now,
                priority=PRIORITIES.index(taken.features.priority),
                pool=admission.pool,
            )
            for recipient in envelope.recipients
        ]
        return Batch(added, content)

    def _deliver_by(self, submission: Submission, now: float) -> float:
        if submission.deliver_by is None:
            return now + self._settings.lifetime_seconds
        return submission.deliver_by

    def _missing(
        self, submission: Submission, examination: Examination, key: int, now: float
    ) -> bytes:
        """The header fields that a submission server supplies (RFC 6409 section 8)."""
        lines = []
        if "date" not in examination.present:
            lines.append(f"Date: {format_datetime(datetime.fromtimestamp(now, UTC))}")
        if "message-id" not in examination.present:
            author = examination.author
            domain = author.mailbox.domain_key if author else self._settings.hostname
            lines.append(f"Message-ID: <{key:x}.{message_id()}@{domain}>")
        if submission.add_mime_version and "mime-version" not in examination.present:
            lines.append("MIME-Version: 1.0")
        return "".join(f"{line}\r\n" for line in lines).encode("ascii")


def cannot_be_stored(failure: Failure, log: Logger) -> Failure:
    """
    What a client is told when the store does not take his message.

    Raises:
        Refused: with the reply; other failures come back.
    """
    error = failure.value
    if isinstance(error, StorageFull):
        log.error("no room to store a message: {error}", error=error)
        raise storage_full() from error
    if isinstance(error, StoreError | WriterBusy):
        log.error("a message could not be stored: {error!r}", error=error)
        raise storage_unavailable() from error
    return failure


def _unless_refused(planned: Batch | Refused) -> Batch:
    if isinstance(planned, Refused):
        raise planned
    return planned
