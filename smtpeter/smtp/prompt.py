"""Writes leave when they are made, and not when the reactor comes round to them."""

from __future__ import annotations

import weakref
from typing import Any

from twisted.internet.abstract import FileDescriptor


def write_promptly(transport: Any) -> None:
    """
    Have a TCP transport try to send at once what is written to it.

    Twisted asks the system first whether a socket can be written to, and sends when it
    hears that it can. In a dialogue of short lines it always can; to ask costs two system
    calls and a turn of the reactor for each of them. What does not fit into the socket
    waits for the reactor as ever.

    It is the instance that changes, not the class: protocols of others keep their ways.

    Args:
        transport: of a protocol that is being connected; what is not a TCP transport of
            Twisted stays as it is.
    """
    if not isinstance(transport, FileDescriptor):
        return
    writing = False
    itself = weakref.ref(transport)  # else it would stay in memory, for it has the function

    def start_writing() -> None:
        nonlocal writing
        transport = itself()
        assert transport is not None
        # A producer has more, while its last block is being sent; or there is nothing new to
        # send, and Twisted wants to be called to close the connection.
        if writing or not transport._tempDataBuffer:  # noqa: SLF001
            FileDescriptor.startWriting(transport)
            return
        writing = True
        try:
            trouble = transport.doWrite()
        finally:
            writing = False
        if trouble is not None or transport.dataBuffer:
            # The reactor meets the same, and knows what is to be done about it.
            FileDescriptor.startWriting(transport)

    transport.startWriting = start_writing  # type: ignore[method-assign]
