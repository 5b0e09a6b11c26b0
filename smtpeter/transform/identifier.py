"""
Identifiers that prove themselves: what stands in a tracked link instead of a row in a table.

An identifier is letters and digits, and the case of the letters counts:

========== =============================================================================
characters what they say
========== =============================================================================
16         the message id
1 or more  kind, number in the message and number of the origin, as one number in base 62
11         a message authentication code (keyed BLAKE2b) over all that
========== =============================================================================

With the origins of a young service (up to some 900) that is 31 characters at most, and one
more for each sixty-two times as many. A code is guessed with a chance below 2**-62.
"""

from __future__ import annotations

import hmac
import re
import string
from collections.abc import Iterable, Sequence
from functools import lru_cache
from hashlib import blake2b

from smtpeter.values import frozen

KINDS = ("click", "open", "image", "webversion", "honeypot")
NUMBERS = 2048  # of a kind in one message
ORIGINS = 2**31  # what a row can be numbered
KEY_OCTETS = range(16, blake2b.MAX_KEY_SIZE + 1)

MESSAGE_ID_CHARACTERS = 16
PROOF_CHARACTERS = 11
LONGEST = MESSAGE_ID_CHARACTERS + 8 + PROOF_CHARACTERS

_KINDS = 8  # with room for more
_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
# Some characters are a little likelier than others, at most 5 in 256: 62.4 bits for eleven.
_LETTERS = bytes(ord(_DIGITS[octet % len(_DIGITS)]) for octet in range(256))
_MESSAGE_ID = re.compile(rf"[A-Za-z0-9]{{{MESSAGE_ID_CHARACTERS}}}")
_IDENTIFIER = re.compile(
    rf"([A-Za-z0-9]{{{MESSAGE_ID_CHARACTERS}}})([A-Za-z0-9]{{1,8}})"
    rf"([A-Za-z0-9]{{{PROOF_CHARACTERS}}})"
)


@frozen
class Identified:
    """
    What an identifier stands for.

    Attributes:
        kind: one of `KINDS`.
        number: which of its kind in the message, from 0.
        origin: the number of the origin (scheme and host) where the original is.
    """

    message_id: str
    kind: str
    number: int
    origin: int


class Identifiers:
    """
    Makes identifiers and reads them.

    Args:
        key: 16 to 64 octets of chance; makes all new ones.
        others: keys that made earlier ones, which still hold, or will make later ones.
    """

    def __init__(self, key: bytes, others: Sequence[bytes] = ()) -> None:
        self.use(key, others)

    def use(self, key: bytes, others: Sequence[bytes] = ()) -> None:
        """
        Take other keys from now on; the arguments are those of the class.

        Raises:
            ValueError: one is too short or too long.
        """
        for each in (key, *others):
            if len(each) not in KEY_OCTETS:
                raise ValueError(
                    f"a key for identifiers has {KEY_OCTETS.start} to {KEY_OCTETS.stop - 1}"
                    f" octets, this one has {len(each)}"
                )
        self._keys = (key, *others)

    def make(self, message_id: str, kind: str, number: int, origin: int) -> str:
        """
        The identifier of one thing in one message.

        Raises:
            ValueError: one of these cannot be written in an identifier.
        """
        [made] = self.make_all(message_id, [(kind, number, origin)])
        return made

    def make_all(self, message_id: str, things: Iterable[tuple[str, int, int]]) -> list[str]:
        """
        The identifiers of things in one message.

        Args:
            things: kind, number and origin of each.

        Raises:
            ValueError: one of these cannot be written in an identifier.
        """
        if not _MESSAGE_ID.fullmatch(message_id):
            raise ValueError(f"{message_id!r} is no message id")
        begun = _proof(self._keys[0])
        begun.update(message_id.encode("ascii"))
        return [
            f"{message_id}{(written := _written(*thing))}{_finished(begun.copy(), written)}"
            for thing in things
        ]

    def read(self, identifier: str) -> Identified | None:
        """What an identifier stands for; None for one that none of the keys has made."""
        match = _IDENTIFIER.fullmatch(identifier)
        if match is None:
            return None
        message_id, written, proof = match.groups()
        claim = message_id + written
        if not any(hmac.compare_digest(proof, _finished(_proof(key), claim)) for key in self._keys):
            return None
        rest, kind = divmod(_from_base62(written), _KINDS)
        origin, number = divmod(rest, NUMBERS)
        return Identified(message_id, KINDS[kind], number, origin)


def _proof(key: bytes) -> blake2b:
    """The begin of a code over a claim."""
    return blake2b(digest_size=PROOF_CHARACTERS, key=key, person=b"identifier")


def _finished(begun: blake2b, claim: str) -> str:
    """The code, with what was missing of the claim."""
    begun.update(claim.encode("ascii"))
    return begun.digest().translate(_LETTERS).decode("ascii")


@lru_cache(maxsize=8192)
def _written(kind: str, number: int, origin: int) -> str:
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind: {', '.join(KINDS)}")
    if not 0 <= number < NUMBERS:
        raise ValueError(f"number {number} is not from 0 to {NUMBERS - 1}")
    if not 0 <= origin < ORIGINS:
        raise ValueError(f"origin {origin} is not from 0 to {ORIGINS - 1}")
    return _base62((origin * NUMBERS + number) * _KINDS + KINDS.index(kind))


def _base62(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits


def _from_base62(digits: str) -> int:
    number = 0
    for digit in digits:
        number = number * len(_DIGITS) + _VALUES[digit]
    return number
