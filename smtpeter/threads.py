"""A few threads for what would hold up the reactor: hashes, large parses, files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

THREADS = 4


class Threads(Service):
    """Calls functions in threads while it runs; what was begun is finished at its stop."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(1, THREADS, "helpers")

    def startService(self) -> None:
        Service.startService(self)
        self._pool.start()

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._pool.stop)

    def call(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """Call a function in a thread; fires with its result."""
        return deferToThreadPool(self._reactor, self._pool, function, *args)
