"""What became of one attempt to hand a message to one recipient's server."""

from __future__ import annotations

import enum

from smtpeter.values import frozen


class Verdict(enum.Enum):
    """What follows from an attempt."""

    DELIVERED = "delivered"
    DEFERRED = "deferred"
    FAILED = "failed"


@frozen
class Outcome:
    """
    The result of one attempt for one recipient.

    Attributes:
        type: "" when delivered, else "error" (a reply said so), "timeout", "lost" (the
            connection), or "invalid" (what came back was not SMTP).
        state: the point reached: "process", "dns", "bind", "connect", "intro", "ehlo", "helo",
            "starttls", "authplain", "authlogin", "mailfrom", "rcptto", "data", or "message"
            (after the final dot).
        code: the SMTP reply code, 0 when there was no reply.
        status: the enhanced status code such as "5.1.1"; never empty unless delivered.
        text: the reply's text, or our own words for what went wrong.
        host: the name of the server that was spoken to, "" when none was.
        local_address: the IP address we sent from, "" when there was no connection.
        remote_address: the IP address we sent to, "" when there was no connection.
        tls: "" for clear text, else protocol and cipher, and "verified" where it was.
        dsn_passed_on: the server took over the sender's wishes for notifications (RFC 3461).
        final: the message is where its recipient reads it, and goes no further.
    """

    verdict: Verdict
    type: str
    state: str
    code: int
    status: str
    text: str
    host: str = ""
    local_address: str = ""
    remote_address: str = ""
    tls: str = ""
    dsn_passed_on: bool = False
    final: bool = False
