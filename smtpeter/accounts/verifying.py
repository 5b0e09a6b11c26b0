"""Passwords compared with what is stored of them, beside the reactor thread."""

from __future__ import annotations

import hashlib
import secrets
import string
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from smtpeter.accounts.interfaces import CheckUnavailable
from smtpeter.accounts.passwords import BCRYPT_COST, matches
from smtpeter.expiring import Expiring

REMEMBERED_SECONDS = 60.0
MAX_REMEMBERED = 10_000
MAX_CHECKS_WAITING = 100  # what two cores work off in a client's patience, some 15 seconds

_BCRYPT_CHARACTERS = "./" + string.ascii_uppercase + string.ascii_lowercase + string.digits


class PasswordVerifier:
    """
    Compares passwords with stored hashes, beside the reactor thread.

    A check that succeeded is remembered for a minute, so that a client which logs in for
    every message costs one bcrypt a minute. The memory holds neither password nor hash, only
    a MAC over both under a key of this process: when the stored hash changes, nothing
    remembered fits any more.

    Args:
        in_thread: calls a function in a thread and gives a Deferred of its result.
        seconds: a clock that never goes back, such as `time.monotonic`.
        cost: the bcrypt cost of the hashes in the store.
        max_waiting: checks that may be under way; beyond them a check is refused.
    """

    _log = Logger()

    def __init__(
        self,
        in_thread: Callable[..., Deferred[Any]],
        seconds: Callable[[], float],
        *,
        cost: int = BCRYPT_COST,
        max_waiting: int = MAX_CHECKS_WAITING,
    ) -> None:
        self._in_thread = in_thread
        self._cost = cost
        self._max_waiting = max_waiting
        self._key = secrets.token_bytes(32)
        self._succeeded: Expiring[bytes, bool] = Expiring(seconds, MAX_REMEMBERED)
        self._under_way: dict[bytes, list[Deferred[bool]]] = {}

    def verify(self, password: str, stored_hash: str) -> Deferred[bool]:
        """
        Whether the password fits the hash; fires at once when that is remembered.

        Fails with `CheckUnavailable` when too many checks wait, or the hash is damaged.
        """
        key = self._mac(stored_hash, password)
        if self._succeeded.get(key):
            return succeed(True)
        result: Deferred[bool] = Deferred()
        if key in self._under_way:
            self._under_way[key].append(result)
        elif len(self._under_way) >= self._max_waiting:
            return fail(CheckUnavailable("too many passwords are being checked"))
        else:
            self._under_way[key] = [result]
            self._in_thread(matches, password, stored_hash).addBoth(self._finished, key)
        return result

    def hash_for_nobody(self, username: str) -> str:
        """
        A hash that no password fits, for a user who does not exist.

        To check a password against it takes as long as for one who does. It is always the same
        for the same name and differs between names, as real ones do: otherwise two
        checks sent together would tell by their times whether they were one.
        """
        characters = self._mac("nobody", username) + self._mac("nothing", username)
        text = "".join(_BCRYPT_CHARACTERS[octet % 64] for octet in characters)
        salt, digest = text[:21] + ".", text[22:53]  # the last character of a salt has two bits
        return f"$2b${self._cost:02}${salt}{digest}"

    def _finished(self, outcome: bool | Failure, key: bytes) -> None:  # noqa: FBT001
        waiting = self._under_way.pop(key)
        if isinstance(outcome, Failure):
            self._log.error("a password could not be checked: {error}", error=outcome.value)
            for each in waiting:
                each.errback(CheckUnavailable("the password could not be checked"))
            return
        if outcome:
            self._succeeded.put(key, True, REMEMBERED_SECONDS)
        for each in waiting:
            each.callback(outcome)

    def _mac(self, stored_hash: str, password: str) -> bytes:
        octets = b"\0".join((stored_hash.encode(), password.encode()))
        return hashlib.blake2b(octets, key=self._key, digest_size=32).digest()
