"""What the service and its workers say to each other: pickles, each behind its length."""

from __future__ import annotations

import pickle
import struct
from typing import Any

_LENGTH = struct.Struct("!Q")


def framed(value: object) -> bytes:
    """
    A value as a frame.

    Raises:
        Exception: it cannot be pickled; pickle raises whatever the value does.
    """
    payload = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
    return _LENGTH.pack(len(payload)) + payload


def value_of(payload: bytes) -> Any:
    """
    The value of a frame. Only for what comes from a process of our own.

    Raises:
        Exception: it cannot be read; pickle raises anything.
    """
    return pickle.loads(payload)  # noqa: S301 - nobody else has the other end


class FrameReader:
    """Finds frames in octets that come in pieces, and joins these only when all are there."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._octets = 0
        self._wanted = _LENGTH.size
        self._in_payload = False

    def feed(self, piece: bytes) -> list[bytes]:
        """The payloads that are complete with this piece."""
        self._pieces.append(piece)
        self._octets += len(piece)
        complete: list[bytes] = []
        while self._octets >= self._wanted:
            taken = self._take()
            if self._in_payload:
                complete.append(taken)
                self._wanted = _LENGTH.size
            else:
                (self._wanted,) = _LENGTH.unpack(taken)
            self._in_payload = not self._in_payload
        return complete

    def _take(self) -> bytes:
        everything = self._pieces[0] if len(self._pieces) == 1 else b"".join(self._pieces)
        taken, rest = everything[: self._wanted], everything[self._wanted :]
        self._pieces = [rest] if rest else []
        self._octets = len(rest)
        return taken
