"""Secrets: made, hashed, and compared."""

from __future__ import annotations

import base64
import hashlib
import secrets
import string

import bcrypt

BCRYPT_COST = 12  # about a quarter of a second on today's machines

_USERNAME_CHARACTERS = string.ascii_lowercase + string.digits
_USERNAME_LENGTH = 12
_UNAMBIGUOUS = "abcdefghjkmnpqrstuvwxyz23456789"  # no i, l and 1, no o and 0
_GROUPS = 5
_GROUP_LENGTH = 5
_TOKEN_CHARACTERS = string.ascii_letters + string.digits
_TOKEN_LENGTH = 40


def new_username() -> str:
    """Twelve lower-case letters and digits."""
    return _random(_USERNAME_CHARACTERS, _USERNAME_LENGTH)


def new_password() -> str:
    """Five groups of five characters that nobody misreads, one space between: 123 bits."""
    return " ".join(_random(_UNAMBIGUOUS, _GROUP_LENGTH) for _ in range(_GROUPS))


def new_token() -> str:
    """Forty letters and digits, 238 bits; no URL and no header needs to escape them."""
    return _random(_TOKEN_CHARACTERS, _TOKEN_LENGTH)


def _random(characters: str, length: int) -> str:
    return "".join(secrets.choice(characters) for _ in range(length))


def token_digest(token: str) -> str:
    """SHA-256, hexadecimal. A token is random enough that nothing slower is needed."""
    return hashlib.sha256(token.encode()).hexdigest()


def hash_password(password: str, cost: int = BCRYPT_COST) -> str:
    """The bcrypt hash to store, such as `$2b$12$…`. Takes time: call it in a thread."""
    return bcrypt.hashpw(_condensed(password), bcrypt.gensalt(cost)).decode("ascii")


def matches(password: str, stored_hash: str) -> bool:
    """
    Whether a password is the one that was hashed. Takes time: call it in a thread.

    Raises:
        ValueError: what was stored is no bcrypt hash.
    """
    return bcrypt.checkpw(_condensed(password), stored_hash.encode("ascii"))


def _condensed(password: str) -> bytes:
    # bcrypt takes at most 72 octets, and many implementations stop at the first NUL.
    # The Base64 form of the SHA-256 digest is 44 octets without NUL, whatever the password.
    return base64.b64encode(hashlib.sha256(password.encode()).digest())
