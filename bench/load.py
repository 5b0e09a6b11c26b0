"""What the generator is asked to send, and what it reports."""

from dataclasses import dataclass
from enum import Enum

from bench.content import Maker

SESSIONS = 20


class Reuse(Enum):
    """How many messages one connection carries."""

    ONE = "one"
    MANY = "many"


@dataclass(frozen=True)
class Target:
    """Where to send: a submission port on 127.0.0.1 that offers STARTTLS and AUTH PLAIN."""

    port: int
    username: str
    password: str


@dataclass(frozen=True)
class Load:
    """
    Messages to send.

    Args:
        target: to whom.
        first_id: the first message's id; the others follow.
        messages: how many.
        maker: makes them.
        reuse: ONE: every message has a connection, a TLS handshake and a login of its own.
            MANY: the sessions log in before the clock starts, and stay.
        messages_per_second: when messages fall due; 0.0: each session sends its next message as
            soon as it can.
        resume: resume TLS sessions instead of a full handshake for each connection.
        deadline_seconds: after which the rest is given up.
        sessions: how many connections at the same time, at most.
    """

    target: Target
    first_id: int
    messages: int
    maker: Maker
    reuse: Reuse
    messages_per_second: float
    resume: bool
    deadline_seconds: float
    sessions: int = SESSIONS


@dataclass(frozen=True)
class Sent:
    """
    What became of a Load. Times are time.monotonic(), in seconds.

    first_send_at: the first connect (ONE), the first MAIL (MANY).
    content_sent_at, accepted_at: array("d") as bytes, one entry per message, in the order of their
        ids: when the last octet of the content went to the kernel, when the 250 for it was read;
        0.0 where that did not happen.
    worst_lateness_seconds: how long a message had to wait, at most, for a free session after it
        fell due; of interest at a fixed rate only.
    failures: the different replies and errors that cost messages, at most a few.
    refused: messages that were not accepted, for whatever reason.
    cpu_seconds: CPU time of the generator's process since it began.
    tls: protocol version and cipher of the last handshake, and whether it was a resumed one.
    """

    first_send_at: float
    content_sent_at: bytes
    accepted_at: bytes
    worst_lateness_seconds: float
    failures: tuple[str, ...]
    refused: int
    cpu_seconds: float
    tls: str
