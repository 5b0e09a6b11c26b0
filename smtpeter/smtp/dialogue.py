"""
The steps of a client's dialogue.

A dialogue is a generator: it yields what is to be done next and is sent the reply. So
the order of commands can be read from top to bottom, and knows no transport or clock.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias

from smtpeter.message.reply import Reply
from smtpeter.values import frozen


@frozen
class Timeouts:
    """
    How long to wait for what; seconds. The defaults are those of RFC 5321 4.5.3.2.

    Attributes:
        handshake: of TLS; peers that stall there are common.
        block: for the other side to take in a block of the content.
        content_end: for the reply to the final dot.
        quit: for the reply to QUIT and the end of the connection.
        opening: from the greeting to the first MAIL, all in all.
        transaction: from MAIL to the reply to the final dot, all in all.
    """

    greeting: float = 300
    command: float = 300
    handshake: float = 30
    data: float = 120
    block: float = 180
    content_end: float = 600
    quit: float = 5
    opening: float = 600
    transaction: float = 3600


@frozen
class Say:
    """
    Write some octets, possibly none, and wait for one reply.

    Attributes:
        stage: the point in the dialogue, as `Outcome.state` names it.
        seconds: how long to wait.
    """

    octets: bytes
    stage: str
    seconds: float


@frozen
class Encrypt:
    """Start TLS; the dialogue goes on, without a reply, when the handshake is done."""


@frozen
class SendContent:
    """Write the content with its final dot, and wait for one reply."""


Step: TypeAlias = Say | Encrypt | SendContent
Dialogue: TypeAlias = Generator[Step, Reply, None]
