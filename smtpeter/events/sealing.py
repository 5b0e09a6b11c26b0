"""Hides on disk who a reader is, from everybody but the process that wrote it."""

from __future__ import annotations

import base64
from itertools import count

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_KEY_BITS = 128
_NONCE_OCTETS = 12


class Seal:
    """Closes texts under a key that is in the memory of this process alone, and ends with it."""

    def __init__(self) -> None:
        self._cipher = AESGCM(AESGCM.generate_key(_KEY_BITS))
        self._nonces = count()  # the key is new, so they need only differ

    def close(self, text: str) -> str:
        """The text as letters that nobody else can read."""
        nonce = next(self._nonces).to_bytes(_NONCE_OCTETS, "big")
        sealed = self._cipher.encrypt(nonce, text.encode("utf-8", "surrogatepass"), None)
        return base64.b64encode(nonce + sealed).decode("ascii")

    def open(self, sealed: str) -> str | None:
        """The text again; None for what this seal has not closed."""
        try:
            octets = base64.b64decode(sealed, validate=True)
            text = self._cipher.decrypt(octets[:_NONCE_OCTETS], octets[_NONCE_OCTETS:], None)
            return text.decode("utf-8", "surrogatepass")
        except (ValueError, InvalidTag):
            return None
