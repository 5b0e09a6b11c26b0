"""Which failures put a recipient on the suppression list of the account."""

from __future__ import annotations

from smtpeter.delivery.classification import is_hard_mailbox_failure
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.store.changes import Change
from smtpeter.store.messages import Message
from smtpeter.store.suppressions import MAILBOX, Lifetimes, Suppression, addition, address_key

# What customers hand in; not what is forwarded to them, nor what we say ourselves.
HANDED_IN = ("smtp", "rest")


def suppression_after(
    message: Message, outcome: Outcome, lifetimes: Lifetimes, now: float
) -> list[Change]:
    """
    What is to be written to the suppression list after an attempt: one change, or none.

    Only a server's word that there is no such mailbox counts. A server that is away, or will not
    take mail from us, says nothing about the mailbox.
    """
    account_id = message.parcel.account_id
    if account_id is None or message.parcel.origin not in HANDED_IN:
        return []
    if outcome.verdict is not Verdict.FAILED or not is_hard_mailbox_failure(
        outcome.code, outcome.status, outcome.text, outcome.state
    ):
        return []
    added = Suppression(
        address=address_key(message.recipient.mailbox),
        reason=MAILBOX,
        description=f"{outcome.code} {outcome.status} {outcome.text}",
        message=message.id,
        created=now,
        expires=lifetimes.end(MAILBOX, now),
    )
    return [addition(account_id, added)]
