"""What a submission becomes in the store: messages, their first events, and what failed at once."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from attrs import evolve, field
from sqlalchemy import Connection

from smtpeter.delivery.judgement import Judgement, event_of, message_event
from smtpeter.message.content import Content
from smtpeter.message.features import Features
from smtpeter.message.reply import Refused, Reply
from smtpeter.quotas import Place, WaitTooLong
from smtpeter.store import events, idempotency, messages, quotas
from smtpeter.store.changes import Change, Planned
from smtpeter.store.messages import Message, Parcel
from smtpeter.values import frozen

NOBODY: Mapping[str, Any] = {}


@frozen
class Batch:
    """
    One submission, ready to be stored.

    Attributes:
        added: a message for each recipient, in their order.
        content: that they share.
        failed: those that have failed at once, by their ids.
        reports: to the sender, with their contents.
        places: when those go that their quotas let wait, by their ids.
    """

    added: Sequence[Message]
    content: Content = field(repr=False)
    failed: Mapping[str, Judgement] = NOBODY
    reports: Sequence[tuple[Message, Content]] = ()
    places: Mapping[str, Place] = NOBODY

    @property
    def parcel(self) -> Parcel:
        """What its messages have in common."""
        return self.added[0].parcel

    @property
    def ids(self) -> tuple[str, ...]:
        """Of its messages, in the order of the recipients."""
        return tuple([each.id for each in self.added])

    @property
    def waiting(self) -> Sequence[Message]:
        """The messages that are to be delivered."""
        if not self.failed:
            return self.added
        return [each for each in self.added if each.id not in self.failed]


@frozen
class QuotaTerms:
    """
    How a batch is measured by quotas.

    Attributes:
        account_id: whose quotas.
        payer: whose as well, as `smtpeter.quotas.Quota` has it.
        refuse: what is over a quota is not taken.
        own_end: the client has said until when the messages are tried.
    """

    account_id: int
    payer: str
    refuse: bool
    own_end: bool


def changes_of(batch: Batch, claim: idempotency.Claim | None = None) -> list[Change]:
    """
    The changes that store a batch.

    Args:
        claim: to the answer that names its messages.
    """
    parcel = batch.parcel
    happened = [_attempt(each, batch.places) for each in batch.added]
    failed = messages.NONE
    if batch.failed:
        failed = {name: judged.outcome.text for name, judged in batch.failed.items()}
        happened += [
            event_of(each, batch.failed[each.id], parcel.received)
            for each in batch.added
            if each.id in failed
        ]
    changes = messages.additions(parcel, batch.content, batch.added, failed)
    changes.append(events.append(happened))
    for message, content in batch.reports:
        changes += messages.additions(message.parcel, content, [message])
    if claim is not None:
        changes.append(idempotency.keep(claim, batch.ids, parcel.received, failed))
    return changes


def placed(
    connection: Connection, batch: Batch, terms: QuotaTerms, claim: idempotency.Claim | None
) -> Planned[Batch | Refused]:
    """
    The changes that store a batch, its messages counted in the periods in which they go.

    It is called in a transaction, perhaps twice. A refusal is its answer and not raised, for the
    others in the transaction have nothing to do with it.
    """
    parcel = batch.parcel
    now = parcel.received
    latest = parcel.deliver_by if terms.own_end else math.inf
    planner = quotas.planner_for(connection, terms.account_id, terms.payer, now)
    places: dict[str, Place] = {}
    for message in batch.waiting:
        try:
            place = planner.place(terms.payer, now, latest)
        except WaitTooLong as fault:
            return Planned((), _over_quota(fault.place, now))
        if place.over is not None:
            if terms.refuse:
                return Planned((), _over_quota(place, now))
            places[message.id] = place
    quotas.count(connection, terms.account_id, planner.changes)
    if places:
        batch = _put_off(batch, places, own_end=terms.own_end)
    return Planned(changes_of(batch, claim), batch)


def as_stored(connection: Connection, batch: Batch) -> Batch:
    """A batch of which nobody was told how it was stored: its messages may be due later."""
    dues = messages.dues(connection, batch.parcel.key)
    added = [evolve(each, due=dues.get(each.id, each.due)) for each in batch.added]
    return evolve(batch, added=added)


def _put_off(batch: Batch, places: Mapping[str, Place], *, own_end: bool) -> Batch:
    parcel = batch.parcel
    if not own_end:
        last = max(place.due for place in places.values())
        parcel = evolve(parcel, deliver_by=parcel.deliver_by + last - parcel.received)
    added = [
        evolve(each, parcel=parcel, due=places[each.id].due if each.id in places else each.due)
        for each in batch.added
    ]
    return evolve(batch, added=added, places=places)


def _over_quota(place: Place, now: float) -> Refused:
    """RFC 3463 X.2.2 is about mailboxes; clients know the code as that of a quota."""
    text = f"Over the quota of {place.words}, try again then"
    return Refused(Reply(452, "4.2.2", text), 429, place.room - now)


def _attempt(message: Message, places: Mapping[str, Place]) -> events.Event:
    """The event of each message: it was handed to us."""
    details = {"properties": _properties(message.parcel.features)}
    if message.id in places:
        details["quota"] = places[message.id].words
    return message_event(message, "attempt", message.parcel.received, details)


@lru_cache(maxsize=1024)
def _properties(features: Features) -> str:
    return ";".join(features.switched_on())
