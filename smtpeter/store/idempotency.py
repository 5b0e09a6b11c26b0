"""Answers that are given again: a request that is repeated sends nothing twice."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence

from sqlalchemy import Connection, delete, insert, select

from smtpeter.store.changes import Change
from smtpeter.store.tables import idempotency
from smtpeter.values import frozen

KEPT_SECONDS = 24 * 3600.0

KEEP = insert(idempotency)


@frozen
class Claim:
    """
    A key that an account uses for one submission.

    Attributes:
        fingerprint: SHA-256 of the submission, hexadecimal.
    """

    account_id: int
    key: str
    fingerprint: str


@frozen
class Answer:
    """
    What was answered before.

    Attributes:
        fingerprint: of the submission.
        ids: of its messages.
        suppressed: those of them that are not sent.
    """

    fingerprint: str
    ids: tuple[str, ...]
    suppressed: frozenset[str] = frozenset()


def keep(claim: Claim, ids: Sequence[str], now: float, suppressed: Collection[str] = ()) -> Change:
    """The change that remembers an answer; it clashes when the key is in use."""
    answered = {"ids": list(ids), "suppressed": sorted(suppressed)} if suppressed else list(ids)
    row = {
        "account_id": claim.account_id,
        "key": claim.key,
        "fingerprint": claim.fingerprint,
        "answer": json.dumps(answered),
        "created": now,
    }
    return Change(KEEP, [row])


def answer(connection: Connection, claim: Claim, now: float) -> Answer | None:
    """What was answered to this key within the last 24 hours; None when it is new."""
    query = select(idempotency).where(
        idempotency.c.account_id == claim.account_id,
        idempotency.c.key == claim.key,
        idempotency.c.created > now - KEPT_SECONDS,
    )
    row = connection.execute(query).one_or_none()
    if row is None:
        return None
    answered = json.loads(row.answer)
    if isinstance(answered, list):
        return Answer(row.fingerprint, tuple(answered))
    suppressed = frozenset(answered["suppressed"])
    return Answer(row.fingerprint, tuple(answered["ids"]), suppressed)


def forget_old(connection: Connection, now: float) -> None:
    """Remove the answers that are no longer given."""
    connection.execute(delete(idempotency).where(idempotency.c.created <= now - KEPT_SECONDS))
