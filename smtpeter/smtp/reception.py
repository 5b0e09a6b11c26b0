"""What a client sent as content is taken as content, or refused."""

from __future__ import annotations

from smtpeter.message.content import Content, HeaderTooLarge
from smtpeter.message.reply import Refused, Reply, content_too_big, too_much_in_flight
from smtpeter.smtp.wire import ContentReader, Fault

BARE_NEWLINE = Reply(550, "5.6.0", "Message has a CR or LF that stands alone")
HEADER_TOO_LARGE = Reply(552, "5.3.4", "Message header too large")


def received(reader: ContentReader) -> Content:
    """
    The content whose end a reader has found.

    Raises:
        Refused: it cannot be accepted, with the reply that says why.
    """
    if reader.fault is not None:
        raise _refusal(reader, reader.fault)
    try:
        return Content.from_blocks(reader.blocks())
    except HeaderTooLarge:
        raise Refused(HEADER_TOO_LARGE, 413) from None


def _refusal(reader: ContentReader, fault: Fault) -> Refused:
    match fault:
        case Fault.NO_ROOM:
            return too_much_in_flight()
        case Fault.TOO_BIG:
            return content_too_big(reader.limit_octets)
        case Fault.LINE_TOO_LONG:
            text = f"Message has a line that is too long (the limit is {reader.line_limit} octets)"
            return Refused(Reply(500, "5.6.0", text), 400)
        case Fault.BARE_NEWLINE:
            return Refused(BARE_NEWLINE, 400)
