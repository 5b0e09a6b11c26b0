"""SMTP replies as values (RFC 5321 section 4.2, RFC 2034)."""

from __future__ import annotations

from smtpeter.values import frozen


@frozen
class Reply:
    """
    One reply: a code, an enhanced status code, and its text.

    Attributes:
        code: three digits, 200 to 599.
        enhanced: such as "5.7.1"; empty where RFC 2034 allows none.
        text: ASCII; each newline starts a further line of the same reply.
    """

    code: int
    enhanced: str
    text: str

    @property
    def temporary(self) -> bool:
        """True when the same request may succeed later."""
        return self.code // 100 == 4

    def octets(self, *, enhanced_codes: bool = False) -> bytes:
        """
        The reply as it goes over the wire, with its final CRLF.

        A refusal always names its enhanced code. A positive reply does so only
        with `enhanced_codes`, that is when ENHANCEDSTATUSCODES was offered.
        """
        named = self.enhanced and (enhanced_codes or self.code >= 400)
        prefix = f"{self.enhanced} " if named else ""
        first, *more = self.text.split("\n")
        if not more:
            return f"{self.code} {prefix}{first}\r\n".encode("ascii", "replace")
        lines = [first, *more]
        written = [f"{self.code}-{prefix}{line}\r\n" for line in lines[:-1]]
        written.append(f"{self.code} {prefix}{lines[-1]}\r\n")
        return "".join(written).encode("ascii", "replace")


class Refused(Exception):
    """
    The request cannot be met; `reply` tells the client why.

    The reply is written for strangers. What the operator should know goes into
    `__cause__` and the log.

    Attributes:
        reply: what an SMTP client is told.
        status: what a REST client is told with the same sentence, an HTTP status.
        retry_seconds: after how long it may succeed, None where nobody knows.
    """

    def __init__(self, reply: Reply, status: int, retry_seconds: float | None = None) -> None:
        super().__init__(reply.text)
        self.reply = reply
        self.status = status
        self.retry_seconds = retry_seconds


def storage_full() -> Refused:
    """Nothing can be stored for lack of room (RFC 3463 X.3.1)."""
    return Refused(Reply(452, "4.3.1", "Insufficient system storage, try again later"), 507)


def storage_unavailable() -> Refused:
    """Nothing can be stored now, for a reason that is ours."""
    return Refused(Reply(451, "4.3.0", "Cannot store the message now, try again later"), 503)


def content_too_big(limit_octets: int) -> Refused:
    """The content is larger than any content may be (RFC 1870 section 6.3)."""
    text = f"Message too big (the limit is {limit_octets} octets)"
    return Refused(Reply(552, "5.3.4", text), 413)


def too_much_in_flight() -> Refused:
    """The contents being received or sent fill the memory set aside for them."""
    text = "Too much mail in transit at this moment, try again later"
    return Refused(Reply(452, "4.3.1", text), 503)
