"""
Addresses to which mail comes back: each names its message, and proves that we have made it.

The local part is 32 characters of base32 in lower case. Letters are read in any case, for there
are systems that change it. They stand for 20 octets:

====== ===================================================================================
octets what they say
====== ===================================================================================
12     the message id, its 16 characters as one number in base 62
2      the day on which the message was handed in, counted from 1970-01-01 (until 2149)
6      a message authentication code over all that: HMAC-SHA256, the first 48 bits
====== ===================================================================================

The keys of the codes are derived from those of tracked links, so that one cannot be used in place
of the other.
"""

from __future__ import annotations

import base64
import enum
import hashlib
import hmac
import re
import string
from collections.abc import Sequence

from smtpeter.values import frozen

MESSAGE_ID_CHARACTERS = 16
LOCAL_CHARACTERS = 32
DAY_SECONDS = 86_400.0
# A message is tried for 30 days at most, and so long again by those who took it.
LIFETIME_DAYS = 60
DAYS = 2**16

_PURPOSE = b"smtpeter bounce address"
_ID_OCTETS = 12
_DAY_OCTETS = 2
_CLAIM_OCTETS = _ID_OCTETS + _DAY_OCTETS
_CODE_OCTETS = 6

_DIGITS = string.digits + string.ascii_uppercase + string.ascii_lowercase
_VALUES = {digit: value for value, digit in enumerate(_DIGITS)}
_MESSAGE_ID = re.compile(rf"[A-Za-z0-9]{{{MESSAGE_ID_CHARACTERS}}}")
_LOCAL = re.compile(rf"[A-Za-z2-7]{{{LOCAL_CHARACTERS}}}")


class Flaw(enum.Enum):
    """Why a local part is no bounce address of ours."""

    FOREIGN = "foreign"  # it does not even look like one
    FORGED = "forged"
    EXPIRED = "expired"


@frozen
class Claim:
    """
    What a bounce address says.

    Attributes:
        day: on which the message was handed in, counted from 1970-01-01.
    """

    message_id: str
    day: int


class BounceAddresses:
    """
    Makes local parts of bounce addresses and reads them.

    Args:
        key: octets of chance; makes all new ones.
        others: keys that made earlier ones, which still hold, or will make later ones.
        lifetime_days: how long mail may come back to one.
    """

    def __init__(
        self, key: bytes, others: Sequence[bytes] = (), lifetime_days: int = LIFETIME_DAYS
    ) -> None:
        self._lifetime_days = lifetime_days
        self.use(key, others)

    def use(self, key: bytes, others: Sequence[bytes] = ()) -> None:
        """Take other keys from now on; the arguments are those of the class."""
        self._keys = [_derived(each) for each in (key, *others)]

    def make(self, message_id: str, handed_in: float) -> str:
        """
        The local part for a message; it stays the same for as long as the key does.

        Args:
            handed_in: when the message was, seconds since the epoch.

        Raises:
            ValueError: it is no message id, or the time is not from 1970 to 2149.
        """
        if not _MESSAGE_ID.fullmatch(message_id):
            raise ValueError(f"{message_id!r} is no message id")
        day = _day(handed_in)
        if not 0 <= day < DAYS:
            raise ValueError(f"day {day} is not from 0 to {DAYS - 1}")
        claim = _number(message_id).to_bytes(_ID_OCTETS) + day.to_bytes(_DAY_OCTETS)
        return base64.b32encode(claim + _code(self._keys[0], claim)).decode("ascii").lower()

    def read(self, local: str, now: float) -> Claim | Flaw:
        """
        What a local part says, or why it says nothing.

        Args:
            now: seconds since the epoch.
        """
        if not _LOCAL.fullmatch(local):
            return Flaw.FOREIGN
        octets = base64.b32decode(local.upper())
        claim, code = octets[:_CLAIM_OCTETS], octets[_CLAIM_OCTETS:]
        if not any(hmac.compare_digest(code, _code(key, claim)) for key in self._keys):
            return Flaw.FORGED
        day = int.from_bytes(claim[_ID_OCTETS:])
        if _day(now) - day > self._lifetime_days:
            return Flaw.EXPIRED
        return Claim(_message_id(int.from_bytes(claim[:_ID_OCTETS])), day)


def _derived(key: bytes) -> bytes:
    return hmac.digest(key, _PURPOSE, hashlib.sha256)


def _code(key: bytes, claim: bytes) -> bytes:
    return hmac.digest(key, claim, hashlib.sha256)[:_CODE_OCTETS]


def _day(seconds: float) -> int:
    return int(seconds // DAY_SECONDS)


def _number(message_id: str) -> int:
    number = 0
    for digit in message_id:
        number = number * len(_DIGITS) + _VALUES[digit]
    return number


def _message_id(number: int) -> str:
    """The id for a number that we have made of one."""
    digits = ""
    for _ in range(MESSAGE_ID_CHARACTERS):
        number, digit = divmod(number, len(_DIGITS))
        digits = _DIGITS[digit] + digits
    return digits
