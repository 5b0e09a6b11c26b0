"""Fills the store of a daemon that does not run, with what its front doors would have written."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from sqlalchemy import delete, func, select, update

from bench.content import SENDER, Contents
from bench.nameserver import domain_name
from smtpeter.batches import Batch, changes_of
from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content
from smtpeter.message.envelope import Recipient, Trace
from smtpeter.message.features import Features
from smtpeter.store import accounts
from smtpeter.store.database import Database
from smtpeter.store.keys import KeySource, message_id
from smtpeter.store.messages import Message, Parcel, State
from smtpeter.store.statements import Statements
from smtpeter.store.tables import destinations, events, messages, receivers

RECIPIENTS = 1000  # of a submission, at most

_SUBMISSIONS_TOGETHER = 20  # in one transaction
_LIFETIME_SECONDS = 86_400.0
_LATER_SECONDS = 7200.0  # then what is not due now begins to be due
_SPREAD_SECONDS = 14_400.0  # and so long it takes until all of it is
_DOT = b".\r\n"


@dataclass(frozen=True)
class Mailing:
    """
    One submission to many recipients.

    Args:
        number: in our header; those that follow each other have different ones.
        account_id: who sends it.
        domains: the numbers of the receivers' domains; there is a recipient in each.
        due: now, or else some hours later.
    """

    number: int
    account_id: int
    domains: Sequence[int]
    due: bool


def account_ids(database: Database) -> list[int]:
    with database.connect() as connection:
        return sorted(each.id for each in accounts.accounts(connection))


def fill(database: Database, mailings: Iterable[Mailing], content_octets: int) -> None:
    """Store submissions, as `Intake` does: contents, messages, and an event for each of them."""
    began_at = time.time()
    keys = KeySource(time.time)
    statements = Statements(database.engine.dialect)
    contents = Contents(content_octets)
    coming = iter(mailings)
    while together := list(islice(coming, _SUBMISSIONS_TOGETHER)):
        with database.begin() as connection:
            for mailing in together:
                content = contents.content(mailing.number).removesuffix(_DOT)
                batch = _batch(mailing, Content.from_octets(content), keys.next(), began_at)
                for change in changes_of(batch):
                    statements.run(connection, change.statement, change.rows)


def _batch(mailing: Mailing, content: Content, key: int, now: float) -> Batch:
    parcel = Parcel(
        key=key,
        account_id=mailing.account_id,
        origin="smtp",
        login="bench",
        sender=Mailbox.parse(SENDER.decode()),
        ret=None,
        envid=None,
        eightbit=False,
        smtputf8=False,
        features=Features(),
        trace=Trace("bench.example.org", "127.0.0.1", "ESMTPSA"),
        template_id=0,
        received=now,
        deliver_by=now + _LIFETIME_SECONDS,
        octets=content.octets,
    )
    added = []
    for place, domain in enumerate(mailing.domains):
        address = f"reader{mailing.number}-{place}@{domain_name(domain)}"
        mailbox = Mailbox.parse(address)
        added.append(
            Message(
                id=message_id(),
                parcel=parcel,
                recipient=Recipient(mailbox, address),
                destination=mailbox.domain_key,
                attempts=0,
                due=now if mailing.due else now + _later_seconds(mailing.number, place),
            )
        )
    return Batch(added, content)


def _later_seconds(number: int, place: int) -> float:
    """Spread without chance: so that two runs are the same."""
    return _LATER_SECONDS + (number * RECIPIENTS + place) * 7919 % int(_SPREAD_SECONDS)


def make_due(database: Database, count: int | None) -> int:
    """
    Let waiting messages be due that are not: about so many of those that came first, or all.

    Returns:
        How many are due now.
    """
    now = time.time()
    waiting = messages.c.state == int(State.WAITING)
    chosen = [waiting, messages.c.due > now]
    if count is not None:
        some = select(messages.c.submission).where(*chosen).order_by(messages.c.submission)
        chosen.append(messages.c.submission <= some.limit(1).offset(count - 1).scalar_subquery())
    due = select(func.count()).select_from(messages).where(waiting, messages.c.due <= now)
    earlier = messages.c.due - (_LATER_SECONDS + _SPREAD_SECONDS)
    with database.begin() as connection:
        connection.execute(update(messages).where(*chosen).values(due=earlier))
        return int(connection.execute(due).scalar_one())


def rewind(database: Database) -> int:
    """
    Let messages that were delivered be due anew, and forget what was learnt meanwhile.

    Returns:
        How many there were.
    """
    anew = {
        "state": int(State.WAITING),
        "attempts": 0,
        "due": time.time(),
        "attempted": None,
        "last_reply": "",
        "finished": None,
    }
    delivered = messages.c.state == int(State.DELIVERED)
    with database.begin() as connection:
        count = connection.execute(update(messages).where(delivered).values(anew)).rowcount
        connection.execute(delete(events).where(events.c.kind != "attempt"))
        connection.execute(delete(receivers))
        connection.execute(delete(destinations))
    return count
