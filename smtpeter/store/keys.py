"""Names for what is stored: row keys that grow, message ids that cannot be guessed."""

from __future__ import annotations

import secrets
import string
from collections.abc import Callable

ID_CHARACTERS = 16
_ALPHABET = string.ascii_letters + string.digits


class KeySource:
    """
    Makes keys that grow with time, so that new rows land next to each other.

    Args:
        seconds: the wall clock, seconds since the epoch.
        greatest: the greatest key in use; a clock set back never makes one twice.
    """

    def __init__(self, seconds: Callable[[], float], greatest: int = 0) -> None:
        self._seconds = seconds
        self._last = greatest

    def next(self) -> int:
        """A key greater than all before it: microseconds since the epoch, or one more."""
        self._last = max(self._last + 1, int(self._seconds() * 1_000_000))
        return self._last


def message_id() -> str:
    """
    A new message id: 16 letters and digits, 95 bits of chance.

    It needs no escaping in URLs, in local parts of addresses, and in file names.
    """
    # One draw of 128 bits costs a system call less than sixteen draws of one character;
    # the remainder of the division is off uniform by 2**-33.
    number = secrets.randbits(128)
    characters = []
    for _ in range(ID_CHARACTERS):
        number, index = divmod(number, 62)
        characters.append(_ALPHABET[index])
    return "".join(characters)
