"""
Delivery status notifications, as they are sent (RFC 3464, RFC 6522, RFC 6533).

A report has three parts: words for a person, fields for a program, and what it is about.
Nothing in it asks more of the way back than 7 bits, unless the original itself does.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from attrs import field

from smtpeter.message import quotedprintable, reportwords
from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content
from smtpeter.message.deliverystatus import (
    Action,
    RecipientStatus,
    date,
    mail_domain,
    message_fields,
    recipient_fields,
    reply_text,
    status_code,
    without_smtputf8,
)
from smtpeter.values import frozen

FULL_OCTETS = 1024 * 1024

_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,500}>")


@frozen
class StatusReport:
    """
    What a report is made of. Times are seconds since the epoch.

    It is to be sent with the null reverse-path and NOTIFY=NEVER (RFC 3461 section 6.1).

    Attributes:
        hostname: ours.
        id: names the report and separates its parts; nobody can have guessed it.
        sender: the reverse-path of the original; the report goes there.
        statuses: one or more.
        arrived: when the original was handed to us.
        original: the message as it was handed to us; None when it is kept no longer.
        envid: as the client gave it, decoded.
        ret: "FULL" returns a failed original of up to `FULL_OCTETS`, else its header goes.
    """

    hostname: str
    time: float
    id: str
    sender: Mailbox
    statuses: tuple[RecipientStatus, ...]
    arrived: float
    original: Content | None
    envid: str | None = None
    ret: str | None = None


@frozen
class _Part:
    media_type: str
    encoding: str
    blocks: tuple[bytes, ...] = field(repr=False)

    def header(self) -> bytes:
        return _lines(
            (
                f"Content-Type: {self.media_type}",
                f"Content-Transfer-Encoding: {self.encoding}",
                "",
            )
        )


def compose(report: StatusReport) -> Content:
    """The report as a message; the blocks of a returned original are not copied."""
    parts = [_words(report), _status(report)]
    if report.original is not None:
        parts.append(_returned(report.original, full=_is_full(report)))
    boundary = f"=_report_{report.id}"
    encoding = "8bit" if any(part.encoding == "8bit" for part in parts) else "7bit"
    header = _lines(_header(report, boundary, encoding)) + b"\r\n"
    blocks = [header]
    for part in parts:
        # The CRLF before a boundary belongs to the boundary (RFC 2046 section 5.1.1).
        blocks[-1] += f"\r\n--{boundary}\r\n".encode() + part.header()
        blocks += filter(None, part.blocks)
    blocks.append(f"\r\n--{boundary}--\r\n".encode())
    return Content(tuple(blocks), len(header))


def _header(report: StatusReport, boundary: str, encoding: str) -> Iterator[str]:
    domain = mail_domain(report.hostname)
    yield f"Date: {date(report.time)}"
    yield f"From: Mail Delivery System <postmaster@{domain}>"
    yield f"To: {without_smtputf8(report.sender)}"
    yield f"Subject: {reportwords.subject({each.action.value for each in report.statuses})}"
    yield f"Message-ID: <{report.id}@{domain}>"
    original_id = _message_id(report.original)
    if original_id is not None:
        yield f"In-Reply-To: {original_id}"
        yield f"References: {original_id}"
    yield "Auto-Submitted: auto-replied"
    yield "MIME-Version: 1.0"
    yield f'Content-Type: multipart/report; report-type=delivery-status;\r\n boundary="{boundary}"'
    yield f"Content-Transfer-Encoding: {encoding}"


def _words(report: StatusReport) -> _Part:
    about = [
        reportwords.About(
            address=str(each.recipient.mailbox),
            action=each.action.value,
            status=status_code(each),
            code=each.outcome.code,
            reply=reply_text(each.outcome),
            server=each.outcome.host or each.outcome.remote_address,
            until=date(each.retry_until) if each.retry_until is not None else "",
        )
        for each in report.statuses
    ]
    subject = _first_value(report.original, "subject")
    text = reportwords.text(report.hostname, date(report.arrived), subject, about)
    octets = text.replace("\n", "\r\n").encode()
    if octets.isascii():
        return _Part("text/plain; charset=us-ascii", "7bit", (octets,))
    return _Part(
        "text/plain; charset=utf-8", "quoted-printable", (quotedprintable.encoded(octets),)
    )


def _status(report: StatusReport) -> _Part:
    of_message = message_fields(report.hostname, report.arrived, report.envid)
    groups = [_lines(of_message), *(_lines(recipient_fields(each)) for each in report.statuses)]
    return _Part("message/delivery-status", "7bit", (b"\r\n".join(groups),))


def _is_full(report: StatusReport) -> bool:
    """RFC 3461 section 4.3: without a failure, the header is enough."""
    return report.ret == "FULL" and any(each.action is Action.FAILED for each in report.statuses)


def _returned(original: Content, *, full: bool) -> _Part:
    """
    The original or its header, under the type that tells what its octets are.

    RFC 6533 section 4: a header that is UTF-8 makes it message/global. The header of a
    message in some other charset breaks RFC 5322, and is shown in a readable encoding.
    """
    header = original.header
    international = not header.isascii() and _is_utf8(header)
    if full and original.octets <= FULL_OCTETS:
        media_type = "message/global" if international else "message/rfc822"
        return _Part(media_type, "8bit" if original.eightbit else "7bit", original.blocks)
    fields = header.removesuffix(b"\r\n")
    if international:
        return _Part("message/global-headers", "8bit", (fields,))
    if header.isascii():
        return _Part("text/rfc822-headers", "7bit", (fields,))
    return _Part("text/rfc822-headers", "quoted-printable", (quotedprintable.encoded(fields),))


def _is_utf8(octets: bytes) -> bool:
    try:
        octets.decode()
    except UnicodeDecodeError:
        return False
    return True


def _first_value(content: Content | None, name: str) -> str:
    fields = content.fields() if content else ()
    return next((each.value for each in fields if each.name == name), "")


def _message_id(content: Content | None) -> str | None:
    value = _first_value(content, "message-id")
    return value if _MESSAGE_ID.fullmatch(value) else None


def _lines(lines: Iterable[str]) -> bytes:
    return "".join(f"{line}\r\n" for line in lines).encode()
