"""The one place where mail is taken in: both front doors end here."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import lru_cache
from typing import Any

from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from smtpeter.accounts.interfaces import IIntake, SenderInfo
from smtpeter.message.content import Content
from smtpeter.message.envelope import Accepted, Submission
from smtpeter.message.examination import Examination, examine
from smtpeter.message.features import PRIORITIES, Features
from smtpeter.message.reply import Refused, Reply, storage_full, storage_unavailable
from smtpeter.store import events, idempotency, messages
from smtpeter.store.database import CommitUnclear, StorageFull, StoreError
from smtpeter.store.keys import KeySource, message_id
from smtpeter.store.store import Store
from smtpeter.store.writer import Change, WriterBusy
from smtpeter.values import frozen

MAX_HOPS = 100  # RFC 5321 section 6.3
# Work on more than this leaves the reactor's thread.
LARGE_HEADER_OCTETS = 16 * 1024
LARGE_CONTENT_OCTETS = 1024 * 1024
CLAIM_TRIES = 3

NO_AUTHOR = Reply(550, "5.6.0", "Message has no valid From header")
TOO_MANY_HOPS = Reply(554, "5.4.6", "Too many hops")
OTHER_SUBMISSION = Reply(554, "5.5.4", "The idempotency key was used before, for another message")


@frozen
class IntakeSettings:
    """
    What holds for all mail that is taken in.

    Attributes:
        header_prefixes: of instruction headers, in lower case, the documented one first.
    """

    hostname: str
    lifetime_seconds: float
    header_prefixes: tuple[str, ...]


@implementer(IIntake)
class Intake:
    """
    Takes submissions in: examines them, decides their features, stores them.

    Args:
        destination_of: names the receiver for a domain.
        added: told of the messages once they are stored; they wait to be delivered.
        in_thread: calls a function in a thread, for what would hold up the reactor.
    """

    _log = Logger()

    def __init__(
        self,
        store: Store,
        keys: KeySource,
        settings: IntakeSettings,
        destination_of: Callable[[str], str],
        added: Callable[[Sequence[messages.Message], Content], None],
        in_thread: Callable[..., Deferred[Any]],
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._keys = keys
        self._settings = settings
        self._destination_of = destination_of
        self._added = added
        self._in_thread = in_thread
        self._seconds = seconds

    # The way of most mail is walked by every message, so it is one of plain calls. Where a
    # key has to be looked up, coroutines read better.

    def submit(self, who: SenderInfo, submission: Submission) -> Deferred[Accepted]:
        examined = self._examine(submission.content)
        taken: Deferred[Accepted] = examined.addCallback(self._take, who, submission)
        return taken.addErrback(cannot_be_stored, self._log)

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
        added, content = self._prepare(who, submission, examination, features)
        changes = [*messages.additions(added[0].parcel, content, added), _attempts(added)]
        key = submission.idempotency_key or examination.idempotency_key
        if key is None:
            stored = self._store.add(changes, content.octets)
            stored.addErrback(self._look_whether_stored, added[0].parcel.key)
            return stored.addCallback(self._stored, added, content, features)
        once = self._store_once(who.account_id, key, submission, changes, added, content.octets)
        return Deferred.fromCoroutine(once).addCallback(self._stored, added, content, features)

    def _look_whether_stored(self, failure: Failure, key: int) -> Failure | Deferred[None]:
        """A client whose mail is stored shall not be told to send it again."""
        if not failure.check(CommitUnclear):
            return failure

        def found(stored: bool) -> Failure | None:  # noqa: FBT001
            return None if stored else failure

        return self._store.read(messages.is_stored, key).addCallback(found)

    def _stored(
        self,
        earlier: tuple[str, ...] | None,
        added: Sequence[messages.Message],
        content: Content,
        features: Features,
    ) -> Accepted:
        if earlier is not None:
            return Accepted(earlier, features)
        self._added(added, content)
        return Accepted(tuple([each.id for each in added]), features)

    async def _store_once(
        self,
        account_id: int,
        key: str,
        submission: Submission,
        changes: list[Change],
        added: Sequence[messages.Message],
        octets: int,
    ) -> tuple[str, ...] | None:
        """Store under an idempotency key; gives the ids of before when it was used already."""
        claim = await self._claim(account_id, key, submission)
        ids = tuple(each.id for each in added)
        for _ in range(CLAIM_TRIES):
            now = self._seconds()
            if earlier := await self._store.read(idempotency.answer, claim, now):
                return None if earlier.ids == ids else _same_again(claim, earlier)
            try:
                await self._store.add([*changes, idempotency.keep(claim, ids, now)], octets)
            except IntegrityError:
                # Either the same request came twice at the same moment and the other was
                # faster, or an answer older than a day is in the way.
                await self._store.transact(idempotency.forget_old, now)
            except CommitUnclear:
                continue  # the next look tells
            else:
                return None
        raise storage_unavailable()

    async def _claim(self, account_id: int, key: str, submission: Submission) -> idempotency.Claim:
        content = submission.content
        if content.octets > LARGE_HEADER_OCTETS:
            digest = await self._in_thread(_fingerprint, submission)
        else:
            digest = _fingerprint(submission)
        return idempotency.Claim(account_id, key, digest)

    def _prepare(
        self,
        who: SenderInfo,
        submission: Submission,
        examination: Examination,
        features: Features,
    ) -> tuple[list[messages.Message], Content]:
        """The messages of a submission, one for each recipient, and the content they share."""
        now = self._seconds()
        envelope = submission.envelope
        key = self._keys.next()
        content = submission.content.prepended(self._missing(submission, examination, key, now))
        parcel = messages.Parcel(
            key=key,
            account_id=who.account_id,
            origin=who.origin,
            login=who.login,
            sender=envelope.sender,
            ret=envelope.ret,
            envid=envelope.envid,
            eightbit=envelope.eightbit or examination.eightbit,
            smtputf8=envelope.smtputf8,
            features=features,
            trace=submission.trace,
            template_id=submission.template_id,
            received=now,
            deliver_by=self._deliver_by(submission, now),
            octets=content.octets,
        )
        added = [
            messages.Message(
                id=message_id(),
                parcel=parcel,
                recipient=recipient,
                destination=self._destination_of(recipient.mailbox.domain_key),
                attempts=0,
                due=now,
                priority=PRIORITIES.index(features.priority),
            )
            for recipient in envelope.recipients
        ]
        return added, content

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


def _attempts(added: Sequence[messages.Message]) -> Change:
    """The event of each message: it was handed to us."""
    parcel = added[0].parcel
    details = {"properties": _properties(parcel.features)}
    return events.append(
        events.Event(
            time=parcel.received,
            kind="attempt",
            account_id=parcel.account_id,
            message=each.id,
            envelope=parcel.reverse_path,
            recipient=str(each.recipient.mailbox),
            tags=parcel.tags,
            template_id=parcel.template_id,
            details=details,
        )
        for each in added
    )


@lru_cache(maxsize=1024)
def _properties(features: Features) -> str:
    return ";".join(features.switched_on())


def _fingerprint(submission: Submission) -> str:
    """SHA-256 over all that a repeated submission must have in common with the first."""
    envelope = submission.envelope
    recipients = [
        (str(each.mailbox), sorted(each.notify or ()), each.orcpt) for each in envelope.recipients
    ]
    said = (str(envelope.sender), recipients, envelope.ret, envelope.envid, submission.overrides)
    digest = hashlib.sha256(repr((said, submission.deliver_by)).encode())
    for block in submission.content.blocks:
        digest.update(block)
    return digest.hexdigest()


def _same_again(claim: idempotency.Claim, earlier: idempotency.Answer) -> tuple[str, ...]:
    if earlier.fingerprint != claim.fingerprint:
        raise Refused(OTHER_SUBMISSION, 409)
    return earlier.ids
