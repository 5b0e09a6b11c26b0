"""A call to send as a submission. Pure."""

from __future__ import annotations

import hashlib
import secrets
from datetime import UTC, datetime

from attrs import field

from smtpeter.message.envelope import Envelope, Submission, Trace
from smtpeter.values import frozen
from smtpeter.web.api.contents import written
from smtpeter.web.api.fields import Fields, under_later_names
from smtpeter.web.api.recipients import recipients
from smtpeter.web.api.wishes import deliver_by, dsn, envelope_sender, overrides
from smtpeter.web.forms import read_fields
from smtpeter.web.problem import Problem

NOT_AVAILABLE = ("template", "patch", "data")


@frozen
class Limits:
    """
    How much one call may ask for.

    Attributes:
        recipients: the most it may have.
        message_octets: the most its message may take.
    """

    recipients: int = 1000
    message_octets: int = 50 * 1024 * 1024


@frozen
class Call:
    """
    A request to send, as it came.

    Attributes:
        content_type: the value of the Content-Type field, None for none.
        account_id: of whoever is logged in.
        now: seconds since the epoch.
    """

    body: bytes = field(repr=False)
    content_type: str | None
    trace: Trace
    account_id: int
    now: float
    idempotency_key: str | None = None


def read_submission(call: Call, limits: Limits) -> Submission:
    """
    Read the fields, and write the message they ask for.

    Raises:
        Problem: a field is missing, not valid, or not available yet; 413: it is too big.
    """
    fields = under_later_names(read_fields(call.content_type, call.body))
    _refuse_what_is_not_available(fields)
    notifications = dsn(fields)
    to = recipients(fields, limits.recipients, notifications.notify, notifications.orcpt)
    sender = envelope_sender(fields)
    until = deliver_by(fields)
    features = overrides(fields)
    message = written(fields, _unique(call), _date(call))
    if message.content.octets > limits.message_octets:
        raise Problem(413, "Message too big")
    addresses = [each.mailbox for each in to] + ([sender] if sender else [])
    return Submission(
        envelope=Envelope(
            sender=sender,
            recipients=to,
            ret=notifications.ret,
            envid=notifications.envid,
            eightbit=message.content.eightbit,
            smtputf8=message.needs_smtputf8 or any(each.needs_smtputf8 for each in addresses),
        ),
        content=message.content,
        trace=call.trace,
        overrides=features,
        deliver_by=until,
        idempotency_key=call.idempotency_key,
        add_mime_version=not message.complete,
    )


def _refuse_what_is_not_available(fields: Fields) -> None:
    for name in NOT_AVAILABLE:
        if fields.get(name):
            raise Problem(400, f"The field {name} is not available yet")
    if fields.get("headers") and not fields.get("mime"):
        raise Problem(400, "The field headers needs a template; use extra for x- headers")


# A call that is repeated with its idempotency key has to give the same octets again. So its
# Message-ID and boundaries follow from the call, and the date is left to the intake.


def _unique(call: Call) -> str:
    if call.idempotency_key is None:
        return secrets.token_hex(12)
    digest = hashlib.sha256(f"{call.account_id} {call.idempotency_key} ".encode())
    digest.update(call.body)
    return digest.hexdigest()[:24]


def _date(call: Call) -> datetime | None:
    return datetime.fromtimestamp(call.now, UTC) if call.idempotency_key is None else None
