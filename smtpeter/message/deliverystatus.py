"""The fields of a delivery status notification (RFC 3464 section 2, RFC 6533)."""

from __future__ import annotations

import enum
import ipaddress
import re
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime

from smtpeter.message.address import Mailbox
from smtpeter.message.envelope import Recipient
from smtpeter.message.outcome import Outcome
from smtpeter.values import frozen

VALUE_CHARACTERS = 900  # RFC 5322 section 2.1.1: a line may have 998
LINE_CHARACTERS = 76  # and should have no more than 78

_STATUS = re.compile(r"[245]\.[0-9]{1,3}\.[0-9]{1,3}")
_NOT_PRINTABLE_ASCII = re.compile(r"[^ -~]")
# RFC 6533 section 3, QCHAR; what is embedded already stays as it is.
_TO_EMBED = re.compile(r"[^!-*,-<>-~]|\\(?!x\{[0-9A-F]{2,6}\})")


class Action(enum.Enum):
    """What became of a message for one recipient (RFC 3464 section 2.3.3)."""

    FAILED = "failed"
    DELAYED = "delayed"
    RELAYED = "relayed"
    DELIVERED = "delivered"


_GENERAL_STATUS = {
    Action.FAILED: "5.0.0",
    Action.DELAYED: "4.0.0",
    Action.RELAYED: "2.0.0",
    Action.DELIVERED: "2.0.0",
}


@frozen
class RecipientStatus:
    """
    What a report says about one recipient.

    Attributes:
        attempted: when the last attempt was made, seconds since the epoch.
        retry_until: the same for the last one to come, when it is delayed.
    """

    recipient: Recipient
    action: Action
    outcome: Outcome
    attempted: float
    retry_until: float | None = None


def message_fields(hostname: str, arrived: float, envid: str | None) -> Iterator[str]:
    """The lines about the message as a whole (RFC 3464 section 2.2); each may be folded."""
    if envid is not None:
        yield f"Original-Envelope-Id: {printable_ascii(envid)}"
    yield f"Reporting-MTA: dns; {mail_domain(hostname)}"
    yield f"Arrival-Date: {date(arrived)}"


def recipient_fields(each: RecipientStatus) -> Iterator[str]:
    """The lines about one recipient (RFC 3464 section 2.3); each may be folded."""
    outcome = each.outcome
    final = _typed_address("rfc822", without_smtputf8(each.recipient.mailbox))
    original = final
    if each.recipient.orcpt is not None:
        kind, _, address = each.recipient.orcpt.partition(";")
        original = _typed_address(kind, address)
    if len(original) <= VALUE_CHARACTERS:  # an address cannot be folded
        yield f"Original-Recipient: {original}"
    yield f"Final-Recipient: {final}"
    yield f"Action: {each.action.value}"
    yield f"Status: {status_code(each)}"
    if outcome.host or outcome.remote_address:
        name = outcome.host or mail_domain(outcome.remote_address)
        yield f"Remote-MTA: dns; {printable_ascii(name)}"
    if said := printable_ascii(" ".join(reply_text(outcome).split())):
        # Our own words are not the transcript that "smtp" promises (section 2.3.6).
        kind = "smtp" if outcome.code else "x-smtpeter"
        yield _folded(f"Diagnostic-Code: {kind}; {said[:VALUE_CHARACTERS]}")
    yield f"Last-Attempt-Date: {date(each.attempted)}"
    if each.action is Action.DELAYED and each.retry_until is not None:
        yield f"Will-Retry-Until: {date(each.retry_until)}"


def status_code(each: RecipientStatus) -> str:
    """The enhanced status code, a general one where the server gave none."""
    status = each.outcome.status
    return status if _STATUS.fullmatch(status) else _GENERAL_STATUS[each.action]


def reply_text(outcome: Outcome) -> str:
    """What the server said, with the codes it said it with; or our own words."""
    if not outcome.code:
        return outcome.text
    text = outcome.text
    status = outcome.status
    if status and not text.startswith(status):
        text = f"{status} {text}"
    return f"{outcome.code} {text}"


def without_smtputf8(mailbox: Mailbox) -> str:
    """As a server without SMTPUTF8 writes it, where there is such a form."""
    return str(mailbox) if mailbox.needs_smtputf8 else mailbox.ascii()


def _typed_address(kind: str, address: str) -> str:
    """
    An address as a field of a report has it.

    RFC 6533 section 3: beyond ASCII it is of the type utf-8, its characters embedded.
    """
    if address.isascii():
        return printable_ascii(f"{kind}; {address}")
    embedded = _TO_EMBED.sub(lambda match: rf"\x{{{ord(match[0]):02X}}}", address)
    return f"utf-8; {embedded}"


def mail_domain(host: str) -> str:
    """A host as it stands behind an @: a name, or an address literal (RFC 5321 section 4.1.3)."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"


def printable_ascii(text: str) -> str:
    """On one line of ASCII, whatever somebody else has put in it."""
    return _NOT_PRINTABLE_ASCII.sub("?", text).strip()


def date(seconds: float) -> str:
    """Seconds since the epoch as RFC 5322 writes them, in UTC."""
    return format_datetime(datetime.fromtimestamp(int(seconds), UTC))


def _folded(line: str) -> str:
    lines = textwrap.wrap(
        line,
        LINE_CHARACTERS,
        subsequent_indent=" ",
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\r\n".join(lines)
