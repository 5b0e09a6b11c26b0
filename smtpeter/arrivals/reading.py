"""What an arrival says. This is done in a worker process: it would hold up the reactor."""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from attrs import evolve, field

from smtpeter.delivery.classification import classify, is_hard_mailbox_failure
from smtpeter.message.address import AddressError, Mailbox
from smtpeter.message.content import Content
from smtpeter.message.incoming.findings import (
    AggregateReport,
    Complaint,
    DeliveryReport,
    PrivateError,
    RecipientReport,
    Recognised,
    ReportedAction,
    Returned,
)
from smtpeter.values import frozen

# The fields of a message that came back by which we know it again.
KNOWN_BY = ("x-message-id", "return-path")
_RETURNED_FIELDS = 20
_TROUBLE = (ReportedAction.FAILED, ReportedAction.DELAYED)


@frozen
class Reading:
    """
    What an arrival says.

    Attributes:
        found: what it is; of the message that came back, no more than is asked for; of a DMARC
            report, all but its document.
        hops: how many Received fields it has.
        actions: all that it reports of, for whichever recipient.
        about: what it reports on the recipient of the message, None when it reports nothing.
        meaning: why that failed, a word of `smtpeter.delivery.classification`; or "".
        gone: the recipient has no mailbox any more, and it is his address that is meant.
        document: that of a DMARC report, compressed by zlib; else b"". As it is, a few octets
            of mail can stand for megabytes of it.
    """

    found: Recognised
    hops: int
    actions: frozenset[ReportedAction] = frozenset()
    about: RecipientReport | None = None
    meaning: str = ""
    gone: bool = False
    document: bytes = field(default=b"", repr=False)


@frozen
class Unread:
    """
    An arrival that is to be read.

    Attributes:
        sender: the reverse-path with which it came.
        recipient: to whom the message went that it is about, None when that is not known.
    """

    content: Content
    sender: Mailbox | None
    recipient: Mailbox | None


def read_all(unread: Sequence[Unread]) -> list[Reading]:
    """Read some arrivals: to ask for each alone would cost more than to read it."""
    return [read(each.content, each.sender, each.recipient) for each in unread]


def read(content: Content, sender: Mailbox | None, recipient: Mailbox | None) -> Reading:
    """Read an arrival; the arguments are those of `Unread`."""
    # the service itself recognises nothing, and need not wait for the many patterns when it starts
    from smtpeter.message.incoming.recognition import recognise  # noqa: PLC0415

    found = recognise(content, sender)
    hops = sum(each.name == "received" for each in content.fields())
    if isinstance(found, Complaint):
        kept = [each for each in found.returned.fields if each[0] in KNOWN_BY]
        found = evolve(found, returned=Returned(tuple(kept[:_RETURNED_FIELDS])))
    if isinstance(found, AggregateReport):
        return Reading(evolve(found, xml=b""), hops, document=zlib.compress(found.xml))
    if not isinstance(found, DeliveryReport | PrivateError):
        return Reading(found, hops)
    about = _about(found.recipients, recipient)
    actions = frozenset(each.action for each in found.recipients)
    found = evolve(found, recipients=(), returned=Returned())
    if about is None or about.action not in _TROUBLE:
        return Reading(found, hops, actions, about)
    said = (about.code, about.exact or about.status, about.diagnostic)
    # In a format that nobody knows, words may have been taken for more than they mean; and where
    # nobody is named, it may be about anything.
    named = bool(about.original or about.recipient)
    sure = isinstance(found, DeliveryReport) or (bool(found.format) and named)
    gone = sure and about.permanent and _names(about, recipient) and is_hard_mailbox_failure(*said)
    return Reading(found, hops, actions, about, classify(*said).value, gone)


def _about(reports: Sequence[RecipientReport], recipient: Mailbox | None) -> RecipientReport | None:
    """
    The report on our recipient; a failure before all else.

    Where he is not named it is the first: whoever takes his mail may have sent it on to others.
    """
    ours = [each for each in reports if _names(each, recipient)] or list(reports)
    failed = [each for each in ours if each.action is ReportedAction.FAILED]
    return next(iter(failed or ours), None)


def _names(report: RecipientReport, recipient: Mailbox | None) -> bool:
    """Whether it is about this recipient, or about nobody by name."""
    named = {each for each in (report.original, report.recipient) if each}
    return not named or recipient is None or any(_same(each, recipient) for each in named)


def _same(address: str, mailbox: Mailbox) -> bool:
    try:
        other = Mailbox.parse(address)
    except AddressError:
        return False
    return (other.local.lower(), other.domain_key) == (mailbox.local.lower(), mailbox.domain_key)
