"""Has a command ask the DNS, and wait for it."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import click

# What takes its time to load is loaded when there is something to ask.
if TYPE_CHECKING:
    from twisted.internet.interfaces import IReactorTime

    from smtpeter.config import Config
    from smtpeter.dns.names import Names

T = TypeVar("T")

Asking: TypeAlias = "Callable[[Names, IReactorTime], Coroutine[Any, Any, T]]"


class Ask(Protocol):
    """What `ask_dns` does, for tests to do it otherwise."""

    def __call__(self, config: Config, asking: Asking[T], /) -> T: ...


def ask_dns(config: Config, asking: Asking[T]) -> T:
    """
    Run a coroutine that looks up names, to its end; once in a process.

    Raises:
        Abort: somebody interrupted it.
        Exception: what the coroutine raises.
    """
    from twisted.internet import reactor as installed  # noqa: PLC0415
    from twisted.internet.defer import Deferred  # noqa: PLC0415
    from twisted.python.failure import Failure  # noqa: PLC0415

    from smtpeter.dnslookup import dns_names  # noqa: PLC0415

    reactor: Any = installed
    results: list[T | Failure] = []

    def begin() -> None:
        waiting = Deferred.fromCoroutine(asking(dns_names(config, reactor), reactor))
        waiting.addBoth(results.append)
        waiting.addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(begin)
    reactor.run()
    if not results:
        raise click.Abort
    [result] = results
    if isinstance(result, Failure):
        result.raiseException()
    return result


def today(now: float) -> date:
    """The day by which policies grow: that of UTC."""
    return datetime.fromtimestamp(now, UTC).date()
