"""Hosts that are there for readers alone: links point there, and nothing else is there."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from smtpeter.accounts.identities import IDENTITY_SECONDS
from smtpeter.domains import DomainError, domain_name
from smtpeter.expiring import Expiring
from smtpeter.store import domains
from smtpeter.store.store import Store

HOSTS = 10_000

_PORT = re.compile(r":[0-9]*\Z")


class ReaderHosts:
    """
    Tells the hosts for readers from all others.

    These are `tracking.host` and the tracking hosts of approved sender domains, but never the
    host of `http.public_url`, where everything is.

    Args:
        default: `tracking.host`.
        public: the host of `http.public_url`.
        monotonic: a clock that never goes back.
    """

    def __init__(
        self,
        store: Store,
        default: str,
        public: str,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._default = default
        self._public = public
        self._known: Expiring[str, bool] = Expiring(monotonic, HOSTS)

    def known(self, host: str) -> bool | None:
        """
        Whether a host is for readers alone; None when only the store can tell.

        Args:
            host: as a request names it (RFC 9110 section 7.2), with or without a port.
        """
        name = _name(host)
        if name == self._public:
            return False
        if name == self._default:
            return True
        return self._known.get(name) if _is_domain(name) else False

    async def look_up(self, host: str) -> bool:
        """
        The same from the store.

        Raises:
            StoreError: it cannot be asked.
        """
        name = _name(host)
        found = await self._store.read(domains.is_tracking_host, name)
        self._known.put(name, found, IDENTITY_SECONDS)
        return found


def _name(host: str) -> str:
    """The name alone, in lower case."""
    return _PORT.sub("", host).removesuffix(".").lower()


def _is_domain(name: str) -> bool:
    """False for what no sender domain could have, and for what a store could not compare."""
    try:
        return domain_name(name) == name
    except DomainError:
        return False
