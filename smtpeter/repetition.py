"""Submissions that are repeated: what was stored once is not stored again."""

from __future__ import annotations

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.exc import IntegrityError
from twisted.internet.defer import Deferred

from smtpeter.batches import Batch, as_stored
from smtpeter.message.envelope import Submission
from smtpeter.message.reply import Refused, Reply, storage_unavailable
from smtpeter.store import idempotency
from smtpeter.store.database import CommitUnclear
from smtpeter.store.idempotency import Answer, Claim
from smtpeter.store.store import Store

LARGE_OCTETS = 16 * 1024  # work on more leaves the reactor's thread
CLAIM_TRIES = 3

OTHER_SUBMISSION = Reply(554, "5.5.4", "The idempotency key was used before, for another message")


class Repetition:
    """
    Stores each submission once that comes with a key.

    Args:
        in_thread: calls a function in a thread.
        seconds: since the epoch.
    """

    def __init__(
        self,
        store: Store,
        in_thread: Callable[..., Deferred[Any]],
        seconds: Callable[[], float],
    ) -> None:
        self._store = store
        self._in_thread = in_thread
        self._seconds = seconds

    async def once(
        self,
        account_id: int,
        key: str,
        submission: Submission,
        batch: Batch,
        write: Callable[[Claim], Awaitable[Batch | None]],
    ) -> Batch | Answer | None:
        """
        Store a batch under an idempotency key; gives what was answered when it was used already.

        Args:
            batch: what the submission became.
            write: stores it, and the claim to its answer; gives what is to be given.

        Raises:
            Refused: the key was used for another submission, or it cannot be stored.
            StoreError: the store cannot be reached.
        """
        claim = await self._claim(account_id, key, submission)
        for _ in range(CLAIM_TRIES):
            now = self._seconds()
            if earlier := await self._store.read(idempotency.answer, claim, now):
                if earlier.ids == batch.ids:
                    return await self._store.read(as_stored, batch)
                return _same_again(claim, earlier)
            try:
                return await write(claim)
            except IntegrityError:
                # Either the same request came twice at the same moment and the other was
                # faster, or an answer older than a day is in the way.
                await self._store.transact(idempotency.forget_old, now)
            except CommitUnclear:
                continue  # the next look tells
        raise storage_unavailable()

    async def _claim(self, account_id: int, key: str, submission: Submission) -> Claim:
        content = submission.content
        if content.octets > LARGE_OCTETS:
            digest = await self._in_thread(_fingerprint, submission)
        else:
            digest = _fingerprint(submission)
        return Claim(account_id, key, digest)


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


def _same_again(claim: Claim, earlier: Answer) -> Answer:
    if earlier.fingerprint != claim.fingerprint:
        raise Refused(OTHER_SUBMISSION, 409)
    return earlier
