"""
The name server of the receivers: domains d0.example, d1.example, ... with a host for each.

It must never be what limits a server: it knows no zone, but makes each answer from the question.
"""

import os
import select
import socket
import struct
from collections.abc import Collection
from multiprocessing.connection import Connection
from typing import Any

_TTL_SECONDS = 3600
_DATAGRAM_OCTETS = 4096
_HEADER_OCTETS = 12
_A, _MX, _IN = 1, 15, 1
# RFC 1035 section 4.1.1: an answer, authoritative, to one who may ask for recursion
_ANSWER, _NO_SUCH_NAME = 0x8580, 0x8583
_TO_QUESTION = b"\xc0\x0c"  # section 4.1.4: the name that was asked for
_HOST = b"mx"
_PREFERENCE = 10
_NETS, _ADDRESSES = 250, 250


def domain_name(number: int) -> str:
    """The domain of a receiver; its only host is "mx" below it."""
    return f"d{number}.example"


def address(number: int) -> bytes:
    """The IPv4 address of a receiver's host: each has its own, all are loopback."""
    net, last = divmod(number, _ADDRESSES)
    high, low = divmod(net, _NETS)
    return bytes((127, 1 + high, low, 1 + last))


def answer(query: bytes) -> bytes:
    """
    The answer to a query in one datagram (RFC 1035 section 4).

    Raises:
        ValueError, IndexError, struct.error: this is no query.
    """
    labels, end = _labels(query)
    kind, _class = struct.unpack_from("!HH", query, end)
    question = query[_HEADER_OCTETS : end + 4]
    number = _number(labels)
    data = b""
    if number is not None and kind == _MX and labels[0] != _HOST:
        data = struct.pack("!HB", _PREFERENCE, len(_HOST)) + _HOST + _TO_QUESTION
    elif number is not None and kind == _A and labels[0] == _HOST:
        data = address(number)
    flags = _NO_SUCH_NAME if number is None else _ANSWER
    header = query[:2] + struct.pack("!HHHHH", flags, 1, 1 if data else 0, 0, 0)
    if not data:
        return header + question
    record = struct.pack("!HHIH", kind, _IN, _TTL_SECONDS, len(data))
    return header + question + _TO_QUESTION + record + data


def _labels(query: bytes) -> tuple[list[bytes], int]:
    """The labels of the name that is asked for, in lower case, and where it ends."""
    labels = []
    position = _HEADER_OCTETS
    while length := query[position]:
        labels.append(query[position + 1 : position + 1 + length].lower())
        position += 1 + length
    return labels, position + 1


def _number(labels: list[bytes]) -> int | None:
    """Which receiver a name belongs to; None for any other name."""
    below = labels[1:] if labels[:1] == [_HOST] else labels
    if len(below) != 2 or below[1] != b"example" or below[0][:1] != b"d":
        return None
    digits = below[0][1:]
    return int(digits) if digits.isdigit() else None


def serve(control: "Connection[Any, Any]", cores: Collection[int]) -> None:
    """
    The name server's process: say on which UDP port of 127.0.0.1 it listens, then answer until
    `control` is closed.
    """
    os.sched_setaffinity(0, cores)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        control.send(listener.getsockname()[1])
        while True:
            ready, _, _ = select.select([listener.fileno(), control.fileno()], [], [])
            if control.fileno() in ready:
                return
            query, asker = listener.recvfrom(_DATAGRAM_OCTETS)
            try:
                reply = answer(query)
            except (ValueError, IndexError, struct.error):
                continue
            listener.sendto(reply, asker)
