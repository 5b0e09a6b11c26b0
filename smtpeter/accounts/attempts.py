"""How often somebody may guess a password, without locking out the one who knows it."""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from collections.abc import Callable, Hashable
from functools import lru_cache
from typing import Generic, TypeVar

from smtpeter.expiring import Expiring

WINDOW_SECONDS = 600.0
FAILURES_OF_USER_FROM_NETWORK = 20
FAILURES_FROM_HOST = 100
MAX_DELAY_SECONDS = 5.0
AT_HOME_SECONDS = 30 * 86_400.0
MAX_ENTRIES = 20_000

_FIRST_DELAY_SECONDS = 0.25
_FREE_FAILURES_OF_USER = 5  # from everywhere together
_FREE_FAILURES_FROM_HOST = 10
_MAX_USERNAME_CHARACTERS = 320

_Key = TypeVar("_Key", bound=Hashable)


class FailureLimit:
    """
    Counts failed password logins and says who has to wait.

    A *network* is what one owner usually has: an IPv4 /24 or an IPv6 /64. A *host* is one
    IPv4 address, or again an IPv6 /64. All counts are over ten minutes.

    - 20 failures of one user name from one network block that name from that network. The
      same name from elsewhere is not touched, so nobody can lock an account out of the world.
    - 100 failures from one host block the host, whatever names it tried.
    - A name that has logged in from a host in the last 30 days is *at home* there. It is counted
      apart, for that host alone, and the two blocks above do not hold for it: neither a
      bad client behind the same NAT nor a guesser in the same network stops it.
    - Failures of one name from many networks, the guessing of a botnet, block nothing. They
      only make the answers to further failures slow, as do all the other counts.

    A blocked attempt is to be answered "try again later" without a look at the password. So
    it is no guess, and is not to be counted. A delay is for the answer to a failure; who
    has the right password never waits.

    The memory is bounded: beyond 20 000 entries of a kind those unused for longest go. It lives
    as long as the process.

    Args:
        seconds: a clock that never goes back, such as `time.monotonic`.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._of_user_from: _Counts[tuple[str, str]] = _Counts(seconds)
        self._from_host: _Counts[str] = _Counts(seconds)
        self._of_user: _Counts[str] = _Counts(seconds)
        self._at_home: Expiring[tuple[str, str], bool] = Expiring(seconds, MAX_ENTRIES)

    def blocked(self, address: str, username: str) -> bool:
        """True when this attempt is to be answered without a look at the password."""
        origin, at_home = self._origin(address, username)
        if self._of_user_from.count(origin) >= FAILURES_OF_USER_FROM_NETWORK:
            return True
        return not at_home and self._from_host.count(host(address)) >= FAILURES_FROM_HOST

    def failed(self, address: str, username: str) -> None:
        """Note that user name and password did not fit."""
        self._of_user_from.add(self._origin(address, username)[0])
        self._from_host.add(host(address))
        self._of_user.add(_user(username))

    def succeeded(self, address: str, username: str) -> None:
        """Note a login: what was mistyped before is forgiven."""
        self._of_user_from.forget(self._origin(address, username)[0])
        self._at_home.put((_user(username), host(address)), True, AT_HOME_SECONDS)

    def delay_seconds(self, address: str, username: str) -> float:
        """How long to hold back the answer to a failure that has been counted, at most 5 s."""
        surplus = max(
            self._of_user_from.count(self._origin(address, username)[0]),
            self._of_user.count(_user(username)) - _FREE_FAILURES_OF_USER,
            self._from_host.count(host(address)) - _FREE_FAILURES_FROM_HOST,
        )
        if surplus < 1:
            return 0.0
        return min(MAX_DELAY_SECONDS, _FIRST_DELAY_SECONDS * math.exp2(min(surplus - 1, 10)))

    def _origin(self, address: str, username: str) -> tuple[tuple[str, str], bool]:
        """What failures of a user are counted under, and whether the user is at home there."""
        user = _user(username)
        home = (user, host(address))
        if self._at_home.get(home):
            return home, True
        return (user, network(address)), False


def host(address: str) -> str:
    """What counts as one client: an IPv4 address, or the /64 of an IPv6 address."""
    return _prefix(address, ipv4_bits=32)


def network(address: str) -> str:
    """What counts as one owner: an IPv4 /24 or an IPv6 /64."""
    return _prefix(address, ipv4_bits=24)


@lru_cache(maxsize=4096)
def _prefix(address: str, ipv4_bits: int) -> str:
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address  # no IP connection; all of its kind count together
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.IPv6Network((int(parsed), 64), strict=False))
        parsed = parsed.ipv4_mapped
    return str(ipaddress.IPv4Network((int(parsed), ipv4_bits), strict=False))


def _user(username: str) -> str:
    return username[:_MAX_USERNAME_CHARACTERS].lower()


class _Counts(Generic[_Key]):
    """
    Events per key over a sliding window, from two numbers per key.

    The window that slides is made of the current fixed one and of as much of the previous
    one as it still covers, which takes the events of the previous one as evenly spread.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._counts: OrderedDict[_Key, tuple[int, int, int]] = OrderedDict()

    def count(self, key: _Key) -> float:
        current, previous = self._current_and_previous(key)
        covered: float = 1.0 - self._seconds() % WINDOW_SECONDS / WINDOW_SECONDS
        return current + previous * covered

    def add(self, key: _Key) -> None:
        current, previous = self._current_and_previous(key)
        self._counts[key] = (self._window(), current + 1, previous)
        self._counts.move_to_end(key)
        if len(self._counts) > MAX_ENTRIES:
            self._counts.popitem(last=False)

    def forget(self, key: _Key) -> None:
        self._counts.pop(key, None)

    def _current_and_previous(self, key: _Key) -> tuple[int, int]:
        window, current, previous = self._counts.get(key, (0, 0, 0))
        age = self._window() - window
        if age == 0:
            return current, previous
        return 0, current if age == 1 else 0

    def _window(self) -> int:
        return int(self._seconds() // WINDOW_SECONDS)
