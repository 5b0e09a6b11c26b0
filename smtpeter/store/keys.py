"""Names for what is stored: row keys that grow, message ids that cannot be guessed."""

from __future__ import annotations

import secrets
import string
import time
from collections.abc import Callable

NODES = 1024
ID_CHARACTERS = 16

# In the order in which indexes sort them.
_ALPHABET = (string.digits + string.ascii_uppercase + string.ascii_lowercase).encode()
_TIMES = [chr(first) + chr(second) for first in _ALPHABET for second in _ALPHABET]
_CHANCE_CHARACTERS = ID_CHARACTERS - 2
_CHARACTERS = bytes(_ALPHABET[octet % len(_ALPHABET)] for octet in range(256))
# The octets that would make some characters likelier than others.
_UNEVEN = bytes(range(256 - 256 % len(_ALPHABET), 256))
DRAWN_OCTETS = 2048


class KeySource:
    """
    Makes keys that grow with time, so that new rows land next to each other.

    A key holds microseconds since the epoch, which 63 bits have room for until the year
    2255, and the node: another process on the same database has another, as good as always,
    and does not make the same key in the same microsecond.

    Args:
        seconds: the wall clock, seconds since the epoch.
        greatest: the greatest key in use; a clock set back never makes one twice.
        node: below `NODES`; None for chance.
    """

    def __init__(
        self, seconds: Callable[[], float], greatest: int = 0, node: int | None = None
    ) -> None:
        self._seconds = seconds
        self._last = greatest // NODES
        self._node = secrets.randbelow(NODES) if node is None else node

    def next(self) -> int:
        """A key greater than all before it."""
        self._last = max(self._last + 1, int(self._seconds() * 1_000_000))
        return self._last * NODES + self._node


class MessageIds:
    """
    Makes message ids: 16 letters and digits, of which 14 are chance, 83 bits.

    They need no escaping in URLs, in local parts of addresses, and in file names. The first
    two turn with time, every tenth of a second: what is stored together then lies together
    in the indexes, and a commit need not touch a page for each message. Chance is drawn from
    the system for many ids at a time: each draw is a call that gives other threads their turn.
    """

    def __init__(
        self,
        draw: Callable[[int], bytes] = secrets.token_bytes,
        seconds: Callable[[], float] = time.time,
    ) -> None:
        self._draw = draw
        self._seconds = seconds
        self._characters = ""

    def next(self) -> str:
        """A new id."""
        while len(self._characters) < _CHANCE_CHARACTERS:
            drawn = self._draw(DRAWN_OCTETS).translate(_CHARACTERS, _UNEVEN)
            self._characters += drawn.decode("ascii")
        chance = self._characters[:_CHANCE_CHARACTERS]
        self._characters = self._characters[_CHANCE_CHARACTERS:]
        return _TIMES[int(self._seconds() * 10) % len(_TIMES)] + chance


message_id = MessageIds().next
