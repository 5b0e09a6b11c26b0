"""A few threads for what would hold up the reactor: hashes, large parses, files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, fail
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

THREADS = 4


class ThreadsEnded(Exception):
    """The service stops; nothing more is begun."""


class Threads(Service):
    """Calls functions in threads while it runs; what was begun is finished at its stop."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._pool = ThreadPool(1, THREADS, "helpers")
        self._stopped = False

    def startService(self) -> None:
        Service.startService(self)
        self._pool.start()

    def stopService(self) -> Deferred[None]:
        Service.stopService(self)
        self._stopped = True
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), self._pool.stop)

    def call(self, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        """
        Call a function in a thread; fires with its result.

        Fails with `ThreadsEnded` after the stop.
        """
        if self._stopped:  # the pool would forget it, and nobody would ever hear of it
            return fail(ThreadsEnded())
        return deferToThreadPool(self._reactor, self._pool, function, *args)
