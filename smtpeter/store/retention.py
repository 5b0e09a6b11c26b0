"""What is kept no longer: contents of mail that has come to its end."""

from __future__ import annotations

from sqlalchemy import Connection, delete, exists, select, update

from smtpeter.store.messages import State
from smtpeter.store.tables import arrivals, content_blocks, messages, submissions

BATCH = 200


def drop_contents(connection: Connection, before: float, after_key: int) -> int | None:
    """
    Remove the contents of a batch of submissions, the oldest first. What happened to their
    messages stays known. A submission with a message that waits is passed over, and so is what
    came to us and was not dealt with yet.

    Args:
        before: only what was handed to us earlier, seconds since the epoch.
        after_key: where the batch before ended, 0 for the first.

    Returns:
        Where this batch ended; None when it was the last.
    """
    batch = select(submissions.c.key).where(
        submissions.c.key > after_key, submissions.c.received < before
    )
    keys = connection.execute(batch.order_by(submissions.c.key).limit(BATCH)).scalars().all()
    if not keys:
        return None
    waiting = exists().where(
        messages.c.submission == submissions.c.key, messages.c.state == State.WAITING
    )
    unread = exists().where(
        arrivals.c.submission == submissions.c.key, arrivals.c.finished.is_(None)
    )
    ended = select(submissions.c.key).where(
        submissions.c.key.in_(keys), submissions.c.content.is_not(None), ~waiting, ~unread
    )
    doomed = connection.execute(ended).scalars().all()
    if doomed:
        connection.execute(delete(content_blocks).where(content_blocks.c.submission.in_(doomed)))
        connection.execute(
            update(submissions).where(submissions.c.key.in_(doomed)).values(content=None)
        )
    last: int = keys[-1]
    return last
